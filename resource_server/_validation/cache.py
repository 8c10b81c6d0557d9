"""Remember verdicts, bounded in number and in time.

Keys are keyed digests of the exact token (the caller makes them), so a dump of the cache holds no token. Yes and no
live in segments of their own: a flood of bad tokens cannot push out the good ones. Time to live is measured with the
monotonic clock from the moment of the answer, never from the last use.

References: RFC 7662 section 4
"""

from __future__ import annotations

import math
from threading import Lock

from cachetools import LRUCache

from resource_server._validation.verdict import Active, Inactive, Unavailable, Verdict

_Entry = tuple[float, Active | Inactive]


class VerdictCache:
    """Two least-recently-used segments; safe for threads.

    Args:
        size: how many good tokens to remember.
        ttl: seconds a yes is served without asking again; it also ends with the token's ``exp``.
        negative_size: how many bad tokens to remember.
        negative_ttl: seconds a no is served without asking again.
        stale_if_error: seconds beyond ``ttl`` for which :meth:`stale` still knows a yes.
    """

    def __init__(
        self, *, size: int, ttl: float, negative_size: int, negative_ttl: float, stale_if_error: float = 0.0
    ) -> None:
        """Start empty."""
        self._active: LRUCache[bytes, _Entry] = LRUCache(size)
        self._inactive: LRUCache[bytes, _Entry] = LRUCache(negative_size)
        self._ttl = ttl
        self._negative_ttl = negative_ttl
        self._stale_if_error = stale_if_error
        self._lock = Lock()

    def __len__(self) -> int:
        """Count the entries of both segments, also the ones past their time."""
        return len(self._active) + len(self._inactive)

    def get(self, key: bytes, now: float) -> Active | Inactive | None:
        """Return what is known and still fresh.

        Args:
            key: the token's digest.
            now: monotonic seconds.
        """
        entry: _Entry | None
        with self._lock:
            try:
                entry = self._active[key]
            except KeyError:
                entry = self._inactive.get(key)
        return entry[1] if entry is not None and now < entry[0] else None

    def stale(self, key: bytes, now: float) -> Active | None:
        """Return a yes that is past its time by no more than ``stale_if_error``."""
        with self._lock:
            entry = self._active.get(key)
        if entry is None or now >= entry[0] + self._stale_if_error or not isinstance(entry[1], Active):
            return None
        return entry[1]

    def put(self, key: bytes, verdict: Verdict, *, now: float, wall: float) -> None:
        """Remember a verdict. A no removes an earlier yes; an outage changes nothing.

        Args:
            key: the token's digest.
            verdict: what was found out.
            now: monotonic seconds.
            wall: seconds since the epoch, which ``exp`` is measured in.
        """
        if isinstance(verdict, Unavailable):
            return
        with self._lock:
            if isinstance(verdict, Inactive):
                self._active.pop(key, None)
                # A key that is unknown now may be published in a moment: that no is not worth remembering.
                if verdict.reason != "unknown_key" and self._negative_ttl > 0:
                    self._inactive[key] = (now + self._negative_ttl, verdict)
                return
            expires_at = verdict.principal.expires_at
            ttl = min(self._ttl, verdict.max_ttl, math.inf if expires_at is None else expires_at - wall)
            if ttl > 0:
                self._inactive.pop(key, None)
                self._active[key] = (now + ttl, verdict)

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._active.clear()
            self._inactive.clear()


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
        self._lock = Lock()

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
