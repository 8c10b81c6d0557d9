"""One question and its answer: what is sent, how much is read, and what is never done on the way."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import Iterable
from itertools import repeat

import httpx
import pytest
import respx

from resource_server._protocol.jwks import jwks_request
from resource_server._protocol.messages import HTTPRequest, HTTPResponse, Unavailable
from resource_server._runtime.connections import OwnConnections
from resource_server._runtime.exchange import Exchange
from tests.support.origin import Body, Origin, says
from tests.support.play import INTROSPECTION, JWKS
from tests.support.question import asked_by_rs

pytestmark = pytest.mark.anyio

QUESTION = asked_by_rs(INTROSPECTION, b"the-token", "s3cret")


async def send(exchange: Exchange, request: HTTPRequest = QUESTION, timeout: float = 5.0) -> HTTPResponse | Unavailable:  # noqa: ASYNC109 - handed on as a deadline
    """Ask one question with this much time."""
    return await exchange.send(request, asyncio.get_running_loop().time() + timeout)


def streams(body: Body, status: int = 200, **headers: str) -> Origin:
    """Answer introspection with a body in the making."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Origin(introspect=lambda _: httpx.Response(status, headers=named, stream=body))


@pytest.mark.rfc("7662-2.1-a", "7662-2.1-e")
async def test_the_request_on_the_wire(respx_mock: respx.MockRouter) -> None:
    """What a flow asks arrives as it was asked: method, URL, headers and body, with no coding and no cookie."""
    route = respx_mock.post(INTROSPECTION).respond(200, json={"active": True})
    exchange = Exchange(timeout=5.0)
    answer = await send(exchange)
    await exchange.aclose()
    assert isinstance(answer, HTTPResponse)
    assert (answer.status, answer.body, answer.media_type) == (200, b'{"active":true}', "application/json")
    request = route.calls.last.request
    assert request.content == b"token=the-token&token_type_hint=access_token"
    assert request.headers["accept-encoding"] == "identity"
    assert request.headers["accept"] == "application/json"
    assert request.headers["user-agent"] == "resource-server"
    assert request.headers["authorization"].startswith("Basic ")
    assert "the-token" not in str(request.url)
    assert "cookie" not in request.headers


async def test_the_limits_of_one_question_reach_the_transport() -> None:
    """A transport of httpx enforces its own timeouts too, so that no connection outlives the deadline by much."""
    origin = Origin(introspect=says(200))
    await send(Exchange(timeout=2.5, transport=origin))
    assert origin.requests[0].extensions["timeout"] == dict.fromkeys(("connect", "read", "write", "pool"), 2.5)


async def test_header_names_and_values() -> None:
    """Header names come out in lower case, repeated ones each for itself."""
    reply = httpx.Response(200, headers=[("X-One", "a"), ("x-one", "b"), ("Content-Type", "application/json")])
    answer = await send(Exchange(timeout=5.0, transport=Origin(introspect=lambda _: reply)))
    assert isinstance(answer, HTTPResponse)
    assert [pair for pair in answer.headers if pair[0] == "x-one"] == [("x-one", "a"), ("x-one", "b")]
    assert answer.header("x-one") is None
    assert answer.header("content-type") == "application/json"


@pytest.mark.attack("A-I-5")
@pytest.mark.parametrize("coding", ["gzip", "GZIP", "br", "deflate, gzip", "zstd", "identity, gzip"])
async def test_a_coded_body_is_refused_unread(coding: str) -> None:
    """We ask for no content coding; who sends one anyway could send a bomb, so not one byte of it is decoded."""
    body = Body(repeat(gzip.compress(bytes(1_000_000)), 1))
    answer = await send(Exchange(timeout=5.0, transport=streams(body, content_encoding=coding)))
    assert answer == Unavailable("content_encoding")
    assert (body.sent, body.closed) == (0, True)


@pytest.mark.parametrize("coding", ["identity", " Identity "])
async def test_identity_is_no_coding(coding: str) -> None:
    """RFC 9110 §12.5.3: ``identity`` says that nothing was done."""
    answer = await send(Exchange(timeout=5.0, transport=streams(Body([b"{}"]), content_encoding=coding)))
    assert isinstance(answer, HTTPResponse)
    assert answer.body == b"{}"


@pytest.mark.attack("A-I-5", "A-K-11")
@pytest.mark.parametrize(
    "chunks",
    [repeat(b"x" * 1000), repeat(b"x" * 1000, 100_000_000), [b"x" * 100_000]],
    ids=["without end", "100 GB", "one chunk"],
)
async def test_reading_stops_at_the_limit(chunks: Iterable[bytes]) -> None:
    """A body beyond its limit is not read to its end, whatever its length; the connection is given up."""
    body = Body(chunks)
    answer = await send(Exchange(timeout=5.0, transport=streams(body)))
    assert answer == Unavailable("too_large")
    assert body.sent <= max(QUESTION.max_bytes + 1000, 100_000)
    assert body.closed


