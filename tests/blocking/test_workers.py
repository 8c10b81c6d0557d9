"""Threads for the background: few, made when needed, and gone again."""

from __future__ import annotations

import logging
import subprocess
import sys
import threading
import time
from contextvars import ContextVar
from pathlib import Path
from threading import Event

import pytest

from resource_server._runtime import workers as module
from resource_server._runtime.workers import Workers
from tests.support.blocking import PATIENCE, run, until

ROOT = Path(__file__).parents[2]


def soon() -> float:
    """Return a deadline that no test meets."""
    return time.monotonic() + PATIENCE


def test_there_is_no_thread_without_work() -> None:
    """Making it starts nothing."""
    before = threading.active_count()
    Workers(4)
    assert threading.active_count() == before


def test_so_many_threads_and_no_more() -> None:
    """Work beyond the number of threads waits its turn."""
    workers, go, running, most = Workers(3), Event(), list[int](), list[int]()

    def work() -> None:
        running.append(1)
        most.append(len(running))
        assert go.wait(PATIENCE)
        running.pop()

    assert all(workers.submit(work) for _ in range(10))
    until(lambda: len(running) == 3)
    go.set()
    until(lambda: len(most) == 10)
    assert max(most) == 3


def test_a_thread_is_used_again() -> None:
    """A thread that waits for work gets it, and no other is made."""
    workers = Workers(4)
    idents = [workers.call(threading.get_ident, soon())]
    until(lambda: workers._idle == 1)
    idents.append(workers.call(threading.get_ident, soon()))
    assert len(set(idents)) == 1


def test_a_thread_without_work_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """Soon after the last work there is no thread left."""
    monkeypatch.setattr(module, "IDLE", 0.01)
    workers = Workers(4)
    assert workers.call(lambda: 1, soon()) == 1
    until(lambda: workers._threads == 0)
    assert workers.call(lambda: 2, soon()) == 2


def test_the_line_is_bounded() -> None:
    """More than so much work is not taken on, and whoever wanted it done in time is told so."""
    workers, go = Workers(1, line=2), Event()
    started = Event()

    def first() -> None:
        started.set()
        go.wait(PATIENCE)

    workers.submit(first)
    assert started.wait(PATIENCE)
    assert [workers.submit(lambda: None) for _ in range(3)] == [True, True, False]
    with pytest.raises(TimeoutError):
        workers.call(lambda: None, soon())
    go.set()


def test_nobody_waits_beyond_the_deadline() -> None:
    """A call that takes too long is left to itself, and one whose time is up before its turn is not made."""
    workers, go, made = Workers(1), Event(), list[int]()
    with pytest.raises(TimeoutError):
        workers.call(lambda: go.wait(PATIENCE), time.monotonic() + 0.01)
    with pytest.raises(TimeoutError):
        workers.call(lambda: made.append(1), time.monotonic() + 0.01)
    go.set()
    assert workers.call(lambda: list(made), soon()) == []


def test_a_call_raises_what_its_work_raises() -> None:
    """Whoever waits gets the exception."""
    with pytest.raises(ZeroDivisionError):
        Workers(1).call(lambda: 1 // 0, soon())


def test_work_that_ends_its_thread(caplog: pytest.LogCaptureFixture) -> None:
    """Who waits for work that tries to end the thread is not left waiting, and the thread goes on."""
    workers = Workers(1)
    with pytest.raises(TimeoutError):
        workers.call(lambda: sys.exit("canary"), soon())
    assert workers.call(lambda: "next", soon()) == "next"
    assert "canary" not in caplog.text


@pytest.mark.attack("A-S-1")
def test_a_failure_that_nobody_waits_for_is_told(caplog: pytest.LogCaptureFixture) -> None:
    """Work in the background that fails is a bug: it is logged by the name of its exception, and no more than that."""
    workers = Workers(1)

    def work() -> None:
        raise ZeroDivisionError("canary-access-token")

    with caplog.at_level(logging.ERROR):
        workers.submit(work)
        assert workers.call(lambda: "next", soon()) == "next"
    assert caplog.messages == ["background_work_failed error=ZeroDivisionError"]


def test_work_sees_the_context_of_whoever_waits() -> None:
    """What traces requests finds its context in the other thread too."""
    name = ContextVar("name", default="")
    name.set("mine")
    assert Workers(1).call(name.get, soon()) == "mine"


def test_no_thread_is_to_be_had(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the machine has no thread left, work is refused, or done by the threads there are."""
    go = Event()
    workers = Workers(4)
    held = run(lambda: workers.call(lambda: go.wait(PATIENCE), soon()))
    until(lambda: workers._threads == 1 and not workers._idle and not workers._line)

    def none_left(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", none_left)
        assert not Workers(4).submit(lambda: None)
        assert workers.submit(lambda: None)
    go.set()
    assert held.outcome() is True


def test_the_end_of_the_interpreter_waits_for_nothing() -> None:
    """A process ends at once, whatever its threads are at."""
    code = (
        "import threading\n"
        "from resource_server._runtime.workers import Workers\n"
        "started = threading.Event()\n"
        "workers = Workers(2)\n"
        "workers.submit(lambda: (started.set(), threading.Event().wait()))\n"
        "started.wait()\n"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, timeout=PATIENCE)
