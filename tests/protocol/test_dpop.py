"""A DPoP proof up to its signature: how it is sent, what is in it, and what it must be for."""

from __future__ import annotations

from typing import Any
from unittest.mock import Mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resource_server import RequestParts
from resource_server._protocol import jose
from resource_server._protocol.dpop import (
    MAX_AHEAD,
    MAX_PROOF_BYTES,
    Occasion,
    Proof,
    judge_proof,
    key_thumbprint,
    read_proof,
    token_hash,
)
from resource_server._protocol.jose import verify_proof
from resource_server._protocol.jwks import ALGORITHMS, read_key
from resource_server.errors import InvalidDPoPProof
from tests.support.jwt import (
    NOW,
    REMOVED,
    access_token,
    b64url,
    sign,
    sign_hmac,
    signing_key,
    thumbprint,
    unsigned,
    with_signature,
)
from tests.support.proofs import BASE, client_key, proof, proof_claims, proof_header, proven, public_jwk
from tests.support.vectors import example

ALL = frozenset(ALGORITHMS)
WINDOW = 60.0
NAN, INFINITY = float("nan"), float("inf")


def read(*proofs: str, algorithms: frozenset[str] = ALL) -> Proof:
    """Read the proof of a request."""
    return read_proof(proven(*proofs).headers, algorithms)


def refusal(*proofs: str, algorithms: frozenset[str] = ALL) -> str | None:
    """Return why a request's proof cannot be read."""
    with pytest.raises(InvalidDPoPProof) as caught:
        read(*proofs, algorithms=algorithms)
    return caught.value.reason


def judged(text: str, *, leeway: float = 0.0, **changes: Any) -> str | None:
    """Judge a proof for the usual request, changed as asked."""
    occasion = Occasion("GET", f"{BASE}/things", b"bound", NOW)._replace(**changes)
    return judge_proof(read(text), occasion, window=WINDOW, leeway=leeway)


def sized(length: int) -> str:
    """Make a proof of exactly so many bytes."""
    key = client_key()
    about = (length - len(unsigned(proof_header(key), proof_claims(jti="x")))) * 3 // 4
    found = (
        unsigned(proof_header(key, kid="k" * kid), proof_claims(jti="x" * jti))
        for kid in range(4)
        for jti in range(about - 20, about + 20)
    )
    return next(text for text in found if len(text) == length)


@pytest.mark.rfc("9449-4.3-2", "9449-4.3-3")
def test_a_good_proof_is_read() -> None:
    """RFC 9449 §4.2: everything a proof says is read, and its key is named by its thumbprint."""
    key = client_key()
    found = read(proof(key, jti="one", nonce="n", iat=NOW + 0.5))
    said = (found.proof_id, found.method, found.uri, found.issued_at, found.nonce, found.thumbprint)
    assert said == ("one", "GET", f"{BASE}/things", NOW + 0.5, "n", thumbprint(key))
    assert read(proof()).nonce is None


def test_no_secret_is_shown() -> None:
    """Neither a proof nor the occasion it is for shows anything that could be used again."""
    shown = repr(read(proof(jti="canary-jti", nonce="canary-nonce"))) + repr(Occasion("GET", "u", b"canary", NOW))
    assert "canary" not in shown
    assert "things" not in shown
    assert token_hash(b"bound") not in shown


@pytest.mark.rfc("9449-4.3-1")
def test_no_more_than_one_field() -> None:
    """RFC 9449 §4.3: two DPoP fields, or two proofs in one, are none; so is none at all."""
    first, second = proof(), proof()
    assert refusal(first, second) == "proof_invalid"
    assert refusal(first, first) == "proof_invalid"
    assert refusal(f"{first},{second}") == "proof_invalid"
    assert refusal(f"{first}, {second}") == "proof_invalid"
    assert refusal(first, "") == "proof_invalid"
    assert refusal() == "proof_missing"


@pytest.mark.rfc("9449-4.3-1")
@pytest.mark.parametrize("name", [b"dpop", b"DPoP", b"DPOP"])
def test_field_name_without_case(name: bytes) -> None:
    """RFC 9110 §5.1: the name of the field is compared without case, and blanks around its value are no part of it."""
    headers = [(b"dpop-nonce", b"x"), (b"depo", b"x"), (name, b" \t" + proof().encode() + b" ")]
    assert read_proof(headers, ALL).method == "GET"


