"""What this worker has to tell the others: it stays here until it has been read in the log that all of them share.

It holds names alone, and so no more than are remembered; what is known of each is looked up when it is told.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import islice

from resource_server._protocol.revocation import Revocation
from resource_server._validation.forks import after_fork, fork_safe_lock
from resource_server._validation.revocations import Place, Revocations

BATCH = 256
"""How many revocations are written, or read, at once."""
UNCONFIRMED = 2.0
"""Seconds after which we write again what we have written and not read."""


class Outbox:
    """What the other workers may not know yet; safe for threads.

    Args:
        revocations: what is remembered, by the same names.
    """

    def __init__(self, revocations: Revocations) -> None:
        """Start empty."""
        self._revocations = revocations
        self._due: dict[Place, float] = {}
        self._listeners: list[Callable[[], None]] = []
        self._lock = fork_safe_lock()
        after_fork(self._leave_listeners)

    def __len__(self) -> int:
        """Count what is unconfirmed."""
        return len(self._due)

    def put(self, places: list[Place], due: float) -> None:
        """Have something told from a moment on, in monotonic seconds; what is due earlier stays so."""
        with self._lock:
            for place in places:
                self._due[place] = min(due, self._due.get(place, math.inf))
            listeners = tuple(self._listeners)
        for listener in listeners:
            listener()

    def take(self, now: float) -> list[Revocation]:
        """Return a batch of what is due; it is due again a little later, unless it is confirmed."""
        found: list[Revocation] = []
        with self._lock:
            for place in list(islice((place for place, due in self._due.items() if due <= now), BATCH)):
                del self._due[place]
                revocation = self._revocations.get(place)
                if revocation is not None:
                    self._due[place] = now + UNCONFIRMED  # behind all others, where it is not looked at again for now
                    found.append(revocation)
        return found

    def next_due(self, now: float) -> float:
        """Return the seconds until something is due; infinite where there is nothing."""
        with self._lock:
            return max(0.0, min(self._due.values(), default=math.inf) - now)

    def hurry(self, now: float) -> None:
        """Have everything told now."""
        with self._lock:
            places = list(self._due)
        self.put(places, now)

    def confirm(self, heard: Revocation) -> None:
        """Take out what stands in the log."""
        with self._lock:
            known = self._revocations.get(heard.place)
            if known is None or not known.adds_to(heard):
                self._due.pop(heard.place, None)

    def listen(self, listener: Callable[[], None]) -> Callable[[], None]:
        """Call a function whenever something is put in, in whatever thread; returns what ends that."""
        with self._lock:
            self._listeners.append(listener)

        def end() -> None:
            with self._lock:
                if listener in self._listeners:
                    self._listeners.remove(listener)

        return end

    def _leave_listeners(self) -> None:
        """Leave those who listen to the process they are in: this one was forked off."""
        self._listeners = []
