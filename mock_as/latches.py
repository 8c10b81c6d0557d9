"""Ways to hold a request back without anybody sleeping, across event loops and threads."""

from __future__ import annotations

import asyncio
import contextlib
import threading

from mock_as.errors import unknown


class Latch:
    """Keeps coroutines waiting, in whichever event loop they run, until it is opened from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open = False
        self._waiting: set[asyncio.Future[None]] = set()

    async def wait(self) -> None:
        """Wait until the latch is open."""
        with self._lock:
            if self._open:
                return
            future = asyncio.get_running_loop().create_future()
            self._waiting.add(future)
        try:
            await future
        finally:
            with self._lock:
                self._waiting.discard(future)

    def open(self) -> None:
        """Let everybody through, now and from now on."""
        with self._lock:
            self._open = True
            waiting = list(self._waiting)
        for future in waiting:
            # A loop that has been closed has taken its coroutines with it.
            with contextlib.suppress(RuntimeError):
                future.get_loop().call_soon_threadsafe(_finish, future)


def _finish(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


class Gate:
    """Holds every request that comes to an endpoint until the test releases them."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._count = 0
        self._expected: list[tuple[int, Latch]] = []
        self._latch = Latch()

    @property
    def count(self) -> int:
        """How many requests have arrived."""
        return self._count

    async def enter(self) -> None:
        """Arrive, and wait for the release."""
        with self._condition:
            self._count += 1
            self._condition.notify_all()
            due = [latch for number, latch in self._expected if number <= self._count]
        for latch in due:
            latch.open()
        await self._latch.wait()

    def wait_for(self, number: int, timeout: float = 5.0) -> None:
        """Block until requests have arrived; for tests whose server runs in another thread.

        Args:
            number: how many.
            timeout: how long to wait at most, in seconds.

        Raises:
            TimeoutError: fewer have arrived in that time.
        """
        with self._condition:
            if not self._condition.wait_for(lambda: self._count >= number, timeout):
                raise self._too_few(number, timeout)

    async def arrived(self, number: int, timeout: float = 5.0) -> None:  # noqa: ASYNC109 - the same verb as wait_for
        """Wait until requests have arrived; for tests that share the server's event loop.

        Args:
            number: how many.
            timeout: how long to wait at most, in seconds.

        Raises:
            TimeoutError: fewer have arrived in that time.
        """
        latch = Latch()
        with self._condition:
            if self._count >= number:
                return
            self._expected.append((number, latch))
        try:
            await asyncio.wait_for(latch.wait(), timeout)
        except TimeoutError:
            raise self._too_few(number, timeout) from None

    def release(self) -> None:
        """Let every request go on, those that are still to come included."""
        self._latch.open()

    def _too_few(self, number: int, timeout: float) -> TimeoutError:
        return TimeoutError(f"{self._count} of {number} requests arrived within {timeout:g} s")


class Gates:
    """The gates that are closed at the moment.

    Args:
        endpoints: the names of the endpoints there are; ``*`` stands for all of them.
    """

    def __init__(self, endpoints: frozenset[str]) -> None:
        self._endpoints = endpoints
        self._closed: list[tuple[str, Gate]] = []

    def close(self, endpoint: str) -> Gate:
        """Hold the requests to an endpoint from now on.

        Raises:
            UsageError: there is no such endpoint.
        """
        if endpoint not in self._endpoints:
            raise unknown("endpoint", endpoint, self._endpoints)
        gate = Gate()
        self._closed.append((endpoint, gate))
        return gate

    def remove(self, gate: Gate) -> None:
        """Release a gate and take it away."""
        gate.release()
        self._closed = [pair for pair in self._closed if pair[1] is not gate]

    def clear(self) -> None:
        """Release every gate and take it away."""
        for _, gate in self._closed:
            gate.release()
        self._closed = []

    async def pass_through(self, endpoint: str) -> None:
        """Wait at every gate of an endpoint."""
        for name, gate in tuple(self._closed):
            if name in (endpoint, "*"):
                await gate.enter()
