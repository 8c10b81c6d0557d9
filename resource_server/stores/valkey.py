"""The store that all workers share, in Valkey or Redis: for an event loop, and for threads.

A call waits for its own short time and no longer. What it has sent is not taken back then: a reader stays with it until
the answer is there or the connection is given up. So no late answer lies there for the next question.
"""

from __future__ import annotations

import asyncio
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from functools import partial
from secrets import token_bytes
from threading import Lock
from typing import Any

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
from resource_server.stores.guard import Answer, Guard, Report
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
_TURNS = 10
"""Turns of the loop between the bytes of an answer and its reader."""


@dataclass(eq=False, slots=True)
class _Wanted:
    """A call, and where its answer will be."""

    call: StoreCall
    answer: asyncio.Future[Answer]
    is_sent: bool = False

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
        timeout: seconds for one call, connecting and waiting in line included.
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
        self._heard = 0
        """How many couriers have come back."""
        self._couriers: set[asyncio.Task[list[Answer | Exception]]] = set()

    @property
    def status(self) -> BreakerStatus:
        """What has been seen of the store."""
        return self._guard.status

    async def perform(self, call: StoreCall) -> Answer:
        """Carry out a call. Never raises; ``None`` where there is no answer, or none in time."""
        entered_at = self._guard.enter()
        if entered_at is None:
            return None
        wanted = _Wanted(call, asyncio.get_running_loop().create_future())
        try:
            heard = self._heard
            await self._wait_for(wanted)
            # That our own line is long says nothing about a store that has answered others meanwhile.
            long_line = not wanted.is_sent and self._heard > heard
            return None if long_line else self._guard.judge(wanted.answer, entered_at)
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

    async def _wait_for(self, wanted: _Wanted) -> None:
        self._line.append(wanted)
        self._send()
        await asyncio.wait((wanted.answer,), timeout=self._timeout)
        # A busy loop may have let the time pass with the answer at its door: it gets to see it, and waits for nothing.
        for _ in range(_TURNS):
            if wanted.answer.done():
                break
            await asyncio.sleep(0)

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
        self._heard += 1
        if not courier.cancelled():
            courier.exception()  # it is looked at here, because everybody who asked may be gone
        for number, wanted in enumerate(together):
            wanted.settle(courier, number)
        self._send()

    async def _ask(self, together: list[_Wanted]) -> list[Answer | Exception]:
        for wanted in together:
            wanted.is_sent = True
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
            wait((asked,), timeout=self._timeout)
            # One that no reader has begun with says nothing about the store.
            return None if asked.cancel() else self._guard.judge(asked, entered_at)
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
