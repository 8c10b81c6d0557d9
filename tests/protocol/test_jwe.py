"""What is encrypted: which headers are refused before anything is decrypted, and what comes out of the others."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from hypothesis import given
from hypothesis import strategies as st

from resource_server._protocol import jose
from resource_server._protocol.jwe import (
    CONTENT_ENCRYPTION_ALGORITHMS,
    DECRYPTION_ALGORITHMS,
    JWE,
    Decryption,
    judge_jwe,
    parse_jwe,
    read_nested,
)
from resource_server._protocol.jws import MAX_HEADER_BYTES
from resource_server.errors import Reason
from tests.support.jwe import EncryptionKey, encrypt, encryption_key, epk
from tests.support.jwt import REMOVED, access_token, b64url, claims, encoded, signing_key, unsigned

P256 = encryption_key()
RSA = encryption_key("RSA")
EVERYTHING = Decryption((), frozenset(DECRYPTION_ALGORITHMS), frozenset(CONTENT_ENCRYPTION_ALGORITHMS))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)
PARAMETERS = st.sampled_from(
    [
        "alg",
        "apu",
        "apv",
        "crit",
        "cty",
        "enc",
        "epk",
        "iv",
        "jku",
        "jwk",
        "kid",
        "p2c",
        "p2s",
        "tag",
        "typ",
        "url",
        "x5c",
        "x5t",
        "x5t#S256",
        "x5u",
        "x",
        "zip",
        "iss",
    ]
)
OFF_CURVE = {**epk(ec.generate_private_key(ec.SECP256R1()).public_key()), "y": b64url(bytes(31) + b"\x01")}


def parsed(token: str) -> JWE:
    """Take apart what can be taken apart."""
    jwe = parse_jwe(token.encode())
    assert jwe is not None
    return jwe


@cache
def decryption(*keys: EncryptionKey, **changes: Any) -> Decryption:
    """Make rules that allow everything there is, with these keys."""
    found = jose.read_decryption_keys(json.dumps({"keys": [key.jwk(**changes) for key in keys]}))
    assert isinstance(found, tuple)
    return Decryption(found, EVERYTHING.algorithms, EVERYTHING.encryptions)


def opened(token: str, rules: Decryption) -> bytes | None:
    """Decrypt as the product does."""
    jwe = parsed(token)
    assert judge_jwe(jwe, rules) is None
    key = rules.select(jwe)
    assert key is not None
    return jose.decrypt(jwe, key)


def spoilt(token: str, place: int, part: str) -> str:
    """Replace one of the five parts."""
    parts = token.split(".")
    parts[place] = part
    return ".".join(parts)


@pytest.mark.parametrize("enc", CONTENT_ENCRYPTION_ALGORITHMS)
@pytest.mark.parametrize(
    ("kind", "alg"),
    [
        *(
            (kind, alg)
            for kind in ("P-256", "P-384", "P-521", "X25519")
            for alg in DECRYPTION_ALGORITHMS
            if alg[0] == "E"
        ),
        *(("RSA", alg) for alg in DECRYPTION_ALGORITHMS if alg[0] == "R"),
    ],
)
def test_every_algorithm(kind: str, alg: str, enc: str) -> None:
    """RFC 7518 §4 and §5, RFC 8037 §3.2: what is encrypted by the book with any algorithm allowed comes out again."""
    key = encryption_key(kind)
    assert opened(encrypt(b"content", key, alg=alg, enc=enc), decryption(key)) == b"content"


@pytest.mark.parametrize("enc", ["A256GCM", "A128CBC-HS256"])
@pytest.mark.parametrize("key", [P256, RSA], ids=["EC", "RSA"])
def test_every_part_is_authenticated(key: EncryptionKey, enc: str) -> None:
    """RFC 7516 §5.2: a changed bit anywhere, also in the header, and nothing comes out."""
    token, rules = encrypt(b"the content", key, enc=enc), decryption(key)
    parts = token.split(".")
    other = encrypt(b"the content", key, enc=enc, head={"typ": "x"}).split(".")
    for place in range(5):
        changed = other[0] if place == 0 else ("B" if parts[place][:1] == "A" else "A") + parts[place][1:]
        if parts[place]:
            assert opened(spoilt(token, place, changed), rules) is None


@pytest.mark.attack("A-J-13")
@pytest.mark.parametrize("epk", [None, "x", 1, [], {}, OFF_CURVE | {"d": "AA"}])
def test_an_ephemeral_key_beside_rsa(epk: Any) -> None:
    """RFC 7518 §4.6.1.1: an ``epk`` is a public key, also where none is needed; anybody may have written it."""
    assert judge_jwe(parsed(encrypt(b"x", RSA, head={"epk": epk})), EVERYTHING) == "malformed"


@pytest.mark.rfc("8725bis-3.13-a", "8725bis-3.15-a", "8725-3.1-a")
@pytest.mark.attack("A-J-13")
@pytest.mark.parametrize(
    ("head", "reason"),
    [
        pytest.param({"zip": "DEF"}, "malformed", id="zip"),
        pytest.param({"zip": None}, "malformed", id="zip that is null"),
        pytest.param({"crit": ["exp"]}, "malformed", id="crit"),
        pytest.param({"b64": False}, "malformed", id="b64"),
        pytest.param({"alg": "RSA1_5"}, "algorithm_not_allowed", id="RSA1_5"),
        pytest.param({"alg": "PBES2-HS256+A128KW", "p2c": 2**31}, "algorithm_not_allowed", id="PBES2"),
        pytest.param({"alg": "dir"}, "algorithm_not_allowed", id="dir"),
        pytest.param({"alg": "A128KW"}, "algorithm_not_allowed", id="A128KW"),
        pytest.param({"alg": "A128GCMKW"}, "algorithm_not_allowed", id="A128GCMKW"),
        pytest.param({"alg": "ECDH-1PU"}, "algorithm_not_allowed", id="ECDH-1PU"),
        pytest.param({"alg": "ecdh-es"}, "algorithm_not_allowed", id="alg in lower case"),
        pytest.param({"enc": "A256CBC"}, "algorithm_not_allowed", id="enc without authentication"),
        pytest.param({"enc": "a256gcm"}, "algorithm_not_allowed", id="enc in lower case"),
        pytest.param({"kid": 1}, "malformed", id="kid is a number"),
        pytest.param({"cty": ["JWT"]}, "malformed", id="cty is a list"),
        pytest.param({"apu": 1}, "malformed", id="apu is a number"),
        pytest.param({"enc": "A128CBC-HS256"}, "malformed", id="a vector of another size"),
        pytest.param({"alg": "ECDH-ES+A128KW"}, "malformed", id="no wrapped key"),
        pytest.param({"epk": REMOVED}, "malformed", id="no epk"),
        pytest.param({"epk": "x"}, "malformed", id="epk is text"),
        pytest.param({"epk": {"kty": "EC"}}, "malformed", id="epk without a curve"),
        pytest.param({"epk": {"kty": ["EC"], "crv": "P-256"}}, "malformed", id="kty is a list"),
        pytest.param({"epk": {"kty": "EC", "crv": "secp256k1"}}, "malformed", id="epk of another curve"),
        pytest.param({"epk": OFF_CURVE | {"x": "AA"}}, "malformed", id="epk too short"),
        pytest.param({"epk": OFF_CURVE | {"x": 1}}, "malformed", id="x is a number"),
        pytest.param({"epk": OFF_CURVE | {"x": "AAAA="}}, "malformed", id="x with padding"),
        pytest.param({"epk": OFF_CURVE | {"x": "A"}}, "malformed", id="x is no base64url"),
        pytest.param({"epk": OFF_CURVE | {"d": "AA"}}, "malformed", id="epk with its private part"),
    ],
)
def test_refused_by_its_header(head: dict[str, Any], reason: Reason) -> None:
    """RFC 8725 §3.1: what is not on the list, compressed or odd is refused before a key is touched."""
    assert judge_jwe(parsed(encrypt(b"x", head=head)), EVERYTHING) == reason


@pytest.mark.attack("A-J-13")
def test_what_is_not_configured_is_refused() -> None:
    """RFC 8725 §3.1: only what the server allows is decrypted, whatever is known here."""
    jwe = parsed(encrypt(b"x"))
    assert (
        judge_jwe(jwe, Decryption((), frozenset({"RSA-OAEP-256"}), EVERYTHING.encryptions)) == "algorithm_not_allowed"
    )
    assert judge_jwe(jwe, Decryption((), EVERYTHING.algorithms, frozenset({"A128GCM"}))) == "algorithm_not_allowed"


@pytest.mark.attack("A-J-13")
@pytest.mark.parametrize(
    ("place", "part"), [(1, b64url(b"x")), (2, b64url(bytes(11))), (2, b64url(bytes(13))), (4, b64url(bytes(12)))]
)
def test_sizes(place: int, part: str) -> None:
    """RFC 7518 §4.6 and §5.3: with ECDH-ES no key is wrapped; vector and tag have the size of their algorithm."""
    assert judge_jwe(parsed(spoilt(encrypt(b"x"), place, part)), EVERYTHING) == "malformed"


def test_a_wrapped_key_is_bounded() -> None:
    """A wrapped key is not longer than any RSA key that is used."""
    token = spoilt(encrypt(b"x", RSA), 1, b64url(bytes(1025)))
    assert judge_jwe(parsed(token), EVERYTHING) == "malformed"


@pytest.mark.attack("A-J-13")
def test_a_point_off_its_curve() -> None:
    """RFC 8725 §3.4: a point that is not on its curve would give our key away bit by bit; nothing comes out."""
    assert opened(encrypt(b"x", head={"epk": OFF_CURVE}), decryption(P256)) is None


@pytest.mark.attack("A-J-13")
@pytest.mark.parametrize("x", [bytes(32), b"\x01" + bytes(31)], ids=["zero", "one"])
def test_a_point_of_small_order(x: bytes) -> None:
    """RFC 7748 §6.1: a point that makes every shared secret the same is no key."""
    key = encryption_key("X25519")
    token = encrypt(b"x", key, head={"epk": {"kty": "OKP", "crv": "X25519", "x": b64url(x)}})
    assert opened(token, decryption(key)) is None


def test_a_header_that_makes_no_sense() -> None:
    """What a library cannot make sense of is refused like everything else."""
    assert opened(encrypt(b"x", head={"apu": "!"}), decryption(P256)) is None
    assert opened(encrypt(b"x", head={"x5c": 1}), decryption(P256)) is None


@pytest.mark.parametrize(
    "token",
    [
        "a.b.c",
        "a.b.c.d.e",
        "a..c.d.e",
        "a.b.c.d.e.f",
        "a.b.c.d.",
        spoilt(encrypt(b"x"), 3, "AB="),
        spoilt(encrypt(b"x"), 3, "AB"),
        spoilt(encrypt(b"x"), 0, b64url(b"[]")),
        spoilt(encrypt(b"x"), 0, b64url(b'{"alg":"ECDH-ES","alg":"dir","enc":"A128GCM"}')),
        spoilt(encrypt(b"x"), 0, b64url(encoded({"alg": "ECDH-ES"}))),
        spoilt(encrypt(b"x"), 0, b64url(encoded({"enc": "A128GCM"}))),
        spoilt(encrypt(b"x"), 0, b64url(encoded({"alg": 1, "enc": "A128GCM"}))),
        spoilt(encrypt(b"x"), 0, b64url(encoded({"alg": "ECDH-ES", "enc": "A128GCM", "x": "x" * 8192}))),
    ],
    ids=range(13),
)
def test_not_a_compact_jwe(token: str) -> None:
    """RFC 7516 §3.1: five parts of base64url without padding, and a bounded header that says how it is encrypted."""
    assert parse_jwe(token.encode()) is None


def test_which_key_is_tried() -> None:
    """RFC 7516 §4.1.6: the key that is named, else the first without a name that fits; never more than one."""
    other, rules = encryption_key("P-256", "other"), decryption(RSA, encryption_key("P-384"), P256)
    assert rules.select(parsed(encrypt(b"x", P256))) == rules.keys[2]
    assert rules.select(parsed(encrypt(b"x", P256, head={"kid": REMOVED}))) == rules.keys[2]
    assert rules.select(parsed(encrypt(b"x", P256, head={"kid": "unknown"}))) is None
    assert rules.select(parsed(encrypt(b"x", encryption_key("P-521"), head={"kid": REMOVED}))) is None
    nameless = decryption(P256, other, kid=REMOVED)
    assert nameless.select(parsed(encrypt(b"x", P256))) == nameless.keys[0]


@pytest.mark.rfc("8725-3.3-a")
@pytest.mark.parametrize("cty", ["JWT", "jwt", "application/jwt", "at+jwt", "application/at+jwt", "AT+JWT"])
def test_what_says_that_a_jwt_is_inside(cty: str) -> None:
    """RFC 7519 §5.2: ``cty`` says JWT; some servers name the type of JWT."""
    token = access_token()
    jws = read_nested(parsed(encrypt(token, head={"cty": cty})), token.encode(), "at+jwt")
    assert jws is not None
    assert jws.claims() == claims()


@pytest.mark.rfc("8725-3.3-a")
@pytest.mark.parametrize("cty", [REMOVED, "", "json", "token-introspection+jwt", "JWT; x=1"])
def test_what_does_not(cty: Any) -> None:
    """RFC 7519 §5.2: without that, it is no nested JWT."""
    token = access_token()
    assert read_nested(parsed(encrypt(token, head={"cty": cty})), token.encode(), "at+jwt") is None


@pytest.mark.rfc("8725-3.3-a")
@pytest.mark.parametrize("content", [b"", b"x", b"a.b.c", encoded(claims()), encrypt(access_token()).encode()])
def test_what_is_inside_is_signed(content: bytes) -> None:
    """RFC 8725 §3.3: claims that nobody has signed, and what is encrypted twice, are no JWT to be judged."""
    assert read_nested(parsed(encrypt(content)), content, "at+jwt") is None


@pytest.mark.rfc("7519-5.3-a")
@pytest.mark.parametrize(
    ("head", "agrees"),
    [
        ({"iss": claims()["iss"], "aud": claims()["aud"]}, True),
        ({"iss": "https://other.example.com"}, False),
        ({"sub": "subject-2"}, False),
        ({"aud": [claims()["aud"]]}, False),
        ({"tenant": "x"}, True),
    ],
)
def test_claims_repeated_in_the_header(head: dict[str, Any], agrees: bool) -> None:  # noqa: FBT001 - a parameter
    """RFC 7519 §5.3: a claim that the header repeats says the same there; what is only there is nobody's word."""
    token = access_token()
    found = read_nested(parsed(encrypt(token, head=head)), token.encode(), "at+jwt")
    assert (found is not None) == agrees


