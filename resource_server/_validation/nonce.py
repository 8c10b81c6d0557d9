"""Nonces for DPoP proofs, made from a secret, the time and the client's key, so that none has to be remembered.

All workers with the same secret make and accept the same ones. A nonce is good in the period it was made in and in the
next one; that of a period to come is accepted as well, for another worker's clock may be ahead.

References: RFC 9449 sections 8, 9 and 11.3
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field

from resource_server._protocol.base64url import encode

_BYTES = 18
_PURPOSE = b"dpop-nonce"


@dataclass(frozen=True, slots=True)
class Nonces:
    """Makes the nonces, and knows them again."""

    secret: bytes = field(repr=False)
    """What they are made from, the same in all workers."""
    period: float
    """Seconds after which there is another one."""

    def current(self, thumbprint: str, now: float) -> str:
        """Return the nonce of this moment.

        Args:
            thumbprint: of the client's key: another client's nonce is of no use.
            now: seconds since the epoch.
        """
        return self._make(thumbprint, self._number(now))

    def accepts(self, nonce: str, thumbprint: str, now: float) -> bool:
        """Tell whether a nonce was made for this key, and not too long ago.

        Args:
            nonce: what the proof has.
            thumbprint: of the key the proof is signed with.
            now: seconds since the epoch.
        """
        given, number = nonce.encode(), self._number(now)
        good = (self._make(thumbprint, candidate) for candidate in (number, number - 1, number + 1))
        return any(hmac.compare_digest(given, candidate.encode()) for candidate in good)

    def _number(self, now: float) -> int:
        return int(now // self.period)

    def _make(self, thumbprint: str, number: int) -> str:
        content = b"%b:%d:%b" % (_PURPOSE, number, thumbprint.encode())
        return encode(hmac.digest(self.secret, content, "sha256")[:_BYTES])
