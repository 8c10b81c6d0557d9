"""What is revoked: one token, or every token of a subject, a session or a client that was issued before a moment.

References: RFC 7009, RFC 8417, OpenID Connect Back-Channel Logout 1.0
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, cast, get_args

RevocationKind = Literal["token", "jti", "sub", "sid", "client_id"]


@dataclass(frozen=True, slots=True)
class Revocation:
    """One revocation. Its value is personal data, or names a token, and so is not in the ``repr``."""

    kind: RevocationKind
    value: str = field(repr=False)
    """The claim's value; for ``token`` the hexadecimal digest that names a token in all workers."""
    before: float
    """Seconds since the epoch: tokens issued later are not meant. Without meaning for ``token`` and ``jti``."""
    until: float
    """Seconds since the epoch when the last token that is meant has ended, and this can be forgotten."""

    @property
    def place(self) -> tuple[str, str]:
        """What is revoked, whenever and however often."""
        return self.kind, self.value

    def adds_to(self, known: Revocation) -> bool:
        """Tell whether this says more than what is known of the same place."""
        return self.before > known.before or self.until > known.until

    def members(self) -> dict[str, Any]:
        """Return it as the members of a JSON object."""
        return {"kind": self.kind, "value": self.value, "before": self.before, "until": self.until}


def read_revocation(members: dict[str, Any]) -> Revocation | None:
    """Read what :meth:`Revocation.members` wrote, or return ``None`` where it is anything else.

    Further members are those of a worker that runs a later version: what is revoked is revoked all the same.
    """
    if not members.keys() >= {"kind", "value", "before", "until"}:
        return None
    kind, value, before, until = members["kind"], members["value"], members["before"], members["until"]
    well_typed = isinstance(kind, str) and kind in get_args(RevocationKind) and isinstance(value, str)
    if not well_typed or not (_is_moment(before) and _is_moment(until)):
        return None
    return Revocation(cast("RevocationKind", kind), value, before, until)


def _is_moment(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
