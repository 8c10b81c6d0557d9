"""The time as the authorization server sees it: everything it computes with time asks this clock."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from mock_as.errors import UsageError


class Clock:
    """A clock that tests move instead of waiting.

    Args:
        source: what tells the real time, in seconds since the epoch.
    """

    def __init__(self, source: Callable[[], float] = time.time) -> None:
        self._source = source
        self._offset = 0.0
        self._frozen: float | None = None

    def now(self) -> float:
        """Return the time, in seconds since the epoch."""
        base = self._source() if self._frozen is None else self._frozen
        return base + self._offset

    @property
    def offset(self) -> float:
        """How far this clock is ahead of its source, in seconds; negative when it is behind."""
        return self._offset

    @property
    def frozen(self) -> bool:
        """Whether the clock stands still until it is moved."""
        return self._frozen is not None

    def advance(self, seconds: float) -> None:
        """Move the clock, which goes on from there; a frozen one stands still again.

        Args:
            seconds: how far; negative to go back.
        """
        self._offset += _finite("advance", seconds)

    def shift(self, seconds: float) -> None:
        """Set how far the clock is ahead of its source, whatever it was before.

        Args:
            seconds: the offset; negative to be behind.
        """
        self._offset = _finite("offset", seconds)

    def freeze(self, at: float | None = None) -> None:
        """Stop the clock.

        Args:
            at: the time to stop at, in seconds since the epoch; by default the time it is.
        """
        if at is None:
            self._frozen = self.now() - self._offset
        else:
            self._frozen, self._offset = _finite("freeze", at), 0.0

    def reset(self) -> None:
        """Go back to the real time."""
        self._offset, self._frozen = 0.0, None

    def dump(self) -> tuple[float, float | None]:
        """Return how far the clock has been moved, and where it stands still."""
        return self._offset, self._frozen

    def load(self, dumped: tuple[float, float | None]) -> None:
        """Go back to how the clock once was moved."""
        self._offset, self._frozen = dumped


def _finite(field: str, seconds: float) -> float:
    if not math.isfinite(seconds):
        raise UsageError(field, f"{seconds!r} is not a number of seconds")
    return float(seconds)
