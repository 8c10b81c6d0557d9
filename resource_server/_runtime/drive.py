"""Run flows in an event loop: carry out what they ask for, one total deadline for each.

What a flow waits for is bounded: a question by the exchange, the store by its own short time, a nap by the deadline.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import Protocol, TypeVar, cast

from resource_server._protocol.messages import HTTPRequest, Unavailable
from resource_server._runtime.exchange import Exchange
from resource_server._runtime.flights import Flights
from resource_server._validation.breaker import BreakerStatus
from resource_server._validation.flow import AddOnce, Effect, Flow, Join, Recall, Recalled, Sleep, StoreCall

T = TypeVar("T")


class Store(Protocol):
    """The store that all workers share, seen from here: it answers in its own short time, or not at all."""

    @property
    def status(self) -> BreakerStatus:
        """What has been seen of it."""
        ...

    async def perform(self, call: StoreCall, /) -> Recalled | bool | None:
        """Carry out a call. Never raises; ``None`` where there is no answer."""

    async def aclose(self) -> None:
        """Close the connections."""


class Driver:
    """Runs the flows of one resource server in one event loop.

    Args:
        exchange: sends the requests.
        store: what all workers share, where there is such a thing.
    """

    def __init__(self, exchange: Exchange, store: Store | None = None) -> None:
        """Start with nothing in flight."""
        self._exchange = exchange
        self._store = store
        self._flights = Flights()
        self.connections = 0
        """Tells apart which exchange this is: one counts up from another."""

    def replace(self, exchange: Exchange) -> None:
        """Send through another exchange from now on; what waits for the old one has the time to come to its end."""
        retired, self._exchange = self._exchange, exchange
        self._flights.start(("retired", object()), _retire(retired))

    @property
    def store_status(self) -> BreakerStatus | None:
        """What has been seen of the store, where there is one."""
        return None if self._store is None else self._store.status

    async def warm(self, url: str) -> None:
        """Open a connection ahead of the first question; a failure is silent."""
        await self._exchange.warm(url)

    async def share(self, key: Hashable, flow: Callable[[], Flow[T]]) -> T:
        """Run a flow once for everybody who asks for it under this key at the same time.

        A flow that has nothing to ask ends here at once, without a task.
        """
        if not self._flights.has(key):
            begun = flow()
            try:
                effect = begun.send(None)
            except StopIteration as done:
                return cast("T", done.value)
            self._flights.start(key, self._drive(begun, effect))
        return cast("T", await self._flights.wait(key))

    def begin(self, key: Hashable, flow: Callable[[], Flow[object]]) -> None:
        """Run a flow in the background, unless it is under way."""
        background = ("background", key)
        if not self._flights.has(background):
            self._flights.start(background, self.share(key, flow))

    async def aclose(self) -> None:
        """Stop what is in flight and close the connections."""
        await self._flights.aclose()
        await self._exchange.aclose()
        if self._store is not None:
            await self._store.aclose()

    async def _drive(self, flow: Flow[T], effect: Effect) -> T:
        deadline = asyncio.get_running_loop().time() + self._exchange.timeout
        try:
            while True:
                outcome = await self._perform(effect, deadline)
                effect = flow.send(outcome)
        except StopIteration as done:
            return cast("T", done.value)
        finally:
            flow.close()  # what it holds, such as the right to probe, is given back at once

    async def _perform(self, effect: Effect, deadline: float) -> object:
        if isinstance(effect, HTTPRequest):
            return await self._exchange.send(effect, deadline)
        if isinstance(effect, Join):
            if effect.wait:
                return await _within(self.share(effect.key, effect.flow), deadline)
            self.begin(effect.key, effect.flow)
            return None
        if isinstance(effect, Sleep):
            return await _nap(effect.seconds, deadline)
        return None if self._store is None else await self._consult(self._store, effect, deadline)

    async def _consult(self, store: Store, call: StoreCall, deadline: float) -> Recalled | bool | None:
        if isinstance(call, Recall | AddOnce):
            found = await _within(store.perform(call), deadline)
            return None if isinstance(found, Unavailable) else found
        self._flights.start(("store", object()), store.perform(call))
        return None


async def _retire(exchange: Exchange) -> None:
    try:
        await asyncio.sleep(exchange.timeout)
    finally:
        await exchange.aclose()


async def _within(waiting: Awaitable[T], deadline: float) -> T | Unavailable:
    try:
        async with asyncio.timeout_at(deadline):
            return await waiting
    except TimeoutError:
        return Unavailable("timeout")


async def _nap(seconds: float, deadline: float) -> bool:
    if asyncio.get_running_loop().time() + seconds >= deadline:
        return False
    await asyncio.sleep(seconds)
    return True
