"""A lease: for how long a stream may go on that a request has begun.

A request is judged once, at its beginning. A WebSocket or a stream of events goes on after that, and ends with its
lease: when the token expires, when a revocation of it becomes known here, or when it is found to be good no more.

References: RFC 6750 section 5.2
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Callable, Generator, Iterable
from contextlib import suppress
from types import TracebackType
from typing import Literal, Protocol, Self, TypeVar, cast, overload

from resource_server.errors import Reason

__all__ = ["Lease", "LeaseEnd"]

T = TypeVar("T")
LeaseEnd = Reason | Literal["insufficient_scope"]
"""Why a lease has ended: ``expired``, ``revoked``, or as a request with the token would now be refused; with
``insufficient_scope`` the token grants less than it did."""
SHORTEST_NAP, LONGEST_NAP = 0.005, 1.0
"""Seconds between two looks at the time: it can be set while nobody looks."""


class Term(Protocol):
    """What a lease asks about the token behind it."""

    recheck: float
    """Seconds between two validations of the token; infinite where it is at nobody's hand."""
    blocks: bool
    """Whether validating it holds up the thread."""

    def now(self) -> float:
        """Return monotonic seconds."""
        ...

    def left(self) -> float:
        """Return the seconds until the token expires."""
        ...

    def judge(self) -> LeaseEnd | None:
        """Judge the token by what is known here, in any thread, without waiting."""
        ...

    def listen(self, listener: Callable[[], None], /) -> Callable[[], None]:
        """Call a function whenever more is known, in any thread; returns what ends that."""
        ...

    def validate(self) -> LeaseEnd | None:
        """Validate the token as for a new request; only where that blocks."""
        ...

    async def validate_in_loop(self) -> LeaseEnd | None:
        """Validate the token as for a new request; only where that does not block."""
        ...


class UntilExpiry:
    """The term of a principal that no server stands behind, such as one made for a test: it ends with ``exp``.

    Args:
        expires_at: seconds since the epoch, or ``None`` for never.
    """

    recheck = math.inf
    blocks = False

    def __init__(self, expires_at: float | None) -> None:
        """Keep the moment."""
        self._expires_at = math.inf if expires_at is None else expires_at

    def now(self) -> float:
        """Return monotonic seconds."""
        return time.monotonic()

    def left(self) -> float:
        """Return the seconds until it expires."""
        return self._expires_at - time.time()

    def judge(self) -> LeaseEnd | None:
        """Judge by the time."""
        return "expired" if self.left() <= 0 else None

    def listen(self, _listener: Callable[[], None], /) -> Callable[[], None]:
        """Never call: nothing more will be known."""
        return lambda: None

    def validate(self) -> LeaseEnd | None:
        """Judge by the time: there is nobody to ask."""
        return self.judge()

    async def validate_in_loop(self) -> LeaseEnd | None:
        """Judge by the time, as above."""
        return self.judge()


