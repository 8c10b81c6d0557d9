"""Which DPoP proofs were used, so that each is good once.

A proof is remembered for as long as it could be used again. Where the memory is full, a further one is refused: to
forget one in its place would let it be used twice.

References: RFC 9449 section 11.1
"""

from __future__ import annotations

from collections import OrderedDict
from hashlib import blake2b

from resource_server._validation.forks import fork_safe_lock
from resource_server.errors import Reason

_NAME_BYTES = 16


class UsedProofs:
    """A bounded memory of names; safe for threads, and in a process that is forked off.

    Args:
        size: how many to remember.
    """

    def __init__(self, size: int) -> None:
        """Start with none."""
        self.size = size
        self._ends: OrderedDict[bytes, float] = OrderedDict()
        self.lock = fork_safe_lock()

    def __len__(self) -> int:
        """Count those that are remembered."""
        return len(self._ends)

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
            if name in self._ends:
                return "proof_replayed"
            if len(self._ends) >= self.size:
                return "too_many_proofs"
            self._ends[name] = now + ttl
            return None

    def _let_go(self, now: float) -> None:
        """Forget those that are over. All are kept for the same time, so the first ones end first."""
        while self._ends:
            name, end = next(iter(self._ends.items()))
            if now < end:
                return
            del self._ends[name]


def proof_name(thumbprint: str, proof_id: str) -> bytes:
    """Name a proof: however long its ``jti`` is, what is kept of it is not.

    Args:
        thumbprint: of the key it is signed with: nobody can use up the names of another client.
        proof_id: its ``jti``.
    """
    return blake2b(f"{thumbprint}.{proof_id}".encode(), digest_size=_NAME_BYTES).digest()
