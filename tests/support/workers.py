"""Worker processes of one API: each has a resource server of its own, and all share a store."""

from __future__ import annotations

import asyncio
import multiprocessing
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Any

from resource_server import BearerTokenError, Clock, ResourceServer
from tests.support.jwt import NOW
from tests.support.origin import Origin, says_yes
from tests.support.play import options
from tests.support.stage import bearer

PATIENCE = 30.0
"""Seconds for a worker to do what it is told."""
_BEGUN = time.monotonic()


async def reached(condition: Callable[[], bool]) -> None:
    """Wait until something is so that happens elsewhere."""
    async with asyncio.timeout(PATIENCE):
        while not condition():  # noqa: ASYNC110 - in another process or thread, which sets no event here
            await asyncio.sleep(0.001)


def running_clock(begun: float = _BEGUN) -> Clock:
    """Make clocks that run, from the moment at which the tokens of tests are good: the same one in all processes."""
    return Clock(lambda: NOW + time.monotonic() - begun)


def shared(url: str, **changes: Any) -> dict[str, Any]:
    """Return the options of a server that shares a store with others."""
    usual = {"cache_url": url, "cache_secret": "the secret of all workers in a test", "cache_timeout": 1.0}
    return options(**(usual | changes))


class Worker:
    """One process, told what to do."""

    def __init__(self, url: str) -> None:
        """Start it, and wait until it serves."""
        context = multiprocessing.get_context("spawn")
        self._ours, theirs = context.Pipe()
        self._process = context.Process(target=_work, args=(theirs, url, _BEGUN), daemon=True)
        self._process.start()
        assert self._answer() == "serving"

    def ask(self, token: str) -> str:
        """Present a token; return its subject, or the reason why it is refused."""
        answer: str = self._tell("ask", token)
        return answer

    def revoke(self, **named: str) -> None:
        """Have it revoke something."""
        self._tell("revoke", named)

    def end(self) -> None:
        """End it."""
        self._tell("end", None)
        self._process.join(PATIENCE)
        assert self._process.exitcode == 0

    def _tell(self, verb: str, argument: Any) -> Any:
        self._ours.send((verb, argument))
        return self._answer()

    def _answer(self) -> Any:
        assert self._ours.poll(PATIENCE), "the worker says nothing"
        return self._ours.recv()


@contextmanager
def workers(count: int, url: str) -> Generator[list[Worker], None, None]:
    """Have some workers."""
    found = [Worker(url) for _ in range(count)]
    try:
        yield found
    finally:
        for worker in found:
            worker.end()


def _work(connection: Connection, url: str, begun: float) -> None:
    asyncio.run(_serve(connection, url, begun))


async def _serve(connection: Connection, url: str, begun: float) -> None:
    server = ResourceServer(
        transport=Origin(introspect=says_yes()), observer=lambda _: None, clock=running_clock(begun), **shared(url)
    )
    async with server:
        connection.send("serving")
        verb = ""
        while verb != "end":
            verb, argument = await asyncio.to_thread(connection.recv)
            if verb == "revoke":
                server.revoke(**argument)
            connection.send(await _ask(server, argument) if verb == "ask" else None)


async def _ask(server: ResourceServer, token: str) -> str:
    try:
        return (await server.authenticate(bearer(token))).subject or ""
    except BearerTokenError as error:
        return str(error.reason)