class Lease:
    """Tells when a stream must end. Made by :meth:`resource_server.Principal.lease`.

    In an event loop it is entered with ``async with``, in a thread with ``with``.
    """

    def __init__(self, term: Term) -> None:
        """Begin; nothing is watched before it is entered."""
        self._term = term
        self._reason: LeaseEnd | None = None
        self._due = math.inf
        self._end: asyncio.Future[LeaseEnd] | None = None
        self._unlisten: Callable[[], None] = lambda: None
        self._timer: asyncio.TimerHandle | None = None
        self._asking: asyncio.Task[None] | None = None
        self._waits: set[asyncio.Timeout] = set()

    def __repr__(self) -> str:
        """Show whether it has ended, and nothing of the token."""
        return f"Lease(reason={self._reason!r})"

    @property
    def reason(self) -> LeaseEnd | None:
        """Why it has ended, or ``None`` while it lasts. Can be looked at in any thread, and never waits."""
        if self._reason is None:
            self._reason = self._term.judge()
        return self._reason

    async def ended(self) -> LeaseEnd:
        """Wait for the end, and return the reason.

        Raises:
            RuntimeError: the lease was not entered with ``async with``.
        """
        return await asyncio.shield(self._entered())

    @overload
    def over(self, items: AsyncIterable[T]) -> AsyncGenerator[T]: ...
    @overload
    def over(self, items: Iterable[T]) -> Generator[T]: ...
    def over(self, items: AsyncIterable[T] | Iterable[T]) -> AsyncGenerator[T] | Generator[T]:
        """Pass items on for as long as the lease lasts.

        Args:
            items: what the stream consists of. Of an asynchronous one the wait for the next item is cut short at the
                end of the lease, and it is closed; of another the end is noticed when the next item has come.
        """
        return self._over_async(items) if isinstance(items, AsyncIterable) else self._over(items)

    # -------------------------------------------------------------------------------------------------- in a thread

    def __enter__(self) -> Self:
        """Begin in a thread.

        Raises:
            TypeError: the token is to be validated again, which this server can do in an event loop only.
        """
        if not self._term.blocks and self._term.recheck < math.inf:
            raise TypeError("this server validates a token in its event loop: use `async with`, or give no request")
        self._due = self._term.now() + self._term.recheck
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Stop validating the token."""
        self._due = math.inf

    def _over(self, items: Iterable[T]) -> Generator[T]:
        for item in items:
            if self.reason is None and self._end is None and self._term.now() >= self._due:
                self._due = self._term.now() + self._term.recheck
                self._reason = self._term.validate()
            if self.reason is not None:
                return
            yield item

    # ---------------------------------------------------------------------------------------------- in an event loop

    async def __aenter__(self) -> Self:
        """Begin to watch."""
        self._end = asyncio.get_running_loop().create_future()
        self._unlisten = self._term.listen(self._wake)
        self._due = self._term.now() + self._term.recheck
        self._look()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Stop watching; whoever still waits for the end is cancelled."""
        self._stop()
        self._entered().cancel()
        if self._asking is not None:
            self._asking.cancel()
            with suppress(asyncio.CancelledError):
                await self._asking

    async def _over_async(self, items: AsyncIterable[T]) -> AsyncGenerator[T]:
        self._entered()
        iterator = aiter(items)
        try:
            while self.reason is None:
                try:
                    item = await self._next(iterator)
                except StopAsyncIteration:
                    return
                if self.reason is None:
                    yield cast("T", item)
        finally:
            if isinstance(iterator, AsyncGenerator):
                await cast("AsyncGenerator[T]", iterator).aclose()

    async def _next(self, iterator: AsyncIterator[T]) -> T | None:
        """Wait for the next item, in the task of whoever wants it; ``None`` where the end of the lease comes first."""
        wait = asyncio.timeout(None)
        try:
            async with wait:
                self._waits.add(wait)
                return await anext(iterator)
        except TimeoutError:
            if wait.expired():
                return None
            raise
        finally:
            self._waits.discard(wait)

    def _entered(self) -> asyncio.Future[LeaseEnd]:
        if self._end is None:
            raise RuntimeError("enter the lease first, with `async with`")
        return self._end

    def _wake(self) -> None:
        """Look at once, for a revocation may be about this token; called in the thread that has brought it."""
        with suppress(RuntimeError):  # a loop that is closed has no streams
            self._entered().get_loop().call_soon_threadsafe(self._look)

    def _look(self) -> None:
        """Look whether the lease has ended, and arrange for the next look."""
        end = self._entered()
        if end.done():
            return
        if self.reason is not None:
            self._finish(end, self.reason)
            return
        if self._term.now() >= self._due:
            self._due = math.inf
            self._asking = end.get_loop().create_task(self._ask())
        nap = min(self._term.left(), self._due - self._term.now(), LONGEST_NAP)
        if self._timer is not None:
            self._timer.cancel()
        self._timer = end.get_loop().call_later(max(nap, SHORTEST_NAP), self._look)

    async def _ask(self) -> None:
        """Validate the token again; what goes wrong with that is the end."""
        reason: LeaseEnd | None = "unavailable"
        try:
            validate = self._term.validate
            reason = await (asyncio.to_thread(validate) if self._term.blocks else self._term.validate_in_loop())
        finally:
            if not self._entered().done():
                self._reason = self._reason or reason
                self._asking, self._due = None, self._term.now() + self._term.recheck
                self._look()

    def _finish(self, end: asyncio.Future[LeaseEnd], reason: LeaseEnd) -> None:
        self._stop()
        end.set_result(reason)
        for wait in self._waits:
            wait.reschedule(end.get_loop().time())

    def _stop(self) -> None:
        self._unlisten()
        if self._timer is not None:
            self._timer.cancel()
