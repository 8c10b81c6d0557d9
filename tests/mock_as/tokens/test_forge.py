"""Tokens of which everything is as the test says."""

from __future__ import annotations

import hmac

import pytest
from joserfc.jwk import ECKey, OKPKey
from joserfc.jws import JWSRegistry

from mock_as import UsageError
from mock_as.keys.signing import generate_key
from mock_as.tokens.forge import forge
from tests.mock_as.jose import header_of, is_signed, payload_of, unpad

KEY = generate_key("ES256")


def test_header_and_payload_are_as_given() -> None:
    """Nothing is added to the header, and the payload is sent byte by byte."""
    token = forge({"alg": "ES256", "x": [1]}, b"\x00 not JSON", KEY)
    assert header_of(token.value) == {"alg": "ES256", "x": [1]} == token.header
    assert unpad(token.value.split(".")[1]) == b"\x00 not JSON"
    assert is_signed(token.value, KEY.public())
    assert token.bearer == {"Authorization": f"Bearer {token.value}"}


def test_claims_are_written_as_json() -> None:
    """Claims are a payload too."""
    token = forge({"alg": "ES256"}, {"sub": "alice", "jti": "mine"}, KEY)
    assert payload_of(token.value) == {"sub": "alice", "jti": "mine"} == token.claims
    assert token.jti == "mine"


@pytest.mark.parametrize("key", [ECKey.generate_key("P-384"), OKPKey.generate_key("Ed25519")])
def test_key_of_joserfc_signs_too(key: ECKey | OKPKey) -> None:
    """A private key of joserfc signs with the usual algorithm of its kind, whatever the header says."""
    token = forge({"alg": "RS256"}, b"payload", key)
    alg = "ES384" if isinstance(key, ECKey) else "Ed25519"
    message, _, signature = token.value.rpartition(".")
    assert JWSRegistry.algorithms[alg].verify(message.encode(), unpad(signature), key)


@pytest.mark.parametrize(
    ("alg", "digest"), [("HS256", "sha256"), ("HS384", "sha384"), ("HS512", "sha512"), ("ES256", "sha256")]
)
def test_secret_makes_an_hmac(alg: str, digest: str) -> None:
    """A secret signs with the HMAC that the header names, and with SHA-256 where that names none."""
    token = forge({"alg": alg}, {}, b"secret")
    message, _, signature = token.value.rpartition(".")
    assert unpad(signature) == hmac.digest(b"secret", message.encode(), digest)


def test_no_key_is_no_signature() -> None:
    """Without a key the third part is empty, and the dot before it stays."""
    assert forge({"alg": "none"}).value.split(".")[1:] == ["", ""]


def test_refuses_what_json_cannot_say() -> None:
    """A value that JSON does not have is refused, and named."""
    with pytest.raises(UsageError, match=r"^header: cannot"):
        forge({"alg": object()})
    with pytest.raises(UsageError, match=r"^payload: cannot"):
        forge({}, {"x": {1}})
