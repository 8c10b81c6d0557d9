"""JWTs that strangers have written.

References: RFC 7515 section 5.2, RFC 7518 section 3.3, RFC 7519 section 7.2
"""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mock_as.base64url import base64url
from mock_as.jwts import (
    SIGNATURE_ALGORITHMS,
    JWTError,
    import_key,
    import_keys,
    judge_audience,
    judge_times,
    read,
    verify,
)
from mock_as.keys.signing import ALGORITHMS, generate_key
from mock_as.messages import encode_json
from mock_as.oauth.dpop import Expected, ProofError, judge_proof

KEYS = {alg: generate_key(alg) for alg in ALGORITHMS}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)
MEMBERS = st.dictionaries(
    st.sampled_from(["typ", "alg", "jwk", "kid", "crit", "iss", "aud", "exp", "nbf", "iat", "jti", "htm", "htu"]),
    st.sampled_from([*SIGNATURE_ALGORITHMS, "dpop+jwt", "POST", "https://as.test/token", 0, 1e400]) | JSON,
)


@pytest.mark.parametrize("key", KEYS.values(), ids=KEYS)
def test_signature(key: Any) -> None:
    """A signature of every algorithm is known by the public key, and by no other."""
    jwt = read(key.jwt("JWT", {"a": 1}))
    assert jwt.claims == {"a": 1}
    verify(jwt, import_keys([key.public()]), SIGNATURE_ALGORITHMS)
    with pytest.raises(JWTError, match="signature"):
        verify(jwt, import_keys([generate_key(key.alg).public()]), SIGNATURE_ALGORITHMS)
    with pytest.raises(JWTError, match="signature"):
        verify(jwt, [], SIGNATURE_ALGORITHMS)
    with pytest.raises(JWTError, match="algorithm"):
        verify(jwt, import_keys([key.public()]), [])


def test_key_for_another_use() -> None:
    """A key that says it is for something else verifies nothing."""
    key = KEYS["ES256"]
    jwt = read(key.jwt("JWT", {}))
    for changes in ({"use": "enc"}, {"alg": "ES384"}):
        with pytest.raises(JWTError, match="signature"):
            verify(jwt, import_keys([key.public() | changes]), SIGNATURE_ALGORITHMS)


def test_signature_of_another_length() -> None:
    """A signature that is cut, or empty, is none."""
    key = KEYS["ES256"]
    text = key.jwt("JWT", {})
    for cut in (text[:-4], f"{text.rpartition('.')[0]}."):
        with pytest.raises(JWTError, match="signature"):
            verify(read(cut), import_keys([key.public()]), SIGNATURE_ALGORITHMS)


def test_keys_by_name() -> None:
    """The key of a name is taken, and keys without one are tried for any."""
    named = {**KEYS["ES256"].public(), "kid": "a"}
    nameless = {name: value for name, value in KEYS["ES384"].public().items() if name != "kid"}
    assert len(import_keys([named, nameless], "a")) == 2
    assert len(import_keys([named, nameless], "b")) == 1
    assert len(import_keys([named, nameless])) == 2
    assert import_keys([{"kty": "unheard-of"}, {}]) == []


@pytest.mark.parametrize("modulus", [None, 7, "", "v" * 341, "v" * 1367])
def test_rsa_keys_of_unfair_length(modulus: object) -> None:
    """An RSA key of less than 2048 bits protects nothing, and one of very many takes for ever."""
    assert import_key({"kty": "RSA", "n": modulus, "e": "AQAB"}) is None


@given(st.text())
def test_any_text(text: str) -> None:
    """Whatever text comes, it is a JWT or it is refused."""
    with contextlib.suppress(JWTError):
        read(text)


@given(MEMBERS, MEMBERS)
def test_any_claims(header: dict[str, Any], claims: dict[str, Any]) -> None:
    """Whatever a JWT says, it is judged without an accident."""
    text = f"{base64url(encode_json(header))}.{base64url(encode_json(claims))}.AAAA"
    jwt = None
    with contextlib.suppress(JWTError):
        jwt = read(text)
    if jwt is None:
        return
    keys = import_keys([KEYS["ES256"].public()], jwt.header.get("kid"))
    with contextlib.suppress(JWTError):
        verify(jwt, keys, SIGNATURE_ALGORITHMS)
    with contextlib.suppress(JWTError):
        judge_times(jwt.claims, 0.0)
    with contextlib.suppress(JWTError):
        judge_audience(jwt.claims, ["https://as.test"])
    with pytest.raises(ProofError):
        judge_proof(text, Expected(method="POST", url="https://as.test/token", now=0.0))


@given(MEMBERS)
def test_any_claims_of_a_proof(claims: dict[str, Any]) -> None:
    """Whatever a proof with a right signature says, it is judged without an accident."""
    key = KEYS["ES256"]
    proof = key.jws({"typ": "dpop+jwt", "jwk": key.jwk.as_dict(private=False)}, encode_json(claims))
    with contextlib.suppress(ProofError):
        judge_proof(proof, Expected(method="POST", url="https://as.test/token", now=0.0))