def test_header_parameters_are_no_claims() -> None:
    """RFC 7515 §4.1: a parameter of the header's own is not a claim that is repeated, though one may have its name."""
    token = access_token(typ="Bearer", enc="x")
    assert read_nested(parsed(encrypt(token, head={"typ": "at+jwt"})), token.encode(), "at+jwt") is not None


def test_claims_that_are_none() -> None:
    """A signed JWT without claims contradicts no header; it is refused where its claims are judged."""
    token = unsigned({"alg": "RS256"}, b"[]", b"x")
    assert read_nested(parsed(encrypt(token)), token.encode(), "at+jwt") is not None


@pytest.mark.parametrize("kind", ["RSA", "P-256", "P-384", "P-521", "X25519"])
def test_ways_to_write_a_key(kind: str) -> None:
    """RFC 7468 §10, RFC 7517 §4 and §5: a key is PEM, a JWK or in a set, which may hold others for signatures."""
    key = encryption_key(kind)
    signing = signing_key().private_jwk()
    for text in (key.pem(), key.text(), json.dumps({"keys": [signing, key.jwk()]})):
        found = jose.read_decryption_keys(text)
        assert isinstance(found, tuple)
        [read] = found
        token = encrypt(b"x", key, head={"kid": REMOVED})
        assert jose.decrypt(parsed(token), read) == b"x"


