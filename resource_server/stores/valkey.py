"""The store that all workers share, in Valkey or Redis: for an event loop, and for threads.

A call waits until the store has been silent for its short time, and no longer. That we are too busy to listen is not
the store's silence, and neither is a line of our own while others are answered. What a call has sent is not taken back
then: a reader stays with it until the answer is there or the connection is given up. So no late answer lies there for
the next question.
"""

from __future__ import annotations

import asyncio
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from functools import partial
from secrets import token_bytes
from threading import Lock
from time import monotonic
from typing import Any

from redis import exceptions

from resource_server._validation.breaker import BreakerStatus
from resource_server._validation.flow import StoreCall
from resource_server._validation.state import Clock
from resource_server.stores.connect import (
    MAX_CONNECTIONS,
    BlockingClient,
    connect,
    connect_blocking,
    disconnect,
    disconnect_blocking,
    read_address,
)
from resource_server.stores.guard import BUSY, TICKS, Answer, Guard, Report
from resource_server.stores.scripts import UnexpectedAnswerError, command, read_answer

__all__ = [
    "BlockingValkeyStore",
    "ValkeyStore",
    "connect",
    "connect_blocking",
    "disconnect",
    "disconnect_blocking",
]

_OWNER_BYTES = 12
MAX_COURIERS, MAX_TOGETHER = 4, 128
"""How many exchanges are under way at once from one event loop, and how many calls go together in one."""
MAX_LINE = 2_000
"""How many calls wait for a courier; one more gets no answer at once."""


@dataclass(eq=False, slots=True)
class _Wanted:
    """A call, and where its answer will be."""

    call: StoreCall
    answer: asyncio.Future[Answer]
    entered: int
    """The tick at which it came."""
    leaves_at: float
    """The loop's time at which it waits no longer in any case."""

    def settle(self, courier: asyncio.Task[list[Answer | Exception]], number: int) -> None:
        """Take what a courier has brought, unless nobody waits for it any more."""
        if self.answer.done():
            return
        if courier.cancelled():
            self.answer.cancel()
            return
        outcome = courier.exception() or courier.result()[number]
        if isinstance(outcome, BaseException):
            self.answer.set_exception(outcome)
            self.answer.exception()  # whoever waits may go away before looking
        else:
            self.answer.set_result(outcome)


def _read(call: StoreCall, said: object) -> Answer | Exception:
    """Read an answer, where it is one and not what came instead."""
    if isinstance(said, Exception):
        return said
    try:
        return read_answer(call, said)
    except UnexpectedAnswerError as error:
        return error


class ValkeyStore:
    """The store, seen from one event loop.

    What is wanted while connections are busy stands in a line, and goes together when the next one is free: a thousand
    calls at the same moment are a few round trips.

    Args:
        url: where it is, as :func:`connect` reads it.
        timeout: seconds of silence until a call has no answer, connecting included.
        clock: what time it is.
        report: told when it ceases to answer, and when it answers again.

    Raises:
        ConfigurationError: the URL is none.
    """

    def __init__(self, url: str, *, timeout: float, clock: Clock, report: Report | None = None) -> None:
        """Connect to nothing yet."""
        self._client: Any = connect(url)
        self._timeout = timeout
        self._guard = Guard(clock, report)
        self._owner = token_bytes(_OWNER_BYTES)
        self._line: deque[_Wanted] = deque()
        self._waiting: deque[_Wanted] = deque()
        """Who waits, in line or for a courier, in order; among them some who do not any more."""
        self._ticks = 0
        self._ticker: asyncio.TimerHandle | None = None
        self._heard = 0
        """The tick at which a courier last brought an answer to somebody who still waited."""
        self._couriers: set[asyncio.Task[list[Answer | Exception]]] = set()

    @property
    def status(self) -> BreakerStatus:
        """What has been seen of the store."""
        return self._guard.status

    async def perform(self, call: StoreCall) -> Answer:
        """Carry out a call. Never raises; ``None`` where there is no answer, or none in time."""
        entered_at = self._guard.enter() if len(self._line) < MAX_LINE else None
        if entered_at is None:
            return None
        loop = asyncio.get_running_loop()
        wanted = _Wanted(call, loop.create_future(), self._ticks, loop.time() + BUSY * self._timeout)
        try:
            self._line.append(wanted)
            self._waiting.append(wanted)
            self._send()
            if self._ticker is None:
                self._ticker = loop.call_later(self._timeout / TICKS, self._tick)
            await asyncio.wait((wanted.answer,))
            return self._guard.judge(wanted.answer, entered_at)
        finally:
            wanted.answer.cancel()
            self._guard.leave(entered_at)

    async def aclose(self) -> None:
        """Give up what is under way and close the connections; the store can still be used and opens new ones."""
        couriers = list(self._couriers)
        for courier in couriers:
            courier.cancel()
        await asyncio.gather(*couriers, return_exceptions=True)
        await disconnect(self._client)

    def _tick(self) -> None:
        """Let go of those for whom the time is over."""
        loop = asyncio.get_running_loop()
        self._ticks += 1
        while self._waiting and self._is_over(self._waiting[0], loop.time()):
            self._waiting.popleft()
        self._ticker = loop.call_later(self._timeout / TICKS, self._tick) if self._waiting else None

    def _is_over(self, wanted: _Wanted, now: float) -> bool:
        if wanted.answer.done():
            return True
        if self._ticks - max(wanted.entered, self._heard) >= TICKS:
            wanted.answer.set_exception(exceptions.TimeoutError())
            wanted.answer.exception()  # whoever waits may go away before looking
            return True
        # It answers others, or we are too busy to listen: there is no more time, and nobody to blame.
        return now >= wanted.leaves_at and wanted.answer.cancel()

    def _send(self) -> None:
        """Send what stands in line, as far as there is a place for it."""
        while self._line and len(self._couriers) < MAX_COURIERS:
            taken = [self._line.popleft() for _ in range(min(len(self._line), MAX_TOGETHER))]
            together = [wanted for wanted in taken if not wanted.answer.done()]
            if together:
                courier = asyncio.create_task(self._ask(together))
                self._couriers.add(courier)
                courier.add_done_callback(partial(self._deliver, together))

    def _deliver(self, together: list[_Wanted], courier: asyncio.Task[list[Answer | Exception]]) -> None:
        self._couriers.discard(courier)
        # The exception is looked at here, because everybody who asked may be gone.
        has_answered = not courier.cancelled() and courier.exception() is None
        if has_answered and any(not wanted.answer.done() for wanted in together):
            self._heard = self._ticks
        for number, wanted in enumerate(together):
            wanted.settle(courier, number)
        self._send()

    async def _ask(self, together: list[_Wanted]) -> list[Answer | Exception]:
        commands = [command(wanted.call, self._owner) for wanted in together]
        if len(commands) == 1:
            said = [await self._client.execute_command(*commands[0])]
        else:
            pipeline = self._client.pipeline(transaction=False)
            for each in commands:
                pipeline.execute_command(*each)
            said = await pipeline.execute(raise_on_error=False)
        outcomes = [_read(wanted.call, answer) for wanted, answer in zip(together, said, strict=False)]
        if any(isinstance(outcome, UnexpectedAnswerError) for outcome in outcomes):
            await disconnect(self._client)  # whatever else it has said is not to be read either
        return outcomes