@pytest.mark.rfc("9449-4.3-2")
@pytest.mark.parametrize(
    "text",
    [
        "",
        "garbage",
        "a.b",
        "a.b.c",
        "a.b.c.d.e",
        "..",
        unsigned(proof_header(client_key()), b"not json"),
        unsigned(proof_header(client_key()), []),
        unsigned(b"not json", proof_claims()),
        unsigned(proof_header(client_key(), crit=["x"]), proof_claims()),
        unsigned(b'{"typ":"dpop+jwt","typ":"dpop+jwt"}', proof_claims()),
        f"{proof()}=",
        f"{proof()}\u00e9",
        f"Bearer {proof()}",
        f"X{proof()}",
        f'"{proof()}"',
    ],
)
def test_not_one_jwt(text: str) -> None:
    """RFC 9449 §4.3: the value is a single well-formed JWT."""
    assert refusal(text) == "proof_invalid"


@pytest.mark.rfc("9449-11.1-a", "9449-4.3-2")
def test_length() -> None:
    """RFC 9449 §11.1: a proof with an absurd jti is refused unseen."""
    assert refusal(proof(jti="x" * 1_000_000)) == "proof_invalid"
    assert MAX_PROOF_BYTES == 16 * 1024
    longest = sized(MAX_PROOF_BYTES)
    assert read(longest).method == "GET"
    assert refusal(sized(MAX_PROOF_BYTES + 1)) == "proof_invalid"


@pytest.mark.rfc("9449-4.3-3")
@pytest.mark.parametrize("name", ["jti", "htm", "htu", "iat", "ath"])
@pytest.mark.parametrize("value", [REMOVED, None, "", [], {}, True, ["x"]])
def test_required_claims(name: str, value: Any) -> None:
    """RFC 9449 §4.3: each required claim is there, and of its type."""
    assert refusal(proof(**{name: value})) == "proof_invalid"


@pytest.mark.rfc("9449-4.3-3", "9449-4.3-11")
@pytest.mark.parametrize(
    ("name", "value"), [("jti", 1), ("htm", 1), ("htu", 1.5), ("iat", str(int(NOW))), ("ath", 0), ("nonce", 1)]
)
def test_types_of_claims(name: str, value: Any) -> None:
    """A number is no text, and a text is no number."""
    assert refusal(proof(**{name: value})) == "proof_invalid"


@pytest.mark.rfc("9449-4.3-11")
@pytest.mark.parametrize("value", [NAN, INFINITY, -INFINITY])
def test_no_number(value: float) -> None:
    """What JSON has no word for makes the whole proof malformed."""
    assert refusal(proof(iat=value)) == "proof_invalid"


@pytest.mark.rfc("9449-4.3-4", "9449-11.5-a")
@pytest.mark.parametrize("typ", [REMOVED, "JWT", "at+jwt", "dpop", "dpop+jwt;x", "text/dpop+jwt", "", 1, None])
def test_type(typ: Any) -> None:
    """RFC 9449 §4.3: a JWT of another type is no proof."""
    assert refusal(proof(head={"typ": typ})) == "proof_invalid"


@pytest.mark.rfc("9449-4.3-4")
@pytest.mark.parametrize("typ", ["dpop+jwt", "DPoP+JWT", "application/dpop+jwt"])
def test_spellings_of_the_type(typ: str) -> None:
    """RFC 7515 §4.1.9: a media type is compared without case, and may have its prefix."""
    assert read(proof(head={"typ": typ})).method == "GET"


@pytest.mark.rfc("9449-11.5-a")
def test_an_access_token_is_no_proof() -> None:
    """RFC 9449 §11.5: an access token in the place of the proof is refused, even one with a key in its header."""
    key = client_key()
    assert refusal(access_token()) == "proof_invalid"
    assert refusal(access_token(key, head={"jwk": public_jwk(key)}, **proof_claims())) == "proof_invalid"


@pytest.mark.rfc("9449-4.3-5")
def test_algorithm_on_the_list() -> None:
    """RFC 9449 §4.3: an algorithm that is symmetric, none, unknown or not on the list is refused."""
    key = client_key()
    none = {"alg": "none"}
    assert refusal(unsigned(proof_header(key, **none), proof_claims())) == "proof_invalid"
    secret = proof_header(key, alg="HS256", jwk={"kty": "oct", "k": b64url(b"secret")})
    assert refusal(sign_hmac(secret, proof_claims(), b"secret")) == "proof_invalid"
    assert refusal(proof(head={"alg": "ES999"})) == "proof_invalid"
    assert refusal(proof(), algorithms=frozenset({"PS256"})) == "proof_invalid"
    assert refusal(proof(), algorithms=frozenset({"HS256", "none", "ES512"})) == "proof_invalid"


