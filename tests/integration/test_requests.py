"""Requests as they are on the wire, through both of uvicorn's readers of HTTP: the same judgement for both."""

from __future__ import annotations

import pytest

from mock_as import MockAS
from tests.integration.conftest import Live
from tests.support.api import API
from tests.support.fastapi_app import NOBODY, READER
from tests.support.headers import parse_challenges
from tests.support.live import connection, exchange, request, serve
from tests.support.live_api import PREFIXES
from tests.support.promises import assert_promises, assert_refused

TOKEN = READER.encode()
GOOD = b"Authorization: Bearer " + TOKEN


@pytest.mark.rfc("9110-11.6.2-a", "6750-2-b")
@pytest.mark.attack("A-R-2")
@pytest.mark.parametrize(
    "fields",
    [
        [GOOD, GOOD],
        [GOOD, b"Authorization: Bearer other"],
        [b"Authorization: Basic cnM6cnM=", GOOD],
        [GOOD, b"AUTHORIZATION: Bearer other"],
        [GOOD, b"Authorization:"],
        [GOOD + b", Bearer other"],
    ],
    ids=["same", "other", "Basic", "case", "empty", "joined"],
)
def test_two_tokens(fields: list[bytes], live: Live) -> None:
    """RFC 9110 §11.6.2: Authorization stands once; two lines of it are a 400, whatever is in them."""
    assert_refused(live.send("GET", "/things", *fields), 400, "invalid_request")


@pytest.mark.rfc("9110-5.5-b")
@pytest.mark.parametrize("after", [b"", b" ", b"    ", b"\t", b" \t "])
@pytest.mark.parametrize("before", [b" ", b"  ", b"\t"])
def test_blanks_around_the_value(before: bytes, after: bytes, live: Live) -> None:
    """RFC 9110 §5.5: blanks around a field's value do not belong to it, whether or not the server cuts them off."""
    answer = live.send("GET", "/things", b"Authorization:" + before + b"Bearer " + TOKEN + after)
    assert (answer.status, answer.json()) == (200, "things")


@pytest.mark.rfc("9110-5.5-c")
@pytest.mark.attack("A-R-8")
@pytest.mark.parametrize("token", [b"\xe9", b"\xc3\xa9", b"\xff\xfe", TOKEN + b"\x80", b'"x"', b"x\x7f"])
def test_odd_bytes(token: bytes, live: Live) -> None:
    """RFC 9110 §5.5: bytes beyond ASCII in a token are refused by us or by the server, with a whole answer."""
    answer = exchange(live.port, request("GET", "/things", b"Authorization: Bearer " + token))
    if answer.header("www-authenticate") is not None:
        assert_refused(answer, 401, "invalid_token")
    else:
        assert answer.status == 400


@pytest.mark.attack("A-J-18")
@pytest.mark.parametrize("size", [16_385, 40_000, 1_000_000, 8_000_000])
def test_huge_token(size: int, live: Live) -> None:
    """A token that is longer than any token is refused by its length: by us, or by a server with a limit of its own."""
    asked = live.authorization_server.introspections
    answer = exchange(live.port, request("GET", "/things", b"Authorization: Bearer " + b"x" * size))
    if answer.header("www-authenticate") is not None:
        assert_refused(answer, 401, "invalid_token")
    else:
        assert answer.status in {400, 431}
    assert live.authorization_server.introspections == asked


@pytest.mark.attack("A-R-3", "A-R-11")
@pytest.mark.parametrize(
    "fields",
    [
        [b"Authorization: Bearer\r\n " + TOKEN],
        [b"Authorization : Bearer " + TOKEN],
        [b"Authorization: Bearer " + TOKEN, b"Content-Length: 5", b"Transfer-Encoding: chunked"],
        [b"Authorization: Bearer a\x00b"],
        [b"Authorization: Bearer a\rb"],
    ],
    ids=["folded", "blank before the colon", "two lengths", "NUL", "CR"],
)
def test_malformed_messages(fields: list[bytes], live: Live) -> None:
    """A message that HTTP does not allow is the server's matter: what it makes of it is judged, and nothing breaks."""
    answer = exchange(live.port, request("GET", "/things", *fields, body=b"0\r\n\r\n"))
    assert answer.status in {200, 400, 401}
    if answer.status == 401:
        assert_promises(answer)


