"""Running flows: questions are sent, shared flows are shared, and a deadline ends a wait but no work."""

from __future__ import annotations

import asyncio

import httpx
import pytest

from resource_server._protocol.messages import HTTPRequest, HTTPResponse, Unavailable
from resource_server._runtime.drive import Driver
from resource_server._runtime.exchange import Exchange
from resource_server._validation.breaker import Breaker, BreakerStatus
from resource_server._validation.flow import Flow, StoreCall, begin, join, recall, send
from tests.support.origin import Gate, Origin, says

pytestmark = pytest.mark.anyio

QUESTION = HTTPRequest("GET", "https://as.example.com/jwks", "jwks", 1000)


def driver(origin: Origin, timeout: float = 5.0) -> Driver:
    """Make a driver that asks this server."""
    return Driver(Exchange(timeout=timeout, transport=origin))


def question() -> Flow[HTTPResponse | Unavailable]:
    """Ask once."""
    return (yield from send(QUESTION))


async def test_a_flow_that_asks_nothing_makes_no_task() -> None:
    """What is known already is returned at once."""

    def known() -> Flow[str]:
        yield from ()
        return "known"

    driving = driver(Origin())
    before = asyncio.all_tasks()
    assert await driving.share("key", known) == "known"
    assert asyncio.all_tasks() == before
    assert driving._flights._tasks == {}


async def test_a_flow_asks_until_it_returns() -> None:
    """Every question is sent in turn, and its answer handed back."""
    origin = Origin(jwks=says(200, {"n": 1}))

    def twice() -> Flow[list[object]]:
        first = yield from send(QUESTION)
        second = yield from send(QUESTION)
        return [getattr(found, "status", None) for found in (first, second)]

    assert await driver(origin).share("key", twice) == [200, 200]
    assert origin.count("jwks") == 2


@pytest.mark.attack("A-C-12")
async def test_one_flow_for_all_who_come_meanwhile() -> None:
    """Whoever asks under the same key while a flow runs gets its result; whoever comes later starts anew."""
    gate = Gate(says(200))
    origin = Origin(jwks=gate)
    driving = driver(origin)
    waiting = [asyncio.ensure_future(driving.share("key", question)) for _ in range(50)]
    await gate.arrived()
    gate.open()
    results = await asyncio.gather(*waiting)
    assert len({id(result) for result in results}) == 1
    await driving.share("key", question)
    assert origin.count("jwks") == 2


async def test_a_joined_flow_is_shared_between_flows() -> None:
    """Flows of different keys that need the same thing cause it once."""
    gate = Gate(says(200))
    origin = Origin(jwks=gate)
    driving = driver(origin)

    def needs_keys() -> Flow[object]:
        return (yield from join("jwks", question))

    waiting = [asyncio.ensure_future(driving.share(number, needs_keys)) for number in range(20)]
    await gate.arrived()
    gate.open()
    assert all(isinstance(result, HTTPResponse) for result in await asyncio.gather(*waiting))
    assert origin.count("jwks") == 1


async def test_a_background_flow_is_not_waited_for_and_runs_once() -> None:
    """What is begun in the background holds nobody up, and is not begun twice."""
    gate = Gate(says(200))
    origin = Origin(jwks=gate)
    driving = driver(origin)

    def begins() -> Flow[str]:
        yield from begin("jwks", question)
        return "done"

    before = asyncio.all_tasks()
    assert [await driving.share("key", begins) for _ in range(3)] == ["done"] * 3
    await gate.arrived()
    assert len(asyncio.all_tasks() - before) == 2  # the fetch, and the one who waits for it
    joined = asyncio.ensure_future(driving.share("jwks", question))
    gate.open()
    assert isinstance(await joined, HTTPResponse)
    assert origin.count("jwks") == 1


@pytest.mark.attack("A-I-6")
async def test_all_questions_of_a_flow_share_one_deadline() -> None:
    """A flow that asks twice has no more time than one that asks once."""
    origin = Origin(jwks=Gate(says(200)))

    def twice() -> Flow[list[object]]:
        return [(yield from send(QUESTION)), (yield from send(QUESTION))]

    loop = asyncio.get_running_loop()
    started = loop.time()
    found = await driver(origin, timeout=0.05).share("key", twice)
    assert found == [Unavailable("timeout"), Unavailable("timeout")]
    assert 0.04 <= loop.time() - started < 1.0


