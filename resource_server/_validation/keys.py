"""The freshness of one issuer's key set: when to fetch it again, and how long to trust the last good one.

- It is fetched when it is needed and older than its ``Cache-Control`` allows, between a floor and a ceiling. In use it
  is renewed in the background a while before that, so that no token waits for it.
- A key id that is not in it causes a fetch at once, and after that brought nothing new one more a second later; then
  one in 30 seconds. Real rotations pass without delay, or soon, and a flood of invented key ids causes no flood of
  fetches.
- A failed fetch, or a document without a usable key, changes nothing: the last good set stays and serves, and is
  tried again in the background.

References: RFC 7517 section 5, RFC 9111 section 5.2.2
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from resource_server._protocol.jwks import PublicKey
from resource_server._protocol.jws import JWS
from resource_server._protocol.messages import Unavailable
from resource_server._validation.forks import fork_safe_lock

if TYPE_CHECKING:
    from resource_server._protocol.jose import Key

MIN_FRESH, DEFAULT_FRESH, MAX_FRESH = 30.0, 300.0, 3600.0
"""Seconds: the floor, the default and the ceiling of a key set's freshness."""
AHEAD = 0.8
"""The share of its freshness after which a key set in use is renewed in the background."""
RETRY_AFTER_FAILURE, RENEW_SPACING = 1.0, 5.0
"""Seconds between attempts: after a failure, and to renew a set that is still fresh."""
FAILURE_HOLDS = 30.0
"""Seconds for which a failure tells that the next attempt will probably fail too: nobody is kept waiting for that."""
QUICK_LOOKS, QUICK_SPACING, SLOW_SPACING = 2, 1.0, 30.0
"""How many fetches for unknown key ids may bring nothing new one soon after the other, and seconds between them; then
seconds between any fetch and one more."""
MAX_LOOKS, LOOKS_WINDOW = 3, 60.0
"""How many of them there may be within how many seconds, the very first fetch of all among them."""
MAX_CANDIDATES = 4
"""How many keys are tried for one token: without a bound, its sender would decide how long that takes."""


class KeyRing:
    """The last good key set of one issuer; safe for threads."""

    def __init__(self) -> None:
        """Start without keys."""
        self._keys: tuple[PublicKey, ...] = ()
        self._imported: dict[PublicKey, Key | None] = {}
        self._first_at = -math.inf
        self._fetched_at = -math.inf
        self._fresh_until = -math.inf
        self._renew_at = -math.inf
        self._retry_at = -math.inf
        self._looks: list[float] = []
        self._looking = False
        self.fault: Unavailable | None = None
        """Why the last attempt to fetch them failed, where it did: a key that is missing here may exist."""
        self.lock = fork_safe_lock()

    @property
    def fetched_at(self) -> float:
        """Monotonic seconds at which the keys at hand came; ``-inf`` for never."""
        return self._fetched_at

    @property
    def count(self) -> int:
        """How many keys are at hand."""
        return len(self._keys)

    def usable(self, now: float, max_age: float) -> bool:
        """Tell whether there are keys that may be trusted: fresh ones, or the last good ones up to a bound.

        Args:
            now: monotonic seconds.
            max_age: seconds since they were last fetched.
        """
        return now < self._fresh_until or now - self._fetched_at <= max_age

    def needs_fetch(self, now: float, max_age: float) -> bool:
        """Tell whether a token must wait for a fetch: the set is missing or stale, and no attempt has failed just now.

        While fetches fail, the last good set serves for as long as it may be trusted. Without one that may, every
        caller may try (they share one attempt): there is nothing to serve meanwhile.

        Args:
            now: monotonic seconds.
            max_age: seconds since they were last fetched.
        """
        fails = now < self._retry_at + FAILURE_HOLDS
        return now >= self._fresh_until and not (fails and self.usable(now, max_age))

    def take_renewal(self, now: float) -> bool:
        """Take permission to fetch a set that is missing, or will soon be stale, ahead of need."""
        with self.lock:
            if now < self._renew_at:
                return False
            self._renew_at = now + RENEW_SPACING
            return True

    def may_look(self, now: float) -> bool:
        """Take permission to fetch for an unknown key id, or to wait for the fetch another one has begun."""
        with self.lock:
            if self._looking:
                return True
            self._looks = [moment for moment in self._looks if now < moment + LOOKS_WINDOW]
            if now < self._retry_at or now < self._next_look(now):
                return False
            self._looks.append(now)
            self._looking = True
            return True

    def accept(self, keys: tuple[PublicKey, ...], fresh_for: float | None, now: float) -> None:
        """Replace the set by a newly fetched one.

        Args:
            keys: at least one usable key.
            fresh_for: the ``max-age`` it came with, in seconds.
            now: monotonic seconds.
        """
        fresh = min(max(DEFAULT_FRESH if fresh_for is None else fresh_for, MIN_FRESH), MAX_FRESH)
        with self.lock:
            if not self._keys:
                self._first_at = now
            elif not set(keys) <= set(self._keys):
                self._looks.clear()  # it was no waste: the next rotation may come at once
            self._looking = False
            self.fault, self._retry_at = None, -math.inf
            self._keys = keys
            self._imported = {key: native for key, native in self._imported.copy().items() if key in keys}
            self._fetched_at = now
            self._fresh_until = now + fresh
            self._renew_at = now + fresh * AHEAD

    def fail(self, fault: Unavailable, now: float) -> None:
        """Keep what there is, and say when to try again."""
        with self.lock:
            self.fault = fault
            self._retry_at = now + RETRY_AFTER_FAILURE
            self._renew_at = max(self._retry_at, min(now + RENEW_SPACING, self._fresh_until))
            self._return_look()

    def leave(self) -> None:
        """Give permission back without having learnt anything."""
        with self.lock:
            self._return_look()

    def _next_look(self, now: float) -> float:
        """Say when an unknown key id may cause a fetch, by those it has caused lately."""
        looks = self._looks
        if len(looks) + (now < self._first_at + LOOKS_WINDOW) >= MAX_LOOKS:
            return math.inf
        if len(looks) >= QUICK_LOOKS:
            return self._fetched_at + SLOW_SPACING
        return looks[-1] + QUICK_SPACING if looks else -math.inf

    def _return_look(self) -> None:
        """Count a look that has told nothing about the unknown key as none."""
        if self._looking:
            self._looks.pop()
            self._looking = False

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

        imported = self._imported  # another thread may replace it meanwhile
        for key in keys:
            if key not in imported:
                imported[key] = jose.import_key(key)
            native = imported[key]
            if native is not None and jose.verify_signature(jws, native):
                return True
        return False
