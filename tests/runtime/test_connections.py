"""Connections of our own: which one is taken, how long they are kept, and who may come between."""

from __future__ import annotations

import asyncio
import builtins
import functools
import gc
import ssl
from collections.abc import Awaitable, Callable
from typing import Any

import httpcore
import httpx
import pytest

from resource_server import ResourceServer
from resource_server._protocol.messages import HTTPRequest, HTTPResponse, Unavailable
from resource_server._runtime import connection_aiohttp, connections
from resource_server._runtime.connection_aiohttp import AiohttpConnection
from resource_server._runtime.connection_httpcore import HTTPCoreConnection
from resource_server._runtime.connection_httpx import HTTPXConnection
from resource_server._runtime.connections import Connection, Stack, fastest_connection, intercepted
from resource_server._runtime.exchange import Exchange
from tests.support.askers import OWN
from tests.support.origin import Origin, says
from tests.support.play import options
from tests.support.sockets import ok
from tests.support.wire import keeps_saying, wire_server

pytestmark = pytest.mark.anyio

HERE, THERE = "https://as.example.com/introspect", "https://keys.example.com/jwks"


class Pretended:
    """A connection that answers as it is told, and notes who uses it.

    Args:
        gate: opened before it answers, where there is one.
        found: what comes of each question.
    """

    def __init__(self, gate: asyncio.Event | None = None, found: HTTPResponse | Unavailable | Exception | None = None):
        self.asked: list[str] = []
        self.closed = asyncio.Event()
        self.gate = gate
        self.found = found or HTTPResponse(200)

    async def ask(self, request: HTTPRequest) -> HTTPResponse | Unavailable:
        """Answer."""
        self.asked.append(request.url)
        if self.gate is not None:
            await self.gate.wait()
        if isinstance(self.found, Exception):
            raise self.found
        return self.found

    def hung_up(self, error: Exception) -> bool:
        """Say so of one kind of error."""
        return isinstance(error, EOFError)

    async def aclose(self) -> None:
        """Note it, and fail."""
        self.closed.set()
        raise OSError


def stack(*pretended: Pretended, size: int = 10) -> Stack:
    """Make a stack that opens these in turn."""
    return Stack(iter(pretended).__next__, size)


def request_to(url: str = HERE) -> HTTPRequest:
    """Ask something."""
    return HTTPRequest("POST", url, "introspection", 1000)


async def fill(connections: Stack, *pretended: Pretended) -> None:
    """Ask over all of them at once, so that all wait afterwards, the last one on top."""
    for each in pretended:
        each.gate = asyncio.Event()
    asking = [asyncio.ensure_future(connections.ask(request_to())) for _ in pretended]
    await asyncio.sleep(0)
    for each, task in zip(pretended, asking, strict=True):
        assert each.gate is not None
        each.gate.set()
        await task


async def test_the_last_one_used_is_the_next_one() -> None:
    """What was used last is likeliest to be alive; the others may grow old and be closed."""
    first, second, third = (Pretended() for _ in range(3))
    connections = stack(first, second, third)
    await fill(connections, first, second, third)
    for _ in range(3):
        await connections.ask(request_to())
    assert [len(each.asked) for each in (first, second, third)] == [1, 1, 4]


async def test_each_server_has_connections_of_its_own() -> None:
    """A connection leads to one server; paths of the same server share it."""
    first, second = Pretended(), Pretended()
    connections = stack(first, second)
    for url in (HERE, THERE, HERE, "https://as.example.com/jwks", THERE):
        await connections.ask(request_to(url))
    assert [len(each.asked) for each in (first, second)] == [3, 2]
    assert connections.has("https://as.example.com/other")
    assert not connections.has("https://as.example.com:444/other")


async def test_so_many_are_kept() -> None:
    """Of a burst's connections no more are kept than can be used at once again."""
    pretended = [Pretended() for _ in range(5)]
    connections = stack(*pretended, size=3)
    await fill(connections, *pretended)
    await connections.aclose()
    assert all(each.closed.is_set() for each in pretended)
    assert sum(map(len, connections._idle.values())) == 0


