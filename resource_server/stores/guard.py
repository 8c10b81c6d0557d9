"""What keeps a store that is down, slow or wrong from ever costing more than a moment.

A store only saves questions. So whatever is the matter with it is nobody's error: there is no answer, the breaker is
told, and for a while nobody asks. What has changed is reported once.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from concurrent.futures import Future
from typing import NamedTuple

from redis import exceptions

from resource_server._validation.breaker import GONE, ODD, Breaker, BreakerStatus
from resource_server._validation.flow import Recalled
from resource_server._validation.state import Clock

Answer = Recalled | bool | None
Report = Callable[[str | None], None]
"""Told when a store ceases to answer, with the cause, and with ``None`` when it answers again."""


TICKS = 10
"""In how many pieces a store's time passes. One that takes longer, because we are busy, counts for no more than others:
our own haste is not the store's silence."""
BUSY = 10
"""How many times its time a call may wait at most, where it is we who are busy."""
SETTLED = 1.0
"""Seconds without a failure after which a store is said to answer again: what comes and goes is told once."""


class _Fault(NamedTuple):
    cause: str
    weight: int


# Less than where a whole deadline is lost: the time is short, and a busy machine may let it pass now and then.
_TIMEOUT = _Fault("timeout", 2 * GONE)
# The first that fits: several are kinds of others.
_FAULTS: tuple[tuple[type[BaseException], _Fault], ...] = (
    (exceptions.TimeoutError, _TIMEOUT),
    (exceptions.AuthenticationError, _Fault("authentication", ODD)),
    (exceptions.AuthenticationWrongNumberOfArgsError, _Fault("authentication", ODD)),
    (exceptions.NoPermissionError, _Fault("not_permitted", ODD)),
    (exceptions.BusyLoadingError, _Fault("loading", GONE)),
    (exceptions.ReadOnlyError, _Fault("read_only", ODD)),
    (exceptions.OutOfMemoryError, _Fault("out_of_memory", ODD)),
    (exceptions.ClusterDownError, _Fault("cluster_down", GONE)),
    (exceptions.ConnectionError, _Fault("connect", GONE)),
    (exceptions.RedisClusterException, _Fault("connect", GONE)),
    (exceptions.ResponseError, _Fault("refused", ODD)),
    (OSError, _Fault("connect", GONE)),
)
_ODD = _Fault("protocol", ODD)


class Guard:
    """Admits calls to a store and judges what becomes of them; safe for threads.

    Args:
        clock: what time it is.
        report: told of changes.
    """

    def __init__(self, clock: Clock, report: Report | None = None) -> None:
        """Begin with a store that is believed to answer."""
        self._clock = clock
        self._report = report
        self._breaker = Breaker(clock.chance)
        self._is_silent = False
        self._failed_at = -math.inf

    @property
    def status(self) -> BreakerStatus:
        """What has been seen of the store."""
        return self._breaker.status(self._clock.monotonic())

    def enter(self) -> float | None:
        """Take permission to ask; ``leave`` follows in any case, after ``judge`` where something was asked.

        Returns:
            The moment, in monotonic seconds, or ``None`` where nobody is to ask now.
        """
        now = self._clock.monotonic()
        return now if self._breaker.enter(now) is None else None

    def leave(self, entered_at: float) -> None:
        """Give the permission back, whatever has come of it."""
        self._breaker.leave(entered_at)

    def judge(self, asked: asyncio.Future[Answer] | Future[Answer], entered_at: float) -> Answer:
        """Return what has been answered by now, or ``None`` for whatever is no answer.

        Args:
            asked: the call.
            entered_at: the moment of its permission.
        """
        if not asked.done():
            self._fail(_TIMEOUT, entered_at)
            return None
        if asked.cancelled():
            return None
        error = asked.exception()
        if error is not None:
            self._fail(_fault(error), entered_at)
            return None
        now = self._clock.monotonic()
        self._breaker.succeed(now)
        if now >= self._failed_at + SETTLED:
            self._tell(None)
        return asked.result()

    def _fail(self, fault: _Fault, entered_at: float) -> None:
        self._failed_at = self._clock.monotonic()
        self._breaker.fail(fault.cause, fault.weight, self._failed_at, asked_at=entered_at)
        self._tell(fault.cause)

    def _tell(self, cause: str | None) -> None:
        if self._is_silent == (cause is not None):
            return
        self._is_silent = cause is not None
        if self._report is not None:
            self._report(cause)


def cause_of(error: BaseException) -> str:
    """Name what happened."""
    return _TIMEOUT.cause if isinstance(error, TimeoutError) else _fault(error).cause


def _fault(error: BaseException) -> _Fault:
    """Name what happened, whatever it is: a store that speaks garbage makes its client fail in any way."""
    script_says = str(error) if isinstance(error, exceptions.ResponseError) else ""
    if "OOM" in script_says:
        return _Fault("out_of_memory", ODD)
    if "READONLY" in script_says:
        return _Fault("read_only", ODD)
    return next((fault for kind, fault in _FAULTS if isinstance(error, kind)), _ODD)
