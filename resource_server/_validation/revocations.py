"""What we have been told is revoked, so that a token dies now and not at the end of its time in a cache.

A revocation is stronger than every yes: one that is cached here or in the store, one that is under way, an old one
that bridges an outage, and a signature. Only of a subject, a session or a client may there be newer tokens: those are
told apart by ``iat``, and where that does not decide, by an answer that was asked for later.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from threading import Lock
from typing import NamedTuple

from resource_server._protocol.revocation import Revocation
from resource_server._validation.verdict import Active
from resource_server.principal import Assurance

MAX_REVOCATIONS = 100_000
"""How many are remembered; then the oldest is forgotten, which is said aloud."""
Listener = Callable[[], None]


class _Noted(NamedTuple):
    revocation: Revocation
    at: float
    """Monotonic seconds at which we learnt of it."""


class Revocations:
    """The revocations that still matter; safe for threads.

    Args:
        size: how many to remember.
    """

    def __init__(self, size: int = MAX_REVOCATIONS) -> None:
        """Start with none."""
        self._size = size
        self._noted: dict[tuple[str, str], _Noted] = {}
        self._listeners: list[Listener] = []
        self.lock = Lock()
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
        place = (revocation.kind, revocation.value)
        with self.lock:
            known = self._noted.get(place)
            if revocation.until <= wall or (known is not None and not _adds(revocation, known.revocation)):
                return False
            if len(self._noted) >= self._size and place not in self._noted:
                self._make_room(wall)
            self._noted[place] = _Noted(revocation, now)
            listeners = tuple(self._listeners)
        for listener in listeners:
            listener()
        return True

    def condemns(self, verdict: Active) -> bool:
        """Tell whether the token of a verdict is revoked. On the path of every request."""
        if not self._noted:
            return False
        principal, noted = verdict.principal, self._noted
        if ("token", verdict.name) in noted or ("jti", principal.token_id) in noted:
            return True
        claims = principal.claims
        return any(
            self._outdates(noted.get((kind, value)), verdict)
            for kind, value in (
                ("sub", principal.subject),
                ("sid", claims.get("sid")),
                ("client_id", principal.client_id),
            )
            if isinstance(value, str)
        )

    def all(self) -> Iterable[Revocation]:
        """Return all of them, to tell others."""
        with self.lock:
            return [noted.revocation for noted in self._noted.values()]

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Call a function after each revocation, in the thread that brought it; returns what ends that."""
        with self.lock:
            self._listeners.append(listener)

        def end() -> None:
            with self.lock, suppress(ValueError):
                self._listeners.remove(listener)

        return end

    def _make_room(self, wall: float) -> None:
        over = [place for place, noted in self._noted.items() if noted.revocation.until <= wall]
        for place in over:
            del self._noted[place]
        if not over:
            del self._noted[next(iter(self._noted))]
            self.forgotten += 1

    @staticmethod
    def _outdates(noted: _Noted | None, verdict: Active) -> bool:
        if noted is None:
            return False
        issued_at, before = verdict.principal.claims.get("iat"), noted.revocation.before
        if issued_at is not None and issued_at >= before:
            return False
        if issued_at is not None and issued_at + 1 <= before:
            return True
        # Issued in that very second, or nobody knows when: an answer to a later question does.
        asked_later = verdict.asked_at > noted.at and verdict.principal.assurance is Assurance.INTROSPECTED
        return not asked_later


def _adds(new: Revocation, known: Revocation) -> bool:
    return new.before > known.before or new.until > known.until
