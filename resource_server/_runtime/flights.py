"""Single flight for tasks: one piece of work for everybody who wants the same thing at the same time.

The work is a task of its own. A caller that is cancelled stops waiting and ends nobody else's wait; a caller with a
deadline of its own gets nothing and leaves the work running for the next one. Results are handed to whoever waits and
are not kept.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Hashable
from contextlib import suppress
from typing import Any


class Flights:
    """The work in flight in one event loop."""

    def __init__(self) -> None:
        """Start with nothing in flight."""
        self._tasks: dict[Hashable, asyncio.Task[Any]] = {}

    def has(self, key: Hashable) -> bool:
        """Tell whether work is in flight under this key."""
        task = self._tasks.get(key)
        return task is not None and not task.done()

    def start(self, key: Hashable, work: Coroutine[Any, Any, Any]) -> None:
        """Start work under a key that has none in flight."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks[key] = task
        task.add_done_callback(lambda done: self._land(key, done))

    async def wait(self, key: Hashable) -> Any:  # noqa: ANN401 - any result
        """Wait for the work in flight under this key."""
        return await asyncio.shield(self._tasks[key])

    async def aclose(self) -> None:
        """Cancel what is in flight and wait until it has ended."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        for task in tasks:
            with suppress(asyncio.CancelledError):
                await task

    def _land(self, key: Hashable, task: asyncio.Task[Any]) -> None:
        if self._tasks.get(key) is task:
            del self._tasks[key]
