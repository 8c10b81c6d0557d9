"""Extraction: the one access token of a request, or what is wrong with how it was sent."""

from __future__ import annotations

import re
from urllib.parse import quote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from resource_server import BearerTokenError, InvalidRequest, InvalidToken, RequestParts
from resource_server._protocol.bearer import Credential, TokenMethods, extract_credential

HEADER_ONLY = TokenMethods()
QUERY = TokenMethods(query=True)
FORM = TokenMethods(form=True)
BOTH = TokenMethods(query=True, form=True)


def extract(
    *values: bytes, methods: TokenMethods = HEADER_ONLY, query: bytes = b"", form: bytes | None = None
) -> bytes | None:
    """Extract the token of a request with these Authorization lines."""
    headers = [(b"host", b"rs.example.com"), *((b"authorization", value) for value in values)]
    credential = extract_credential(RequestParts("POST", headers, query, form), methods)
    return None if credential is None else credential.token


@pytest.mark.rfc("6750-2.1-a", "6750-2.1-b")
@pytest.mark.parametrize(
    "value",
    [
        pytest.param(b"Bearer good", id="as the RFC writes it"),
        pytest.param(b"bearer good", id="lower case"),
        pytest.param(b"BEARER good", id="upper case"),
        pytest.param(b"bEaReR good", id="mixed case"),
        pytest.param(b"Bearer  good", id="two spaces"),
        pytest.param(b"Bearer         good", id="many spaces"),
    ],
)
def test_authorization_header(value: bytes) -> None:
    """RFC 6750 §2.1, RFC 9110 §11.1: the scheme is Bearer in any case, then one space or more, then the token."""
    assert extract(value) == b"good"


@pytest.mark.rfc("9110-5.5-b")
@pytest.mark.parametrize("value", [b"Bearer good   ", b"  Bearer good", b"\tBearer good \t"])
def test_surrounding_blanks(value: bytes) -> None:
    """RFC 9110 §5.5: blanks around a field value are not part of it, even where the server passes them on."""
    assert extract(value) == b"good"


@pytest.mark.rfc("6750-2.1-d")
@pytest.mark.parametrize(
    "token",
    [
        pytest.param(b"mF_9.B5f-4.1JqM", id="the example of RFC 6750"),
        pytest.param(b"Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU", id="the example of RFC 9449"),
        pytest.param(b"a+/==", id="all that base64 has"),
        pytest.param(b"a====", id="more padding than base64 has"),
        pytest.param(b"~", id="one character"),
        pytest.param(b"-._~+/", id="no letter"),
        pytest.param(b"bearer", id="the name of the scheme"),
        pytest.param(b"a" * 16_384, id="as long as is allowed"),
    ],
)
def test_edge_tokens(token: bytes) -> None:
    """RFC 6750 §2.1: whatever the grammar calls a token is taken, byte for byte."""
    assert extract(b"Bearer " + token) == token


@pytest.mark.rfc("6750-3.1-d")
@pytest.mark.parametrize(
    "values",
    [
        pytest.param([], id="no header"),
        pytest.param([b""], id="an empty header"),
        pytest.param([b"   "], id="blanks"),
        pytest.param([b"Basic dXNlcjpwYXNz"], id="Basic"),
        pytest.param([b"Negotiate YII="], id="Negotiate"),
        pytest.param([b"Digest username=bearer, realm=x"], id="Digest"),
        pytest.param([b"BearerToken good"], id="a scheme that begins alike"),
        pytest.param([b"Bearer\tgood"], id="a tab for the space: another scheme's name"),
        pytest.param([b"good"], id="a token without a scheme"),
    ],
)
def test_no_bearer_credentials(values: list[bytes]) -> None:
    """RFC 6750 §3.1: no credentials, or those of another scheme, are no error: there is just no access token."""
    assert extract(*values) is None


@pytest.mark.rfc("6750-2.1-c", "8725bis-2.11-a")
@pytest.mark.parametrize(
    "value",
    [
        pytest.param(b"Bearer", id="no token"),
        pytest.param(b"Bearer a b", id="two words"),
        pytest.param(b"Bearer a,b", id="a comma"),
        pytest.param(b"Bearer a, b", id="a list"),
        pytest.param(b'Bearer {"payload": "e30", "signatures": []}', id="a JWS in JSON"),
    ],
)
def test_malformed_structure(value: bytes) -> None:
    """RFC 6750 §3.1: what is more, or less, than one token makes a malformed request."""
    with pytest.raises(InvalidRequest) as caught:
        extract(value)
    assert caught.value.reason == "malformed"


