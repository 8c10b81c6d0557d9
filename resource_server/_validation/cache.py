"""Remember verdicts, bounded in number and in time.

Keys are keyed digests of the exact token (the caller makes them), so a dump of the cache holds no token. Yes and no
live in segments of their own: a flood of bad tokens cannot push out the good ones. Time to live is measured with the
monotonic clock from the moment of the answer, never from the last use.

A yes has two ends. At the hard one it is served no more. A little before, at the soft one, the next request for it is
still served, and causes the question to be asked again in the background: a token in use never waits. Both are drawn
a little at random, so that tokens which came together do not fall due together.

References: RFC 7662 section 4
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

from cachetools import LRUCache

from resource_server._validation.forks import fork_safe_lock
from resource_server._validation.verdict import Active, Inactive, Unavailable, Verdict

JITTER = 0.05
"""The share of its time to live by which an entry may end early."""
MIN_LEAD = 0.025
"""The share of its time to live that a yes is asked about again ahead of its end, or twice as long as the last answer
took, whichever is more; never more than half."""


class Entry(NamedTuple):
    """What is known of one token."""

    soft_end: float
    """Monotonic seconds from which it is due to be found out about again."""
    hard_end: float
    """Monotonic seconds from which it is served no more."""
    verdict: Active | Inactive


class Lookups:
    """How often somebody wanted to know what is known of a token, and what was found."""

    __slots__ = ("hits", "misses", "negative_hits")

    def __init__(self) -> None:
        """Start at nothing."""
        self.hits = 0
        self.negative_hits = 0
        self.misses = 0


class VerdictCache:
    """Two least-recently-used segments; safe for threads.

    Args:
        size: how many good tokens to remember.
        ttl: seconds a yes is served without asking again; it also ends with the token's ``exp``.
        negative_size: how many bad tokens to remember.
        negative_ttl: seconds a no is served without asking again.
        stale_if_error: seconds beyond ``ttl`` for which :meth:`stale` still knows a yes.
        chance: a number between 0 and 1, anew with each call; times to live are spread by it.
    """

    def __init__(  # noqa: PLR0913 - each by name
        self,
        *,
        size: int,
        ttl: float,
        negative_size: int,
        negative_ttl: float,
        stale_if_error: float = 0.0,
        chance: Callable[[], float] = lambda: 0.0,
    ) -> None:
        """Start empty."""
        self._active: LRUCache[bytes, Entry] = LRUCache(size)
        self._inactive: LRUCache[bytes, Entry] = LRUCache(negative_size)
        self._ttl = ttl
        self._negative_ttl = negative_ttl
        self._stale_if_error = stale_if_error
        self._chance = chance
        self.lookups = Lookups()
        self.lock = fork_safe_lock()

    def __len__(self) -> int:
        """Count the entries of both segments, also the ones past their time."""
        return len(self._active) + len(self._inactive)

    def find(self, key: bytes, now: float) -> Entry | None:
        """Return what is known and still served, and count that somebody wanted to know.

        Args:
            key: the token's digest.
            now: monotonic seconds.
        """
        lookups = self.lookups
        with self.lock:
            try:
                entry = self._active[key]
            except KeyError:
                return self._find_inactive(key, now)
            if now < entry[1]:
                lookups.hits += 1
                return entry
            lookups.misses += 1
        return None

    def get(self, key: bytes, now: float) -> Active | Inactive | None:
        """Return the verdict that is known and still served; counts nothing."""
        with self.lock:
            entry = self._active.get(key) or self._inactive.get(key)
        return entry.verdict if entry is not None and now < entry.hard_end else None

    def counts(self) -> tuple[int, int]:
        """Count the good tokens and the bad ones, also the ones past their time."""
        return len(self._active), len(self._inactive)

    def take_refresh(self, key: bytes, entry: Entry) -> bool:
        """Take the permission to find out about a token ahead of its end: it is given once for each answer."""
        with self.lock:
            if self._active.get(key) is not entry:
                return False
            self._active[key] = entry._replace(soft_end=math.inf)
            return True

    def knows(self, key: bytes) -> bool:
        """Tell whether a token was good when it was last found out about."""
        with self.lock:
            return key in self._active

    def stale(self, key: bytes, now: float) -> Active | None:
        """Return a yes that is past its time by no more than ``stale_if_error``."""
        with self.lock:
            entry = self._active.get(key)
        if entry is None or now >= entry.hard_end + self._stale_if_error or not isinstance(entry.verdict, Active):
            return None
        return entry.verdict

    def put(self, key: bytes, verdict: Verdict, *, now: float, wall: float, took: float = 0.0) -> None:
        """Remember a verdict. A no removes an earlier yes; an outage changes nothing.

        Args:
            key: the token's digest.
            verdict: what was found out.
            now: monotonic seconds.
            wall: seconds since the epoch, which ``exp`` is measured in.
            took: seconds it took to find out.
        """
        if isinstance(verdict, Unavailable):
            return
        spread = 1 - JITTER * self._chance()
        with self.lock:
            if isinstance(verdict, Inactive):
                self._active.pop(key, None)
                # A key that is unknown now may be published in a moment: that no is not worth remembering.
                if verdict.reason != "unknown_key" and self._negative_ttl > 0:
                    self._inactive[key] = Entry(math.inf, now + self._negative_ttl * spread, verdict)
                return
            expires_at = verdict.principal.expires_at
            left = math.inf if expires_at is None else expires_at - wall
            ttl = min(self._ttl * spread, verdict.max_ttl, left)
            if ttl > 0:
                self._inactive.pop(key, None)
                # Where the token itself ends, asking again ahead of that changes nothing.
                lead = min(max(ttl * MIN_LEAD, 2 * took), ttl / 2) if ttl < left else -math.inf
                self._active[key] = Entry(now + ttl - lead, now + ttl, verdict)

    def retime(self, ttl: float, negative_ttl: float, stale_if_error: float) -> None:
        """Let what is remembered from now on live for another time; what is there keeps its end.

        Args:
            ttl: as for the constructor.
            negative_ttl: as above.
            stale_if_error: as above.
        """
        with self.lock:
            self._ttl, self._negative_ttl, self._stale_if_error = ttl, negative_ttl, stale_if_error

    def discard(self, key: bytes) -> None:
        """Forget what is known of one token."""
        with self.lock:
            self._active.pop(key, None)
            self._inactive.pop(key, None)

    def clear(self) -> None:
        """Forget everything."""
        with self.lock:
            self._active.clear()
            self._inactive.clear()

    def _find_inactive(self, key: bytes, now: float) -> Entry | None:
        entry = self._inactive.get(key)
        if entry is not None and now < entry.hard_end:
            self.lookups.negative_hits += 1
            return entry
        self.lookups.misses += 1
        return None


class Tombstones:
    """Tokens the authorization server has called inactive, so that no outage brings one back to life.

    A token is known by a digest of what is signed, and by its ``jti`` once its signature has been verified: an ECDSA
    signature has a twin, so the same token can be spelled in two ways.

    Args:
        size: how many to remember; the least recently used is forgotten first.
    """

    def __init__(self, size: int) -> None:
        """Start empty."""
        self._names: LRUCache[bytes | str, None] = LRUCache(size)
        self._unproven: LRUCache[bytes, None] = LRUCache(size)
        self._lock = fork_safe_lock()

    def bury(self, *names: bytes | str | None) -> None:
        """Remember a token under each of its names that is known."""
        with self._lock:
            for name in names:
                if name is not None:
                    self._names[name] = None

    def bury_unproven(self, name: bytes) -> None:
        """Remember a token whose signature nobody could verify: anybody can make these, so they push out no others."""
        with self._lock:
            self._unproven[name] = None

    def has(self, *names: bytes | str | None) -> bool:
        """Tell whether any of these was buried."""
        with self._lock:
            return any(name in self._names or name in self._unproven for name in names if name is not None)
