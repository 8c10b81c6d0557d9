"""Proofs of possession: RFC 9449 section 4.2."""

from __future__ import annotations

import hashlib

import pytest

from mock_as.keys.signing import generate_key
from mock_as.tokens.proofs import Prover
from tests.mock_as.jose import header_of, is_signed, payload_of, unpad

NOW = 1_700_000_000.75
URL = "https://api.example.test/orders"


@pytest.fixture
def prover() -> Prover:
    """Make a client's own key, and a clock that stands still."""
    return Prover(generate_key("ES256"), lambda: NOW)


def test_proof_is_signed_by_the_key_it_brings(prover: Prover) -> None:
    """The header says the type, the algorithm and the public key, and that key verifies the proof."""
    proof = prover.proof("GET", URL)
    header = header_of(proof)
    assert set(header) == {"typ", "alg", "jwk"}
    assert (header["typ"], header["alg"], set(header["jwk"])) == ("dpop+jwt", "ES256", {"kty", "crv", "x", "y"})
    assert is_signed(proof, header["jwk"], "ES256")


def test_proof_is_for_one_request(prover: Prover) -> None:
    """The claims say which request the proof is for, and when it was made; without a token there is no `ath`."""
    claims = payload_of(prover.proof("POST", f"{URL}?page=2#top"))
    assert {name: claims[name] for name in ("htm", "htu", "iat")} == {"htm": "POST", "htu": URL, "iat": int(NOW)}
    assert set(claims) == {"jti", "htm", "htu", "iat"}


def test_no_two_proofs_have_the_same_name(prover: Prover) -> None:
    """Each proof has a `jti` of its own."""
    assert len({payload_of(prover.proof("GET", URL))["jti"] for _ in range(50)}) == 50


def test_proof_names_the_token_and_the_nonce(prover: Prover) -> None:
    """With a token there is its hash, with a nonce the nonce, and whatever the test says last is said."""
    claims = payload_of(prover.proof("GET", URL, token="token", nonce="n-1", iat=7, extra=True))
    assert unpad(claims["ath"]) == hashlib.sha256(b"token").digest()
    assert (claims["nonce"], claims["iat"], claims["extra"]) == ("n-1", 7, True)