def test_what_a_key_says_it_is_for() -> None:
    """RFC 7517 §4.3 and §4.4: a key is used for nothing but what it says it is for."""
    found = jose.read_decryption_keys(P256.text(alg="ECDH-ES", key_ops=["deriveBits"]))
    assert isinstance(found, tuple)
    assert found[0].algorithms == {"ECDH-ES"}


WEAK = rsa.generate_private_key(public_exponent=65537, key_size=1024)  # noqa: S505 - it is to be refused


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="nothing"),
        pytest.param("canary", id="neither"),
        pytest.param("-----BEGIN PRIVATE KEY-----\ncanary\n-----END PRIVATE KEY-----", id="no PEM"),
        pytest.param("[]", id="a list"),
        pytest.param('{"keys": "canary"}', id="no list of keys"),
        pytest.param('{"keys": []}', id="an empty set"),
        pytest.param('{"keys": ["canary"]}', id="no key in the set"),
        pytest.param(json.dumps({"keys": [signing_key().private_jwk()]}), id="only for signatures"),
        pytest.param(json.dumps({"keys": [P256.jwk(), P256.jwk(d=REMOVED)]}), id="a public one among them"),
        pytest.param(P256.text(d=REMOVED), id="public"),
        pytest.param(json.dumps({"kty": "oct", "k": "canary"}), id="a secret"),
        pytest.param(P256.text(d="AA", kty="oct"), id="of no type"),
        pytest.param(P256.text(crv="secp256k1"), id="of another curve"),
        pytest.param(P256.text(crv=1), id="crv is a number"),
        pytest.param(P256.text(kid=1), id="kid is a number"),
        pytest.param(P256.text(alg="RSA-OAEP"), id="for the algorithm of another type"),
        pytest.param(P256.text(key_ops=["sign"]), id="for another operation"),
        pytest.param(P256.text(x="AA"), id="not on its curve"),
        pytest.param(encryption_key("RSA").text(n="AQAB"), id="a short modulus"),
        pytest.param(
            WEAK.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode(), id="1024 bits of RSA"
        ),
    ],
)
def test_what_is_no_key_to_decrypt_with(text: str) -> None:
    """RFC 7518 §4.2, RFC 8725 §3.5: only private keys that are long enough and made for it; none is shown."""
    problem = jose.read_decryption_keys(text)
    assert isinstance(problem, str)
    assert problem.startswith("is ")
    assert "canary" not in problem


