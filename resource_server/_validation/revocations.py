"""What we have been told is revoked, so that a token dies now and not at the end of its time in a cache.

A revocation is stronger than every yes: one that is cached here or in the store, one that is under way, an old one
that bridges an outage, and a signature. Only of a subject, a session or a client may there be newer tokens: those are
told apart by ``iat``, and where that does not decide, by an answer that was asked for later.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, NamedTuple

from resource_server._protocol.jws import JWS
from resource_server._protocol.revocation import Revocation
from resource_server._validation.forks import fork_safe_lock
from resource_server._validation.verdict import Active
from resource_server.principal import Assurance, Claims, FrozenDict

MAX_REVOCATIONS = 100_000
"""How many are remembered; then the oldest is forgotten, which is said aloud."""
SWEEP_EVERY = 60.0
"""Seconds between two searches for those that are over."""
Listener = Callable[[], None]
Place = tuple[str, str]
"""What is revoked: the kind, and the claim's value."""
_OF_MANY = ("sub", "sid", "client_id")


class _Noted(NamedTuple):
    revocation: Revocation
    at: float
    """Monotonic seconds at which we learnt of it."""


class Revocations:
    """The revocations that still matter; safe for threads.

    Args:
        size: how many to remember.
        leeway: seconds by which the clock that dates tokens may be ahead of the one that dates revocations.
        on_full: called when one is forgotten for the first time because there are too many.
    """

    def __init__(self, size: int = MAX_REVOCATIONS, *, leeway: float = 0.0, on_full: Listener = lambda: None) -> None:
        """Start with none."""
        self._size = size
        self._on_full = on_full
        self._leeway = leeway
        self._noted: dict[tuple[str, object], _Noted] = {}
        self._listeners: dict[Place | None, dict[object, Listener]] = {}
        self._sweep_at = -math.inf
        self.lock = fork_safe_lock()
        self.forgotten = 0
        """How many were forgotten because there were too many."""

    def __len__(self) -> int:
        """Count them."""
        return len(self._noted)

    def add(self, revocation: Revocation, *, now: float, wall: float) -> bool:
        """Note a revocation, and tell who listens.

        Args:
            revocation: what is revoked.
            now: monotonic seconds.
            wall: seconds since the epoch.

        Returns:
            Whether it says anything that was not known.
        """
        place = revocation.place
        with self.lock:
            known = self._noted.get(place)
            if revocation.until <= wall or (known is not None and not revocation.adds_to(known.revocation)):
                return False
            forgets = known is None and self._make_room(wall)
            self._noted[place] = _Noted(revocation, now) if known is None else _joined(known, revocation, now)
            listeners = [*self._listeners.get(None, {}).values(), *self._listeners.get(place, {}).values()]
        if forgets and self.forgotten == 1:
            self._on_full()
        for listener in listeners:
            listener()
        return True

    def condemns(self, verdict: Active) -> bool:
        """Tell whether the token of a verdict is revoked. On the path of every request."""
        noted = self._noted
        if not noted:
            return False
        for place in places_of(verdict):
            found = noted.get(place)
            if found is not None and (place[0] not in _OF_MANY or self._outdates(found, verdict)):
                return True
        return False

    def get(self, place: Place) -> Revocation | None:
        """Return what is remembered of one place."""
        noted = self._noted.get(place)
        return None if noted is None else noted.revocation

    def noted_at(self, place: Place, *, now: float, wall: float) -> float:
        """Return the seconds since the epoch at which we learnt of one; of one that is forgotten, this moment.

        Args:
            place: what is revoked.
            now: monotonic seconds.
            wall: seconds since the epoch.
        """
        noted = self._noted.get(place)
        return wall if noted is None else wall - (now - noted.at)

    def all(self) -> list[Revocation]:
        """Return all of them, to tell others."""
        with self.lock:
            return [noted.revocation for noted in self._noted.values()]

    def listen(self, listener: Listener, *places: Place) -> Callable[[], None]:
        """Call a function after each revocation, in the thread that brought it; returns what ends that.

        The function must be quick, and must not raise.

        Args:
            listener: the function.
            places: only for the revocations of these, where any are named.
        """
        wanted, name = places or (None,), object()
        with self.lock:
            for place in wanted:
                self._listeners.setdefault(place, {})[name] = listener

        def end() -> None:
            with self.lock:
                for place in wanted:
                    held = self._listeners.get(place, {})
                    held.pop(name, None)
                    if not held:
                        self._listeners.pop(place, None)

        return end

    def _make_room(self, wall: float) -> bool:
        """Let go of what is over, now and then, and of the oldest where that was not enough."""
        if wall >= self._sweep_at:
            self._sweep_at = wall + SWEEP_EVERY
            for place in [place for place, noted in self._noted.items() if noted.revocation.until <= wall]:
                del self._noted[place]
        if len(self._noted) < self._size:
            return False
        del self._noted[next(iter(self._noted))]
        self.forgotten += 1
        return True

    def _outdates(self, noted: _Noted, verdict: Active) -> bool:
        issued_at, before = _issued_at(verdict), noted.revocation.before
        if issued_at is not None and issued_at >= before + self._leeway:
            return False
        if issued_at is not None and issued_at + 1 <= before:
            return True
        # Issued in that very second, or nobody knows when: an answer to a later question does.
        asked_later = verdict.asked_at > noted.at and verdict.principal.assurance is not Assurance.LOCAL
        return not asked_later


def places_of(verdict: Active) -> tuple[tuple[str, object], ...]:
    """Return all that a revocation may name a token by; what is no text is no place, and is found nowhere."""
    principal, own = verdict.principal, verdict.own
    sid = principal.claims.get("sid")
    named = (
        ("token", verdict.name),
        ("jti", principal.token_id),
        ("sub", principal.subject),
        ("client_id", principal.client_id),
        ("sid", sid if isinstance(sid, str) else None),
    )
    return named if own is None else (*named, *own.items())


def own_claims(jws: JWS | None, claims: Claims) -> Claims | None:
    """Return what a JWT says of itself, where the authorization server's answer says something else or nothing.

    Many servers do not repeat the token's ``jti`` or ``sid``. Nobody has vouched for these, so they can only condemn
    the token they stand in.

    Args:
        jws: the token taken apart, where it is a JWS.
        claims: what the verdict is made of.
    """
    content = None if jws is None else jws.claims()
    found = {} if content is None else dict(_differing(content, claims))
    return FrozenDict(found) if found else None


def _differing(content: dict[str, Any], claims: Claims) -> Iterator[tuple[str, Any]]:
    for name in ("jti", *_OF_MANY):
        value = content.get(name)
        if isinstance(value, str) and value != claims.get(name):
            yield name, value
    issued_at = content.get("iat")
    if isinstance(issued_at, int | float) and not isinstance(issued_at, bool) and issued_at != claims.get("iat"):
        yield "iat", issued_at


def _issued_at(verdict: Active) -> float | None:
    """Return when the token was issued: by all that is said of it, the earliest moment."""
    both = (verdict.principal.claims, verdict.own)
    said: list[float] = [claims["iat"] for claims in both if claims is not None and "iat" in claims]
    return min(said, default=None)


def _joined(known: _Noted, new: Revocation, now: float) -> _Noted:
    """Join what was known with what is new: old news that comes late takes nothing back."""
    before, until = max(known.revocation.before, new.before), max(known.revocation.until, new.until)
    at = now if before == new.before else known.at
    return _Noted(replace(new, before=before, until=until), at)
