"""The access token that a resource server introspects with: the one in a file, or the one it has fetched.

References: RFC 6749 section 4.4, RFC 7662 section 2.1
"""

from __future__ import annotations

import math
from pathlib import Path

from resource_server._protocol.grammar import TOKEN68
from resource_server._validation.forks import fork_safe_lock

AHEAD = 0.8
"""The share of its lifetime after which a token in use is renewed in the background."""
RENEW_SPACING = 5.0
"""Seconds between two fetches because of refusals: where a new token is refused as well, another one will be too."""
MAX_FILE_BYTES = 65_536


def read_token(file: Path) -> str | None:
    """Read a file with an access token, or return ``None`` where there is none that can be sent."""
    try:
        with file.open("rb") as opened:
            content = opened.read(MAX_FILE_BYTES + 1).strip()
    except OSError:
        return None
    if len(content) > MAX_FILE_BYTES or TOKEN68.fullmatch(content) is None:
        return None
    return content.decode("ascii")


class OwnToken:
    """The last good token of our own; safe for threads."""

    def __init__(self) -> None:
        """Start without one."""
        self._lock = fork_safe_lock()
        self._value: str | None = None
        self._given_up: str | None = None
        self._renew_at = self._ends_at = self._refused_at = -math.inf
        self._look: tuple[int, int, int] | None = None

    def from_file(self, file: Path) -> str | None:
        """Return the token in a file, read again where the file has changed; the last good one where it cannot be.

        Args:
            file: where it is.
        """
        try:
            seen = file.stat()
        except OSError:
            return self._value
        look = (seen.st_mtime_ns, seen.st_size, seen.st_ino)
        if look != self._look:
            found = read_token(file)
            with self._lock:
                self._value, self._look = found or self._value, look
        return self._value

    def fetched(self, now: float) -> str | None:
        """Return the token that was fetched, unless it has ended.

        Args:
            now: monotonic seconds.
        """
        return self._value if now < self._ends_at else None

    def take_renewal(self, now: float) -> bool:
        """Take permission to fetch a token ahead of the end of the one in use.

        Args:
            now: monotonic seconds.
        """
        with self._lock:
            if now < self._renew_at:
                return False
            self._renew_at = now + RENEW_SPACING
            return True

    def accept(self, value: str, lifetime: float, now: float) -> None:
        """Replace the token by a newly fetched one.

        Args:
            value: the token.
            lifetime: seconds from now to its end.
            now: monotonic seconds.
        """
        with self._lock:
            self._value, self._given_up, self._ends_at = value, None, now + lifetime
            self._renew_at = now + lifetime * AHEAD

    def refuse(self, value: str, now: float) -> bool:
        """Note that a token was refused before its end, and tell whether another one may be had for it at once.

        Args:
            value: the token that was refused.
            now: monotonic seconds.
        """
        with self._lock:
            self._look = None  # the times of a file may be too coarse to tell that it has changed
            if value != self._value or value == self._given_up:
                return True  # another one is there, or on its way
            if now < self._refused_at + RENEW_SPACING:
                return False
            if self._ends_at > -math.inf:
                self._given_up = value
            self._refused_at, self._ends_at = now, -math.inf
            return True
