"""A token in the making.

References: RFC 9068 section 2, RFC 7515 section 7.1
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from mock_as.base64url import base64url
from mock_as.errors import UsageError
from mock_as.keys import KeyRing
from mock_as.keys.signing import SigningKey

_encode = json.JSONEncoder(separators=(",", ":")).encode


def encode_claims(claims: Mapping[str, Any], name: str = "claims") -> bytes:
    """Write claims, or a header, as JSON.

    Args:
        claims: the members.
        name: what they are, for the message of the error.

    Raises:
        UsageError: JSON has no such value.
    """
    try:
        return _encode(claims).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise UsageError(name, f"cannot be written as JSON: {error}") from error


def merge(members: dict[str, Any], overrides: Mapping[str, Any] | None) -> None:
    """Let the test have the last word.

    Args:
        members: the claims or the header, changed in place.
        overrides: what to set; ``None`` as a value removes a member.
    """
    for name, value in (overrides or {}).items():
        if value is None:
            members.pop(name, None)
        else:
            members[name] = value


def as_scope(scope: str | Iterable[str] | None) -> str:
    """Return scopes as the one text that a token has them in."""
    return scope if isinstance(scope, str) else " ".join(scope or ())


@dataclass(slots=True, kw_only=True)
class Draft:
    """A token in the making; a defect changes whatever part of it is to be wrong."""

    issuer: str
    client_id: str
    now: int
    claims: dict[str, Any]
    keys: KeyRing
    key: SigningKey
    proof_key: SigningKey | None = None
    """The key of the client that the token is bound to."""
    header: dict[str, Any] = field(default_factory=dict[str, Any])
    sign: Callable[[bytes], bytes] | None = None
    payload: Callable[[dict[str, Any]], bytes] = encode_claims
    segments: Callable[[list[str]], list[str]] | None = None
    text: Callable[[str], str] | None = None

    def serialize(self) -> str:
        """Return the JWT as it is sent."""
        message = f"{base64url(encode_claims(self.header, 'header'))}.{base64url(self.payload(self.claims))}"
        signature = base64url((self.sign or self.key.sign)(message.encode()))
        jwt = f"{message}.{signature}"
        if self.segments is not None:
            jwt = ".".join(self.segments(jwt.split(".")))
        return jwt if self.text is None else self.text(jwt)
