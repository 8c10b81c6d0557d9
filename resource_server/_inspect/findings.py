"""What an inspection finds: the signature, the authorization server's answer, each rung of the ladder, the decision."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from resource_server._inspect.reading import Reading

NAMES = frozenset(
    {
        *("token", "signature", "introspection", "ladder", "decision", "note"),
        *("kind", "length", "says", "header", "claims", "times"),
        *("verdict", "key_id", "status", "answer", "rung", "outcome"),
        *("error", "reason", "assurance", "challenge"),
    }
)
"""The names of all members below."""
RungName = Literal["extract", "introspect", "verify", "fallback", "admit", "authorize"]
Outcome = Literal["passed", "refused", "unanswered", "not needed", "not reached"]


@dataclass(frozen=True, slots=True)
class Rung:
    """One step from a request to a decision."""

    name: RungName
    outcome: Outcome
    says: str

    def as_json(self) -> dict[str, str]:
        """Return it as JSON has it."""
        return {"rung": self.name, "outcome": self.outcome, "says": self.says}


@dataclass(frozen=True, slots=True)
class Signature:
    """What the published keys say of a JWT."""

    verdict: Literal["verified", "wrong", "unknown key", "not looked at"]
    says: str
    key_id: str | None = None
    """Of the key that has made it."""


@dataclass(frozen=True, slots=True)
class Introspection:
    """What the authorization server says of a token."""

    status: int | None
    """Of its answer; ``None`` where there was none."""
    says: str
    answer: dict[str, Any] | None = field(default=None, repr=False)
    times: dict[str, str] = field(default_factory=dict[str, str])
    """Those of its members that are moments, for people."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What a caller with this token would get."""

    status: int
    error: str | None = None
    reason: str | None = None
    """Why it is refused, for us and not for the caller."""
    assurance: str | None = None
    """Who vouches for the token, where it is accepted."""
    challenge: str | None = None
    """The ``WWW-Authenticate`` field of the refusal."""


@dataclass(frozen=True, slots=True)
class Inspection:
    """Everything that was found out about a token."""

    token: Reading
    signature: Signature | None = None
    introspection: Introspection | None = None
    ladder: tuple[Rung, ...] = ()
    decision: Decision | None = None
    """``None`` where nobody was asked."""
    note: str | None = None
    """Why something is missing, where something is."""

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return {
            "token": self.token.as_json(),
            "signature": None if self.signature is None else asdict(self.signature),
            "introspection": None if self.introspection is None else asdict(self.introspection),
            "ladder": [rung.as_json() for rung in self.ladder],
            "decision": None if self.decision is None else asdict(self.decision),
            "note": self.note,
        }
