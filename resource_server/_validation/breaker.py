"""Leave an endpoint alone that does not answer, and notice soon when it does again.

Closed, everybody may ask. After failures in a row it opens: for half a second nobody asks, and callers learn in
microseconds what they would otherwise wait a deadline for. Then one caller probes; its answer closes the breaker or
opens it again, and where it brings none in that time, the next caller probes. An endpoint that asks to be left alone
(``Retry-After``) is left alone for that long.

Failures weigh differently. A server that is gone or hangs says so quickly. A 500 may be the doing of one token, whose
sender must not be able to turn the others away: asked again, the same question counts no second time. And a failure
counts only where nothing newer is known: not after an answer to a later question, nor after the breaker has opened.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from resource_server._validation.forks import fork_safe_lock

LIMIT = 20
"""The weight of failures in a row that opens the breaker."""
HANGS, GONE, ODD = 10, 2, 1
"""Weights: it did not answer in time; it cannot be reached or says it is overloaded; it answered something unusable."""
OPEN_FOR = 0.6
"""Seconds without a question at most; two thirds of it at least, so that a fleet does not probe in step."""
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
        self._lock = fork_safe_lock()
        self._weight = 0
        self._odd: set[int] = set()
        self._opened_at = -math.inf
        self._open_until = -math.inf
        self._probe: float | None = None
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
                if self._probe is not None and now < self._probe + OPEN_FOR:
                    return self._probe + OPEN_FOR - now
                self._probe = now
            return None

    def succeed(self, now: float) -> None:
        """Close: it answers."""
        with self._lock:
            self._weight = 0
            self._odd.clear()
            self._probe = None
            self._last_success = now

    def fail(  # noqa: PLR0913 - what is known of a failure, each by name
        self,
        cause: str,
        weight: int,
        now: float,
        *,
        asked_at: float | None = None,
        pause: float | None = None,
        question: int | None = None,
    ) -> None:
        """Count a failure, and open where it is one too many.

        Args:
            cause: what happened, in the vocabulary of ``Unavailable``.
            weight: ``HANGS``, ``GONE``, ``ODD``, or another.
            now: monotonic seconds.
            asked_at: the moment of ``enter``; now, where not given.
            pause: seconds the other side asked to be left alone, where it did.
            question: what was asked, where that may be the cause of an answer that is ``ODD``.
        """
        began = now if asked_at is None else asked_at
        with self._lock:
            self._give_back(self._probe if asked_at is None else asked_at)
            self._last_failure, self._last_cause = now, cause
            if pause is not None:
                self._open_until = max(self._open_until, now + min(pause, MAX_PAUSE))
            if began < max(self._last_success, self._opened_at) or not self._is_new(weight, question):
                return
            self._weight = min(self._weight + weight, LIMIT)
            if self._weight >= LIMIT:
                self._opened_at = now
                self._open_until = max(self._open_until, now + OPEN_FOR * (2 + self._chance()) / 3)

    def leave(self, asked_at: float | None = None) -> None:
        """Give permission back without having learnt anything.

        Args:
            asked_at: the moment of ``enter``; where it is not given, the right to probe is given back in any case.
        """
        with self._lock:
            self._give_back(self._probe if asked_at is None else asked_at)

    def status(self, now: float) -> BreakerStatus:
        """Tell what has been seen."""
        with self._lock:
            is_open = now < self._open_until or self._weight >= LIMIT
            return BreakerStatus(is_open, self._open_until, self._last_success, self._last_failure, self._last_cause)

    def _give_back(self, asked_at: float | None) -> None:
        if self._probe == asked_at:
            self._probe = None

    def _is_new(self, weight: int, question: int | None) -> bool:
        """Tell whether a failure says more than the ones before it."""
        if weight != ODD or question is None:
            return True
        if question in self._odd:
            return False
        if len(self._odd) < LIMIT:
            self._odd.add(question)
        return True
