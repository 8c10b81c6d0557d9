"""Private keys from a file: a server that is started again signs with the same ones."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from joserfc.jwk import OKPKey

from mock_as import MockAS, UsageError
from mock_as.keys import ALGORITHMS, KeyRing, generate_key
from mock_as.keys.files import parse_keys, read_keys
from mock_as.keys.signing import SigningKey

ES256, RS256, ED25519 = generate_key("ES256"), generate_key("RS256"), generate_key("Ed25519")


def private(key: SigningKey, **changes: Any) -> dict[str, Any]:
    """Write a key as a JWK, with its private part."""
    return {**key.jwk.as_dict(private=True), **changes}


def jwks(*keys: Any) -> bytes:
    """Write a JWKS."""
    return json.dumps({"keys": keys}).encode()


@pytest.mark.parametrize("alg", ALGORITHMS)
def test_keys_of_every_algorithm_come_back(alg: str) -> None:
    """A key of a JWKS has the name, the algorithm and the public part that it had when it was written."""
    key = generate_key(alg)
    [read] = parse_keys(jwks(private(key)))
    assert (read.kid, read.alg, read.public()) == (key.kid, alg, key.public())


def test_file_is_a_jwks_a_jwk_or_pem(tmp_path: Path) -> None:
    """The same key is read from each of the three formats; in PEM it has no name but its thumbprint."""
    path = tmp_path / "keys"
    for data in (jwks(private(ES256)), json.dumps(private(ES256)).encode(), ES256.jwk.as_pem(private=True)):
        path.write_bytes(data)
        assert [key.public() for key in read_keys(path)] == [ES256.public()]


def test_pem_blocks_stand_one_after_another() -> None:
    """A PEM file may hold keys of several kinds, each for the usual algorithm of its kind; other blocks are skipped."""
    data = b"".join(
        [*(key.jwk.as_pem(private=True) for key in (RS256, ES256, ED25519)), ES256.jwk.as_pem(private=False)]
    )
    assert [(key.kid, key.alg) for key in parse_keys(data)] == [
        (RS256.kid, "RS256"),
        (ES256.kid, "ES256"),
        (ED25519.kid, "Ed25519"),
    ]


def test_names_are_kept() -> None:
    """A key that has a name keeps it, in the JWKS too."""
    ring = KeyRing(parse_keys(jwks(private(ES256, kid="mine"))))
    assert [key["kid"] for key in ring.jwks()["keys"]] == ["mine"]
    assert ring.signing().kid == "mine"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "neither a JWKS nor PEM"),
        (b"\xff", "neither a JWKS nor PEM"),
        (b"[]", "there is no key in it"),
        (b"{}", "there is no key in it"),
        (b'{"keys": 7}', "there is no key in it"),
        (jwks(1), "key 1 is none that can be read"),
        (jwks(private(ES256), {"kty": "oct", "k": "c2VjcmV0"}), "key 2 is none that can be read"),
        (jwks(private(ES256, alg="RS256")), "key 1 is none that can be read"),
        (jwks(private(ES256, alg="HS256")), "key 1 is none that can be read"),
        (jwks(private(ES256, alg="none")), "key 1 is none that can be read"),
        (jwks(private(RS256, alg="RS512")), "'RS512' is unknown"),
        (jwks({**OKPKey.generate_key("X25519").as_dict(private=True)}), "key 1 is none that can be read"),
        (jwks(ES256.public()), "key 1 is no private key"),
        (jwks(private(ES256), private(ES256)), "two keys have the same kid"),
        (b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----", "key 1 is none that can be read"),
    ],
)
def test_refuses_what_is_no_key(data: bytes, message: str) -> None:
    """What cannot be used is refused by its number, without a word of what the file holds."""
    with pytest.raises(UsageError, match=message) as caught:
        parse_keys(data)
    assert caught.value.field == "keys"
    assert str(private(ES256)["d"]) not in str(caught.value)


def test_refuses_a_file_that_is_not_there(tmp_path: Path) -> None:
    """A file that cannot be read is named."""
    with pytest.raises(UsageError, match=r"^keys: .*missing.json' cannot be read: No such file"):
        read_keys(tmp_path / "missing.json")


def test_server_that_is_started_again_has_the_same_keys(tmp_path: Path) -> None:
    """Two servers with one file publish the same keys; an issuer beside them has keys of its own."""
    path = tmp_path / "keys.json"
    path.write_bytes(jwks(private(ES256), private(ED25519)))
    one, again = MockAS(keys=path), MockAS(keys=str(path))
    assert one.keys.jwks() == again.keys.jwks() == {"keys": [ES256.public(), ED25519.public()]}
    assert one.tenant("other").keys.signing().kid != ES256.kid
