"""A caller's own client: asked with, never trusted with more than one question, and never closed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import httpx
import httpx2
import pytest

from resource_server import Assurance, RequestParts, ResourceServer
from resource_server._protocol.messages import HTTPRequest, HTTPResponse, Unavailable
from resource_server._runtime.exchange import Exchange
from tests.support.play import OPTIONS, Time, active_members
from tests.support.sockets import ok, raw_server

pytestmark = pytest.mark.anyio

URL = "https://as.example.com/introspect"
QUESTION = HTTPRequest("POST", URL, "introspection", 1000, (("authorization", "Basic b3Vycw=="),), b"token=canary")
LIBRARIES = pytest.mark.parametrize("library", [httpx, httpx2], ids=["httpx", "httpx2"])


class Counting:
    """A handler that keeps what it was asked, and answers with what it was given."""

    def __init__(self, library: Any, status: int = 200, **options: Any) -> None:
        self.requests: list[Any] = []
        self._reply: Callable[[], Any] = lambda: library.Response(status, **({"json": {"active": True}} | options))

    def __call__(self, request: Any) -> Any:
        """Answer."""
        self.requests.append(request)
        return self._reply()


def client_of(library: Any, handler: Counting, **options: Any) -> Any:
    """Make a caller's client that speaks to a handler."""
    return library.AsyncClient(transport=library.MockTransport(handler), **options)


async def ask(client: Any) -> HTTPResponse | Unavailable:
    """Ask one question through a client."""
    exchange = Exchange(timeout=2.5, client=client)
    found = await exchange.send(QUESTION, asyncio.get_running_loop().time() + 2.5)
    await exchange.aclose()
    return found


@LIBRARIES
async def test_the_whole_question_goes_through_the_client(library: Any) -> None:
    """A client of httpx or of httpx2 sends what we ask, as we ask it."""
    handler = Counting(library)
    async with client_of(library, handler) as client:
        answer = await ask(client)
        assert not client.is_closed
    assert isinstance(answer, HTTPResponse)
    assert (answer.status, answer.body) == (200, b'{"active":true}')
    (request,) = handler.requests
    assert (request.method, str(request.url), request.content) == ("POST", URL, b"token=canary")
    assert request.headers["accept-encoding"] == "identity"
    assert request.headers["authorization"] == "Basic b3Vycw=="
    assert set(request.extensions["timeout"].values()) == {2.5}


@LIBRARIES
async def test_the_clients_own_credentials_are_not_sent(library: Any) -> None:
    """Whom the client authenticates as elsewhere is nobody's business here."""
    handler = Counting(library)
    async with client_of(library, handler, auth=("somebody", "else")) as client:
        await ask(client)
    assert handler.requests[0].headers.get_list("authorization") == ["Basic b3Vycw=="]


@LIBRARIES
@pytest.mark.attack("A-I-7")
async def test_cookies_are_neither_sent_nor_replayed(library: Any) -> None:
    """A cookie of the client's, or one that the server has just set, is not sent with a token."""
    handler = Counting(library, headers={"set-cookie": "session=server; Path=/"})
    async with client_of(library, handler, cookies={"session": "client"}) as client:
        for _ in range(3):
            await ask(client)
    assert ["cookie" in request.headers for request in handler.requests] == [False] * 3


@LIBRARIES
@pytest.mark.attack("A-I-4")
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize(
    "location", ["https://canary.example.com/", "http://as.example.com/", "/elsewhere", "file:///etc/passwd", URL]
)
async def test_redirects_are_not_followed(library: Any, status: int, location: str) -> None:
    """However the client is configured, a redirect would carry token and secret away: it is an answer, and the last."""
    handler = Counting(library, status, headers={"location": location})
    async with client_of(library, handler, follow_redirects=True) as client:
        answer = await ask(client)
    assert isinstance(answer, HTTPResponse)
    assert answer.status == status
    assert len(handler.requests) == 1


@LIBRARIES
@pytest.mark.attack("A-I-5")
async def test_a_coded_answer_is_not_decoded(library: Any) -> None:
    """A client would decode by itself; the body is taken from beneath it, and refused."""
    # The content is no gzip at all: whoever tried to decode it would fail in another way.
    handler = Counting(library)
    handler._reply = lambda: library.Response(
        200, headers={"content-encoding": "gzip"}, stream=httpx.ByteStream(b"not gzip")
        if library is httpx else library.ByteStream(b"not gzip"),
    )  # fmt: skip
    async with client_of(library, handler) as client:
        assert await ask(client) == Unavailable("content_encoding")


@LIBRARIES
async def test_the_size_is_bounded(library: Any) -> None:
    """The limit holds whoever reads."""
    handler = Counting(library, json={"x": "y" * 2000})
    async with client_of(library, handler) as client:
        assert await ask(client) == Unavailable("too_large")


@LIBRARIES
async def test_a_closed_client(library: Any) -> None:
    """A client that the caller has closed is an outage, and not an error in the application."""
    client = client_of(library, Counting(library))
    await client.aclose()
    assert await ask(client) == Unavailable("transport")


@LIBRARIES
async def test_a_hook_that_raises(library: Any) -> None:
    """A client whose hooks raise for a status is taken as it is: there was no answer."""

    async def raise_for_status(response: Any) -> None:
        response.raise_for_status()

    client = client_of(library, Counting(library, 500), event_hooks={"response": [raise_for_status]})
    async with client:
        assert await ask(client) == Unavailable("transport")


@LIBRARIES
async def test_a_resource_server_with_a_callers_client(library: Any) -> None:
    """The whole way: a request is authenticated with what the caller's client brings, and the client stays open."""
    handler = Counting(library, json=active_members())
    async with client_of(library, handler) as client:
        server = ResourceServer(client=client, clock=Time().clock, **OPTIONS)
        principal = await server.authenticate(RequestParts("GET", [(b"authorization", b"Bearer opaque")]))
        await server.aclose()
        assert not client.is_closed
    assert principal.assurance is Assurance.INTROSPECTED


async def test_the_client_of_the_environment_keeps_no_cookie() -> None:
    """The client that knows the environment's proxies has a cookie jar, which takes nothing in."""
    with raw_server(ok(b"{}", b"set-cookie: a=b; Path=/", b"connection: close")) as server:
        exchange = Exchange(timeout=5.0, trust_env=True)
        for _ in range(2):
            request = HTTPRequest("POST", server.url, "introspection", 1000)
            await exchange.send(request, asyncio.get_running_loop().time() + 5)
        own = exchange._own
        assert isinstance(own, httpx.AsyncClient)
        assert list(own.cookies.jar) == []
        await exchange.aclose()
        assert own.is_closed
    assert not any(b"cookie:" in request.lower() for request in server.requests)
    assert len(server.requests) == 2