class BlockingValkeyStore:
    """The store, seen from threads. After a fork, make a new one.

    Args:
        url: as above.
        timeout: as above.
        clock: as above.
        report: as above; called in the thread that notices.

    Raises:
        ConfigurationError: the URL is none.
    """

    def __init__(self, url: str, *, timeout: float, clock: Clock, report: Report | None = None) -> None:
        """Connect to nothing yet."""
        read_address(url)
        self._url = url
        self._timeout = timeout
        self._guard = Guard(clock, report)
        self._owner = token_bytes(_OWNER_BYTES)
        self._lock = Lock()
        self._connecting = Lock()
        self._client: BlockingClient | None = None
        self._readers: ThreadPoolExecutor | None = None
        self._heard = 0
        """How often the store has answered somebody who still waited."""

    @property
    def status(self) -> BreakerStatus:
        """What has been seen of the store."""
        return self._guard.status

    def perform(self, call: StoreCall) -> Answer:
        """Carry out a call. Never raises; ``None`` where there is no answer, or none in time."""
        entered_at = self._guard.enter()
        if entered_at is None:
            return None
        try:
            asked = self._ask(call)
            if asked is None:
                return None
            is_over = self._wait_for(asked)
            # One that no reader has begun with says nothing about the store either.
            return self._guard.judge(asked, entered_at) if is_over and not asked.cancel() else None
        finally:
            self._guard.leave(entered_at)

    def close(self) -> None:
        """Close the connections; the store can still be used and opens new ones."""
        with self._lock:
            readers, self._readers = self._readers, None
            client, self._client = self._client, None
        if readers is not None:
            readers.shutdown(wait=False, cancel_futures=True)
        if client is not None:
            disconnect_blocking(client)

    def _wait_for(self, asked: Future[Answer]) -> bool:
        """Wait for an answer, or until the store has been silent for its time; false where there is no more time."""
        leaves_at, silent = monotonic() + BUSY * self._timeout, 0
        while silent < TICKS:
            heard = self._heard
            wait((asked,), timeout=self._timeout / TICKS)
            if asked.done():
                self._heard += asked.exception() is None
                return True
            if monotonic() >= leaves_at:
                return False
            silent = silent + 1 if self._heard == heard else 0
        return True

    def _ask(self, call: StoreCall) -> Future[Answer] | None:
        with self._lock:
            if self._readers is None:
                self._readers = ThreadPoolExecutor(MAX_CONNECTIONS, "resource-server-store")
            try:
                return self._readers.submit(self._exchange, call)
            except RuntimeError:
                return None  # the interpreter is ending

    def _exchange(self, call: StoreCall) -> Answer:
        # Made here, where nobody waits longer than is bearable: the client of a cluster connects at once.
        with self._connecting:
            if self._client is None:
                self._client = connect_blocking(self._url)
            client: Any = self._client
        answer = client.execute_command(*command(call, self._owner))
        try:
            return read_answer(call, answer)
        except UnexpectedAnswerError:
            disconnect_blocking(client)  # whatever else it has said is not to be read either
            raise
