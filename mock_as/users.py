"""The people who can log in, and what is said about them.

References: OpenID Connect Core 1.0 sections 5.1 and 5.4
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from mock_as.clients import DEFAULT_SCOPES
from mock_as.errors import UsageError
from mock_as.registry import Registry

CLAIMS_OF_SCOPES = {
    "profile": (
        "name",
        "family_name",
        "given_name",
        "middle_name",
        "nickname",
        "preferred_username",
        "profile",
        "picture",
        "website",
        "gender",
        "birthdate",
        "zoneinfo",
        "locale",
        "updated_at",
    ),
    "email": ("email", "email_verified"),
    "address": ("address",),
    "phone": ("phone_number", "phone_number_verified"),
}
"""What userinfo says for which scope."""
PERSONAL_CLAIMS = frozenset(name for names in CLAIMS_OF_SCOPES.values() for name in names)


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """A person."""

    sub: str
    name: str = ""
    scopes: tuple[str, ...] = DEFAULT_SCOPES
    """What may be granted in the person's name, beside the scopes of OpenID Connect."""
    claims: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """What is said about the person: userinfo says what belongs to a scope of OpenID Connect, tokens say the rest."""
    disabled: bool = False
    """Whether the person may not log in."""

    def __post_init__(self) -> None:
        """Refuse what could never work."""
        if not self.sub:
            raise UsageError("users", "a user needs a sub")

    @property
    def personal(self) -> dict[str, Any]:
        """What userinfo says, if every scope was granted."""
        named = {"name": self.name, "preferred_username": self.sub} if self.name else {}
        return {**named, **{name: value for name, value in self.claims.items() if name in PERSONAL_CLAIMS}}

    @property
    def told_to_all(self) -> dict[str, Any]:
        """What every token says that a grant issues in the person's name."""
        return {name: value for name, value in self.claims.items() if name not in PERSONAL_CLAIMS}


def claims_for(scopes: Iterable[str], claims: Mapping[str, Any]) -> dict[str, Any]:
    """Select what may be said to somebody who has scopes.

    Args:
        scopes: the scopes.
        claims: everything there is to say.
    """
    names = {name for scope in scopes for name in CLAIMS_OF_SCOPES.get(scope, ())}
    return {name: value for name, value in claims.items() if name in names}


def _ready_made(sub: str, *scopes: str, disabled: bool = False) -> User:
    claims = {
        "email": f"{sub}@example.test",
        "email_verified": True,
        "phone_number": "+1 555 0100",
        "phone_number_verified": False,
        "address": {"locality": "Springfield", "country": "US"},
    }
    return User(sub=sub, name=sub.capitalize(), scopes=scopes, claims=claims, disabled=disabled)


READY_MADE = (
    _ready_made("alice", *DEFAULT_SCOPES),
    _ready_made("bob", "read", "orders:read"),
    _ready_made("carol"),
    _ready_made("mallory", *DEFAULT_SCOPES, disabled=True),
)


def user_registry(extra: Iterable[User]) -> Registry[User]:
    """Return the people by their subjects.

    Args:
        extra: people beside the ready-made ones; one of the same subject takes its place.
    """
    return Registry({user.sub: user for user in (*READY_MADE, *extra)})
