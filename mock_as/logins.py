"""A login without a browser: what a client asks for and what a person decides, in one piece.

References: RFC 6749 section 4.1
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from mock_as.errors import unknown

Choice = Literal["allow", "deny"]
"""What a person decides."""
DECISIONS: tuple[Choice, ...] = ("allow", "deny")


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """What is asked and decided; :meth:`mock_as.MockAS.authorize` says what each part means.

    Raises:
        UsageError: there is no such decision.
    """

    client_id: str
    sub: str = "alice"
    scope: str | Iterable[str] | None = None
    redirect_uri: str | None = None
    decision: Choice = "allow"
    granted_scope: str | Iterable[str] | None = None
    error: str | None = None
    claims: Mapping[str, Any] | None = None
    code_challenge: str | None = None
    parameters: Mapping[str, str] = field(default_factory=dict[str, str])
    """Further parameters of the request."""

    def __post_init__(self) -> None:
        """Refuse what nobody can decide."""
        if self.decision not in DECISIONS:
            raise unknown("decision", self.decision, DECISIONS)
