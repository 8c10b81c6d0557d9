"""Every way there is to send a question: by each kind of connection of our own, and through what a caller brings."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, ExitStack, asynccontextmanager
from typing import Any
from unittest.mock import patch

import httpx
import httpx2

from resource_server._protocol.messages import HTTPRequest, HTTPResponse, Unavailable
from resource_server._runtime import connections
from resource_server._runtime.blocking_exchange import BlockingExchange
from resource_server._runtime.connection_aiohttp import AiohttpConnection
from resource_server._runtime.connection_httpcore import HTTPCoreConnection
from resource_server._runtime.connection_httpx import HTTPXConnection
from resource_server._runtime.exchange import Exchange

Outcome = HTTPResponse | Unavailable
Ask = Callable[..., Awaitable[Outcome]]
"""``await ask(request, timeout=seconds)``"""
Asker = Callable[[str | None], AbstractAsyncContextManager[Ask]]
"""Opens a way to ask that trusts the certificates of a file, or the default ones."""

OWN: dict[str, Any] = {"aiohttp": AiohttpConnection, "httpcore": HTTPCoreConnection, "httpx": HTTPXConnection}


def own(kind: Any) -> Asker:
    """Ask over connections of our own, of this kind."""

    @asynccontextmanager
    async def open_asker(ca_file: str | None = None) -> AsyncGenerator[Ask]:
        exchange = Exchange(timeout=5.0, ca_file=ca_file)
        with patch.object(connections, "fastest_connection", lambda: kind):
            exchange._open()
        async with _asking(exchange) as ask:
            yield ask

    return open_asker


@asynccontextmanager
async def environment(ca_file: str | None = None) -> AsyncGenerator[Ask]:
    """Ask by the client that knows the environment."""
    async with _asking(Exchange(timeout=5.0, ca_file=ca_file, trust_env=True)) as ask:
        yield ask


def client(library: Any) -> Asker:
    """Ask through a caller's own client, of httpx or of httpx2."""

    @asynccontextmanager
    async def open_asker(ca_file: str | None = None) -> AsyncGenerator[Ask]:
        async with (
            library.AsyncClient(verify=ssl.create_default_context(cafile=ca_file)) as mine,
            _asking(Exchange(timeout=5.0, client=mine)) as ask,
        ):
            yield ask

    return open_asker


@asynccontextmanager
async def transport(ca_file: str | None = None) -> AsyncGenerator[Ask]:
    """Ask through a caller's own transport."""
    async with (
        httpx.AsyncHTTPTransport(verify=ssl.create_default_context(cafile=ca_file)) as mine,
        _asking(Exchange(timeout=5.0, transport=mine)) as ask,
    ):
        yield ask


def threads(kind: str) -> Asker:
    """Ask from a thread, over connections of our own, or through what a caller brings for threads."""

    @asynccontextmanager
    async def open_asker(ca_file: str | None = None) -> AsyncGenerator[Ask]:
        with ExitStack() as opened:
            options: dict[str, Any] = {"ca_file": ca_file, "trust_env": kind == "environment"}
            verify = ssl.create_default_context(cafile=ca_file)
            if kind == "client of httpx":
                options["client"] = opened.enter_context(httpx.Client(verify=verify))
            elif kind == "client of httpx2":
                options["client"] = opened.enter_context(httpx2.Client(verify=verify))
            elif kind == "transport of httpx":
                options["transport"] = opened.enter_context(httpx.HTTPTransport(verify=verify))
            exchange = BlockingExchange(timeout=5.0, **options)
            opened.callback(exchange.close)

            async def ask(request: HTTPRequest, timeout: float = 5.0) -> Outcome:  # noqa: ASYNC109 - handed on as a deadline
                return await asyncio.to_thread(exchange.send, request, time.monotonic() + timeout)

            yield ask

    return open_asker


BLOCKING = ("own", "environment", "client of httpx", "client of httpx2", "transport of httpx")
ASKERS: dict[str, Asker] = {
    **{f"own, by {name}": own(kind) for name, kind in OWN.items()},
    "own, of the environment": environment,
    "client of httpx": client(httpx),
    "client of httpx2": client(httpx2),
    "transport of httpx": transport,
    **{f"in threads, {kind}": threads(kind) for kind in BLOCKING},
}

LEFT_TO_THEMSELVES = {f"in threads, {kind}" for kind in BLOCKING[1:]}
"""Nobody can stop a thread that reads through a library: its connection ends when the other side is done with it."""


@asynccontextmanager
async def _asking(exchange: Exchange) -> AsyncGenerator[Ask]:
    async def ask(request: HTTPRequest, timeout: float = 5.0) -> Outcome:  # noqa: ASYNC109 - handed on as a deadline
        return await exchange.send(request, asyncio.get_running_loop().time() + timeout)

    try:
        yield ask
    finally:
        await exchange.aclose()
