"""Remember the tokens for other services, bounded in number and in time.

Keys are keyed digests of what was wanted. A token is used until shortly before its end, so that it does not end on its
way.
"""

from __future__ import annotations

from typing import NamedTuple

from cachetools import LRUCache

from resource_server._validation.forks import fork_safe_lock

MARGIN, MAX_MARGIN = 0.1, 30.0
"""The share of its lifetime before its end at which a token is used no more, and seconds it is at most."""
RENEW_SPACING = 5.0
"""Seconds in which a token is exchanged anew no more than once because it was refused: another one may be, too."""


class _Entry(NamedTuple):
    value: str
    came_at: float
    ends_at: float

    def __repr__(self) -> str:
        """Show when it ends only: the value is a token."""
        return f"_Entry(ends_at={self.ends_at!r})"


class ExchangedTokens:
    """The tokens that were used last; safe for threads.

    Args:
        size: how many to remember.
    """

    def __init__(self, size: int) -> None:
        """Start with none."""
        self._entries: LRUCache[bytes, _Entry] = LRUCache(size)
        self._lock = fork_safe_lock()

    def find(self, key: bytes, now: float, refused: str | None = None) -> str | None:
        """Return a token that is good for a while.

        Args:
            key: the digest of what is wanted.
            now: monotonic seconds.
            refused: one that is not wanted again, unless it came a moment ago.
        """
        with self._lock:
            entry = self._entries.get(key)
            if entry is None or now >= entry.ends_at:
                return None
            is_refused = entry.value == refused and now >= entry.came_at + RENEW_SPACING
            return None if is_refused else entry.value

    def put(self, key: bytes, value: str, lifetime: float, now: float) -> None:
        """Keep a token.

        Args:
            key: the digest of what is wanted.
            value: the token.
            lifetime: seconds from now to its end.
            now: monotonic seconds.
        """
        with self._lock:
            self._entries[key] = _Entry(value, now, now + lifetime - min(lifetime * MARGIN, MAX_MARGIN))
