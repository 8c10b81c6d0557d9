"""The middleware through both of uvicorn's readers of HTTP: what a path is there is judged, whatever it was sent as."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.support.answer import Answer
from tests.support.fastapi_app import READER, ScriptedAS
from tests.support.frameworks import Entered, starlette_around
from tests.support.live import connection, exchange, request, serve
from tests.support.promises import assert_promises, assert_refused

GOOD = b"Authorization: Bearer " + READER.encode()
TARGETS = [
    "//admin/users",
    "/%61dmin/users",
    "/admin%2fusers",
    "/./admin/users",
    "/healthz/../admin/users",
    "/healthz/%2e%2e/admin/users",
    "/healthz;/../admin/users",
    "/admin/users/",
    "/ADMIN/users",
    "/admin;v=1/users",
    "/admin/users%0a",
    "/admin/users%00",
    "http://api.example.test/admin/users",
    "http://evil.example//admin/users",
    "/files/../admin/users",
    "/admin%c0%afusers",
    "/%ef%bd%81dmin/users",
    "/admin\\users",
    "*",
]


@dataclass(frozen=True, slots=True)
class Live:
    """A server that is up, and what was entered behind it."""

    port: int
    entered: Entered

    def send(self, target: str, *fields: bytes, method: str = "GET") -> Answer:
        """Send one request, and hold the answer to what holds for every answer."""
        self.entered.clear()
        answer = exchange(self.port, request(method, target, *fields), method=method)
        assert_promises(answer)
        return answer


@pytest.fixture(scope="module", params=["h11", "httptools"])
def live(request: pytest.FixtureRequest) -> Iterator[Live]:
    """Serve an application, once for all the tests of this module."""
    entered: Entered = []
    with serve(starlette_around(entered, ScriptedAS().server()), request.param) as port:
        yield Live(port, entered)


@pytest.mark.attack("A-F-6", "A-F-7")
@pytest.mark.parametrize("target", TARGETS)
def test_spellings(target: str, live: Live) -> None:
    """No spelling enters anything without a token, nor what needs a scope that the token lacks."""
    refused = live.send(target, b"X-Forwarded-Host: evil.example", b"X-Original-URL: /healthz")
    assert refused.status in {400, 401}
    assert live.entered == []
    live.send(target, GOOD)
    assert "admin" not in live.entered


def test_as_written(live: Live) -> None:
    """The routes are there, and a public one needs no token, however it was encoded."""
    assert live.send("/healthz").status == 200
    assert live.send("/%68ealthz").status == 200
    assert live.entered == ["health"]
    assert live.send("/orders/7", GOOD).status == 200


@pytest.mark.attack("A-R-3", "A-R-8", "A-R-11")
@pytest.mark.parametrize(
    "fields",
    [
        [b"Authorization: Bearer\r\n unknown-canary"],
        [b"Authorization: Bearer a\x00b"],
        [b"Authorization: Bearer \xff"],
        [GOOD, b"Content-Length: 5", b"Transfer-Encoding: chunked"],
    ],
    ids=["folded", "NUL", "bytes", "two lengths"],
)
def test_malformed_messages(fields: list[bytes], live: Live) -> None:
    """What a server makes of a message that HTTP does not allow is judged, and nothing breaks."""
    answer = live.send("/orders/7", *fields)
    assert answer.status in {200, 400, 401}
    assert "admin" not in live.entered


@pytest.mark.attack("A-R-2")
def test_two_fields(live: Live) -> None:
    """Two Authorization lines are a bad request."""
    assert_refused(live.send("/orders/7", GOOD, GOOD), 400, "invalid_request")
    assert live.entered == []


@pytest.mark.attack("A-F-2")
def test_body_is_not_read(live: Live) -> None:
    """The refusal of a large upload comes before its body: no 100, and no wait for what never comes."""
    live.entered.clear()
    with connection(live.port) as wire:
        wire.send(request("POST", "/orders/7", b"Content-Length: 60000000", b"Expect: 100-continue"))
        assert_refused(wire.read("POST"), 401, scope="read")
    assert live.entered == []