@given(st.dictionaries(PARAMETERS, JSON | st.just("https://x.example.com"), max_size=4), st.sampled_from([P256, RSA]))
def test_any_header(head: dict[str, Any], key: EncryptionKey) -> None:
    """Whatever a header says, it is refused or what was encrypted comes out; nothing is raised."""
    rules = decryption(P256, RSA)
    jwe = parse_jwe(encrypt(b"content", key, head=head).encode())
    if jwe is None or judge_jwe(jwe, rules) is not None:
        return
    selected = rules.select(jwe)
    if selected is not None:
        assert jose.decrypt(jwe, selected) in {None, b"content"}


@given(st.lists(st.binary(max_size=40), min_size=4, max_size=4), st.sampled_from([P256, RSA]), st.booleans())
def test_any_parts(parts: list[bytes], key: EncryptionKey, sized: bool) -> None:  # noqa: FBT001 - drawn
    """Whatever follows a right header, nothing comes out of it, and nothing is raised."""
    rules, head = decryption(P256, RSA), encrypt(b"x", key).partition(".")[0]
    wrapped, vector, content, tag = parts
    if sized:
        vector, tag = (part.ljust(size, b"x")[:size] for part, size in ((vector, 12), (tag, 16)))
        wrapped = b"" if key is P256 else wrapped
    jwe = parse_jwe(".".join([head, *map(b64url, (wrapped, vector, content, tag))]).encode())
    if jwe is not None and judge_jwe(jwe, rules) is None:
        selected = rules.select(jwe)
        assert selected is not None
        assert jose.decrypt(jwe, selected) is None