@pytest.mark.rfc("6750-2.1-c", "9110-5.5-c")
@pytest.mark.attack("A-R-8")
@pytest.mark.parametrize(
    "token",
    [
        pytest.param(b"a;b", id="a semicolon"),
        pytest.param(b'"a"', id="quotes"),
        pytest.param("é".encode(), id="UTF-8"),
        pytest.param(b"\xe9", id="obs-text"),
        pytest.param(b"a\x00b", id="NUL"),
        pytest.param(b"a\r\nX-Injected:1", id="a line break"),
        pytest.param(b"a\n", id="a final line break"),
        pytest.param(b"a\tb", id="a tab"),
        pytest.param(b"=", id="padding alone"),
        pytest.param(b"a=b", id="padding inside"),
        pytest.param(b"a%3D", id="percent-encoding"),
        pytest.param(b'{"payload":"e30"}', id="JSON without a blank"),
    ],
)
def test_characters_no_token_has(token: bytes) -> None:
    """RFC 6750 §2.1: a character outside the grammar makes an invalid token, and nothing is asked about it."""
    with pytest.raises(InvalidToken) as caught:
        extract(b"Bearer " + token)
    assert caught.value.reason == "malformed"


@pytest.mark.rfc("6750-2-b", "9110-11.6.2-a")
@pytest.mark.attack("A-R-2")
@pytest.mark.parametrize(
    "values",
    [
        pytest.param([b"Bearer good", b"Bearer good"], id="the same"),
        pytest.param([b"Bearer good", b"Bearer other"], id="different"),
        pytest.param([b"Basic dXNlcjpwYXNz", b"Bearer good"], id="another scheme first"),
        pytest.param([b"Bearer good", b"Basic dXNlcjpwYXNz"], id="another scheme last"),
        pytest.param([b"Bearer good", b""], id="an empty one"),
        pytest.param([b"Bearer good, Bearer other"], id="joined by a comma"),
        pytest.param([b"Bearer good,Bearer other"], id="joined by a comma alone"),
        pytest.param([b"Basic dXNlcjpwYXNz, Bearer good"], id="another scheme joined first"),
        pytest.param([b"Basic dXNlcjpwYXNz,bearer good"], id="another scheme joined first, without a blank"),
        pytest.param([b"Bearer good, Basic dXNlcjpwYXNz"], id="another scheme joined last"),
    ],
)
def test_authorization_is_a_singleton(values: list[bytes]) -> None:
    """RFC 9110 §11.6.2: a request with two sets of credentials is malformed, whichever of them would be good."""
    with pytest.raises(InvalidRequest):
        extract(*values)


@pytest.mark.attack("A-R-2")
def test_header_names_have_no_case() -> None:
    """RFC 9110 §5.1: spelling the field name differently neither hides a token nor smuggles in a second one."""
    headers = [(b"Authorization", b"Bearer good")]
    credential = extract_credential(RequestParts("GET", headers), HEADER_ONLY)
    assert credential is not None
    assert credential.token == b"good"
    with pytest.raises(InvalidRequest):
        extract_credential(RequestParts("GET", [*headers, (b"authorization", b"Bearer other")]), HEADER_ONLY)


@pytest.mark.rfc("6750-2-a")
@pytest.mark.parametrize(
    ("header", "query", "form"),
    [
        pytest.param([b"Bearer a"], b"access_token=a", None, id="header and query"),
        pytest.param([b"Bearer a"], b"", b"access_token=a", id="header and form"),
        pytest.param([], b"access_token=a", b"access_token=a", id="query and form"),
        pytest.param([b"Bearer a"], b"access_token=b", b"access_token=c", id="all three"),
    ],
)
def test_one_method_per_request(header: list[bytes], query: bytes, form: bytes | None) -> None:
    """RFC 6750 §2 and §3.1: a token sent in more than one way is an invalid request, even if it is the same one."""
    with pytest.raises(InvalidRequest):
        extract(*header, methods=BOTH, query=query, form=form)


@pytest.mark.rfc("6750-2-b")
@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"access_token=a&access_token=b", id="two values"),
        pytest.param(b"access_token=a&x=1&access_token=a", id="the same value"),
        pytest.param(b"access_token=a&%61ccess_token=b", id="the name percent-encoded"),
    ],
)
def test_repeated_parameter(content: bytes) -> None:
    """RFC 6750 §3.1: a parameter that stands twice is an invalid request, however its name is written."""
    with pytest.raises(InvalidRequest):
        extract(methods=QUERY, query=content)
    with pytest.raises(InvalidRequest):
        extract(methods=FORM, form=content)


