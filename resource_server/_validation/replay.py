"""Which DPoP proofs were used, so that each is good once.

A proof is remembered for as long as it could be used again: for longer where the clock that dates proofs was set back,
as that makes old ones new. Where the memory is full, a further one is refused: to forget one in its place would let it
be used twice.

References: RFC 9449 section 11.1
"""

from __future__ import annotations

import math
from hashlib import blake2b
from heapq import heappop, heappush

from resource_server._validation.forks import fork_safe_lock
from resource_server.errors import Reason

_NAME_BYTES = 16
_TOLERANCE = 0.1
"""Seconds by which two clocks that are read one after the other may seem to have moved against each other."""


class UsedProofs:
    """A bounded memory of names; safe for threads, and in a process that is forked off.

    Args:
        size: how many to remember.
    """

    def __init__(self, size: int) -> None:
        """Start with none."""
        self.size = size
        self._ends: list[tuple[float, bytes]] = []
        """A heap: the first one ends first."""
        self._names: set[bytes] = set()
        self._ahead = -math.inf
        self.lock = fork_safe_lock()

    def __len__(self) -> int:
        """Count those that are remembered."""
        return len(self._ends)

    def follow(self, ahead: float) -> None:
        """Remember what is there for longer, by as much as the clock was set back since this was called last.

        Args:
            ahead: seconds by which that clock, which dates proofs, is ahead of the monotonic one.
        """
        with self.lock:
            back = self._ahead - ahead
            if back > _TOLERANCE:
                self._ends = [(end + back, name) for end, name in self._ends]
            if not 0 <= back <= _TOLERANCE:
                self._ahead = ahead

    def add(self, name: bytes, now: float, ttl: float) -> Reason | None:
        """Remember a proof.

        Args:
            name: see :func:`proof_name`.
            now: monotonic seconds.
            ttl: seconds for which it could be used again.

        Returns:
            ``None`` where it is remembered now, else why it is to be refused.
        """
        with self.lock:
            self._let_go(now)
            if name in self._names:
                return "proof_replayed"
            if len(self._ends) >= self.size:
                return "too_many_proofs"
            self._names.add(name)
            heappush(self._ends, (now + ttl, name))
            return None

    def _let_go(self, now: float) -> None:
        """Forget those that are over."""
        while self._ends and self._ends[0][0] <= now:
            self._names.discard(heappop(self._ends)[1])


def proof_name(thumbprint: str, proof_id: str) -> bytes:
    """Name a proof: however long its ``jti`` is, what is kept of it is not.

    Args:
        thumbprint: of the key it is signed with: nobody can use up the names of another client.
        proof_id: its ``jti``.
    """
    return blake2b(f"{thumbprint}.{proof_id}".encode(), digest_size=_NAME_BYTES).digest()
