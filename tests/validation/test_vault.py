"""What is shared opens for whoever has both the secret and the token, at its own place; the store learns nothing."""

from __future__ import annotations

import pickle
from hashlib import scrypt

import pytest

from resource_server._protocol.sealed import seal
from resource_server._validation.vault import Vault, stretched

SECRET = b"canary-secret-of-thirty-two-bytes"
IDENTITY = ("https://as.example.com", "rs", "", "https://rs.example.com")
TOKEN = b"canary-token"
MEMBERS = {"answered_at": 1.5, "claims": {"sub": "canary-subject"}}
VAULT = Vault(SECRET, IDENTITY)
NAME = VAULT.name("verdict", "0123abcd")
SEALED = VAULT.seal(MEMBERS, name=NAME, token=TOKEN)


def test_all_workers_open_it() -> None:
    """Another worker with the same secret and identity finds the same place, and opens what lies there."""
    other = Vault(SECRET, IDENTITY)
    assert other.digest_key == VAULT.digest_key
    assert other.name("verdict", "0123abcd") == NAME
    assert other.open(SEALED, name=NAME, token=TOKEN) == MEMBERS


def test_a_name_stays_in_one_slot_of_a_cluster() -> None:
    """All that distinguishes a name is in its braces, so that what belongs to it lies beside it."""
    assert NAME.count(b"{") == NAME.count(b"}") == 1
    assert NAME.endswith(b"}")


def test_kinds_never_meet() -> None:
    """Two kinds of value with one digest have two places, and neither opens at the other's."""
    other = VAULT.name("replay", "0123abcd")
    assert other != NAME
    assert VAULT.open(SEALED, name=other, token=TOKEN) is None


@pytest.mark.attack("A-C-13")
def test_nothing_shows() -> None:
    """Neither a name nor a value holds the token, the claims, the issuer, our name there or the secret."""
    shown = NAME + SEALED
    for canary in (b"canary", b"as.example.com", b"rs.example.com", b"answered_at"):
        assert canary not in shown


@pytest.mark.attack("A-C-13")
def test_no_value_opens_without_its_token() -> None:
    """Whoever has stolen the store and the secret still needs the token."""
    for token in (b"", b"canary-tokeN", TOKEN + b"\0"):
        assert VAULT.open(SEALED, name=NAME, token=token) is None


@pytest.mark.attack("A-C-13", "A-C-1")
@pytest.mark.parametrize(
    "other",
    [
        Vault(SECRET + b"2", IDENTITY),
        Vault(SECRET, ("https://other.example.com", *IDENTITY[1:])),
        Vault(SECRET, (IDENTITY[0], "other", *IDENTITY[2:])),
        Vault(SECRET, (*IDENTITY, "https://other.example.com")),
        Vault(SECRET, ("https://as.example.com", "rs", "https://rs.example.com", "")),
    ],
    ids=["secret", "issuer", "client", "audience", "order"],
)
def test_other_secret_and_other_identity(other: Vault) -> None:
    """Servers with another secret, issuer, client or audience share neither names nor values, nor digests of tokens."""
    assert other.name("verdict", "0123abcd") != NAME
    assert other.digest_key != VAULT.digest_key
    assert other.open(SEALED, name=NAME, token=TOKEN) is None


@pytest.mark.attack("A-C-13")
def test_other_version(monkeypatch: pytest.MonkeyPatch) -> None:
    """A version that writes something else shares nothing with this one."""
    monkeypatch.setattr("resource_server._validation.vault.VERSION", 2)
    other = Vault(SECRET, IDENTITY)
    assert other.name("verdict", "0123abcd") != NAME
    assert other.open(SEALED, name=NAME, token=TOKEN) is None


@pytest.mark.attack("A-C-13")
@pytest.mark.parametrize("content", [pickle.dumps(MEMBERS), b"[]", b'{"a": NaN}', b'{"a": 1, "a": 2}', b""])
def test_what_is_sealed_is_json(content: bytes) -> None:
    """Even what was sealed with the right key opens only where it is an object in strict JSON; nothing is unpickled."""
    sealed = seal(content, key=VAULT._key(TOKEN), nonce=bytes(12), name=NAME)
    assert VAULT.open(sealed, name=NAME, token=TOKEN) is None


def test_no_two_seals_share_a_nonce() -> None:
    """Each value is sealed with a nonce of its own."""
    assert len({VAULT.seal(MEMBERS, name=NAME, token=TOKEN)[1:13] for _ in range(1000)}) == 1000


def test_what_all_may_read_has_no_token() -> None:
    """What is sealed or opened without a token is the same as with an empty one."""
    assert VAULT.open(VAULT.seal(MEMBERS, name=NAME), name=NAME, token=b"") == MEMBERS
    assert VAULT.open(VAULT.seal(MEMBERS, name=NAME, token=b""), name=NAME) == MEMBERS


def test_a_stretched_secret() -> None:
    """RFC 7914 §2: workers of two versions make the same secret of 32 bytes, at the same cost."""
    expected = scrypt(b"a short secret", salt=b"resource-server", n=16384, r=8, p=1, dklen=32)
    assert stretched("a short secret") == expected
