"""What somebody was granted: remembered by codes, device codes and refresh tokens, until tokens are issued for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Granted:
    """A grant."""

    client_id: str
    grant_type: str
    sub: str | None = None
    """In whose name; ``None`` for the client itself."""
    scopes: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()
    """For which resources: RFC 8707."""
    authorization_details: tuple[Mapping[str, Any], ...] = ()
    """The details of RFC 9396."""
    nonce: str | None = None
    """What the ID token is to repeat."""
    auth_time: int | None = None
    """When the person logged in, in seconds since the epoch."""
    acr: str | None = None
    sid: str | None = None
    """The session in which it was granted."""
    claims: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """What the tokens are to say beside."""
    act: Mapping[str, Any] | None = None
    """Who acts in whose place: RFC 8693 section 4.1."""
    family: str | None = None
    """What all tokens that go back to one decision have in common, so that they can be revoked together."""
