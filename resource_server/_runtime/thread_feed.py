"""Keep a process of threads in touch with the other workers: two threads, one that hears and one that tells."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from functools import partial
from threading import Event, Thread
from typing import Protocol

from resource_server._protocol.messages import Unavailable
from resource_server._validation.feed import Append, Feed, Page, Pause, Read, Step, Steps

_LOGGER = logging.getLogger("resource_server")
RESTART = 1.0
"""Seconds until steps that have failed begin again."""


class BlockingLog(Protocol):
    """The log that all workers share, seen from here."""

    def perform(self, step: Read | Append, /) -> Page | Unavailable | None:
        """Read or write. Never raises."""

    def close(self) -> None:
        """Close the connection."""


class FeedThreads:
    """Carries out the steps of a feed in threads that keep no process alive. After a fork, make new ones.

    Args:
        feed: what hears and tells.
        open_log: opens a log.
    """

    def __init__(self, feed: Feed, open_log: Callable[[], BlockingLog]) -> None:
        """Start the threads."""
        self._feed = feed
        self._open_log = open_log
        self._caught_up = Event()
        self._closing = Event()
        hear = partial(feed.hear, self._caught_up.set)
        self._threads = [
            Thread(target=self._keep_on, args=(start,), name="resource-server-feed", daemon=True)
            for start in (hear, feed.tell)
        ]
        for thread in self._threads:
            thread.start()

    def catch_up(self, within: float) -> None:
        """Wait until everything that was said before has been heard, or it is known that nothing can be.

        Args:
            within: seconds it may take.
        """
        self._caught_up.wait(within)

    def stop(self) -> None:
        """End the threads; one that waits for the store ends when it has heard from it."""
        self._closing.set()
        self._feed.outbox.put([], 0.0)  # wakes who waits for something to tell

    def close(self, within: float) -> None:
        """End the threads, and tell what is still untold if that is possible at once.

        Args:
            within: seconds it may take.
        """
        self.stop()
        if len(self._feed.outbox):
            last = Thread(target=self._carry_out, args=(self._feed.flush(),), daemon=True)
            last.start()
            last.join(within)

    def _keep_on(self, start: Callable[[], Steps]) -> None:
        """Carry out steps without end; begin again should they fail."""
        while not self._closing.is_set():
            try:
                self._carry_out(start(), self._closing)
            except Exception as error:  # noqa: BLE001 - the edge: whoever listens may raise, and others must still hear
                _LOGGER.error("revocation_feed_failed error=%s", type(error).__name__)  # noqa: TRY400 - may hold data
                self._closing.wait(RESTART)

    def _carry_out(self, steps: Steps, closing: Event | None = None) -> None:
        wake, log = Event(), self._open_log()
        end = self._feed.outbox.listen(wake.set)
        outcome: Page | Unavailable | None = None
        try:
            while closing is None or not closing.is_set():
                outcome = self._perform(log, steps.send(outcome), wake)
        except StopIteration:
            pass
        finally:
            end()
            log.close()

    def _perform(self, log: BlockingLog, step: Step, wake: Event) -> Page | Unavailable | None:
        if not isinstance(step, Pause):
            return log.perform(step)
        if step.wakeable:
            wake.wait(None if math.isinf(step.seconds) else step.seconds)
            wake.clear()
        else:
            self._closing.wait(step.seconds)
        return None
