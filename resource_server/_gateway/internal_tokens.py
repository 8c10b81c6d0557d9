"""Tokens of the gateway's own: what the application behind it gets in place of the caller's token.

They are access tokens like any other, so whatever verifies those of an authorization server verifies these too. The
caller's own token ends at the gateway.

References: RFC 9068 sections 2 and 4, RFC 7517 section 5, RFC 8693 section 4.1, RFC 9493
sections 3.2.3 and 4.1
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from secrets import token_urlsafe
from typing import TYPE_CHECKING, Any

from resource_server._protocol.base64url import encode
from resource_server.principal import Principal

if TYPE_CHECKING:
    from resource_server._protocol.jose import SigningKey

LIFETIME = 300
"""Seconds that a token of ours lasts, unless the caller's ends before."""


class InternalTokens:
    """Makes tokens for one audience.

    Args:
        keys: the first one signs, all are published: so a new one can be known everywhere before it signs.
        issuer: who they are from: the gateway, by its URL.
        audience: whom they are for: the applications behind it.
    """

    def __init__(self, keys: Sequence[SigningKey], issuer: str, audience: str) -> None:
        """Write the header, which is the same for all."""
        self._key = keys[0]
        self._issuer, self._audience = issuer, audience
        self._header = _part({"typ": "at+jwt", "alg": self._key.algorithm, "kid": _name(self._key)})
        published = [key.public() | {"kid": _name(key), "alg": key.algorithm, "use": "sig"} for key in keys]
        self.key_set = json.dumps({"keys": published}).encode("ascii")
        """The JWK Set to publish."""

    def mint(self, principal: Principal, now: float) -> tuple[bytes, float]:
        """Make a token that says who is calling.

        Args:
            principal: who was let in.
            now: seconds since the epoch.

        Returns:
            The token, and when it ends in seconds since the epoch.
        """
        ends_at = int(min(now + LIFETIME, principal.expires_at or now + LIFETIME))
        claims = {
            "iss": self._issuer,
            "aud": self._audience,
            "sub": principal.subject or principal.client_id,
            "client_id": principal.client_id or principal.subject,
            "scope": " ".join(sorted(principal.scopes)),
            "iat": int(now),
            "exp": ends_at,
            "jti": token_urlsafe(16),
            "acr": principal.acr,
            "auth_time": None if principal.auth_time is None else int(principal.auth_time),
            "act": principal.claims.get("act"),
            "sub_id": _whose(principal),
        }
        content = self._header + b"." + _part({name: value for name, value in claims.items() if value is not None})
        return content + b"." + encode(self._key.sign(content)).encode("ascii"), float(ends_at)


def _whose(principal: Principal) -> dict[str, str] | None:
    """Say whose subject it is: two authorization servers may give one name to two people."""
    if principal.issuer is None or principal.subject is None:
        return None
    return {"format": "iss_sub", "iss": principal.issuer, "sub": principal.subject}


def _name(key: SigningKey) -> str:
    return key.key_id or key.thumbprint


def _part(members: dict[str, Any]) -> bytes:
    return encode(json.dumps(members, separators=(",", ":")).encode("ascii")).encode("ascii")