@given(
    JSON
    | st.dictionaries(
        st.sampled_from(["kty", "crv", "x", "y", "d", "n", "e", "p", "q", "kid", "alg", "use", "key_ops", "keys"]), JSON
    )
)
def test_any_key(value: Any) -> None:
    """Whatever stands in the place of a key, it is refused with a reason."""
    assert isinstance(jose.read_decryption_keys(json.dumps(value)), str)


@given(st.sampled_from(sorted(P256.jwk())), JSON, st.sampled_from([P256, RSA, encryption_key("X25519")]))
def test_any_member_of_a_key(name: str, value: Any, key: EncryptionKey) -> None:
    """Whatever one member says, the key is read or refused."""
    found = jose.read_decryption_keys(key.text(**{name: value}))
    assert isinstance(found, str | tuple)


def test_nothing_is_shown() -> None:
    """Neither what is encrypted nor a key is in a ``repr``."""
    rules = decryption(P256)
    jwe = parsed(encrypt(b"canary"))
    for shown in (repr(rules), repr(rules.keys[0]), repr(jwe)):
        assert P256.jwk()["d"] not in shown
        assert jwe.token.decode() not in shown


def test_every_part_is_bounded_once() -> None:
    """RFC 7516 §11.4: what has been bounded here is not bounded again, more tightly, by what decrypts it."""
    content = b"x" * 70_000
    assert opened(encrypt(content, head={"x": "x" * 4_000}), decryption(P256)) == content


