"""Single flight for threads: one piece of work for all who want it, and nobody's end is another's."""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Event

import pytest

from resource_server._runtime.thread_flights import TOO_LATE, ThreadFlights
from tests.support.blocking import PATIENCE, outcomes, run, until


def soon() -> float:
    """Return a deadline that no test meets."""
    return time.monotonic() + PATIENCE


def refuse(_: Callable[[], object]) -> bool:
    """Have no thread for any work."""
    return False


def launch(work: Callable[[], object]) -> bool:
    """Have work done in a thread of its own."""
    run(work)
    return True


class Work:
    """Work that ends when it is let to, and counts how often it was begun."""

    def __init__(self, error: BaseException | None = None) -> None:
        self.begun = 0
        self.deadlines: list[float] = []
        self.started = Event()
        self.go = Event()
        self._error = error

    def __call__(self, deadline: float) -> object:
        """Work; the first time it ends as it was told to, and then well."""
        self.begun += 1
        self.deadlines.append(deadline)
        self.started.set()
        assert self.go.wait(PATIENCE)
        error, self._error = self._error, None
        if error is not None:
            raise error
        return "done"


@pytest.mark.attack("A-C-12")
def test_everybody_waits_for_the_same_work() -> None:
    """All who come meanwhile get the one result, and then nothing is in flight."""
    flights, work = ThreadFlights(5.0), Work()
    waiting = [run(lambda: flights.share("key", work, soon())) for _ in range(10)]
    assert work.started.wait(PATIENCE)
    work.go.set()
    assert outcomes(waiting)[0] == "done"
    assert work.begun >= 1
    assert flights._flights == {}


def test_who_comes_while_it_lasts_does_not_work() -> None:
    """While one works the others only wait."""
    flights, work = ThreadFlights(5.0), Work()
    leader = run(lambda: flights.share("key", work, soon()))
    assert work.started.wait(PATIENCE)
    followers = [run(lambda: flights.share("key", work, time.monotonic() + 0.01)) for _ in range(5)]
    assert outcomes(followers) == [TOO_LATE] * 5
    work.go.set()
    assert leader.outcome() == "done"
    assert work.begun == 1


@pytest.mark.attack("A-C-12", "A-C-5")
@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(), TimeoutError(), ZeroDivisionError()])
def test_a_leader_that_dies_hands_over(error: BaseException) -> None:
    """Whoever leads may be interrupted: it alone learns of it, one who waits does the work, and nothing stays."""
    flights, work = ThreadFlights(5.0), Work(error)
    leader = run(lambda: flights.share("key", work, soon()))
    assert work.started.wait(PATIENCE)
    followers = [run(lambda: flights.share("key", work, soon())) for _ in range(8)]
    work.go.set()
    assert leader.outcome() is error
    assert outcomes(followers) == ["done"] * 8
    assert flights.share("key", work, soon()) == "done"
    assert flights._flights == {}


def test_work_that_fails_for_everybody() -> None:
    """Where the work fails whoever does it, each has an exception of its own."""
    flights, started = ThreadFlights(5.0), Event()

    def work(_: float) -> object:
        started.set()
        raise ZeroDivisionError

    found = outcomes([run(lambda: flights.share("key", work, soon())) for _ in range(8)])
    assert [type(error) for error in found] == [ZeroDivisionError] * 8
    assert len({id(error) for error in found}) == 8


def test_keys_are_apart() -> None:
    """Work under one key says nothing about another."""
    flights, work = ThreadFlights(5.0), Work()
    other = run(lambda: flights.share("one", work, soon()))
    assert work.started.wait(PATIENCE)
    assert flights.share("two", lambda _: "at once", soon()) == "at once"
    work.go.set()
    assert other.outcome() == "done"


def test_launched_work_goes_on_when_nobody_waits() -> None:
    """Work in another thread has a time of its own, and serves whoever comes later."""
    flights, work = ThreadFlights(5.0), Work()
    assert flights.share("key", work, time.monotonic() + 0.01, launch) is TOO_LATE
    assert work.started.wait(PATIENCE)
    late = run(lambda: flights.share("key", work, soon(), launch))
    work.go.set()
    assert late.outcome() == "done"
    assert work.deadlines[0] > time.monotonic() + 1.0


def test_work_that_cannot_be_launched_is_done_here() -> None:
    """Without another thread there is still this one, which keeps to its own deadline."""
    flights, work, deadline = ThreadFlights(5.0), Work(), soon()
    work.go.set()
    assert flights.share("key", work, deadline, refuse) == "done"
    assert work.deadlines == [deadline]


def test_launched_work_that_fails_is_done_here() -> None:
    """What happened in the other thread is not told; who waits sees for itself."""
    flights, work = ThreadFlights(5.0), Work(ZeroDivisionError())
    work.go.set()
    assert flights.share("key", work, soon(), launch) == "done"
    assert work.begun == 2


def test_what_is_begun_is_begun_once() -> None:
    """Work in the background is not begun again while it is under way, and can be joined."""
    flights, work = ThreadFlights(5.0), Work()
    for _ in range(5):
        flights.begin("key", work, launch)
    joined = run(lambda: flights.share("key", work, soon()))
    work.go.set()
    assert joined.outcome() == "done"
    until(lambda: not flights._flights)
    assert work.begun <= 2


def test_what_cannot_be_begun_is_forgotten() -> None:
    """Where there is no thread for it nothing is in flight, so that the next one may try."""
    flights = ThreadFlights(5.0)
    flights.begin("key", lambda _: None, refuse)
    assert flights._flights == {}


def test_a_lost_flight_blocks_nobody_for_long() -> None:
    """A thread that was stopped before it could say so holds its key for its time, and no longer."""
    flights = ThreadFlights(-1.0)
    flights._board("key")
    assert flights.share("key", lambda _: "done", time.monotonic()) is TOO_LATE
    assert flights.share("key", lambda _: "done", soon()) == "done"


def test_a_landed_flight_does_not_remove_its_successor() -> None:
    """When work ends, only its own place is cleared, and not that of the work that has taken it since."""
    flights = ThreadFlights(5.0)
    first, _ = flights._board("key")
    flights._end("key", first)
    second, leads = flights._board("key")
    flights._end("key", first)
    assert leads
    assert flights._flights == {"key": second}
