"""Locks and work that a process leaves behind when it forks."""

from __future__ import annotations

import time
from threading import Event
from types import SimpleNamespace

import pytest

from resource_server._validation import forks
from resource_server._validation.forks import after_fork, fork_safe_lock
from tests.support.blocking import PATIENCE, run
from tests.support.play import World


class Told:
    """Something that wants to know of a fork."""

    def __init__(self) -> None:
        self.forks = 0

    def note(self) -> None:
        """Note a fork."""
        self.forks += 1


@pytest.mark.attack("A-C-14")
def test_all_locks_are_held_for_the_moment_of_a_fork() -> None:
    """While a process forks nobody changes what a lock guards; afterwards everything is as before."""
    lock = fork_safe_lock()
    forks._before()
    assert lock.locked()
    forks._after()
    assert not lock.locked()


@pytest.mark.attack("A-C-14")
def test_a_fork_waits_for_who_holds_a_lock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever is at work gets to the end of it first, also where one waits for what another holds."""
    one, two, held, go = fork_safe_lock(), fork_safe_lock(), Event(), Event()
    looks: list[float] = []

    def monotonic() -> float:
        """Tell the time: first when it begins, then each time that not all locks were to be had."""
        looks.append(time.monotonic())
        if len(looks) > 1:
            go.set()
        return looks[-1]

    monkeypatch.setattr(forks, "time", SimpleNamespace(monotonic=monotonic))

    def work() -> None:
        with one:
            held.set()
            assert go.wait(PATIENCE)
            with two:
                pass

    worker = run(work)
    assert held.wait(PATIENCE)

    def fork() -> list[bool]:
        forks._before()
        found = [lock in forks._taken[-1] for lock in (one, two)]
        forks._after()
        return found

    forking = run(fork)
    assert worker.outcome() is None
    assert forking.outcome() == [True, True]


@pytest.mark.attack("A-C-14")
def test_a_lock_of_the_thread_that_forks(monkeypatch: pytest.MonkeyPatch) -> None:
    """A thread that forks while it holds a lock itself goes on soon, and lets go of it in both processes."""
    monkeypatch.setattr(forks, "PATIENCE", 0.01)
    lock, other = fork_safe_lock(), fork_safe_lock()
    began = time.monotonic()
    with lock:
        forks._before()
        assert other.locked()
        forks._after_in_child()
        assert lock.locked()
        assert not other.locked()
    assert not lock.locked()
    assert time.monotonic() - began < 5.0


def test_the_child_is_told_for_as_long_as_somebody_listens() -> None:
    """What wants to know of a fork is told in the child only, and is not kept alive for it."""
    one, two = Told(), Told()
    after_fork(one.note)
    after_fork(two.note)
    forks._before()
    forks._after()
    assert one.forks == 0
    del two
    forks._before()
    forks._after_in_child()
    assert one.forks == 1
    after_fork(one.note)
    assert all(known() is not None for known in forks._methods)


@pytest.mark.attack("A-C-14")
def test_what_is_under_way_is_left_to_the_parent() -> None:
    """A probe and a look for new keys that another process has begun keep nobody here from doing the same."""
    state = World().state
    breaker = state.breaker("introspection")
    for _ in range(100):
        breaker.fail("connect", 20, 0.0)
    assert breaker.enter(10.0) is None
    assert breaker.enter(10.0) is not None
    state._leave_to_parent()
    assert breaker.enter(10.0) is None