def test_the_longest_wrapped_key_and_header() -> None:
    """The limits of a wrapped key and of a header are themselves still allowed."""
    assert judge_jwe(parsed(spoilt(encrypt(b"x", RSA), 1, b64url(bytes(1024)))), EVERYTHING) is None
    empty = len(encoded({"alg": "RSA-OAEP", "enc": "A128GCM", "x": ""}))
    header = b64url(encoded({"alg": "RSA-OAEP", "enc": "A128GCM", "x": "x" * (MAX_HEADER_BYTES // 4 * 3 - empty)}))
    assert len(header) == MAX_HEADER_BYTES
    assert parse_jwe(spoilt(encrypt(b"x", RSA), 0, header).encode()) is not None


@pytest.mark.attack("A-J-13")
@pytest.mark.parametrize(
    "head",
    [
        {"typ": 1},
        {"apv": 1},
        {"epk": OFF_CURVE | {"crv": ["P-256"]}},
        {"epk": OFF_CURVE | {"x": "!!!!" + b64url(bytes(32))}},
    ],
    ids=["typ is a number", "apv is a number", "crv is a list", "x with other characters"],
)
def test_members_of_another_type(head: dict[str, Any]) -> None:
    """RFC 7516 §4.1, RFC 7518 §4.6: texts are texts, and coordinates are base64url and nothing else."""
    assert judge_jwe(parsed(encrypt(b"x", head=head)), EVERYTHING) == "malformed"


@pytest.mark.rfc("7519-5.3-a")
@pytest.mark.parametrize(
    "name",
    [
        "alg",
        "apu",
        "apv",
        "cty",
        "enc",
        "epk",
        "jku",
        "jwk",
        "kid",
        "typ",
        "x5c",
        "x5t",
        "x5t#S256",
        "x5u",
    ],
)
def test_no_header_parameter_is_a_claim(name: str) -> None:
    """RFC 7515 §4.1, RFC 7516 §4.1: a registered parameter has its own meaning, whatever claim has its name."""
    changes: dict[str, Any] = {name: "claim"}
    token = access_token(**changes)
    head = {} if name in {"alg", "cty", "enc"} else {name: "parameter"}
    assert read_nested(parsed(encrypt(token, head=head)), token.encode(), "at+jwt") is not None


def test_claims_that_are_none_repeat_nothing() -> None:
    """RFC 7519 §5.3: where there are no claims, none of them contradicts the header."""
    token = unsigned({"alg": "RS256"}, b"[]", b"x")
    assert read_nested(parsed(encrypt(token, head={"iss": "x"})), token.encode(), "at+jwt") is not None


@pytest.mark.attack("A-S-1")
def test_what_is_shown() -> None:
    """A ``repr`` shows the algorithms, and nothing of what is encrypted or of a key but its name."""
    assert repr(parsed(encrypt(b"x"))) == "JWE(algorithm='ECDH-ES', encryption='A256GCM')"
    rules = Decryption(decryption(P256).keys, frozenset({"ECDH-ES"}), frozenset({"A256GCM"}))
    assert repr(rules) == "Decryption(algorithms=frozenset({'ECDH-ES'}), encryptions=frozenset({'A256GCM'}))"
    found = jose.read_decryption_keys(P256.text(alg="ECDH-ES"))
    assert isinstance(found, tuple)
    assert repr(found) == "(PrivateKey(key_id='P-256', algorithms=frozenset({'ECDH-ES'}), curve='P-256'),)"
    assert found == jose.read_decryption_keys(P256.text(alg="ECDH-ES"))
