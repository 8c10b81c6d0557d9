"""The freshness of one issuer's key set: when to fetch it again, and how long to trust the last good one.

- It is fetched when it is needed and older than its ``Cache-Control`` allows, between a floor and a ceiling.
- A key id that is not in it causes a fetch at once, and after that brought nothing new one more a second later; then
  no more for a minute. Real rotations pass without delay, and a flood of invented key ids causes no flood of fetches.
- A failed fetch, or a document without a usable key, changes nothing; the last good set stays.

References: RFC 7517 section 5, RFC 9111 section 5.2.2
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from resource_server._protocol.jwks import PublicKey
from resource_server._protocol.jws import JWS
from resource_server._protocol.messages import Unavailable

if TYPE_CHECKING:
    from resource_server._protocol.jose import Key

MIN_FRESH, DEFAULT_FRESH, MAX_FRESH = 30.0, 300.0, 3600.0
"""Seconds: the floor, the default and the ceiling of a key set's freshness."""
RETRY_AFTER_FAILURE = 5.0
"""Seconds between attempts while an older set can still be used."""
FORCED_FETCHES, FORCED_WINDOW, FORCED_SPACING = 2, 60.0, 1.0
"""How many fetches for unknown key ids may bring nothing new, within how many seconds, and seconds between them."""
MAX_CANDIDATES = 4
"""How many keys are tried for one token: without a bound, its sender would decide how long that takes."""


class KeyRing:
    """The last good key set of one issuer."""

    def __init__(self) -> None:
        """Start without keys."""
        self._keys: tuple[PublicKey, ...] = ()
        self._imported: dict[PublicKey, Key | None] = {}
        self._fetched_at = -math.inf
        self._fresh_until = -math.inf
        self._retry_at = -math.inf
        self._fruitless: list[float] = []
        self._fetching = False
        self.fault: Unavailable | None = None
        """Why the last attempt to fetch them failed, where it did: a key that is missing here may exist."""

    def usable(self, now: float, max_age: float) -> bool:
        """Tell whether there are keys that may be trusted: fresh ones, or the last good ones up to a bound.

        Args:
            now: monotonic seconds.
            max_age: seconds since they were last fetched.
        """
        return now < self._fresh_until or now - self._fetched_at <= max_age

    def needs_fetch(self, now: float) -> bool:
        """Tell whether the set is missing or stale, and due for an attempt.

        Without any keys every caller may try (they share one attempt): there is nothing to serve meanwhile.
        """
        return now >= self._fresh_until and (not self._keys or now >= self._retry_at)

    def due(self, now: float) -> bool:
        """Tell whether to fetch a missing or stale set ahead of need: not right after a failure."""
        return now >= self._fresh_until and now >= self._retry_at

    def may_force(self, now: float) -> bool:
        """Take permission to fetch for an unknown key id, or to wait for the fetch another one has begun."""
        if self._fetching:
            return True
        self._fruitless = [moment for moment in self._fruitless if now < moment + FORCED_WINDOW]
        spaced = not self._fruitless or now >= self._fruitless[-1] + FORCED_SPACING
        if not spaced or len(self._fruitless) >= FORCED_FETCHES or now < self._retry_at:
            return False
        self._fruitless.append(now)
        self._fetching = True
        return True

    def accept(self, keys: tuple[PublicKey, ...], fresh_for: float | None, now: float) -> None:
        """Replace the set by a newly fetched one.

        Args:
            keys: at least one usable key.
            fresh_for: the ``max-age`` it came with, in seconds.
            now: monotonic seconds.
        """
        if not set(keys) <= set(self._keys):
            self._fruitless.clear()
        self._fetching = False
        self.fault = None
        self._keys = keys
        self._imported = {key: native for key, native in self._imported.items() if key in keys}
        self._fetched_at = now
        self._fresh_until = now + min(max(DEFAULT_FRESH if fresh_for is None else fresh_for, MIN_FRESH), MAX_FRESH)

    def fail(self, fault: Unavailable, now: float) -> None:
        """Keep what there is, and say when to try again."""
        self.fault = fault
        self._retry_at = now + RETRY_AFTER_FAILURE
        self._fruitless.clear()
        self._fetching = False

    def candidates(self, jws: JWS) -> tuple[PublicKey, ...]:
        """Select the keys that may have signed a token: of this issuer, with its key id, for its algorithm."""
        fitting = (
            key
            for key in self._keys
            if jws.algorithm in key.algorithms and (jws.key_id is None or key.key_id == jws.key_id)
        )
        return tuple(key for key, _ in zip(fitting, range(MAX_CANDIDATES), strict=False))

    def verifies(self, jws: JWS, keys: tuple[PublicKey, ...]) -> bool:
        """Tell whether one of these keys made the signature."""
        from resource_server._protocol import jose  # noqa: PLC0415 - cryptography is loaded when a JWT must be verified

        for key in keys:
            if key not in self._imported:
                self._imported[key] = jose.import_key(key)
            native = self._imported[key]
            if native is not None and jose.verify_signature(jws, native):
                return True
        return False
