"""What happened in one request of the story, and what should have."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal

from resource_server._protocol.challenge import CHALLENGE_HEADER, Challenge, parse_challenges

Answered = Literal["AS", "cache", "JWKS", "nobody"]
"""Who told the API about a token: the authorization server, the API's memory, the key set, or nobody."""


@dataclass(frozen=True, slots=True)
class Calls:
    """What the authorization server was asked on behalf of one request, as its own journal has it."""

    introspection: int = 0
    jwks: int = 0

    def __str__(self) -> str:
        """Name the kinds that happened."""
        kinds = {"introspection": self.introspection, "jwks": self.jwks}
        return ", ".join(f"{count} {kind}" for kind, count in kinds.items() if count) or "0"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a request ended."""

    status: int
    challenge: str = ""
    """The challenge in short, or ``Retry-After``; empty where there is neither."""
    assurance: str = ""
    """How sure the API says it is of the caller; empty where it did not get to say."""
    answered: Answered
    calls: Calls | None = Calls()
    """``None`` while the authorization server is not there to be asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One request of the story."""

    request: str
    note: str
    expected: Outcome
    outcome: Outcome
    milliseconds: float

    @property
    def surprises(self) -> tuple[str, ...]:
        """Everything that is not as expected, in words."""
        names = [field.name for field in fields(Outcome)]
        pairs = [(name, getattr(self.outcome, name), getattr(self.expected, name)) for name in names]
        return tuple(f"{name} is {_shown(got)}, not {_shown(want)}" for name, got, want in pairs if got != want)

    def as_json(self) -> dict[str, Any]:
        """Return the row as JSON has it."""
        return {
            "request": self.request,
            "note": self.note,
            **asdict(self.outcome),
            "milliseconds": round(self.milliseconds, 1),
            "expected": asdict(self.expected),
            "surprises": list(self.surprises),
        }


def _shown(value: object) -> str:
    return "none" if value in ("", None) else str(value)


def describe_challenge(headers: Mapping[str, str]) -> str:
    """Say in short what a response asks of the client.

    Args:
        headers: the response's, with names in lower case.
    """
    if CHALLENGE_HEADER in headers:
        return "; ".join(map(_describe, parse_challenges(headers[CHALLENGE_HEADER])))
    return f"Retry-After: {headers['retry-after']}" if "retry-after" in headers else ""


def _describe(challenge: Challenge) -> str:
    """Shorten a challenge to its error code, or to its scheme where it has none, and the scope it names."""
    params = challenge.params
    scope = f" scope={params['scope']}" if "scope" in params else ""
    return params.get("error", challenge.scheme.capitalize()) + scope


def who_answered(assurance: str, calls: Calls | None, *, remembered: bool) -> Answered:
    """Tell who decided about the token of a request.

    Args:
        assurance: how sure the API said it was, if it did.
        calls: what the authorization server was asked meanwhile.
        remembered: an earlier request with this token was decided by somebody, so that the API may know it.
    """
    asked = calls or Calls()
    if remembered and asked == Calls():
        return "cache"
    if assurance == "local":
        return "JWKS"
    return "AS" if asked.introspection else "nobody"
