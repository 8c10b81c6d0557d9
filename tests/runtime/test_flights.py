"""Single flight for tasks: one piece of work for all who want it, and nobody's end is another's."""

from __future__ import annotations

import asyncio
from functools import partial

import pytest

from resource_server import InvalidToken, Principal
from resource_server._runtime.drive import Driver
from resource_server._runtime.exchange import Exchange
from resource_server._runtime.flights import Flights
from resource_server._validation.verify_jwt import fetch_keys
from tests.support.jwt import ISSUER, signing_key
from tests.support.origin import Gate, Origin, publishes, says, says_yes
from tests.support.play import World
from tests.support.stage import Stage, bearer

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


class TestKnownBugs:
    """What single flight has got wrong elsewhere, for tasks; tests/blocking/test_server.py says the same of threads."""

    async def crowd(self, stage: Stage, gate: Gate) -> list[Principal | BaseException]:
        """Let ten requests with one token wait for one answer, and collect what becomes of them."""
        requests = [asyncio.ensure_future(stage.server.authenticate(bearer("token"))) for _ in range(10)]
        await gate.arrived()
        gate.open()
        return await asyncio.gather(*requests, return_exceptions=True)

    @pytest.mark.attack("A-C-12", "A-C-5")
    async def test_no_failure_is_shared_or_kept(self) -> None:
        """Each that waited is refused by an exception of its own, and the next one asks again."""
        gate = Gate(says(503))
        stage = Stage(introspect=gate)
        found = await self.crowd(stage, gate)
        assert [type(error) for error in found] == [InvalidToken] * 10
        assert len({id(error) for error in found}) == 10
        stage.origin.replies["introspect"] = says_yes()
        assert (await stage.server.authenticate(bearer("token"))).subject == "subject of token"

    @pytest.mark.attack("A-C-12")
    async def test_no_cancellation_is_shared(self) -> None:
        """The request that asks is cancelled; those that wait with it are answered."""
        gate = Gate(says_yes())
        stage = Stage(introspect=gate)
        leader = asyncio.ensure_future(stage.server.authenticate(bearer("token")))
        await gate.arrived()
        follower = asyncio.ensure_future(stage.server.authenticate(bearer("token")))
        await asyncio.sleep(0)
        leader.cancel()
        gate.open()
        with pytest.raises(asyncio.CancelledError):
            await leader
        assert (await follower).subject == "subject of token"

    @pytest.mark.attack("A-K-5")
    async def test_no_key_is_without_its_issuer(self) -> None:
        """Two issuers whose flows meet in one driver never get each other's answer."""
        one, other = (World(issuer=issuer).state for issuer in (ISSUER, "https://other.example.com"))
        driver = Driver(Exchange(timeout=5.0, transport=Origin(jwks=publishes(signing_key("ES256")))))
        assert {one.flight("jwks"), one.flight("metadata")}.isdisjoint({other.flight("jwks"), other.flight("metadata")})
        await asyncio.gather(
            *(driver.share(state.flight("jwks"), partial(fetch_keys, state)) for state in (one, other))
        )
        assert all(state.keys.usable(1_000.0, 0.0) for state in (one, other))
        await driver.aclose()
