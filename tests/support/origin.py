"""An authorization server inside the process: an httpx transport that answers by path, counts, and may misbehave."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from typing import Any
from urllib.parse import parse_qs

import httpx

from tests.support.jwt import SigningKey, jwks
from tests.support.play import active_members

Reply = Callable[[httpx.Request], httpx.Response | Awaitable[httpx.Response]]


class Body(httpx.AsyncByteStream):
    """A body in the making: chunks, and after them perhaps nothing, for ever.

    Args:
        chunks: what comes, each in one piece.
        hang: never end.
    """

    def __init__(self, chunks: Iterable[bytes], *, hang: bool = False) -> None:
        """Have sent nothing yet."""
        self.sent = 0
        self.closed = False
        self._chunks = chunks
        self._hang = hang

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Send the chunks, giving way before each."""
        for chunk in self._chunks:
            await asyncio.sleep(0)
            self.sent += len(chunk)
            yield chunk
        if self._hang:
            await asyncio.Event().wait()

    async def aclose(self) -> None:
        """Note that the reader is done with it."""
        self.closed = True


class Origin(httpx.AsyncBaseTransport):
    """The server: ``Origin(introspect=..., jwks=...)``; a path without a reply is not found."""

    def __init__(self, **replies: Reply) -> None:
        """Have been asked nothing yet."""
        self.replies = replies
        self.requests: list[httpx.Request] = []
        self.closed = False

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Answer as the path's reply does, after giving way once as a network would."""
        self.requests.append(request)
        await asyncio.sleep(0)
        reply = self.replies.get(request.url.path.rpartition("/")[2])
        if reply is None:
            return httpx.Response(404, json={})
        response = reply(request)
        return await response if inspect.isawaitable(response) else response

    async def aclose(self) -> None:
        """Note that it was closed."""
        self.closed = True

    def count(self, path: str) -> int:
        """Count the requests to a path."""
        return sum(request.url.path == f"/{path}" for request in self.requests)


def token_of(request: httpx.Request) -> str:
    """Read which token an introspection request is about."""
    return parse_qs(request.content.decode(), strict_parsing=True)["token"][0]


def says_yes(**changes: Any) -> Reply:
    """Introspect every token as active; its subject is the token itself unless changed."""

    def reply(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json=active_members(**({"sub": f"subject of {token_of(request)}"} | changes)))

    return reply


def says(status: int, document: Any = None, **headers: str) -> Reply:
    """Answer everything the same way; ``_`` in a header's name stands for ``-``."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda _: httpx.Response(status, json={} if document is None else document, headers=named)


def says_no() -> Reply:
    """Introspect every token as inactive."""
    return says(200, {"active": False})


def publishes(*keys: SigningKey) -> Reply:
    """Publish a key set."""
    return says(200, jwks(*keys))


def fails(error: Exception) -> Reply:
    """Raise, as a transport does when the network fails."""

    def reply(_: httpx.Request) -> httpx.Response:
        raise error

    return reply


class Gate:
    """Holds every request until it is opened, and tells how many have come."""

    def __init__(self, reply: Reply) -> None:
        """Stand shut."""
        self._reply = reply
        self._open = asyncio.Event()
        self._arrived = asyncio.Condition()
        self.waiting = 0

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        """Wait, then answer."""
        async with self._arrived:
            self.waiting += 1
            self._arrived.notify_all()
        await self._open.wait()
        response = self._reply(request)
        return await response if inspect.isawaitable(response) else response

    async def arrived(self, count: int = 1) -> None:
        """Wait until so many requests have come."""
        async with self._arrived:
            await self._arrived.wait_for(lambda: self.waiting >= count)

    def open(self) -> None:
        """Let everybody through, now and later."""
        self._open.set()