@pytest.mark.parametrize("request_", [QUESTION, jwks_request(JWKS)], ids=["introspection", "jwks"])
async def test_a_body_as_long_as_its_limit(request_: HTTPRequest) -> None:
    """The limit itself is allowed: 64 KiB for an introspection answer, 512 KiB for a key set."""
    body = Body([b"x" * request_.max_bytes])
    origin = Origin(**dict.fromkeys(("introspect", "jwks"), lambda _: httpx.Response(200, stream=body)))
    answer = await send(Exchange(timeout=5.0, transport=origin), request_)
    assert isinstance(answer, HTTPResponse)
    assert len(answer.body) == request_.max_bytes == {"introspection": 65_536, "jwks": 524_288}[request_.endpoint]


@pytest.mark.attack("A-I-6")
@pytest.mark.parametrize(
    "body",
    [Body([], hang=True), Body([b"{"] * 10, hang=True), Body(repeat(b""))],
    ids=["no byte", "some bytes", "a drip"],
)
async def test_one_deadline_from_the_connection_to_the_last_byte(body: Body) -> None:
    """A server that drips meets no read timeout, and the deadline all the same."""
    loop = asyncio.get_running_loop()
    started = loop.time()
    assert await send(Exchange(timeout=5.0, transport=streams(body)), timeout=0.05) == Unavailable("timeout")
    assert loop.time() - started < 1.0
    assert body.closed


@pytest.mark.attack("A-I-6")
async def test_the_deadline_holds_before_the_headers() -> None:
    """A server that accepts the connection and says nothing ends at the same deadline."""

    async def says_nothing(_: httpx.Request) -> httpx.Response:
        await asyncio.Event().wait()
        return httpx.Response(500)

    exchange = Exchange(timeout=5.0, transport=Origin(introspect=says_nothing))
    assert await send(exchange, timeout=0.05) == Unavailable("timeout")


async def test_a_deadline_in_the_past() -> None:
    """A question for which no time is left is not answered, however quick the server is."""

    async def slow(_: httpx.Request) -> httpx.Response:
        await asyncio.Event().wait()
        return httpx.Response(200)

    assert await send(Exchange(timeout=5.0, transport=Origin(introspect=slow)), timeout=-1.0) == Unavailable("timeout")


@pytest.mark.attack("A-I-7")
async def test_five_hundred_headers() -> None:
    """Many headers are read, and mean nothing."""
    reply = httpx.Response(200, headers=[(f"x-{number}", "v" * 1000) for number in range(500)], json={"active": False})
    answer = await send(Exchange(timeout=5.0, transport=Origin(introspect=lambda _: reply)))
    assert isinstance(answer, HTTPResponse)
    assert answer.body == b'{"active":false}'


@pytest.mark.attack("A-I-4")
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.respx(assert_all_called=False)
async def test_a_redirect_is_an_answer_like_any_other(respx_mock: respx.MockRouter, status: int) -> None:
    """A redirect is never followed: it would carry the token and our secret to wherever it points."""
    respx_mock.post(INTROSPECTION).respond(status, headers={"location": "https://canary.example.com/"})
    canary = respx_mock.route(host="canary.example.com").respond(200, json={"active": True})
    exchange = Exchange(timeout=5.0)
    answer = await send(exchange)
    await exchange.aclose()
    assert isinstance(answer, HTTPResponse)
    assert answer.status == status
    assert not canary.called


@pytest.mark.attack("A-I-7")
async def test_our_own_connections_keep_no_cookie(respx_mock: respx.MockRouter) -> None:
    """A cookie that the authorization server sets is not sent back."""
    route = respx_mock.post(INTROSPECTION).respond(200, json={}, headers={"set-cookie": "a=b; Path=/"})
    exchange = Exchange(timeout=5.0)
    for _ in range(2):
        await send(exchange)
    await exchange.aclose()
    assert ["cookie" in call.request.headers for call in route.calls] == [False, False]


async def test_connections_are_kept_between_questions(respx_mock: respx.MockRouter) -> None:
    """Connections are opened when they are needed, and serve all questions until they are closed."""
    respx_mock.post(INTROSPECTION).respond(200, json={})
    exchange = Exchange(timeout=5.0)
    await exchange.aclose()
    await send(exchange)
    opened = exchange._own
    await send(exchange)
    assert exchange._own is opened
    assert isinstance(opened, OwnConnections)
    await exchange.aclose()
