"""Our own connections to authorization servers: single ones on a stack, each asked one question at a time.

A pool of httpx's looks at each of its connections twice for each request, and a request that is cancelled in its queue
can take a connection with it for good. Here is no queue: whoever asks takes the connection that was used last, or
opens one, and puts it back when the answer has been read to its end. After anything else it is closed.
"""

from __future__ import annotations

import asyncio
import ssl
from collections import defaultdict
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Protocol

import httpcore
import httpx

from resource_server._protocol.messages import HTTPRequest, HTTPResponse, Unavailable
from resource_server._runtime.connection_httpcore import HTTPCoreConnection
from resource_server._runtime.connection_httpx import HTTPXConnection
from resource_server._runtime.tls import CertificateFiles, tls_context
from resource_server._runtime.wire import is_from, origin_of

IDLE_SECONDS = 30.0
"""How long a connection is kept that nobody uses."""
_GOODBYE = 1.0
"""Seconds to say goodbye to a server that may not hear."""


class Connection(Protocol):
    """One connection, opened with its first question."""

    async def ask(self, request: HTTPRequest) -> HTTPResponse | Unavailable:
        """Send a question and read the answer. Raises whatever the library raises."""
        ...

    def hung_up(self, error: Exception) -> bool:
        """Tell whether this error says that the other side hung up before it answered anything."""
        ...

    async def aclose(self) -> None:
        """Close it."""


class Stack:
    """Connections that wait for questions, the one on top that was used last: those below grow old, and are closed.

    Args:
        open_connection: makes a connection.
        size: how many are kept for each server.
    """

    def __init__(self, open_connection: Callable[[], Connection], size: int) -> None:
        """Start with none."""
        self._open = open_connection
        self._size = size
        self._idle: defaultdict[str, list[tuple[float, Connection]]] = defaultdict(list)
        self._closing: set[asyncio.Task[None]] = set()
        self._timer: asyncio.TimerHandle | None = None

    async def ask(self, request: HTTPRequest) -> HTTPResponse | Unavailable:
        """Send a question over the connection on top, or over a new one; read the answer.

        A server may close a connection just as it is used again. That says nothing about the question, which is then
        asked once more over a connection that is new.
        """
        origin = origin_of(request.url)
        if self._idle[origin]:
            _, used = self._idle[origin].pop()
            try:
                return await self._ask(origin, used, request)
            except Exception as error:  # each library has its own; what does not mean a hung-up connection goes on
                if not used.hung_up(error):
                    raise
        return await self._ask(origin, self._open(), request)

    def has(self, url: str) -> bool:
        """Tell whether a connection to this server waits."""
        return bool(self._idle.get(origin_of(url)))

    async def aclose(self) -> None:
        """Close all that wait."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._close(connection for stack in self._idle.values() for _, connection in stack)
        self._idle.clear()
        await asyncio.gather(*self._closing)

    async def _ask(self, origin: str, connection: Connection, request: HTTPRequest) -> HTTPResponse | Unavailable:
        # A connection on which anything is left unread, for whatever reason, must not be asked again: the next question
        # would get the rest of this one's answer.
        whole = False
        try:
            found = await connection.ask(request)
            whole = isinstance(found, HTTPResponse)
        finally:
            if whole and len(self._idle[origin]) < self._size:
                self._keep(origin, connection)
            else:
                self._close([connection])
        return found

    def _keep(self, origin: str, connection: Connection) -> None:
        loop = asyncio.get_running_loop()
        self._idle[origin].append((loop.time() + IDLE_SECONDS, connection))
        if self._timer is None:
            self._timer = loop.call_later(IDLE_SECONDS, self._close_the_old)

    def _close_the_old(self) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        for origin, stack in list(self._idle.items()):
            self._close(connection for end, connection in stack if end <= now)
            self._idle[origin] = [kept for kept in stack if kept[0] > now]
        ends = [stack[0][0] for stack in self._idle.values() if stack]
        self._timer = loop.call_at(min(ends), self._close_the_old) if ends else None

    def _close(self, connections: Iterable[Connection]) -> None:
        # In the background: to say goodbye may take longer than the one who asked has time.
        for connection in connections:
            task = asyncio.get_running_loop().create_task(_close_quietly(connection))
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)


class OwnConnections:
    """All connections that are our own.

    Args:
        ca_file: a file of certificates to trust in place of the default ones.
        size: how many are kept for each server.
        certificate: what to show to servers that ask for it.
    """

    def __init__(self, ca_file: str | None, size: int, certificate: CertificateFiles | None = None) -> None:
        """Open nothing yet: connections belong to the event loop that makes them."""
        context = tls_context(ca_file, certificate)
        context.set_alpn_protocols(["http/1.1"])
        kind = fastest_connection()
        self._direct = Stack(lambda: kind(context), size)
        self._through_httpx = Stack(lambda: HTTPXConnection(context), size)

    async def ask(self, request: HTTPRequest) -> HTTPResponse | Unavailable:
        """Send a question and read the answer."""
        stack = self._through_httpx if intercepted() else self._direct
        return await stack.ask(request)

    async def warm(self, request: HTTPRequest) -> None:
        """Open a connection by a question that asks nothing, unless one waits, or somebody is in between."""
        if not intercepted() and not self._direct.has(request.url):
            await self._direct.ask(request)

    async def aclose(self) -> None:
        """Close all that wait."""
        await self._direct.aclose()
        await self._through_httpx.aclose()


def fastest_connection() -> Callable[[ssl.SSLContext], Connection]:
    """Return what makes the fastest connection there is: by aiohttp, where the extra ``fast`` is installed."""
    try:
        from resource_server._runtime.connection_aiohttp import (  # noqa: PLC0415 - an extra
            BOUNDS_HEADERS,
            AiohttpConnection,
        )
    except ImportError:
        return HTTPCoreConnection
    return AiohttpConnection if BOUNDS_HEADERS else HTTPCoreConnection


def intercepted() -> bool:
    """Tell whether somebody has put himself between httpx and the network.

    Mocks (respx, pytest-httpx, VCR.py) and instruments (OpenTelemetry) replace these methods for as long as they are
    at work, and must see our requests too: so these then go by way of httpx, whatever else is installed. A wrapper may
    borrow the name and the module of what it wraps, but not its type and its globals.
    """
    return not (
        is_from(httpx.AsyncHTTPTransport.handle_async_request, "httpx")
        and is_from(httpcore.AsyncConnectionPool.handle_async_request, "httpcore")
    )


async def _close_quietly(connection: Connection) -> None:
    with suppress(Exception):  # a connection that cannot be closed is gone already
        async with asyncio.timeout(_GOODBYE):
            await connection.aclose()
