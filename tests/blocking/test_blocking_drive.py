"""Running flows in threads: questions are sent, shared flows are shared, and a deadline ends a wait but no work."""

from __future__ import annotations

import threading
import time
from functools import partial
from threading import Event
from typing import Any

import httpx
import pytest

from resource_server._protocol.messages import HTTPRequest, HTTPResponse, Unavailable
from resource_server._runtime.blocking_drive import BlockingDriver
from resource_server._runtime.blocking_exchange import BlockingExchange
from resource_server._validation.flow import (
    AddOnce,
    Flow,
    Recall,
    Recalled,
    Release,
    Remember,
    StoreCall,
    begin,
    join,
    recall,
    send,
    sleep,
)
from tests.support.blocking import PATIENCE, BlockingGate, BlockingOrigin, interrupted, outcomes, run, until

QUESTION = HTTPRequest("GET", "https://as.example.com/jwks", "jwks", 1000)


def ok(_: httpx.Request) -> httpx.Response:
    """Answer."""
    return httpx.Response(200, json={})


def driver(origin: BlockingOrigin, timeout: float = 5.0, store: Any = None) -> BlockingDriver:
    """Make a driver that asks this server."""
    return BlockingDriver(BlockingExchange(timeout=timeout, transport=origin), store)


def question() -> Flow[HTTPResponse | Unavailable]:
    """Ask once."""
    return (yield from send(QUESTION))


def test_a_flow_that_asks_nothing_makes_no_thread() -> None:
    """What is known already is returned at once."""

    def known() -> Flow[str]:
        yield from ()
        return "known"

    before = threading.active_count()
    assert driver(BlockingOrigin()).share("key", known) == "known"
    assert threading.active_count() == before


def test_a_flow_asks_until_it_returns() -> None:
    """Every question is sent in turn, and its answer handed back."""
    origin = BlockingOrigin(jwks=ok)

    def twice() -> Flow[list[object]]:
        first = yield from send(QUESTION)
        second = yield from send(QUESTION)
        return [getattr(found, "status", None) for found in (first, second)]

    assert driver(origin).share("key", twice) == [200, 200]
    assert origin.count("jwks") == 2


@pytest.mark.attack("A-C-12")
def test_one_flow_for_all_who_come_meanwhile() -> None:
    """Whoever asks under the same key while a flow runs gets its result; whoever comes later starts anew."""
    gate = BlockingGate(ok)
    origin = BlockingOrigin(jwks=gate)
    driving = driver(origin)
    leader = run(lambda: driving.share("key", question))
    gate.arrived()
    followers = [run(lambda: driving.share("key", question)) for _ in range(20)]
    gate.open()
    assert all(isinstance(found, HTTPResponse) for found in outcomes([leader, *followers]))
    assert driving._flights._flights == {}
    before = origin.count("jwks")
    driving.share("key", question)
    assert origin.count("jwks") == before + 1