async def test_the_old_ones_are_closed() -> None:
    """A connection that nobody uses is closed after a while, and one that is used is not."""
    old, young = Pretended(), Pretended()
    connections = stack(old, young)
    await fill(connections, old, young)
    loop = asyncio.get_running_loop()
    timer: Any = connections._timer
    origin, kept = next(iter(connections._idle.items()))
    connections._idle[origin] = [(loop.time(), old), (loop.time() + 0.01, young)]
    timer.cancel()
    assert [each for _, each in kept] == [old, young]
    connections._close_the_old()
    async with asyncio.timeout(5):
        await old.closed.wait()
        await young.closed.wait()
    assert connections._idle[origin] == []
    assert connections._timer is None
    await connections.aclose()


@pytest.mark.parametrize("found", [Unavailable("too_large"), OSError()])
async def test_what_was_not_read_whole_is_not_kept(found: Any) -> None:
    """Whatever an answer was cut off by, its connection is closed, and the one who asked does not wait for that."""
    broken, new = Pretended(found=found), Pretended()
    connections = stack(broken, new)
    outcomes: tuple[Any] = await asyncio.gather(connections.ask(request_to()), return_exceptions=True)
    assert outcomes[0] == found
    await connections.ask(request_to())
    assert len(new.asked) == 1
    async with asyncio.timeout(5):
        await broken.closed.wait()


async def test_one_that_hung_up_is_replaced_once() -> None:
    """A used connection that turns out to be dead costs a second attempt; a new one that dies does not."""
    used, dead = Pretended(), Pretended(found=EOFError())
    connections = stack(used, dead)
    await connections.ask(request_to())
    used.found = EOFError()
    with pytest.raises(EOFError):
        await connections.ask(request_to())
    assert (len(used.asked), len(dead.asked)) == (2, 1)


async def test_any_other_failure_of_a_used_one_is_the_outcome() -> None:
    """Only who hung up without a word is asked again."""
    used, new = Pretended(), Pretended()
    connections = stack(used, new)
    await connections.ask(request_to())
    used.found = OSError()
    with pytest.raises(OSError, match=r"^$"):
        await connections.ask(request_to())
    assert new.asked == []


async def test_closing_what_was_never_used() -> None:
    """There is nothing to close, and no timer to stop."""
    await stack().aclose()


def test_the_fastest_connection_is_the_default() -> None:
    """The extra `fast` is used where it is installed."""
    assert fastest_connection() is AiohttpConnection


def test_without_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without it httpcore does, which comes with httpx."""
    known = builtins.__import__

    def without_aiohttp(name: str, *args: Any, **kwargs: Any) -> Any:
        if name.endswith("connection_aiohttp"):
            raise ImportError(name)
        return known(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without_aiohttp)
    assert fastest_connection() is HTTPCoreConnection


def test_with_a_library_of_old(monkeypatch: pytest.MonkeyPatch) -> None:
    """A version that reads headers without end is not used."""
    monkeypatch.setattr(connection_aiohttp, "BOUNDS_HEADERS", False)
    assert fastest_connection() is HTTPCoreConnection


SEEN: list[str] = []
Handler = Callable[[Any, Any], Awaitable[Any]]


def plainly(handler: Handler) -> Handler:
    """Replace a method by a function of one's own, as respx and pytest-httpx do."""

    async def seeing(self: Any, request: Any) -> Any:
        SEEN.append("seen")
        return await handler(self, request)

    return seeing


def disguised(handler: Handler) -> Handler:
    """Take over its name and module too, as VCR.py does."""
    return functools.wraps(handler)(plainly(handler))


class Proxy:
    """A callable that pretends to be the function it stands for, as the wrappers of OpenTelemetry do."""

    def __init__(self, handler: Any) -> None:
        self._handler = handler

    def __getattr__(self, name: str) -> Any:
        return getattr(self._handler, name)

    def __get__(self, instance: Any, owner: Any) -> Any:
        return self if instance is None else functools.partial(plainly(self._handler), instance)


@pytest.mark.parametrize("wrap", [plainly, disguised, Proxy])
@pytest.mark.parametrize("target", [httpx.AsyncHTTPTransport, httpcore.AsyncConnectionPool])
async def test_who_comes_between_sees_every_question(monkeypatch: pytest.MonkeyPatch, target: Any, wrap: Any) -> None:
    """Mocks and instruments replace a method of httpx or of httpcore, for a while, and see what is asked meanwhile."""
    exchange = Exchange(timeout=5.0)
    SEEN.clear()
    async with wire_server(keeps_saying(ok())) as server:
        asked = request_to(server.url), asyncio.get_running_loop().time() + 5
        assert isinstance(await exchange.send(*asked), HTTPResponse)
        assert (SEEN, intercepted()) == ([], False)
        with monkeypatch.context() as patching:
            patching.setattr(target, "handle_async_request", wrap(target.handle_async_request))
            assert intercepted()
            for _ in range(2):
                assert isinstance(await exchange.send(*asked), HTTPResponse)
        assert isinstance(await exchange.send(*asked), HTTPResponse)
        assert server.connections == 2
        await exchange.aclose()
    assert SEEN == ["seen", "seen"]


