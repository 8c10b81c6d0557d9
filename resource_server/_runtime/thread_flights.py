"""Single flight for threads: one piece of work for everybody who wants the same thing at the same time.

Whoever comes first does the work, in its own thread; the others wait, each for as long as it may. A thread that does
not get to the end of the work, because it was interrupted or killed by its host, takes nobody with it: one of those
who wait does the work anew, and none sees what happened to the first. Results are handed to whoever waits and are not
kept.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable
from functools import partial
from threading import Event
from typing import Any, Final


class TooLate:
    """The outcome for whoever could wait no longer."""


TOO_LATE: Final = TooLate()
_UNFINISHED: Final = object()
_GRACE = 1.0
"""Seconds beyond its time after which a flight is given up for lost."""
Work = Callable[[float], Any]
"""Done by a deadline, in monotonic seconds."""
Launch = Callable[[Callable[[], object]], bool]
"""Has work done in another thread, or returns ``False`` where that cannot be."""


class _Flight:
    __slots__ = ("landed", "lost_at", "result")

    def __init__(self, lost_at: float) -> None:
        self.landed = Event()
        self.lost_at = lost_at
        self.result: Any = _UNFINISHED


class ThreadFlights:
    """The work in flight in one process. Without a lock of its own: each step of a dictionary is atomic.

    Args:
        longest: seconds that a piece of work may take.
    """

    def __init__(self, longest: float) -> None:
        """Start with nothing in flight."""
        self._longest = longest
        self._flights: dict[Hashable, _Flight] = {}

    def share(self, key: Hashable, work: Work, deadline: float, launch: Launch | None = None) -> Any:  # noqa: ANN401 - any result
        """Do the work under this key, or wait for the one who does it.

        Args:
            key: names the work.
            work: does it. Where it raises, whoever does it gets the exception, and nobody else.
            deadline: monotonic seconds until which to wait, or to work here.
            launch: has it done in another thread, where it is to go on when this one waits no longer.

        Returns:
            The result, or ``TOO_LATE``.
        """
        while True:
            flight, leads = self._board(key)
            if leads and (launch is None or not launch(partial(self._lead, key, flight, work))):
                return self._lead(key, flight, work, deadline)
            launch = None  # whoever takes over sees for itself what happens
            if not flight.landed.wait(deadline - time.monotonic()):
                if time.monotonic() >= flight.lost_at:
                    # Whoever led was stopped at a moment when it could not even say so.
                    self._end(key, flight)
                return TOO_LATE
            if flight.result is not _UNFINISHED:
                return flight.result

    def begin(self, key: Hashable, work: Work, launch: Launch) -> None:
        """Have the work done in another thread, unless it is under way; nobody waits for it."""
        flight, leads = self._board(key)
        if leads and not launch(partial(self._lead, key, flight, work)):
            self._end(key, flight)

    def _board(self, key: Hashable) -> tuple[_Flight, bool]:
        mine = _Flight(time.monotonic() + self._longest + _GRACE)
        flight = self._flights.setdefault(key, mine)
        return flight, flight is mine

    def _lead(self, key: Hashable, flight: _Flight, work: Work, deadline: float | None = None) -> Any:  # noqa: ANN401 - any result
        try:
            flight.result = work(time.monotonic() + self._longest if deadline is None else deadline)
        finally:
            self._end(key, flight)
        return flight.result

    def _end(self, key: Hashable, flight: _Flight) -> None:
        if self._flights.get(key) is flight:
            self._flights.pop(key, None)
        flight.landed.set()
