"""Keep one event loop in touch with the other workers: two tasks, one that hears and one that tells.

Each has a log of its own, so that waiting for news keeps nothing from being told.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Callable
from contextlib import suppress
from contextvars import Context
from functools import partial
from typing import Protocol

from resource_server._protocol.messages import Unavailable
from resource_server._validation.feed import Append, Feed, Page, Pause, Read, Step, Steps

_LOGGER = logging.getLogger("resource_server")
RESTART = 1.0
"""Seconds until steps that have failed begin again."""


class Log(Protocol):
    """The log that all workers share, seen from here."""

    async def perform(self, step: Read | Append, /) -> Page | Unavailable | None:
        """Read or write. Never raises."""

    async def aclose(self) -> None:
        """Close the connection."""


class FeedTasks:
    """Carries out the steps of a feed in the running event loop.

    Args:
        feed: what hears and tells.
        open_log: opens a log.
    """

    def __init__(self, feed: Feed, open_log: Callable[[], Log]) -> None:
        """Start the tasks."""
        self._feed = feed
        self._open_log = open_log
        self._caught_up = asyncio.Event()
        loop = asyncio.get_running_loop()
        hear = partial(feed.hear, self._caught_up.set)
        # In no context: what they tell later has nothing to do with the request that happens to be the first.
        self._tasks = {loop.create_task(self._keep_on(start), context=Context()) for start in (hear, feed.tell)}

    async def catch_up(self, within: float | None = None) -> None:
        """Wait until everything that was said before has been heard, or it is known that nothing can be.

        Args:
            within: seconds it may take.
        """
        if not self._caught_up.is_set():
            with suppress(TimeoutError):
                async with asyncio.timeout(within):
                    await self._caught_up.wait()

    async def aclose(self, within: float) -> None:
        """End the tasks, and tell what is still untold if that is possible at once.

        Args:
            within: seconds it may take.
        """
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()
        if len(self._feed.outbox):
            with suppress(TimeoutError):
                async with asyncio.timeout(within):
                    await self._carry_out(self._feed.flush())

    async def _keep_on(self, start: Callable[[], Steps]) -> None:
        """Carry out steps without end; begin again should they fail."""
        while not _cancellations():
            try:
                await self._carry_out(start())
            except Exception as error:  # noqa: BLE001 - the edge: whoever listens may raise, and others must still hear
                _LOGGER.error("revocation_feed_failed error=%s", type(error).__name__)  # noqa: TRY400 - may hold data
                await asyncio.sleep(RESTART)

    async def _carry_out(self, steps: Steps) -> None:
        loop, wake, log = asyncio.get_running_loop(), asyncio.Event(), self._open_log()

        def rouse() -> None:
            with suppress(RuntimeError):  # that loop has ended
                loop.call_soon_threadsafe(wake.set)

        end = self._feed.outbox.listen(rouse)
        outcome: Page | Unavailable | None = None
        cancelled = _cancellations()
        try:
            # A client library may lose a cancellation that comes while it connects.
            while _cancellations() == cancelled:
                outcome = await _perform(log, steps.send(outcome), wake)
        except StopIteration:
            pass
        finally:
            end()
            await log.aclose()


def _cancellations() -> int:
    """Count how often this task was told to end."""
    task = asyncio.current_task()
    return 0 if task is None else task.cancelling()


async def _perform(log: Log, step: Step, wake: asyncio.Event) -> Page | Unavailable | None:
    if not isinstance(step, Pause):
        return await log.perform(step)
    if not step.wakeable:
        await asyncio.sleep(step.seconds)
        return None
    with suppress(TimeoutError):
        async with asyncio.timeout(None if math.isinf(step.seconds) else step.seconds):
            await wake.wait()
    wake.clear()
    return None