@pytest.mark.attack("A-C-12", "A-C-5")
@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(), GeneratorExit()])
def test_a_leader_that_is_interrupted_hands_over(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    """The thread that asks is interrupted while it waits: one of the others asks, and the flow is told to let go."""
    let_go: list[str] = []
    gate = BlockingGate(ok)
    driving = driver(BlockingOrigin(jwks=gate))

    def flow() -> Flow[object]:
        try:
            return (yield from send(QUESTION))
        except GeneratorExit:
            let_go.append("the right to probe")
            raise

    monkeypatch.setattr(driving._exchange, "send", interrupted(driving._exchange.send, error))
    leader = run(lambda: driving.share("key", flow))
    gate.arrived()
    followers = [run(lambda: driving.share("key", flow)) for _ in range(8)]
    gate.open()
    assert leader.outcome() is error
    assert all(isinstance(found, HTTPResponse) for found in outcomes(followers))
    assert let_go == ["the right to probe"]


def test_a_joined_flow_is_shared_between_flows() -> None:
    """Flows of different keys that need the same thing cause it once."""
    gate = BlockingGate(ok)
    origin = BlockingOrigin(jwks=gate)
    driving = driver(origin)

    def needs_keys() -> Flow[object]:
        return (yield from join("jwks", question))

    waiting = [run(partial(driving.share, number, needs_keys)) for number in range(20)]
    gate.arrived()
    until(lambda: len(driving._flights._flights) == 21)
    gate.open()
    assert all(isinstance(found, HTTPResponse) for found in outcomes(waiting))
    assert gate.waiting <= 2


def test_a_background_flow_is_not_waited_for_and_runs_once() -> None:
    """What is begun in the background holds nobody up, and is not begun twice."""
    gate = BlockingGate(ok)
    driving = driver(BlockingOrigin(jwks=gate))

    def begins() -> Flow[str]:
        yield from begin("jwks", question)
        return "done"

    assert [driving.share("key", begins) for _ in range(5)] == ["done"] * 5
    gate.arrived()
    joined = run(lambda: driving.share("jwks", question))
    gate.open()
    assert isinstance(joined.outcome(), HTTPResponse)
    until(lambda: not driving._flights._flights)
    assert gate.waiting <= 2


@pytest.mark.attack("A-I-6")
def test_all_questions_of_a_flow_share_one_deadline() -> None:
    """A flow that asks twice has no more time than one that asks once."""
    gate = BlockingGate(ok)

    def twice() -> Flow[list[object]]:
        return [(yield from send(QUESTION)), (yield from send(QUESTION))]

    began = time.monotonic()
    assert driver(BlockingOrigin(jwks=gate), timeout=0.05).share("key", twice) == [Unavailable("timeout")] * 2
    assert time.monotonic() - began < 1.0
    gate.open()


def test_an_impatient_flow_leaves_the_shared_one_running() -> None:
    """A wait for a shared flow ends with the waiter's own deadline; the work goes on for the next one."""
    slow, shared = BlockingGate(ok), BlockingGate(ok)
    driving = driver(BlockingOrigin(slow=slow, jwks=shared), timeout=0.3)

    def waits_too_long() -> Flow[list[object]]:
        first = yield from send(HTTPRequest("GET", "https://as.example.com/slow", "metadata", 1000))
        return [first, (yield from join("jwks", question))]

    driving._exchange._attempt_timeout = 0.25
    assert driving.share("key", waits_too_long) == [Unavailable("timeout")] * 2
    late = run(lambda: driving.share("jwks", question))
    shared.open()
    slow.open()
    assert isinstance(late.outcome(), HTTPResponse)
    assert shared.waiting == 1


def test_a_follower_waits_no_longer_than_its_own_time() -> None:
    """Whoever waits for somebody else's work has a deadline of its own."""
    gate, begun = Event(), Event()
    driving = driver(BlockingOrigin(), timeout=0.05)

    def stuck() -> Flow[str]:
        yield from ()
        begun.set()
        gate.wait(PATIENCE)
        return "late"

    leader = run(lambda: driving.share("key", stuck))
    assert begun.wait(PATIENCE)
    assert driving.share("key", stuck) == Unavailable("timeout")
    gate.set()
    assert leader.outcome() == "late"


@pytest.mark.parametrize(("seconds", "slept"), [(0.001, True), (60.0, False)])
def test_a_nap_that_there_is_time_for(seconds: float, slept: bool) -> None:  # noqa: FBT001 - a parameter
    """A flow waits, unless its deadline would come first: then it is told at once."""
    began = time.monotonic()
    assert driver(BlockingOrigin()).share("key", lambda: sleep(seconds)) is slept
    assert time.monotonic() - began < 1.0


def test_an_error_of_our_own_is_loud() -> None:
    """A flow that raises has a bug: everybody who waits sees it, each for itself, and nothing stays in flight."""

    def broken() -> Flow[None]:
        yield from send(QUESTION)
        raise ZeroDivisionError

    def joins() -> Flow[None]:
        yield from join("broken", broken)

    driving = driver(BlockingOrigin(jwks=ok))
    found = outcomes([run(lambda: driving.share("key", broken)) for _ in range(3)])
    assert [type(error) for error in found] == [ZeroDivisionError] * 3
    assert len({id(error) for error in found}) == 3
    with pytest.raises(ZeroDivisionError):
        driving.share("key", joins)
    assert driving._flights._flights == {}


class Shelf:
    """A store that says what it is told to, and keeps what it was asked."""

    def __init__(self) -> None:
        self.calls: list[StoreCall] = []
        self.threads: list[int] = []
        self.closed = False

    def perform(self, call: StoreCall) -> Recalled | bool | None:
        """Answer."""
        self.calls.append(call)
        self.threads.append(threading.get_ident())
        return Recalled(claimed=True) if isinstance(call, Recall) else True

    def close(self) -> None:
        """Note that it was closed."""
        self.closed = True


def test_the_store_is_asked_here_and_told_elsewhere() -> None:
    """A look into the store is waited for; what is put there is not."""
    shelf = Shelf()
    driving = driver(BlockingOrigin(), store=shelf)

    def flow() -> Flow[list[object]]:
        found = yield from recall(b"name", 1.0)
        return [found, (yield AddOnce(b"once", 1.0)), (yield Remember(b"name", b"value", 1.0)), (yield Release(b"it"))]

    assert driving.share("key", flow) == [Recalled(claimed=True), True, None, None]
    until(lambda: len(shelf.calls) == 4)
    here = threading.get_ident()
    assert [thread == here for thread in shelf.threads] == [True, True, False, False]
    driving.close()
    assert shelf.closed


def test_without_a_store_it_says_nothing() -> None:
    """Where there is no store every call comes to nothing."""

    def flow() -> Flow[list[object]]:
        return [(yield Recall(b"name", 1.0)), (yield Remember(b"name", b"value", 1.0))]

    assert driver(BlockingOrigin()).share("key", flow) == [None, None]


def test_closing_leaves_a_callers_transport_open() -> None:
    """What the caller brought is the caller's to close."""
    origin = BlockingOrigin(jwks=ok)
    driving = driver(origin)
    driving.share("key", question)
    driving.close()
    assert not origin.closed


def test_preparations_have_one_deadline() -> None:
    """What is fetched ahead goes one after the other, and what is not there in time holds nobody up."""
    gate = BlockingGate(ok)
    driving = driver(BlockingOrigin(jwks=gate), timeout=0.1)
    began = time.monotonic()
    driving.prepare([("one", question), ("two", question), ("three", question)])
    assert time.monotonic() - began < 1.0
    gate.open()
