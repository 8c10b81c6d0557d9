"""Whoever carries out a feed's steps, in tasks or in threads: waits, is woken, survives a failure, and ends."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

import pytest

from resource_server._protocol.messages import Unavailable
from resource_server._protocol.revocation import Revocation
from resource_server._runtime.feed import FeedTasks
from resource_server._runtime.thread_feed import FeedThreads
from resource_server._validation.feed import Append, Feed, Page, Read
from resource_server._validation.revocations import Revocations
from resource_server._validation.state import Clock
from resource_server._validation.vault import Vault
from tests.support.workers import reached

pytestmark = pytest.mark.anyio

BOUND = 10.0
"""Seconds within which everything that is waited for happens."""


class Log:
    """A log that holds everything in memory, for both kinds; it wakes who waits for something new."""

    def __init__(self) -> None:
        """Start empty."""
        self.values: list[bytes] = []
        self.changed = threading.Condition()
        self.is_up = True
        self.closed = 0
        self.error: Exception | None = None

    def now(self, step: Read | Append) -> Page | Unavailable | None:
        """Carry out a step without waiting."""
        if self.error is not None:
            error, self.error = self.error, None
            raise error
        if not self.is_up:
            return Unavailable("connect")
        if isinstance(step, Append):
            with self.changed:
                self.values += step.values
                self.changed.notify_all()
            return None
        first = int(step.after.partition(b"-")[0])
        return Page(tuple((b"%d-0" % (first + 1 + index), value) for index, value in enumerate(self.values[first:])))


class TaskLog(Log):
    """The same for tasks."""

    async def perform(self, step: Read | Append) -> Page | Unavailable | None:
        """Carry out a step; a reader gives way, as one that waits does."""
        await asyncio.sleep(0.001)
        return self.now(step)

    async def aclose(self) -> None:
        """Count it."""
        self.closed += 1


class ThreadLog(Log):
    """The same for threads."""

    def perform(self, step: Read | Append) -> Page | Unavailable | None:
        """Carry out a step; a reader waits for a change a little."""
        page = self.now(step)
        if isinstance(page, Page) and not page.entries:
            with self.changed:
                self.changed.wait(0.001)
        return page

    def close(self) -> None:
        """Count it."""
        self.closed += 1


def revocation(value: str = "alice") -> Revocation:
    """Make one."""
    return Revocation("sub", value, time.time(), time.time() + 60)


def make_feed() -> tuple[Feed, Revocations]:
    """Make a feed by real clocks, and what it remembers."""
    revocations = Revocations()
    vault = Vault(b"s" * 32, ("issuer",))
    return Feed(vault, revocations, clock=Clock(), memory=60.0, report=lambda _: None), revocations


def note(feed: Feed, revocations: Revocations, *values: str) -> None:
    """Learn of something at first hand."""
    for value in values:
        revocations.add(revocation(value), now=time.monotonic(), wall=time.time())
        feed.note(revocation(value))


def reach(condition: Callable[[], bool]) -> None:
    """Wait until something is so, in a thread."""
    until = time.monotonic() + BOUND
    while not condition():
        assert time.monotonic() < until, "it does not come about"
        threading.Event().wait(0.001)


async def test_tasks_tell_and_hear() -> None:
    """What one loop's tasks tell, another's hear; and what was said before is heard before anything is served."""
    log = TaskLog()
    (first, known), (second, heard) = make_feed(), make_feed()
    telling = FeedTasks(first, lambda: log)
    note(first, known, "alice")
    await reached(lambda: len(first.outbox) == 0)
    hearing = FeedTasks(second, lambda: log)
    await hearing.catch_up()
    assert [each.value for each in heard.all()] == ["alice"]
    note(first, known, "bob")
    await reached(lambda: len(heard) == 2)
    await telling.aclose(1.0)
    await hearing.aclose(1.0)
    assert log.closed == 4


async def test_what_is_heard_belongs_to_no_request() -> None:
    """The request that happens to be the first has its context to itself: nothing that is heard later is told in it."""
    request: ContextVar[str] = ContextVar("request", default="none")
    log, (feed, known), told = TaskLog(), make_feed(), list[str]()
    known.listen(lambda: told.append(request.get()))
    request.set("the first")
    tasks = FeedTasks(feed, lambda: log)
    await tasks.catch_up()
    other, others = make_feed()
    telling = FeedTasks(other, lambda: log)
    note(other, others, "alice")
    await reached(lambda: len(known) == 1)
    await tasks.aclose(1.0)
    await telling.aclose(1.0)
    assert told == ["none"]


async def test_woken_from_another_thread() -> None:
    """A revocation that another thread brings is told by the loop's task at once."""
    log, (feed, known) = TaskLog(), make_feed()
    tasks = FeedTasks(feed, lambda: log)
    await tasks.catch_up()
    await asyncio.to_thread(note, feed, known, "alice")
    await reached(lambda: len(log.values) == 1)
    await tasks.aclose(1.0)


async def test_tasks_begin_again_after_a_failure(caplog: pytest.LogCaptureFixture, monkeypatch: Any) -> None:
    """A failure of whoever listens is logged without its content, and ends neither hearing nor telling."""
    monkeypatch.setattr("resource_server._runtime.feed.RESTART", 0.0)
    log, (feed, known) = TaskLog(), make_feed()
    log.error = RuntimeError("canary")
    tasks = FeedTasks(feed, lambda: log)
    note(feed, known, "alice")
    await reached(lambda: len(feed.outbox) == 0)
    await tasks.aclose(1.0)
    assert [(record.levelno, record.getMessage()) for record in caplog.records] == [
        (logging.ERROR, "revocation_feed_failed error=RuntimeError")
    ]