@pytest.mark.rfc("6750-2.2-a", "6750-2.3-a", "o21-5.2-a")
@pytest.mark.parametrize("methods", [HEADER_ONLY, TokenMethods(form=True), TokenMethods(query=True)])
def test_methods_that_are_off(methods: TokenMethods) -> None:
    """RFC 6750 §2.2 and §2.3: a token in a place that was not enabled is ignored, not even counted."""
    query = b"" if methods.query else b"access_token=a"
    form = None if methods.form else b"access_token=b"
    assert extract(methods=methods, query=query, form=form) is None
    assert extract(b"Bearer good", methods=methods, query=query, form=form) == b"good"


@pytest.mark.parametrize(
    ("content", "token"),
    [
        pytest.param(b"access_token=mF_9.B5f-4.1JqM", b"mF_9.B5f-4.1JqM", id="alone"),
        pytest.param(b"x=1&access_token=a&y", b"a", id="among others"),
        pytest.param(b"access_token=a%2B%2F%3D%3D", b"a+/==", id="percent-encoded"),
        pytest.param(b"access%5Ftoken=a", b"a", id="the name percent-encoded"),
        pytest.param(b"access_token=&access_token=a", b"a", id="beside an empty one, which counts as left out"),
    ],
)
def test_urlencoded_token(content: bytes, token: bytes) -> None:
    """RFC 6750 §2.2 and §2.3: where enabled, the parameter access_token is decoded as form data and taken."""
    assert extract(methods=QUERY, query=content) == token
    assert extract(methods=FORM, form=content) == token


@pytest.mark.attack("A-R-6")
@pytest.mark.parametrize(
    "query",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"access_token", id="no value"),
        pytest.param(b"access_token=", id="an empty value"),
        pytest.param(b"access_token[]=a", id="an array as PHP writes it"),
        pytest.param(b"ACCESS_TOKEN=a", id="another case"),
        pytest.param(b"x=1;access_token=a", id="a semicolon as the separator"),
        pytest.param(b"access_token%00=a", id="a NUL in the name"),
        pytest.param(b"%2561ccess_token=a", id="percent-encoded twice"),
        pytest.param(b"access+token=a", id="a blank for the underscore"),
    ],
)
def test_parameters_that_are_not_the_token(query: bytes) -> None:
    """RFC 6750 §2.3: only the parameter of exactly that name is a token, and an empty one is none."""
    assert extract(methods=QUERY, query=query) is None


@pytest.mark.parametrize("value", [b"a%20b", b"a+b", b"a%2Cb"])
def test_urlencoded_token_of_two(value: bytes) -> None:
    """RFC 6750 §2.1: a parameter is held to the grammar of a token after it is decoded."""
    with pytest.raises(InvalidRequest):
        extract(methods=QUERY, query=b"access_token=" + value)


@pytest.mark.parametrize("value", [b"%E9", b"%00", b"a%0D%0A", b"%", b"a%zz"])
def test_urlencoded_garbage(value: bytes) -> None:
    """RFC 6750 §2.1: bytes that no token has are refused wherever the token stands."""
    with pytest.raises(InvalidToken):
        extract(methods=QUERY, query=b"access_token=" + value)


@pytest.mark.attack("A-J-18")
@pytest.mark.parametrize(
    "token",
    [pytest.param(b"a" * 101, id="good characters"), pytest.param(b"\x00 ,." * 2_000_000, id="8 MB of garbage")],
)
def test_length_is_judged_first(token: bytes) -> None:
    """A token beyond the limit is refused for its length, before anybody looks at what is in it."""
    methods = TokenMethods(max_length=100, query=True)
    with pytest.raises(InvalidToken) as caught:
        extract(b"Bearer x" + token, methods=methods)
    assert caught.value.reason == "too_long"
    with pytest.raises(InvalidToken) as caught:
        extract(methods=methods, query=b"access_token=x" + token.replace(b"+", b""))
    assert caught.value.reason == "too_long"


@pytest.mark.rfc("6750-2.2-a", "6750-2.3-a")
def test_defaults() -> None:
    """RFC 6750 §2: only the header is looked at unless asked otherwise, for a token of up to 16 kilobytes."""
    assert TokenMethods() == TokenMethods(max_length=16_384, query=False, form=False)
    assert [TokenMethods().query, TokenMethods().form] == [False, False]