class SilentStore:
    """A store that takes longer than anybody has."""

    def __init__(self) -> None:
        """Begin with nobody who has given up."""
        self.given_up = 0

    @property
    def status(self) -> BreakerStatus:
        """What has been seen of it."""
        return Breaker(lambda: 0.0).status(0.0)

    async def perform(self, _call: StoreCall, /) -> bool | None:
        """Say nothing."""
        try:
            return await asyncio.Event().wait()
        finally:
            self.given_up += 1

    async def aclose(self) -> None:
        """Have nothing to close."""


async def test_a_store_has_no_more_time_than_the_flow() -> None:
    """Whatever time the store gives itself, at the flow's deadline it has said nothing."""
    store = SilentStore()
    driving = Driver(Exchange(timeout=0.05, transport=Origin()), store)
    async with asyncio.timeout(5.0):
        assert await driving.share("key", lambda: recall(b"name", 1.0)) is None
    assert store.given_up == 1
    await driving.aclose()


async def test_an_impatient_flow_leaves_the_shared_one_running() -> None:
    """A wait for a shared flow ends with the waiter's own deadline; the work goes on for the next one."""
    slow, shared = Gate(says(200)), Gate(says(200))
    driving = driver(Origin(slow=slow, jwks=shared), timeout=0.05)

    def waits_too_long() -> Flow[list[object]]:
        first = yield from send(HTTPRequest("GET", "https://as.example.com/slow", "metadata", 1000))
        driving._exchange.timeout = 5.0  # for the shared flow, which begins now; this one has no time left
        return [first, (yield from join("jwks", question))]

    assert await driving.share("key", waits_too_long) == [Unavailable("timeout"), Unavailable("timeout")]
    assert driving._flights.has("jwks")
    shared.open()
    assert isinstance(await driving.share("jwks", question), HTTPResponse)
    assert shared.waiting == 1


@pytest.mark.attack("A-C-12")
async def test_the_first_to_ask_may_leave() -> None:
    """The caller that started a flow is cancelled; the others get the answer all the same."""
    gate = Gate(says(200))
    origin = Origin(jwks=gate)
    driving = driver(origin)
    leader = asyncio.ensure_future(driving.share("key", question))
    await gate.arrived()
    follower = asyncio.ensure_future(driving.share("key", question))
    await asyncio.sleep(0)
    leader.cancel()
    with pytest.raises(asyncio.CancelledError):
        await leader
    gate.open()
    assert isinstance(await follower, HTTPResponse)
    assert origin.count("jwks") == 1


async def test_closing_leaves_a_callers_transport_open() -> None:
    """What the caller brought is the caller's to close; what is in flight ends."""
    origin = Origin(jwks=Gate(says(200)))
    driving = driver(origin)
    waiting = asyncio.ensure_future(driving.share("key", question))
    await asyncio.sleep(0)
    await driving.aclose()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert not origin.closed


async def test_an_error_of_our_own_is_loud() -> None:
    """A flow that raises has a bug: everybody who waits sees it, and nothing stays in flight."""

    def broken() -> Flow[None]:
        yield from send(QUESTION)
        raise ZeroDivisionError

    driving = driver(Origin(jwks=says(200)))
    results = await asyncio.gather(*(driving.share("key", broken) for _ in range(3)), return_exceptions=True)
    assert [type(result) for result in results] == [ZeroDivisionError] * 3
    assert driving._flights._tasks == {}


async def test_a_mock_transport_of_httpx_will_do() -> None:
    """Every transport of httpx fits the seam."""
    transport = httpx.MockTransport(lambda request: httpx.Response(200, content=request.url.path.encode()))
    found = await Driver(Exchange(timeout=5.0, transport=transport)).share("key", question)
    assert isinstance(found, HTTPResponse)
    assert found.body == b"/jwks"