async def test_what_is_untold_is_told_at_the_end() -> None:
    """When a loop closes, what is in the outbox still goes out, where the log is there."""
    log, (feed, known) = TaskLog(), make_feed()
    tasks = FeedTasks(feed, lambda: log)
    note(feed, known, "alice")
    await tasks.aclose(BOUND)
    assert len(log.values) == 1


async def test_the_end_waits_for_no_log() -> None:
    """Where the log does not answer, closing takes no longer than it may."""

    class Hanging(TaskLog):
        async def perform(self, step: Read | Append) -> Page | Unavailable | None:
            await asyncio.Event().wait()
            return self.now(step)

    log, (feed, known) = Hanging(), make_feed()
    tasks = FeedTasks(feed, lambda: log)
    note(feed, known, "alice")
    started = time.monotonic()
    await tasks.aclose(0.01)
    assert time.monotonic() - started < BOUND
    assert log.closed == 1


async def test_an_outage_is_waited_out() -> None:
    """While the log is down the tasks try again, and tell when it is back."""
    log, (feed, known) = TaskLog(), make_feed()
    log.is_up = False
    tasks = FeedTasks(feed, lambda: log)
    note(feed, known, "alice")
    await tasks.catch_up()
    await reached(lambda: feed.status.cause == "connect")
    log.is_up = True
    await reached(lambda: feed.status.connected and len(feed.outbox) == 0)
    await tasks.aclose(1.0)


async def test_a_pause_that_nobody_ends(monkeypatch: Any) -> None:
    """What was told and not heard is told again after a while, without being woken."""
    monkeypatch.setattr("resource_server._validation.outbox.UNCONFIRMED", 0.01)
    log, (feed, known) = TaskLog(), make_feed()

    class Deaf(TaskLog):
        async def perform(self, step: Read | Append) -> Page | Unavailable | None:
            if isinstance(step, Read):
                await asyncio.Event().wait()
            return log.now(step)

    tasks = FeedTasks(feed, Deaf)
    note(feed, known, "alice")
    await reached(lambda: len(log.values) > 2)
    await tasks.aclose(1.0)


def test_a_loop_that_was_closed_is_not_woken() -> None:
    """A loop that ended in the middle keeps no revocation from being noted."""
    log, (feed, known) = TaskLog(), make_feed()
    loop = asyncio.new_event_loop()

    async def begin() -> FeedTasks:
        tasks = FeedTasks(feed, lambda: log)
        await tasks.catch_up()
        return tasks

    tasks = loop.run_until_complete(begin())
    rouse = feed.outbox._listeners[0]
    loop.run_until_complete(tasks.aclose(1.0))
    loop.close()
    feed.outbox.listen(rouse)
    note(feed, known, "alice")
    assert len(feed.outbox) == 1


def test_threads_tell_and_hear() -> None:
    """What one process's threads tell, another's hear; what was said before is heard first."""
    log = ThreadLog()
    (first, known), (second, heard) = make_feed(), make_feed()
    telling = FeedThreads(first, lambda: log)
    note(first, known, "alice")
    reach(lambda: len(first.outbox) == 0)
    hearing = FeedThreads(second, lambda: log)
    hearing.catch_up(BOUND)
    assert [each.value for each in heard.all()] == ["alice"]
    note(first, known, "bob")
    reach(lambda: len(heard) == 2)
    telling.close(1.0)
    hearing.close(1.0)
    reach(lambda: log.closed == 4)


def test_threads_keep_no_process_alive() -> None:
    """They are daemons, and end when they are told to."""
    log, (feed, _) = ThreadLog(), make_feed()
    threads = FeedThreads(feed, lambda: log)
    assert all(thread.daemon for thread in threads._threads)
    threads.catch_up(BOUND)
    threads.stop()
    for thread in threads._threads:
        thread.join(BOUND)
        assert not thread.is_alive()


def test_threads_begin_again_after_a_failure(caplog: pytest.LogCaptureFixture, monkeypatch: Any) -> None:
    """As for tasks."""
    monkeypatch.setattr("resource_server._runtime.thread_feed.RESTART", 0.0)
    log, (feed, known) = ThreadLog(), make_feed()
    log.error = RuntimeError("canary")
    threads = FeedThreads(feed, lambda: log)
    note(feed, known, "alice")
    reach(lambda: len(feed.outbox) == 0)
    threads.close(1.0)
    assert [record.getMessage() for record in caplog.records] == ["revocation_feed_failed error=RuntimeError"]


def test_threads_tell_what_is_untold_at_the_end() -> None:
    """As for tasks; and where the log is down that takes no longer than it may."""
    log, (feed, known) = ThreadLog(), make_feed()
    log.is_up = False
    threads = FeedThreads(feed, lambda: log)
    note(feed, known, "alice")
    reach(lambda: feed.status.cause == "connect")
    log.is_up = True
    threads.close(BOUND)
    assert len(log.values) >= 1


def test_threads_wait_without_being_woken(monkeypatch: Any) -> None:
    """As for tasks: what was told and not heard is told again after a while."""
    monkeypatch.setattr("resource_server._validation.outbox.UNCONFIRMED", 0.01)
    log, (feed, known) = ThreadLog(), make_feed()
    silence = threading.Event()

    class Deaf(ThreadLog):
        def perform(self, step: Read | Append) -> Page | Unavailable | None:
            if isinstance(step, Read):
                silence.wait(BOUND)
                return Page()
            return log.now(step)

    threads = FeedThreads(feed, Deaf)
    note(feed, known, "alice")
    reach(lambda: len(log.values) > 2)
    silence.set()
    threads.close(1.0)