def test_longest_token() -> None:
    """The limit itself is still allowed."""
    assert extract(b"Bearer " + b"a" * 100, methods=TokenMethods(max_length=100)) == b"a" * 100


@pytest.mark.attack("A-R-5", "A-R-9")
def test_other_places_are_not_looked_at() -> None:
    """RFC 6750 §2: a token in a cookie, a WebSocket subprotocol or a header of another name is none."""
    names = [b"cookie", b"sec-websocket-protocol", b"x-authorization", b"proxy-authorization", b"x-access-token"]
    headers = [(name, b"Bearer good") for name in names] + [(b"cookie", b"access_token=good")]
    assert extract_credential(RequestParts("GET", headers), BOTH) is None


@pytest.mark.rfc("9700-4.9.3-a")
@pytest.mark.attack("A-S-1")
def test_nothing_shows_the_token() -> None:
    """A credential and a request are safe to print: neither shows a token."""
    request = RequestParts(
        "GET", [(b"authorization", b"Bearer canary")], b"access_token=canary", b"access_token=canary"
    )
    assert "canary" not in f"{request!r} {request}"
    assert "canary" not in f"{Credential('bearer', b'canary')!r} {Credential('bearer', b'canary')}"


@given(st.from_regex(rb"[A-Za-z0-9._~+/-]{1,30}={0,4}", fullmatch=True), st.sampled_from([b"Bearer ", b"bEARER  "]))
@pytest.mark.rfc("6750-2.1-a", "6750-2.1-d")
def test_every_token_is_taken_whole(token: bytes, scheme: bytes) -> None:
    """RFC 6750 §2.1: every text of the grammar is a token, and comes out as it was sent, wherever it stood."""
    assert extract(scheme + token) == token
    assert extract(methods=QUERY, query=b"access_token=" + quote(token).encode()) == token


VALUES = st.one_of(st.binary(max_size=60), st.binary(max_size=60).map(lambda rest: b"Bearer " + rest))


@given(values=st.lists(VALUES, max_size=3), query=st.binary(max_size=60), form=st.none() | st.binary(max_size=60))
@example(values=[], query=b"access_token=%", form=b"access_token=%FF")
@pytest.mark.attack("A-R-8")
def test_arbitrary_bytes(values: list[bytes], query: bytes, form: bytes | None) -> None:
    """Whatever a client sends, extraction ends with a token of the grammar, with none, or with a refusal."""
    headers = [(b"authorization", value) for value in values]
    found: Credential | BearerTokenError | None
    try:
        found = extract_credential(RequestParts("GET", headers, query, form), TokenMethods(30, query=True, form=True))
    except BearerTokenError as refusal:
        found = refusal
    if isinstance(found, BearerTokenError):
        assert (found.status, found.reason) in {(400, "malformed"), (401, "malformed"), (401, "too_long")}
    elif found is not None:
        assert found.scheme == "bearer"
        assert re.fullmatch(rb"[A-Za-z0-9._~+/-]+=*", found.token)
        assert len(found.token) <= 30


def test_a_name_of_the_same_length() -> None:
    """RFC 9110 §5.1: a field is known by its name: If-None-Match is as long as Authorization, and no such field."""
    assert extract_credential(RequestParts("GET", [(b"if-none-match", b"Bearer other")]), HEADER_ONLY) is None


@pytest.mark.parametrize("token", [b"good", b"Xgood"])
@pytest.mark.parametrize("methods", [HEADER_ONLY, BOTH])
def test_dpop_credentials(token: bytes, methods: TokenMethods) -> None:
    """RFC 9449 §7.1: the scheme DPoP, one space or more, then the token; it stays DPoP where other methods are on."""
    request = RequestParts("GET", [(b"authorization", b"DPoP  " + token)])
    assert extract_credential(request, methods) == Credential("dpop", token)


def test_a_second_token_behind_another_scheme() -> None:
    """RFC 6750 §3.1: a token that is hidden behind other credentials makes the request malformed."""
    with pytest.raises(InvalidRequest) as caught:
        extract(b"Basic eDp5, Bearer good")
    assert caught.value.reason == "malformed"


def test_padding_that_is_not_encoded() -> None:
    """A parameter's value begins behind the first equals sign, and may hold others."""
    assert extract(methods=QUERY, query=b"access_token=good==") == b"good=="
