"""The options for what is encrypted: which keys and algorithms can be configured, and what is said of others."""

from __future__ import annotations

from typing import Any

import pytest

from resource_server import ConfigurationError, Settings
from resource_server._protocol.jwe import CONTENT_ENCRYPTION_ALGORITHMS, DECRYPTION_ALGORITHMS
from resource_server._reload import compare
from tests.support.jwe import encryption_key
from tests.support.jwt import AUDIENCE, ISSUER, REMOVED, public_pem, signing_key

KEY = encryption_key()
NEEDED: dict[str, Any] = {"issuer": ISSUER, "audience": AUDIENCE, "strategy": "jwks"}


def refusal(**options: Any) -> str:
    """Return what is said of a configuration that is not accepted."""
    with pytest.raises(ConfigurationError) as refused:
        Settings.build(**(NEEDED | options))
    return str(refused.value)


def test_what_is_allowed_unless_told_otherwise() -> None:
    """RFC 7518 §4.1 and §5.1: the defaults are of what can be used, and neither SHA-1 nor odd sizes are among them."""
    settings = Settings.build(**NEEDED, decryption_key=KEY.text())
    assert set(settings.decryption_algorithms) < set(DECRYPTION_ALGORITHMS)
    assert set(settings.content_encryption_algorithms) < set(CONTENT_ENCRYPTION_ALGORITHMS)
    decryption = settings.policy().decryption
    assert decryption is not None
    assert decryption.algorithms == set(settings.decryption_algorithms)
    assert decryption.encryptions == set(settings.content_encryption_algorithms)
    assert [key.key_id for key in decryption.keys] == [KEY.kid]


@pytest.mark.rfc("8725bis-3.13-a", "8725-3.1-a")
@pytest.mark.attack("A-J-13")
@pytest.mark.parametrize(
    "algorithm", ["RSA1_5", "dir", "A128KW", "A256GCMKW", "PBES2-HS256+A128KW", "none", "ECDH-ES+A256GCMKW"]
)
def test_what_cannot_be_allowed(algorithm: str) -> None:
    """RFC 8725 §3.2: no option makes a padding that leaks, a password or a shared secret acceptable."""
    said = refusal(decryption_key=KEY.text(), decryption_algorithms=["ECDH-ES", algorithm])
    assert said.startswith("decryption_algorithms: must be some of ECDH-ES, ")


@pytest.mark.parametrize("option", ["decryption_algorithms", "content_encryption_algorithms"])
@pytest.mark.parametrize("value", ["", "A256CBC", "zip"])
def test_lists_name_what_there_is(option: str, value: str) -> None:
    """A list of algorithms that is empty, or has a name that nothing has, is refused with the names there are."""
    assert refusal(**{option: value}).startswith(f"{option}: must be some of ")


def test_a_mode_needs_a_key() -> None:
    """Encrypted tokens cannot be accepted without a key for them."""
    assert refusal(encrypted_tokens="optional") == "encrypted_tokens 'optional' needs decryption_key"


@pytest.mark.parametrize(
    "text", ["canary-no-key", KEY.text(d=REMOVED), public_pem(signing_key()).decode(), signing_key("Ed25519").kid]
)
def test_a_key_is_judged_at_construction(text: str) -> None:
    """What is no private key that can decrypt is refused before the first request; its value is not shown."""
    said = refusal(decryption_key=text)
    assert said.startswith("decryption_key ")
    assert text[:16] not in said


@pytest.mark.parametrize(
    "change",
    [
        {"decryption_key": encryption_key("P-256", "other").text()},
        {"decryption_algorithms": "ECDH-ES"},
        {"content_encryption_algorithms": "A256GCM"},
        {"encrypted_tokens": "required"},
        {"signed_introspection": "required"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_change_while_requests_are_served(change: dict[str, Any]) -> None:
    """What was found out under other keys, algorithms or demands does not hold any more."""
    before = Settings.build(**NEEDED, decryption_key=KEY.text())
    change_seen = compare(before, Settings.build(**(NEEDED | {"decryption_key": KEY.text()} | change)))
    assert change_seen is not None
    assert change_seen.judgement
    assert change_seen.changed == tuple(change)


def test_a_key_is_not_shown() -> None:
    """A private key is in no ``repr``."""
    settings = Settings.build(**NEEDED, decryption_key=KEY.text())
    secret = KEY.jwk()["d"]
    assert secret not in repr(settings)
    assert secret not in repr(settings.policy())
