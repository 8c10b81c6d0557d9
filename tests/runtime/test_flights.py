"""Single flight for tasks: one piece of work for all who want it, and nobody's end is another's."""

from __future__ import annotations

import asyncio

import pytest

from resource_server._runtime.flights import Flights

pytestmark = pytest.mark.anyio


async def forever() -> None:
    """Work that never ends by itself."""
    await asyncio.Event().wait()


async def test_everybody_waits_for_the_same_work() -> None:
    """All who wait get the one result, and then nothing is in flight."""
    flights, ready = Flights(), asyncio.Event()
    result = object()

    async def work() -> object:
        await ready.wait()
        return result

    assert not flights.has("key")
    flights.start("key", work())
    assert flights.has("key")
    waiting = [asyncio.ensure_future(flights.wait("key")) for _ in range(10)]
    await asyncio.sleep(0)
    ready.set()
    assert [found is result for found in await asyncio.gather(*waiting)] == [True] * 10
    assert not flights.has("key")
    assert flights._tasks == {}


@pytest.mark.attack("A-C-12")
async def test_who_stops_waiting_ends_nobody_elses_wait() -> None:
    """A waiter that is cancelled leaves the work to the others."""
    flights, ready = Flights(), asyncio.Event()

    async def work() -> str:
        await ready.wait()
        return "done"

    flights.start("key", work())
    first, second = (asyncio.ensure_future(flights.wait("key")) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    ready.set()
    assert await second == "done"


async def test_keys_are_apart() -> None:
    """Work under one key says nothing about another."""
    flights = Flights()
    flights.start("one", forever())
    assert (flights.has("one"), flights.has("two")) == (True, False)
    await flights.aclose()


async def test_closing_ends_what_is_in_flight() -> None:
    """After closing, no task is left behind."""
    flights, ended = Flights(), asyncio.Event()

    async def work() -> None:
        try:
            await forever()
        finally:
            ended.set()

    flights.start("key", work())
    await asyncio.sleep(0)
    await flights.aclose()
    assert ended.is_set()
    assert not flights.has("key")


async def test_a_landed_flight_does_not_remove_its_successor() -> None:
    """When work ends, only its own place is cleared, and not that of the work that has taken it since."""
    flights = Flights()

    async def work() -> str:
        return "first"

    flights.start("key", work())
    first = flights._tasks["key"]
    flights.start("key", forever())
    assert await first == "first"
    await asyncio.sleep(0)
    assert flights.has("key")
    await flights.aclose()
