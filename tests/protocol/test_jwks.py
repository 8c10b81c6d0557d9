"""Reading a JWK Set into keys that may verify access tokens."""

from __future__ import annotations

import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import given
from hypothesis import strategies as st

from resource_server._protocol import jose
from resource_server._protocol.jwks import (
    ALGORITHMS,
    MAX_KEYS,
    PublicKey,
    jwks_request,
    process_jwks_response,
    read_key,
)
from resource_server._protocol.messages import HTTPResponse, Unavailable
from tests.support.jwt import NOW, REMOVED, b64uint, b64url, jwks, signing_key
from tests.support.local import json_response

RSA = {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"}
NAMES = ["RS256", "PS256", "ES256", "ES384", "ES512", "Ed25519"]


def process(document: Any, **answer: Any) -> tuple[PublicKey, ...] | Unavailable:
    """Judge a key set that came with a 200."""
    return process_jwks_response(json_response(document, **answer), NOW)


def read(algorithm: str = "RS256", **changes: Any) -> PublicKey | None:
    """Read the JWK of a good key, changed as asked."""
    return read_key(signing_key(algorithm).jwk(**changes))


def test_request() -> None:
    """RFC 7517 §8.5: a key set is asked for with GET, as JSON or under its own media type, and up to a limit."""
    request = jwks_request("https://as.example.com/jwks")
    assert (request.method, request.url, request.max_bytes) == ("GET", "https://as.example.com/jwks", 524_288)
    assert dict(request.headers) == {"accept": "application/json, application/jwk-set+json"}


def test_every_algorithm() -> None:
    """RFC 8725 §3.2: what can be verified are signatures; none and the symmetric algorithms are not among it."""
    assert set(ALGORITHMS) == RSA | {"ES256", "ES384", "ES512", "Ed25519", "EdDSA"}
    assert list(ALGORITHMS) == sorted(ALGORITHMS)


@pytest.mark.parametrize("content_type", ["application/json", "application/jwk-set+json; charset=utf-8"])
def test_key_set(content_type: str) -> None:
    """RFC 7517 §5: every usable key is read, in the order of the set."""
    keys = process(jwks(*map(signing_key, NAMES)), content_type=content_type)
    assert isinstance(keys, tuple)
    assert [key.key_id for key in keys] == NAMES


@pytest.mark.rfc("8725-3.1-a")
@pytest.mark.parametrize(
    ("name", "declared", "algorithms"),
    [
        ("RS256", "RS256", {"RS256"}),
        ("RS256", "PS512", {"PS512"}),
        ("RS256", REMOVED, RSA),
        ("RS256", None, RSA),
        ("ES256", "ES256", {"ES256"}),
        ("ES256", REMOVED, {"ES256"}),
        ("ES384", REMOVED, {"ES384"}),
        ("ES512", REMOVED, {"ES512"}),
        ("Ed25519", "Ed25519", {"Ed25519", "EdDSA"}),
        ("Ed25519", "EdDSA", {"Ed25519", "EdDSA"}),
        ("Ed25519", REMOVED, {"Ed25519", "EdDSA"}),
    ],
)
def test_algorithms_of_a_key(name: str, declared: object, algorithms: set[str]) -> None:
    """RFC 8725 §3.1: a key is for the algorithm it names, or for those of its type and curve where it names none."""
    key = read(name, alg=declared)
    assert key is not None
    assert key.algorithms == algorithms


@pytest.mark.rfc("8725-3.1-a")
@pytest.mark.parametrize(
    ("name", "declared"),
    [
        ("RS256", "ES256"),
        ("RS256", "EdDSA"),
        ("RS256", "Ed25519"),
        ("RS256", "HS256"),
        ("RS256", "none"),
        ("RS256", "RSA-OAEP"),
        ("RS256", "rs256"),
        ("RS256", ""),
        ("RS256", 1),
        ("RS256", ["RS256"]),
        ("RS256", {"RS256": 1}),
        ("ES256", "ES384"),
        ("ES256", "EdDSA"),
        ("ES256", "ECDH-ES"),
        ("Ed25519", "Ed448"),
        ("Ed25519", "ES256"),
    ],
)
def test_algorithm_of_another_type(name: str, declared: object) -> None:
    """RFC 8725 §3.1: a key that names an algorithm its type or curve does not have is of no use for any."""
    assert read(name, alg=declared) is None


def test_only_public_members_are_kept() -> None:
    """RFC 7517 §4: of an entry nothing is kept but what it takes to verify."""
    key = read("ES256", x5c=["canary"], x5u="https://canary.example", ext=True)
    assert key is not None
    assert [name for name, _ in key.members] == ["kty", "crv", "x", "y"]
    assert key.members[2][1] not in repr(key)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.attack("A-J-4")
def test_private_key(name: str) -> None:
    """RFC 7517 §9.2: a key published with its private part is nobody's secret any more, and is not used."""
    published = signing_key(name).private_jwk()
    assert "d" in published
    assert read_key(published) is None


@pytest.mark.rfc("8725-3.2-a", "7518-3.2-a", "8725-3.5-a")
@pytest.mark.parametrize(
    "entry",
    [
        pytest.param({"kty": "oct", "k": b64url(b"k" * 32), "alg": "HS256"}, id="symmetric"),
        pytest.param({"kty": "oct"}, id="symmetric without a key"),
        pytest.param(signing_key("ES256").jwk(k=b64url(b"k" * 32)), id="a public key with a symmetric part"),
    ],
)
def test_symmetric_key(entry: dict[str, Any]) -> None:
    """RFC 8725 §3.5: with a symmetric key whoever verifies can sign as well, so none is used."""
    assert read_key(entry) is None


@pytest.mark.parametrize(
    "changes",
    [
        {"use": "enc"},
        {"use": "SIG"},
        {"use": None},
        {"use": ["sig"]},
        {"key_ops": ["sign"]},
        {"key_ops": []},
        {"key_ops": "verify"},
        {"key_ops": {"verify": 1}},
        {"key_ops": ["encrypt", "wrapKey"]},
    ],
    ids=json.dumps,
)
def test_key_for_another_use(changes: dict[str, Any]) -> None:
    """RFC 7517 §4.2 and §4.3: a key that says it is not for verifying is not used for it."""
    assert read(**changes) is None


@pytest.mark.parametrize("changes", [{"use": REMOVED}, {"key_ops": ["verify"]}, {"key_ops": None}, {"kid": REMOVED}])
def test_optional_members(changes: dict[str, Any]) -> None:
    """RFC 7517 §4: use, key_ops and kid are optional."""
    assert read(**changes) is not None


@pytest.mark.parametrize("kid", [1, ["a"], {"a": 1}, True])
def test_key_id_is_a_text(kid: object) -> None:
    """RFC 7517 §4.5: kid is a text."""
    assert read(kid=kid) is None


@pytest.mark.rfc("7518-3.3-a")
@pytest.mark.attack("A-J-16")
@pytest.mark.parametrize(
    ("bits", "exponent", "usable"),
    [
        pytest.param(1024, 65537, False, id="1024 bits"),
        pytest.param(2047, 65537, False, id="2047 bits"),
        pytest.param(2048, 65537, True, id="2048 bits"),
        pytest.param(8192, 65537, True, id="8192 bits"),
        pytest.param(8193, 65537, False, id="8193 bits"),
        pytest.param(16384, 65537, False, id="16 kbit"),
        pytest.param(2048, 3, True, id="an exponent of 3"),
        pytest.param(2096, 65537, True, id="a modulus of 350 characters"),
        pytest.param(2048, 1, False, id="an exponent of 1"),
        pytest.param(2048, 0, False, id="an exponent of 0"),
        pytest.param(2048, 2, False, id="an exponent of 2"),
        pytest.param(2048, 65536, False, id="an even exponent"),
        pytest.param(2048, 2**64 - 1, True, id="an exponent of 64 bits"),
        pytest.param(3072, 2**64 + 1, False, id="an exponent of 65 bits"),
    ],
)
def test_rsa_strength(bits: int, exponent: int, usable: bool) -> None:  # noqa: FBT001 - parametrized
    """RFC 7518 §3.3: RSA keys have 2048 bits or more, and not so many that one token costs seconds."""
    entry = {"kty": "RSA", "n": b64uint((1 << (bits - 1)) | 1), "e": b64uint(exponent)}
    assert (read_key(entry) is not None) == usable


@pytest.mark.parametrize("value", [REMOVED, None, "", 1, ["AQAB"], "A", "AQAB=", "AQ AB", "AQ+/", "\u00e9"])
@pytest.mark.parametrize(("algorithm", "name"), [("RS256", "n"), ("RS256", "e")])
def test_broken_rsa_members(algorithm: str, name: str, value: object) -> None:
    """RFC 7518 §6.3: modulus and exponent are Base64urlUInts, or there is no key."""
    assert read(algorithm, **{name: value}) is None


@pytest.mark.parametrize("value", [REMOVED, None, "", 1, ["x"], {}])
@pytest.mark.parametrize(("algorithm", "name"), [("ES256", "x"), ("ES256", "y"), ("Ed25519", "x")])
def test_broken_coordinates(algorithm: str, name: str, value: object) -> None:
    """RFC 7518 §6.2, RFC 8037 §2: coordinates are texts, or there is no key."""
    assert read(algorithm, **{name: value}) is None


@pytest.mark.attack("A-K-4")
@pytest.mark.parametrize(
    "changes",
    [
        {"kty": "XYZ"},
        {"kty": REMOVED},
        {"kty": None},
        {"kty": ["EC"]},
        {"kty": "ec"},
        {"kty": "OKP"},
        {"crv": REMOVED},
        {"crv": "P-521"},
        {"crv": "secp256k1"},
        {"crv": "Ed448"},
        {"crv": {"P-256": 1}},
        {"crv": "p-256"},
    ],
)
def test_unknown_types_and_curves(changes: dict[str, Any]) -> None:
    """RFC 7517 §5: a key of a type or curve that is not understood is passed over."""
    assert read("ES256", **changes) is None


@pytest.mark.attack("A-K-4")
@pytest.mark.parametrize("entry", [None, 1, "x", [], {}, {"kty": "EC"}, {"keys": []}, True])
def test_one_broken_key(entry: object) -> None:
    """RFC 7517 §5: what is no key is passed over, and the keys beside it can still be used."""
    keys = process({"keys": [entry, signing_key("ES256").jwk(), entry]})
    assert isinstance(keys, tuple)
    assert [key.key_id for key in keys] == ["ES256"]


@pytest.mark.rfc("8725-3.4-a")
@pytest.mark.attack("A-K-4")
@pytest.mark.parametrize(
    ("algorithm", "changes"),
    [
        pytest.param("ES256", {"y": b64uint(1, 32)}, id="a point off the curve"),
        pytest.param("ES256", {"x": b64uint(0, 32), "y": b64uint(0, 32)}, id="the origin"),
        pytest.param("ES256", {"x": b64url(b"\xff" * 32)}, id="a coordinate beyond the field"),
        pytest.param("ES256", {"x": b64url(b"x" * 64)}, id="a coordinate too long"),
        pytest.param("ES256", {"x": "!"}, id="no base64url"),
        pytest.param("ES256", {"x": "A"}, id="no length that base64url has"),
        pytest.param("Ed25519", {"x": b64url(b"x" * 31)}, id="a byte too few"),
        pytest.param("Ed25519", {"x": b64url(b"x" * 33)}, id="a byte too many"),
        pytest.param("ES256", {"x": "\u00e9"}, id="not ASCII"),
    ],
)
def test_impossible_point(algorithm: str, changes: dict[str, Any]) -> None:
    """RFC 8725 §3.4: a point that is not on its curve is found out when the key is first used, and verifies nothing."""
    key = read(algorithm, **changes)
    assert key is not None
    assert jose.import_key(key) is None


@pytest.mark.attack("A-J-15")
@pytest.mark.parametrize("sign", [0x00, 0x80], ids=["even", "odd"])
@pytest.mark.parametrize(
    "encoded",
    [
        pytest.param("0100000000000000000000000000000000000000000000000000000000000000", id="order 1"),
        pytest.param("ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", id="order 2"),
        pytest.param("0000000000000000000000000000000000000000000000000000000000000000", id="order 4"),
        pytest.param("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05", id="order 8"),
        pytest.param("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a", id="order 8, the other"),
        pytest.param("edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", id="order 4, written as p"),
        pytest.param(
            "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", id="order 1, written as p + 1"
        ),
    ],
)
def test_small_order(encoded: str, sign: int) -> None:
    """RFC 7748 §7, RFC 8032 §5.1: with a point of small order for a key anybody could sign, so it is none."""
    x = bytearray.fromhex(encoded)
    x[31] |= sign
    assert read("Ed25519", x=b64url(bytes(x))) is None


@pytest.mark.attack("A-K-4")
@pytest.mark.parametrize(
    "document",
    [
        pytest.param({}, id="no keys"),
        pytest.param({"keys": None}, id="null"),
        pytest.param({"keys": {}}, id="an object"),
        pytest.param({"keys": "x"}, id="a text"),
        pytest.param({"Keys": []}, id="another case"),
    ],
)
def test_not_a_key_set(document: dict[str, Any]) -> None:
    """RFC 7517 §5.1: a set has a member keys, which is an array."""
    assert process(document) == Unavailable("not_a_key_set")


@pytest.mark.attack("A-K-4", "A-J-4")
@pytest.mark.parametrize(
    "document",
    [
        pytest.param({"keys": []}, id="empty"),
        pytest.param({"keys": [{"kty": "XYZ"}]}, id="unknown keys only"),
        pytest.param({"keys": [{"kty": "oct", "k": "x"}]}, id="symmetric keys only"),
    ],
)
def test_no_usable_key(document: dict[str, Any]) -> None:
    """RFC 7517 §5: a set without one usable key is a fault, so that it never replaces a set that has some."""
    assert process(document) == Unavailable("no_usable_key")


@pytest.mark.attack("A-K-11")
def test_too_many_keys() -> None:
    """A set of more keys than any server has is refused whole; the caller keeps what it has."""
    entry = signing_key("ES256").jwk()
    assert process({"keys": [entry] * (MAX_KEYS + 1)}) == Unavailable("not_a_key_set")
    assert isinstance(process({"keys": [entry] * MAX_KEYS}), tuple)
    assert MAX_KEYS == 256


@pytest.mark.attack("A-K-4")
@pytest.mark.parametrize(
    ("response", "cause"),
    [
        (json_response(b"<html>", content_type="text/html"), "content_type"),
        (json_response(b'{"keys":[]', content_type="application/json"), "not_json"),
        (json_response(b'{"keys":[],"keys":[]}'), "not_json"),
        (json_response([signing_key("ES256").jwk()]), "not_json"),
        (HTTPResponse(204), "status_204"),
        (HTTPResponse(500), "status_500"),
    ],
)
def test_no_document(response: HTTPResponse, cause: str) -> None:
    """RFC 7517 §5: only a 200 with a JSON object is a key set."""
    assert process_jwks_response(response, NOW) == Unavailable(cause)


def test_import_keeps_the_key() -> None:
    """RFC 7518 §6: an imported key is the one that was published."""
    private = signing_key("RS256").private
    key = read("RS256")
    assert key is not None
    imported = jose.import_key(key)
    assert imported is not None
    assert isinstance(private, rsa.RSAPrivateKey)
    members = imported.as_dict(private=False)
    assert members["n"] == b64uint(private.public_key().public_numbers().n)


TEXTS = st.text(max_size=6) | st.sampled_from(["RSA", "EC", "OKP", "oct", "P-256", "Ed25519", "sig", "AQAB", "verify"])
LONG = st.binary(min_size=31, max_size=33).map(b64url) | st.binary(min_size=256, max_size=258).map(b64url)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-99, 99) | TEXTS | LONG,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=4,
)
MEMBERS = st.sampled_from(["kty", "alg", "use", "kid", "key_ops", "n", "e", "crv", "x", "y", "d", "k"])
ENTRIES = st.builds(
    lambda name, changes: signing_key(name).jwk() | changes,
    st.sampled_from(NAMES),
    st.dictionaries(MEMBERS, JSON, max_size=3),
)


@given(JSON | ENTRIES)
def test_never_raises(entry: object) -> None:
    """Whatever JSON stands in a key set, it is a key for known algorithms or none, and importing it raises nothing."""
    key = read_key(entry)
    if key is None:
        return
    assert key.algorithms <= set(ALGORITHMS)
    imported = jose.import_key(key)
    assert imported is None or not imported.is_private


def test_a_coordinate_that_is_not_base64url() -> None:
    """RFC 8037 §2: x is base64url, or there is no key."""
    assert read("Ed25519", x="!") is None


def test_come_again_at_a_date() -> None:
    """RFC 9110 §10.2.3: an answer may name the moment at which to ask again, which is told as seconds from now."""
    response = HTTPResponse(503, (("retry-after", "Tue, 14 Nov 2023 22:14:20 GMT"),))
    assert process_jwks_response(response, NOW) == Unavailable("status_503", 60.0)
