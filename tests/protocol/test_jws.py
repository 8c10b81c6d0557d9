"""Taking a compact JWS apart."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resource_server._protocol.jws import JWS, MAX_HEADER_BYTES, is_misspelt, parse_jws
from resource_server._protocol.strict_json import StrictJSONError, loads_object
from tests.support.jwt import access_token, b64url, claims, encoded, sign, sign_raw, signing_key, unsigned

HEADER = {"alg": "RS256", "typ": "at+jwt", "kid": "k"}


def parse(header: Any, payload: Any = b"{}", signature: bytes = b"signature") -> JWS | None:
    """Parse a token of these parts."""
    return parse_jws(unsigned(header, payload, signature).encode())


def test_parts() -> None:
    """RFC 7515 §3.1: header, payload and signature come out, and the exact bytes that were signed."""
    key = signing_key("ES256")
    token = access_token(key).encode()
    jws = parse_jws(token)
    assert jws is not None
    assert (jws.algorithm, jws.key_id, jws.typ) == ("ES256", key.kid, "at+jwt")
    assert jws.signing_input == token.rpartition(b".")[0]
    assert len(jws.signature) == 64
    assert jws.claims() == claims()


def test_example_of_the_rfc() -> None:
    """RFC 7515 appendix A.1: the parts of the example are found, its line break inside the payload included."""
    token = (
        b"eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9"
        b".eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
        b".dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
    )
    jws = parse_jws(token)
    assert jws is not None
    assert (jws.algorithm, jws.typ, jws.key_id, len(jws.signature)) == ("HS256", "JWT", None, 32)
    assert jws.claims() == {"iss": "joe", "exp": 1300819380, "http://example.com/is_root": True}


@pytest.mark.rfc("7515-4-a", "7515-4.1.2-a", "8725-3.10-a")
@pytest.mark.attack("A-J-17")
@pytest.mark.parametrize(
    "extra",
    [
        {"nonce": "Entra style"},
        {"x": {"nested": [1]}},
        {"cty": "JWT"},
        {"jku": "https://evil.example/jwks", "x5u": "https://evil.example/x5u", "jwk": {"kty": "oct"}, "x5c": ["x"]},
        {"x5t": "x" * 2000},
        {"x5c": ["M" * 5000]},
    ],
    ids="+".join,
)
def test_other_header_parameters(extra: dict[str, Any]) -> None:
    """RFC 7515 §4: parameters that are not understood, or lead to keys, are ignored, up to several thousand bytes."""
    jws, plain = parse(HEADER | extra), parse(HEADER)
    assert jws is not None
    assert plain is not None
    assert (jws.algorithm, jws.key_id, jws.typ) == (plain.algorithm, plain.key_id, plain.typ)


@pytest.mark.rfc("7515-4.1.1-a")
@pytest.mark.parametrize("algorithm", [None, 1, True, [], ["RS256"], {"RS256": 1}])
def test_algorithm_is_a_text(algorithm: object) -> None:
    """RFC 7515 §4.1.1: alg is a text, or there is no such token."""
    assert parse(HEADER | {"alg": algorithm}) is None


@pytest.mark.rfc("7515-4.1.1-a")
def test_algorithm_is_required() -> None:
    """RFC 7515 §4.1.1: alg must be there."""
    assert parse({"typ": "at+jwt"}) is None


@pytest.mark.rfc("7515-4.1.1-a")
@pytest.mark.parametrize("algorithm", ["none", "rs256", "noNE", "", "RS256\x00"])
def test_algorithm_is_not_judged_here(algorithm: str) -> None:
    """RFC 7515 §4.1.1: any text is carried on as it stands, case and all, to be compared with the allow-list."""
    jws = parse(HEADER | {"alg": algorithm})
    assert jws is not None
    assert jws.algorithm == algorithm


@pytest.mark.rfc("7515-4.1.11-a", "7797-7-a")
@pytest.mark.parametrize(
    "crit", [["foo"], "foo", 1, [], [["a"]], ["alg"], ["exp"], {"a": 1}, None, ["b64"], ["typ", "typ"]]
)
def test_crit(crit: object) -> None:
    """RFC 7515 §4.1.11: an extension that must be understood is not understood here, so the token is refused."""
    assert parse(HEADER | {"crit": crit}) is None
    assert parse(HEADER | {"crit": crit, "foo": 1, "exp": 1, "b64": True}) is None


@pytest.mark.rfc("7797-7-a")
@pytest.mark.parametrize("b64", [False, True, None, "false"])
def test_b64(b64: object) -> None:
    """RFC 7797 §7: a JWT never uses the unencoded payload option, with crit or without."""
    assert parse(HEADER | {"b64": b64}) is None


@pytest.mark.rfc("7515-4.1.4-a", "8725-3.10-a")
@pytest.mark.attack("A-J-5", "A-J-11")
@pytest.mark.parametrize("value", [None, 1, True, [], ["x"], {"x": 1}])
@pytest.mark.parametrize("name", ["kid", "typ"])
def test_texts(name: str, value: object) -> None:
    """RFC 7515 §4.1.4 and §4.1.9: kid and typ are texts where they are there; of another type they are not absent."""
    assert parse(HEADER | {name: value}) is None


@pytest.mark.rfc("7515-4.1.4-a", "8725-3.10-a")
@pytest.mark.attack("A-J-5")
@pytest.mark.parametrize(
    "kid",
    ["", "../../dev/null", "/etc/passwd", "' OR 1=1--", "${jndi:ldap://x}", "a\x00b", "a\r\nb", "\u0430", "k" * 5000],
)
def test_key_id_is_opaque(kid: str) -> None:
    """RFC 7515 §4.1.4: kid is only ever compared, so it may say anything; it is not shown in a representation."""
    jws = parse(HEADER | {"kid": kid})
    assert jws is not None
    assert jws.key_id == kid
    assert "kid" not in repr(jws)
    assert "key_id" not in repr(jws)


@pytest.mark.attack("A-J-5", "A-J-17", "A-J-18")
@pytest.mark.parametrize("size", [MAX_HEADER_BYTES, 100_000])
def test_long_header(size: int) -> None:
    """A header beyond eight kilobytes is refused before it is decoded."""
    assert parse(HEADER | {"kid": "k" * size}) is None


@pytest.mark.attack("A-J-17")
def test_longest_header() -> None:
    """The limit counts characters of base64url, and is itself still allowed."""
    empty = len(json.dumps(HEADER | {"x": ""}, separators=(",", ":")))
    longest = HEADER | {"x": "x" * (8192 // 4 * 3 - empty)}
    assert len(unsigned(longest, b"{}").partition(".")[0]) == MAX_HEADER_BYTES == 8192
    assert parse(longest) is not None
    assert parse(longest | {"x": longest["x"] + "x"}) is None


@pytest.mark.rfc("7515-4.1.4-a")
@pytest.mark.attack("A-J-5")
def test_half_a_character() -> None:
    """RFC 7493 §2.1: a key id that could not be written to a log is refused."""
    assert parse(b'{"alg":"RS256","kid":"\\ud800"}') is None


@pytest.mark.rfc("7515-5.2-b", "7515-10.12-a", "7515-10.12-b", "8725-3.7-a")
@pytest.mark.parametrize(
    "header",
    [
        pytest.param(b"[]", id="an array"),
        pytest.param(b'"x"', id="a text"),
        pytest.param(b"1", id="a number"),
        pytest.param(b"null", id="null"),
        pytest.param(b"", id="nothing"),
        pytest.param(b'{"alg":"RS256","x":"\xff"}', id="no UTF-8"),
        pytest.param(b'\xef\xbb\xbf{"alg":"RS256"}', id="a byte order mark"),
        pytest.param('{"alg":"RS256"}'.encode("utf-16"), id="UTF-16"),
        pytest.param('{"alg":"RS256"}'.encode("utf-32-le"), id="UTF-32"),
        pytest.param(b'{"alg":"none","alg":"RS256"}', id="alg twice"),
        pytest.param(b'{"alg":"RS256","kid":"a","kid":"a"}', id="kid twice"),
        pytest.param(b'{"alg":"RS256"}X', id="text after it"),
        pytest.param(b'{"alg":"RS256"}{}', id="another object after it"),
        pytest.param(b'{"alg":"RS256","x":NaN}', id="NaN"),
        pytest.param(b'{"alg":"RS256","x":' + b"[" * 2000 + b"]" * 2000 + b"}", id="nested too deeply"),
    ],
)
def test_header_is_one_json_object(header: bytes) -> None:
    """RFC 7515 §5.2: the header is one JSON object in UTF-8, without a name that stands twice, and nothing after it."""
    assert parse(header) is None


@pytest.mark.rfc("7519-7.2-a", "7519-4-a", "8725-3.7-a")
@pytest.mark.parametrize(
    "payload",
    [
        pytest.param(b"[]", id="an array"),
        pytest.param(b'"x"', id="a text"),
        pytest.param(b"1", id="a number"),
        pytest.param(b"null", id="null"),
        pytest.param(b" ", id="a blank"),
        pytest.param(b'{"sub":"\xff"}', id="no UTF-8"),
        pytest.param(b'\xef\xbb\xbf{"sub":"x"}', id="a byte order mark"),
        pytest.param('{"sub":"x"}'.encode("utf-16"), id="UTF-16"),
        pytest.param(b'{"exp":1,"exp":9999999999}', id="exp twice"),
        pytest.param(b'{"exp":1e400}', id="infinity"),
        pytest.param(b'{"exp":' + b"9" * 5000 + b"}", id="5 000 digits"),
        pytest.param(b'{"x":' + b"[" * 20_000 + b"]" * 20_000 + b"}", id="nested 20 000 deep"),
    ],
)
def test_payload_is_one_json_object(payload: bytes) -> None:
    """RFC 7519 §7.2: claims are one JSON object in UTF-8, with each name once (§4)."""
    jws = parse(HEADER, payload)
    assert jws is not None
    assert jws.claims() is None


@pytest.mark.rfc("7515-5.2-a", "8725bis-3.14-a", "8725bis-2.11-a", "9068-4-g", "8725-3.3-a")
@pytest.mark.attack("A-J-1", "A-J-13", "A-J-18")
@pytest.mark.parametrize(
    "token",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"2YotnFZFEjr1zCsicMWpAA", id="an opaque token"),
        pytest.param(b".", id="one dot"),
        pytest.param(b"..", id="two dots"),
        pytest.param(b"...", id="three dots"),
        pytest.param(b"." * 1_000_000, id="a million dots"),
        pytest.param(b"a." * 1_000_000, id="a million parts"),
        pytest.param(b"eyJhbGciOiJSUzI1NiJ9.e30", id="two parts"),
        pytest.param(b"eyJhbGciOiJSUzI1NiJ9..c2ln", id="a detached payload"),
        pytest.param(b".e30.c2ln", id="no header"),
        pytest.param(b"eyJhbGciOiJSUzI1NiJ9.e30.c2ln.", id="a fourth part"),
        pytest.param(b"eyJhbGciOiJSU0EtT0FFUCIsImVuYyI6IkExMjhHQ00ifQ.a.b.c.d", id="a JWE"),
        pytest.param(b'{"payload":"e30","signatures":[]}', id="JSON"),
        pytest.param(b64url(b'{"payload":"e30","signatures":[]}').encode(), id="JSON in base64url"),
    ],
)
def test_not_a_compact_jws(token: bytes) -> None:
    """RFC 7515 §3.1: exactly three parts between two dots; what has five is encrypted, and never looked into."""
    assert parse_jws(token) is None


def with_junk(part: str, junk: str) -> list[str]:
    """Put characters before, into and behind a part."""
    return [junk + part, part[:4] + junk + part[4:], part + junk]


@pytest.mark.rfc("7515-5.2-a", "8725bis-3.14-a")
@pytest.mark.parametrize("junk", ["\n", " ", "=", "+", "/", "!", "%3D", "\u00e9", "\x00", "\r\n"])
@pytest.mark.parametrize("place", [0, 1, 2])
def test_only_base64url(place: int, junk: str) -> None:
    """RFC 7515 §2: base64url without blanks, padding or other characters, even if the signature covers the bad form."""
    key = signing_key("ES256")
    parts = access_token(key).split(".")
    for changed in with_junk(parts[place], junk):
        spoilt = [*parts[:place], changed, *parts[place + 1 :]]
        resigned = sign_raw(spoilt[0], spoilt[1], key)
        assert parse_jws(".".join(spoilt).encode()) is None
        assert place == 2 or parse_jws(resigned.encode()) is None


@pytest.mark.rfc("7515-5.2-a")
@pytest.mark.parametrize(
    "spelling",
    [
        pytest.param("e31", id="two bits that encode nothing"),
        pytest.param("ex", id="four bits that encode nothing"),
        pytest.param("e30xx", id="five characters"),
        pytest.param("e", id="one character"),
    ],
)
def test_one_text_per_value(spelling: str) -> None:
    """RFC 4648 §3.5: a value has one spelling, or one token could be sent in many forms past a list of refused ones."""
    head = b64url(b'{"alg":"RS256"}')
    assert parse_jws(f"{head}.e30.c2ln".encode()) is not None
    assert parse_jws(f"{head}.{spelling}.c2ln".encode()) is None


@pytest.mark.attack("A-J-14")
@given(st.binary(min_size=1, max_size=40), st.integers(0, 3))
def test_no_second_spelling(signature: bytes, bits: int) -> None:
    """RFC 4648 §3.5: of all the texts that a lax decoder maps to one signature, exactly one is accepted."""
    token = unsigned({"alg": "RS256"}, b"{}", signature)
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    last = alphabet.index(token[-1])
    respelt = token[:-1] + alphabet[last ^ bits]
    jws = parse_jws(respelt.encode())
    assert jws is None or (jws.signature == signature) == (respelt == token)


@pytest.mark.rfc("8725-3.2-a")
@pytest.mark.attack("A-J-1")
def test_empty_signature() -> None:
    """RFC 7515 §3: a token without a signature can be parsed; who it is from is not said by that."""
    jws = parse({"alg": "none"}, signature=b"")
    assert jws is not None
    assert (jws.algorithm, jws.signature) == ("none", b"")


@pytest.mark.attack("A-S-1")
def test_nothing_personal_is_shown() -> None:
    """The representation of a token shows neither its claims nor its signature."""
    jws = parse_jws(sign(HEADER, claims(sub="canary"), signing_key("ES256")).encode())
    assert jws is not None
    assert repr(jws) == "JWS(algorithm='RS256', typ='at+jwt')"


PARTS = st.one_of(
    st.binary(max_size=30).map(b64url),
    st.text("{}abeyJ=_-. \n", max_size=8),
    st.dictionaries(
        st.sampled_from(["alg", "kid", "typ", "crit", "x"]), st.none() | st.text(max_size=4) | st.integers()
    ).map(lambda header: b64url(json.dumps(header).encode())),
)


@given(st.binary(max_size=60) | st.lists(PARTS, max_size=5).map(lambda parts: ".".join(parts).encode()))
def test_never_raises(token: bytes) -> None:
    """Whatever bytes a client sends, they are a JWS with a text for alg, or none."""
    jws = parse_jws(token)
    if jws is None:
        return
    assert isinstance(jws.algorithm, str)
    assert token.startswith(jws.signing_input + b".")
    try:
        expected = loads_object(jws.payload)
    except StrictJSONError:
        expected = None
    assert jws.claims() == expected


def test_a_key_that_is_brought_along_is_no_part_of_it() -> None:
    """RFC 9449 §4.2: the key of a proof is data like any other, and a parsed token can be kept by its value."""
    jws = parse(HEADER | {"jwk": {"kty": "EC"}})
    assert jws is not None
    assert {jws} == {parse(HEADER | {"jwk": {"kty": "EC"}})}


LONGEST = {"alg": "RS256", "x": "x" * (8192 // 4 * 3 - len('{"alg":"RS256","x":""}'))}


@pytest.mark.attack("A-J-14")
@pytest.mark.parametrize(
    ("rest", "misspelt"),
    [
        ("e30.c2ln", False),
        ("e30.c2ln=", True),
        ("e30=.c2ln", True),
        ("e31.c2ln", True),
        ("!!!!e30.c2ln", True),
        ("e30." + "x" * 9000 + "~", True),
        ("x" * 9000 + "~.c2ln", True),
        ("c2ln=.e30", True),
        ("e30", False),
        ("e30=", False),
        ("e30=.c2ln.c2ln", False),
        ("AAAA.BBBB.CCCC.DDDD", False),
        ("AAAA.BBBB.CCCC.DDDD=", True),
        ("AAAA.BBBB.CCCC.DDDD.EEEE=", False),
    ],
)
def test_misspelt(rest: str, misspelt: bool) -> None:  # noqa: FBT001 - parametrized
    """RFC 7515 §2: a token of three or five parts with a header of its kind is spelled in one way only."""
    token = b64url(encoded(HEADER)) + "." + rest
    assert is_misspelt(token.encode()) == misspelt


@pytest.mark.parametrize("spelt", ["~{}", "{}~~~~", "{}=", "{}=="])
def test_a_header_that_is_misspelt(spelt: str) -> None:
    """RFC 7515 §2: a header in whose spelling decoders forgive something is misspelt like any other part."""
    header = spelt.format(b64url(encoded(HEADER)))
    assert is_misspelt(f"{header}.e30.c2ln".encode())
    assert parse_jws(f"{header}.e30.c2ln".encode()) is None


def test_a_long_header_is_not_looked_at_to_find_that_it_is_misspelt() -> None:
    """The limit of a header holds for tokens that are misspelt too, and is itself still allowed."""
    longest = b64url(encoded(LONGEST))
    assert len(longest) == MAX_HEADER_BYTES
    assert is_misspelt(f"{longest}.e30.c2ln=".encode())
    longer = b64url(encoded(LONGEST | {"x": LONGEST["x"] + "x"}))
    assert not is_misspelt(f"{longer}.e30.c2ln=".encode())
