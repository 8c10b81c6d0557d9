"""The same stage for threads: an authorization server inside the process that blocks, and a server that asks it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from threading import Condition, Event, Thread
from typing import Any, TypeVar

import httpx

from resource_server import BlockingResourceServer
from resource_server import Event as ServerEvent
from tests.support.play import Time, options
from tests.support.told import noting

T = TypeVar("T")
Reply = Callable[[httpx.Request], Any]
PATIENCE = 20.0
"""Seconds after which a test gives up; no test that passes waits for anything like as long."""


class BlockingOrigin(httpx.BaseTransport):
    """The server: ``BlockingOrigin(introspect=..., jwks=...)``; a path without a reply is not found."""

    def __init__(self, **replies: Reply) -> None:
        """Have been asked nothing yet."""
        self.replies = replies
        self.requests: list[httpx.Request] = []
        self.threads: set[int] = set()
        self.closed = False

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Answer as the path's reply does."""
        self.requests.append(request)
        self.threads.add(threading.get_ident())
        reply = self.replies.get(request.url.path.rpartition("/")[2])
        response: httpx.Response = httpx.Response(404, json={}) if reply is None else reply(request)
        return response

    def close(self) -> None:
        """Note that it was closed."""
        self.closed = True

    def count(self, path: str) -> int:
        """Count the requests to a path."""
        return sum(request.url.path == f"/{path}" for request in list(self.requests))


class BlockingBody(httpx.SyncByteStream):
    """A body in the making: chunks, and after them perhaps nothing, until it is released.

    Args:
        chunks: what comes, each in one piece.
        hang: do not end before :meth:`release`.
    """

    def __init__(self, chunks: Iterable[bytes], *, hang: bool = False) -> None:
        """Have sent nothing yet."""
        self.sent = 0
        self.closed = Event()
        self._chunks = chunks
        self._released = Event()
        if not hang:
            self._released.set()

    def __iter__(self) -> Iterator[bytes]:
        """Send the chunks."""
        for chunk in self._chunks:
            self.sent += len(chunk)
            yield chunk
        self._released.wait(PATIENCE)

    def release(self) -> None:
        """End."""
        self._released.set()

    def close(self) -> None:
        """Note that the reader is done with it."""
        self.closed.set()


class BlockingGate:
    """Holds every request until it is opened, and tells how many have come."""

    def __init__(self, reply: Reply) -> None:
        """Stand shut."""
        self._reply = reply
        self._open = Event()
        self._changed = Condition()
        self.waiting = 0

    def __call__(self, request: httpx.Request) -> Any:
        """Wait, then answer."""
        with self._changed:
            self.waiting += 1
            self._changed.notify_all()
        assert self._open.wait(PATIENCE)
        return self._reply(request)

    def arrived(self, count: int = 1) -> None:
        """Wait until so many requests have come."""
        with self._changed:
            assert self._changed.wait_for(lambda: self.waiting >= count, PATIENCE)

    def open(self) -> None:
        """Let everybody through, now and later."""
        self._open.set()


class BlockingStage:
    """A blocking resource server that asks a :class:`BlockingOrigin`.

    Args:
        changes: the server's options, beyond or in place of the usual ones.
        replies: how the authorization server answers, by the last part of the path.
    """

    def __init__(self, changes: dict[str, Any] | None = None, /, **replies: Reply) -> None:
        """Begin with nothing known."""
        self.origin = BlockingOrigin(**replies)
        self.time = Time()
        self.events: list[ServerEvent] = []
        self.server = BlockingResourceServer(
            transport=self.origin, clock=self.time.clock, observer=noting(self.events), **options(**(changes or {}))
        )


class Running(Future[T]):
    """A call that runs in a thread of its own."""

    def __init__(self, call: Callable[[], T]) -> None:
        """Start it."""
        super().__init__()
        self._thread = Thread(target=self._run, args=(call,), daemon=True)
        self._thread.start()

    def outcome(self) -> T | BaseException:
        """Wait for what it returned or raised."""
        error = self.exception(PATIENCE)
        return self.result() if error is None else error

    def _run(self, call: Callable[[], T]) -> None:
        try:
            self.set_result(call())
        except BaseException as error:  # noqa: BLE001 - handed to whoever waits
            self.set_exception(error)


def run(call: Callable[[], T]) -> Running[T]:
    """Run a call in a thread of its own."""
    return Running(call)


def outcomes(running: Iterable[Running[T]]) -> list[T | BaseException]:
    """Wait for all of them."""
    return [each.outcome() for each in running]


def until(happened: Callable[[], object]) -> None:
    """Wait for something to happen in another thread, for which nobody sends word."""
    gone, turns = Event(), int(PATIENCE / 0.005)
    assert any(happened() or gone.wait(0.005) for _ in range(turns)), "it did not happen"


def interrupted(call: Callable[..., T], error: BaseException) -> Callable[..., T]:
    """Have the first thread that makes a call end in an exception, as when it is killed just then."""
    errors = [error]

    def interrupting(*args: Any) -> T:
        found = call(*args)
        if errors:
            raise errors.pop()
        return found

    return interrupting