@pytest.mark.rfc("9449-4.3-5")
def test_algorithm_fits_the_key() -> None:
    """An algorithm that is not one of the key's is refused before anything is computed."""
    assert refusal(proof(head={"alg": "PS256"})) == "proof_invalid"
    assert refusal(proof(head={"alg": "ES384"})) == "proof_invalid"
    assert refusal(proof(head={"jwk": public_jwk(client_key(), alg="ES384")})) == "proof_invalid"


@pytest.mark.rfc("9449-4.3-7")
@pytest.mark.parametrize("algorithm", ["ES256", "RS256", "Ed25519"])
def test_no_private_key(algorithm: str) -> None:
    """RFC 9449 §4.3: a proof that brings its private key along is refused."""
    key = client_key(algorithm=algorithm)
    assert refusal(proof(key, head={"jwk": key.private_jwk()})) == "proof_invalid"


@pytest.mark.rfc("9449-4.3-7")
@pytest.mark.parametrize("member", ["d", "p", "q", "dp", "dq", "qi", "oth", "k"])
def test_no_private_member(member: str) -> None:
    """Any private member of any kind of key is one too many, whatever is in it."""
    assert refusal(proof(head={"jwk": public_jwk(client_key(), **{member: None})})) == "proof_invalid"


@pytest.mark.rfc("9449-4.3-7")
@pytest.mark.parametrize(
    "jwk",
    [
        REMOVED,
        None,
        "key",
        [],
        {},
        {"kty": "oct", "k": b64url(b"secret")},
        {"kty": "oct"},
        {"kty": "EC", "crv": "P-256"},
        {"kty": "EC", "crv": "P-256", "x": 1, "y": 2},
        {"kty": ["EC"], "crv": "P-256", "x": "a", "y": "b"},
    ],
)
def test_no_public_key(jwk: Any) -> None:
    """A header without a public key that could verify anything is refused."""
    assert refusal(proof(head={"jwk": jwk})) == "proof_invalid"


@pytest.mark.parametrize("changes", [{"key_ops": ["verify"], "ext": True}, {"kid": "one"}, {"use": "sig"}, {}])
def test_further_members_of_the_key(changes: dict[str, Any]) -> None:
    """RFC 7638 §3: the thumbprint is over the required members alone, in their one order."""
    key = client_key()
    jwk = public_jwk(key, **changes)
    assert read(proof(key, head={"jwk": dict(reversed(jwk.items()))})).thumbprint == thumbprint(key)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_thumbprints(algorithm: str) -> None:
    """RFC 7638 §3: keys of all types are named as the RFC says."""
    key = signing_key(algorithm)
    public = read_key(key.jwk())
    assert public is not None
    assert key_thumbprint(public) == thumbprint(key)


@pytest.mark.rfc("9449-4.3-6")
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_signatures(algorithm: str) -> None:
    """RFC 9449 §4.3: the signature verifies with the key in the header, and with no other."""
    key, other = client_key("one", algorithm), client_key("other", algorithm)
    good = read(proof(key))
    assert verify_proof(good.jws, good.key)
    foreign = read(sign(proof_header(key), proof_claims(), other))
    assert not verify_proof(foreign.jws, foreign.key)
    changed = read(with_signature(proof(key), good.jws.signature))
    assert not verify_proof(changed.jws, changed.key)
    cut = read(with_signature(proof(key), b""))
    assert not verify_proof(cut.jws, cut.key)


def test_a_key_is_imported_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Importing a key costs more than a verification, so a client's key is kept, in a bounded number of places."""
    importing = Mock(wraps=jose.import_key)
    monkeypatch.setattr(jose, "import_key", importing)
    key = client_key("fresh")
    for _ in range(3):
        found = read(proof(key))
        assert verify_proof(found.jws, found.key)
    assert importing.call_count == 1
    assert jose.KEPT_KEYS <= 10_000


def test_a_key_that_is_none() -> None:
    """A point that is not on its curve verifies nothing."""
    jwk = public_jwk(client_key(), x=b64url(b"\x01" * 32))
    found = read(proof(head={"jwk": jwk}))
    assert not verify_proof(found.jws, found.key)


