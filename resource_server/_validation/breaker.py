"""Leave an endpoint alone that does not answer, and notice soon when it does again.

Closed, everybody may ask. After failures in a row it opens: for up to a second nobody asks, and callers learn in
microseconds what they would otherwise wait a deadline for. Then one caller probes; its answer closes the breaker or
opens it again. An endpoint that asks to be left alone (``Retry-After``) is left alone for that long.

Failures weigh differently. A server that is gone or hangs says so quickly; a 500 may be the doing of one token, whose
sender must not be able to turn the others away.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock

LIMIT = 20
"""The weight of failures in a row that opens the breaker."""
HANGS, GONE, ODD = 5, 2, 1
"""Weights: it did not answer in time; it cannot be reached or says it is overloaded; it answered something unusable."""
OPEN_FOR = 0.75
"""Seconds without a question at most; the half of it at least, so that a fleet does not probe in step."""
MAX_PAUSE = 60.0
"""Seconds for which an endpoint is left alone at most, however long it asked for."""


@dataclass(frozen=True, slots=True)
class BreakerStatus:
    """What a breaker has seen, in monotonic seconds; ``-inf`` for never."""

    open: bool
    retry_at: float
    last_success: float
    last_failure: float
    last_cause: str | None


class Breaker:
    """The breaker of one endpoint; safe for threads.

    Args:
        chance: a number between 0 and 1, anew with each call.
    """

    def __init__(self, chance: Callable[[], float]) -> None:
        """Start closed."""
        self._chance = chance
        self._lock = Lock()
        self._weight = 0
        self._open_until = -math.inf
        self._probing = False
        self._last_success = -math.inf
        self._last_failure = -math.inf
        self._last_cause: str | None = None

    def enter(self, now: float) -> float | None:
        """Take permission to ask; each is given back by one of ``succeed``, ``fail`` and ``leave``.

        Returns:
            ``None`` to go ahead, else the seconds after which asking makes sense.
        """
        with self._lock:
            if now < self._open_until:
                return self._open_until - now
            if self._weight >= LIMIT:
                if self._probing:
                    return OPEN_FOR
                self._probing = True
            return None

    def succeed(self, now: float) -> None:
        """Close: it answers."""
        with self._lock:
            self._weight = 0
            self._probing = False
            self._last_success = now

    def fail(self, cause: str, weight: int, now: float, pause: float | None = None) -> None:
        """Count a failure, and open where it is one too many.

        Args:
            cause: what happened, in the vocabulary of ``Unavailable``.
            weight: one of ``HANGS``, ``GONE`` and ``ODD``.
            now: monotonic seconds.
            pause: seconds the other side asked to be left alone, where it did.
        """
        with self._lock:
            self._probing = False
            self._weight = min(self._weight + weight, LIMIT)
            self._last_failure, self._last_cause = now, cause
            if self._weight >= LIMIT:
                self._open_until = max(self._open_until, now + OPEN_FOR * (1 + self._chance()) / 2)
            if pause is not None:
                self._open_until = max(self._open_until, now + min(pause, MAX_PAUSE))

    def leave(self) -> None:
        """Give permission back without having learnt anything."""
        with self._lock:
            self._probing = False

    def status(self, now: float) -> BreakerStatus:
        """Tell what has been seen."""
        with self._lock:
            is_open = now < self._open_until or self._weight >= LIMIT
            return BreakerStatus(is_open, self._open_until, self._last_success, self._last_failure, self._last_cause)
