"""Threads for what nobody waits for to the end: made when there is work, gone soon after, and no reason to stay.

They are daemons: a process that ends does not wait for an authorization server.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable
from contextvars import copy_context
from functools import partial
from threading import Condition, Event, Thread
from typing import Any, Final, TypeVar

T = TypeVar("T")
IDLE = 2.0
"""Seconds after which a thread without work ends."""
MAX_LINE = 1_000
"""How much work may stand in line; more is not taken on."""
_LOGGER = logging.getLogger("resource_server")
_NOTHING: Final = object()


class Workers:
    """A few threads and a line of bounded length.

    Args:
        most: how many threads there may be.
        line: how much work may wait for one.
    """

    def __init__(self, most: int, line: int = MAX_LINE) -> None:
        """Start without any thread."""
        self._most = most
        self._longest = line
        self._line: deque[Callable[[], object]] = deque()
        self._changed = Condition()
        self._threads = 0
        self._idle = 0

    def submit(self, work: Callable[[], object]) -> bool:
        """Have work done soon, or return ``False`` where too much waits already."""
        with self._changed:
            if len(self._line) >= self._longest:
                return False
            self._line.append(partial(copy_context().run, work))
            if self._idle >= len(self._line):
                self._changed.notify()
            elif self._threads < self._most:
                return self._hire()
            return True

    def call(self, work: Callable[[], T], deadline: float) -> T:
        """Do work in another thread, and wait for it no longer than until the deadline.

        Args:
            work: what to do; where nobody waits for it any more, it is not begun.
            deadline: monotonic seconds.

        Raises:
            TimeoutError: it is not done by then.
            Exception: whatever the work raised.
        """
        job = _Job(copy_context(), work, deadline)
        if not self.submit(job) or not job.done.wait(deadline - time.monotonic()):
            raise TimeoutError
        if job.result is _NOTHING:
            raise job.error or TimeoutError
        found: T = job.result
        return found

    def _hire(self) -> bool:
        try:
            Thread(target=self._work, name="resource-server", daemon=True).start()
        except RuntimeError:  # the interpreter ends, or the machine has no thread left
            if not self._threads:
                self._line.pop()
            return self._threads > 0
        self._threads += 1
        return True

    def _work(self) -> None:
        while (work := self._next()) is not None:
            try:
                work()
            except BaseException as error:  # noqa: BLE001 - the edge: the thread's other work must not end with this one
                # Not the traceback, nor the text: they may hold a token.
                _LOGGER.error("background_work_failed error=%s", type(error).__name__)  # noqa: TRY400 - see above

    def _next(self) -> Callable[[], object] | None:
        with self._changed:
            self._idle += 1
            try:
                self._changed.wait_for(lambda: self._line, IDLE)
            finally:
                self._idle -= 1
            if self._line:
                return self._line.popleft()
            self._threads -= 1
            return None


class _Job:
    """Work whose outcome somebody waits for, in the context of whoever that is."""

    def __init__(self, context: Any, work: Callable[[], Any], deadline: float) -> None:  # noqa: ANN401 - a Context, of any work
        self.done = Event()
        self.result: Any = _NOTHING
        self.error: Exception | None = None
        self._context = context
        self._work = work
        self._deadline = deadline

    def __call__(self) -> None:
        try:
            if time.monotonic() < self._deadline:
                self.result = self._context.run(self._work)
        except Exception as error:  # noqa: BLE001 - the edge: it is handed to the thread that waits
            self.error = error
        finally:
            self.done.set()