@pytest.mark.rfc("9449-4.3-8")
@pytest.mark.parametrize("method", ["POST", "get", "Get", "HEAD", "GET "])
def test_method(method: str) -> None:
    """RFC 9449 §4.3: htm is the method of the request, to the letter."""
    assert judged(proof(method=method)) == "proof_mismatch"
    assert judged(proof(method="GET")) is None


@pytest.mark.rfc("9449-4.3-9")
@pytest.mark.parametrize(
    ("uri", "reason"),
    [
        ("https://rs.example.com/things", None),
        ("HTTPS://RS.EXAMPLE.COM:443/%74hings", None),
        ("http://rs.example.com/things", "proof_mismatch"),
        ("https://evil.example.com/things", "proof_mismatch"),
        ("https://rs.example.com:8443/things", "proof_mismatch"),
        ("https://rs.example.com/things/", "proof_mismatch"),
        ("https://rs.example.com/Things", "proof_mismatch"),
        ("https://rs.example.com/things?a=b", "proof_mismatch"),
        ("https://rs.example.com/things#a", "proof_mismatch"),
        ("https://rs.example.com/a/../things", "proof_mismatch"),
        ("/things", "proof_mismatch"),
    ],
)
def test_uri(uri: str, reason: str | None) -> None:
    """RFC 9449 §4.3: htu is the address of the request, without query and fragment, in any of its spellings."""
    assert judged(proof(uri=uri)) == reason


def test_a_request_without_an_address() -> None:
    """Where a request has no address that could be named, no proof is for it."""
    assert judged(proof(), uri=None) == "proof_mismatch"
    assert judged(proof(uri="x"), uri=None) == "proof_mismatch"


@pytest.mark.rfc("9449-4.3-11")
@pytest.mark.parametrize(
    ("ago", "leeway", "reason"),
    [
        (0, 0, None),
        (WINDOW, 0, None),
        (WINDOW + 1, 0, "proof_stale"),
        (WINDOW + 1, 30, "proof_stale"),
        (-MAX_AHEAD, 0, None),
        (-MAX_AHEAD - 1, 0, "proof_stale"),
        (-MAX_AHEAD - 30, 30, None),
        (-MAX_AHEAD - 31, 30, "proof_stale"),
        (NOW, 0, "proof_stale"),
        (-1e300, 0, "proof_stale"),
    ],
)
def test_time(ago: float, leeway: float, reason: str | None) -> None:
    """RFC 9449 §4.3: a proof is good from when it was made to the end of the window, and clocks may differ a little."""
    assert judged(proof(iat=NOW - ago), leeway=leeway) == reason


@pytest.mark.rfc("9449-4.3-12a")
@pytest.mark.attack("A-D-5")
def test_token_hash() -> None:
    """RFC 9449 §4.3: ath is the digest of the token, in base64url without padding."""
    assert judged(proof(token="other")) == "proof_mismatch"
    good = token_hash(b"bound")
    for wrong in (good + "=", good.upper(), good[:-1], "é" * 43, "bound"):
        assert judged(proof(ath=wrong)) == "proof_mismatch"
    assert judged(proof(ath=good)) is None


@pytest.mark.rfc("9449-4.3-6", "9449-4.3-12a")
def test_the_example_of_the_rfc() -> None:
    """RFC 9449 §7.1: the proof that the RFC prints is good for the request and the token that it prints."""
    request = example(9449)["request"]
    found = read(request["proof"])
    assert (found.thumbprint, found.token_hash) == (request["jkt"], request["ath"])
    occasion = Occasion(request["method"], request["url"], request["access_token"].encode(), request["iat"])
    assert judge_proof(found, occasion, window=WINDOW, leeway=0.0) is None
    assert verify_proof(found.jws, found.key)


def test_the_examples_for_the_authorization_server() -> None:
    """RFC 9449 §4.1 and §5: a proof that was made for no token is none for a protected resource."""
    for printed in example(9449)["proofs"][:2]:
        assert refusal(printed["proof"]) == "proof_invalid"


@given(st.binary(max_size=200))
def test_garbage(value: bytes) -> None:
    """Whatever is sent in place of a proof is refused in one way."""
    request = RequestParts("GET", [(b"dpop", value)])
    with pytest.raises(InvalidDPoPProof):
        read_proof(request.headers, ALL)