@pytest.mark.attack("A-F-6")
@pytest.mark.parametrize(
    "target",
    [
        "//things",
        "/%74hings",
        "/things%2f",
        "/./things",
        "/things/",
        "/things?x=/public",
        "/included/../things",
        "http://api.example.test/things",
        "/mounted/%2e%2e/things",
        "/mounted//things",
        "/THINGS",
        "/things;v=1",
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST", "HEAD"])
def test_paths(method: str, target: str, live: Live) -> None:
    """However a path is spelled on the wire, no spelling of it is a way past the judgement."""
    answer = exchange(live.port, request(method, target, b"Content-Length: 0"), method=method)
    assert answer.status in {307, 400, 401, 404, 405}
    if answer.status == 401:
        assert_refused(answer, 401, scope="read")


@pytest.mark.rfc("9110-11.6.1-a")
@pytest.mark.parametrize("prefix", PREFIXES)
def test_head(prefix: str, live: Live) -> None:
    """RFC 9110 §9.3.2: an answer to HEAD has no body on the wire: the next answer follows at once."""
    with connection(live.port) as wire:
        wire.send(request("HEAD", f"{prefix}/things") + request("GET", f"{prefix}/things", GOOD))
        assert_refused(wire.read("HEAD"), 401, scope="read")
        assert wire.read().json() == "things"


def test_pipelined_callers(live: Live) -> None:
    """Requests of several callers on one connection, as a proxy sends them, are each judged by their own token."""
    fields = [
        [GOOD],
        [],
        [b"Authorization: Bearer " + NOBODY.encode()],
        [b"Authorization: Bearer unknown-canary"],
        [GOOD],
    ]
    with connection(live.port) as wire:
        wire.send(b"".join(request("GET", "/things", *each) for each in fields))
        statuses = [wire.read().status for _ in fields]
    assert statuses == [200, 401, 403, 401, 200]


@pytest.mark.rfc("9110-5.5-a", "6750-3-e")
@pytest.mark.attack("A-J-5")
@pytest.mark.parametrize("http_protocol", ["h11", "httptools"])
def test_foreign_text_reaches_no_header(http_protocol: str, mock_as: MockAS) -> None:
    """RFC 9110 §5.5: text with line breaks, in a token or from the authorization server, costs nobody an answer."""
    texts = ["a\r\nX-Injected: 1", "\n", "\r", "\x00", "é", "→", "\ud800", '"', "\\", "../../etc/passwd", "k" * 5000]
    api = API(mock_as, verbose_errors=True)
    with serve(api.app, http_protocol) as port:
        for text in texts:
            mock_as.fault("introspect", status=500, body={"error": text}, headers={"x-cause": "1"}, times=1)
            for token in (mock_as.token(format="opaque"), mock_as.token(header={"kid": text}), mock_as.token(sub=text)):
                answer = exchange(port, request("GET", "/both", b"Authorization: Bearer " + token.value.encode()))
                assert answer.status in {401, 403}
                assert_promises(answer)
                [challenge] = parse_challenges(answer.header("www-authenticate") or "")
                assert challenge.scheme == "bearer"
                assert answer.header("x-injected") is None


def test_client_that_hangs_up(live: Live) -> None:
    """A client that hangs up in the middle of a request leaves the server as it was."""
    for piece in (b"", b"GET /things HTT", request("POST", "/things", b"Content-Length: 5", body=b"{")):
        with connection(live.port) as wire:
            wire.send(piece)
    with connection(live.port) as wire:
        wire.send(b"nonsense\r\n\r\n")
        assert wire.read().status == 400
    assert live.send("GET", "/things", GOOD).status == 200