class TestWarm:
    """A connection can be there before the first question."""

    async def test_it_is_opened_once(self) -> None:
        """The question that opens it asks nothing and tells nothing, and the first real one goes over it."""
        exchange = Exchange(timeout=5.0)
        async with wire_server(keeps_saying(ok())) as server:
            for _ in range(2):
                await exchange.warm(server.url)
            await exchange.send(request_to(server.url), asyncio.get_running_loop().time() + 5)
            await exchange.aclose()
        assert server.connections == 1
        assert [request.split(b" ")[0] for request in server.requests] == [b"OPTIONS", b"POST"]
        assert b"authorization" not in server.requests[0].lower()

    async def test_a_failure_is_silent(self) -> None:
        """Whoever asks in earnest will be told."""
        exchange = Exchange(timeout=5.0)
        await exchange.warm("http://127.0.0.1:1/introspect")
        await exchange.aclose()

    async def test_not_for_long(self) -> None:
        """It takes no longer than a question may."""
        exchange = Exchange(timeout=5.0, attempt_timeout=0.2)
        exchange._open()
        async with wire_server(lambda conversation: conversation.left()) as server:
            await exchange.warm(server.url)
            await server.idle()
            await exchange.aclose()

    async def test_a_callers_own_is_the_callers(self) -> None:
        """Through what a caller brings goes nothing but questions."""
        origin = Origin(introspect=says(200))
        async with httpx.AsyncClient(transport=origin) as client:
            for exchange in (Exchange(timeout=5.0, transport=origin), Exchange(timeout=5.0, client=client)):
                await exchange.warm(HERE)
        assert origin.requests == []

    async def test_the_environments_client_is_not_warmed(self) -> None:
        """Which proxy it will go by is not known before it is asked."""
        exchange = Exchange(timeout=5.0, trust_env=True)
        async with wire_server(keeps_saying(ok())) as server:
            await exchange.warm(server.url)
            await exchange.aclose()
        assert server.connections == 0

    async def test_nobody_in_between_is_troubled(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A mock that expects questions, and nothing else, gets nothing else."""
        monkeypatch.setattr(connections, "intercepted", lambda: True)
        exchange = Exchange(timeout=5.0)
        async with wire_server(keeps_saying(ok())) as server:
            await exchange.warm(server.url)
            await exchange.aclose()
        assert server.connections == 0

    @pytest.mark.parametrize(("strategy", "expected"), [("introspect", 1), ("jwks", 0)])
    async def test_a_server_warms_it_at_its_start(self, strategy: Any, expected: int) -> None:
        """Who introspects has a connection from the start; who does not needs none."""
        async with wire_server(keeps_saying(ok(b'{"keys": []}'))) as server:
            chosen = options(introspection_endpoint=server.url, jwks_uri=server.url, strategy=strategy)
            async with ResourceServer(**chosen, observer=lambda _: None):
                assert sum(request.startswith(b"OPTIONS") for request in server.requests) == expected


@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("kind", [*OWN.values()], ids=[*OWN])
async def test_one_that_nobody_closed(kind: Any, caplog: pytest.LogCaptureFixture) -> None:
    """A connection that is forgotten closes its socket and writes nothing into the log."""
    complaints: list[Any] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: complaints.append(context))
    async with wire_server(keeps_saying(ok())) as server:
        connection: Connection | None = kind(ssl.create_default_context())
        assert connection is not None
        await connection.ask(request_to(server.url))
        connection = None
        gc.collect()
        await server.idle()
    loop.set_exception_handler(None)
    assert complaints == []


async def test_a_connection_that_was_never_opened() -> None:
    """There is nothing to close."""
    for kind in (AiohttpConnection, HTTPCoreConnection, HTTPXConnection):
        await kind(ssl.create_default_context()).aclose()
