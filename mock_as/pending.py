"""What is under way: codes, device codes, pushed requests, sessions. Nothing of it is kept past its end."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

MOST = 100_000
"""How many values a shelf keeps, whoever may put some there; the oldest make room for more."""
_PRUNE_FROM = 1000

_Dump = dict[str, tuple[float, Any]]


class Shelf:
    """Keeps values by their keys, each for a time.

    Args:
        now: tells the time, in seconds since the epoch.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._lock = threading.Lock()
        self._entries: _Dump = {}
        self._prune_at = _PRUNE_FROM

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[str]:
        return iter(tuple(self._entries))

    def put(self, key: str, value: Any, lifetime: float) -> None:  # noqa: ANN401 - each shelf has values of its own
        """Keep a value.

        Args:
            key: its name.
            value: the value.
            lifetime: for how long, in seconds.
        """
        with self._lock:
            self._entries[key] = (self._now() + lifetime, value)
            if len(self._entries) >= self._prune_at:
                self._prune()

    def get(self, key: str) -> Any:  # noqa: ANN401 - see above
        """Return a value, or ``None`` where there is none any more."""
        end, value = self._entries.get(key, (0.0, None))
        return value if end > self._now() else None

    def pop(self, key: str) -> Any:  # noqa: ANN401 - see above
        """Take a value away and return it, or ``None`` where there is none any more."""
        with self._lock:
            end, value = self._entries.pop(key, (0.0, None))
        return value if end > self._now() else None

    def clear(self) -> None:
        """Keep nothing."""
        self.load({})

    def dump(self) -> _Dump:
        """Return everything that is kept now."""
        return dict(self._entries)

    def load(self, dumped: _Dump) -> None:
        """Keep exactly what once was kept."""
        with self._lock:
            self._entries, self._prune_at = dict(dumped), min(MOST, max(_PRUNE_FROM, 2 * len(dumped)))

    def _prune(self) -> None:
        now = self._now()
        live = [(key, entry) for key, entry in self._entries.items() if entry[0] > now]
        # To half of it, so that not every further value has to look at all the others.
        self._entries = dict(live if len(live) < MOST else live[-MOST // 2 :])
        self._prune_at = min(MOST, max(_PRUNE_FROM, 2 * len(self._entries)))


class Pending:
    """The shelves of an issuer.

    Args:
        now: tells the time, in seconds since the epoch.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self.codes = Shelf(now)
        """Authorization codes."""
        self.devices = Shelf(now)
        """Device codes, and under each user code the device code it is for."""
        self.pushed = Shelf(now)
        """Authorization requests, pushed or under the eyes of a person."""
        self.sessions = Shelf(now)
        """People who have logged in."""
        self.seen = Shelf(now)
        """The ``jti`` of assertions and proofs, none of which may come twice."""
        self.subjects = Shelf(now)
        """Who has logged in lately."""
        self.registrations = Shelf(now)
        """Clients that have registered themselves, and what they said of themselves."""

    def _shelves(self) -> tuple[Shelf, ...]:
        return (
            self.codes,
            self.devices,
            self.pushed,
            self.sessions,
            self.seen,
            self.subjects,
            self.registrations,
        )

    def reset(self) -> None:
        """Forget everything that is under way."""
        for shelf in self._shelves():
            shelf.clear()

    def dump(self) -> tuple[_Dump, ...]:
        """Return everything that is under way."""
        return tuple(shelf.dump() for shelf in self._shelves())

    def load(self, dumped: tuple[_Dump, ...]) -> None:
        """Go back to what once was under way."""
        for shelf, entries in zip(self._shelves(), dumped, strict=True):
            shelf.load(entries)
