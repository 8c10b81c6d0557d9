"""Run flows in threads: carry out what they ask for, one total deadline for each.

Whoever wants a flow's result drives it in its own thread. What serves many, keys and metadata, is fetched in a thread
apart, so that nobody's impatience ends it for the others; so is what nobody waits for.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Iterable
from threading import Timer
from typing import Protocol, TypeVar, cast

from resource_server._protocol.messages import HTTPRequest, Unavailable
from resource_server._runtime.blocking_exchange import BlockingExchange
from resource_server._runtime.thread_flights import ThreadFlights, TooLate
from resource_server._runtime.workers import Workers
from resource_server._validation.breaker import BreakerStatus
from resource_server._validation.flow import AddOnce, Effect, Flow, Join, Recall, Recalled, Sleep, StoreCall

T = TypeVar("T")
BACKGROUND = 16
"""How many threads renew what is in use and write to the store."""
SHARED = 4
"""How many threads fetch what flows wait for together: keys and metadata, each at most once at a time."""


class BlockingStore(Protocol):
    """The store that all workers share, seen from here: it answers in its own short time, or not at all."""

    @property
    def status(self) -> BreakerStatus:
        """What has been seen of it."""
        ...

    def perform(self, call: StoreCall, /) -> Recalled | bool | None:
        """Carry out a call. Never raises; ``None`` where there is no answer."""

    def close(self) -> None:
        """Close the connections."""


class BlockingDriver:
    """Runs the flows of one resource server in the threads of one process.

    Args:
        exchange: sends the requests.
        store: what all workers share, where there is such a thing.
    """

    def __init__(self, exchange: BlockingExchange, store: BlockingStore | None = None) -> None:
        """Start with nothing in flight, and no thread."""
        self._exchange = exchange
        self._store = store
        self._flights = ThreadFlights(exchange.timeout)
        self._background = Workers(BACKGROUND)
        self._shared = Workers(SHARED)
        self.connections = 0
        """Tells apart which exchange this is: one counts up from another."""

    def replace(self, exchange: BlockingExchange) -> None:
        """Send through another exchange from now on; what waits for the old one has the time to come to its end."""
        retired, self._exchange = self._exchange, exchange
        timer = Timer(retired.timeout, retired.close)
        timer.daemon = True
        timer.start()

    @property
    def store_status(self) -> BreakerStatus | None:
        """What has been seen of the store, where there is one."""
        return None if self._store is None else self._store.status

    def share(self, key: Hashable, flow: Callable[[], Flow[T]]) -> T | Unavailable:
        """Run a flow once for everybody who asks for it under this key at the same time."""
        deadline = self._deadline()
        return _landed(self._flights.share(key, lambda until: self._drive(flow(), until), deadline))

    def begin(self, key: Hashable, flow: Callable[[], Flow[object]]) -> None:
        """Run a flow in the background, unless it is under way."""
        self._flights.begin(("background", key), lambda _: self.share(key, flow), self._background.submit)

    def prepare(self, flows: Iterable[tuple[Hashable, Callable[[], Flow[object]]]]) -> None:
        """Run flows one after the other; those for which there is no time go on in the background."""
        deadline = self._deadline()
        for key, flow in flows:
            self._join(Join(key, flow), deadline)

    def close(self) -> None:
        """Close the connections. What is in flight ends soon, without an answer."""
        self._exchange.close()
        if self._store is not None:
            self._store.close()

    def abandon(self) -> None:
        """Leave everything to the process that this one was forked off from."""
        self._exchange.abandon()

    def _drive(self, flow: Flow[T], deadline: float) -> T:
        try:
            effect = flow.send(None)
            while True:
                effect = flow.send(self._perform(effect, deadline))
        except StopIteration as done:
            return cast("T", done.value)
        finally:
            flow.close()  # what it holds, such as the right to probe, is given back at once

    def _perform(self, effect: Effect, deadline: float) -> object:
        if isinstance(effect, HTTPRequest):
            return self._exchange.send(effect, deadline)
        if isinstance(effect, Join):
            return self._join(effect, deadline)
        if isinstance(effect, Sleep):
            return _nap(effect.seconds, deadline)
        return None if self._store is None else self._consult(self._store, effect)

    def _join(self, effect: Join, deadline: float) -> object:
        if not effect.wait:
            self.begin(effect.key, effect.flow)
            return None
        flight = self._flights.share(
            effect.key, lambda until: self._drive(effect.flow(), until), deadline, self._shared.submit
        )
        return _landed(flight)

    def _deadline(self) -> float:
        return time.monotonic() + self._exchange.timeout

    def _consult(self, store: BlockingStore, call: StoreCall) -> Recalled | bool | None:
        if isinstance(call, Recall | AddOnce):
            return store.perform(call)
        self._background.submit(lambda: store.perform(call))
        return None


def _landed(found: T | TooLate) -> T | Unavailable:
    return Unavailable("timeout") if isinstance(found, TooLate) else found


def _nap(seconds: float, deadline: float) -> bool:
    if time.monotonic() + seconds >= deadline:
        return False
    time.sleep(seconds)
    return True
