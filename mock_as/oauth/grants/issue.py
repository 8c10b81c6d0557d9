"""Issue tokens for what was granted: the one place where a grant of any type becomes an answer of the token endpoint.

References: RFC 6749 section 5.1, RFC 8707, RFC 9396 section 7, OpenID Connect Core 1.0 section 2
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from mock_as.base64url import base64url
from mock_as.granted import Granted
from mock_as.issuer import Issuer
from mock_as.tokens import Token, TokenFormat
from mock_as.tokens.drafts import as_scope
from mock_as.tokens.minting import Order
from mock_as.tokens.store import TokenRecord

REFRESH_LIFETIME = 30 * 24 * 3600
"""How long refresh tokens live, in seconds; one that replaces another lives as long anew."""
ID_TOKEN_LIFETIME = 3600
"""How long ID tokens live, in seconds."""

_TOKEN_BYTES = 32
_ID_BYTES = 16


def issue(  # noqa: PLR0913 - each is something that an answer may have
    issuer: Issuer,
    granted: Granted,
    *,
    confirmation: Mapping[str, str] | None = None,
    refresh: bool = False,
    id_token: bool = False,
    token_format: TokenFormat | None = None,
) -> dict[str, Any]:
    """Issue tokens.

    Args:
        issuer: who issues them.
        granted: what for.
        confirmation: the key that the access token is bound to, as its ``cnf`` has it.
        refresh: whether there is a refresh token as well.
        id_token: whether there is an ID token as well.
        token_format: the format of the access token; by default as the resource, the client or the server has it.

    Returns:
        The answer of the token endpoint.
    """
    if refresh and granted.family is None:
        granted = replace(granted, family=issuer.chance.text(_ID_BYTES))
    token = issuer.mint(_order(granted, confirmation, token_format))
    record = issuer.tokens.get(token.value)
    if record is not None and granted.family is not None:
        record.granted = granted
    document = _described(token, confirmation)
    if granted.authorization_details:
        document["authorization_details"] = [dict(detail) for detail in granted.authorization_details]
    if refresh:
        document["refresh_token"] = issue_refresh_token(issuer, granted, confirmation)
    if id_token:
        document["id_token"] = _id_token(issuer, granted, token)
    return document


def issue_refresh_token(issuer: Issuer, granted: Granted, confirmation: Mapping[str, str] | None) -> str:
    """Issue a refresh token.

    Args:
        issuer: who issues it.
        granted: what tokens can be had for it.
        confirmation: the key that it is bound to, if its client is a public one.

    Returns:
        The token, which is opaque.
    """
    now, jti = int(issuer.clock.now()), issuer.chance.text(_ID_BYTES)
    claims: dict[str, Any] = {
        "iss": issuer.issuer,
        # Nobody but the server itself is to take it.
        "aud": issuer.issuer,
        "sub": granted.client_id if granted.sub is None else granted.sub,
        "client_id": granted.client_id,
        "iat": now,
        "exp": now + REFRESH_LIFETIME,
        "jti": jti,
    }
    if granted.scopes:
        claims["scope"] = as_scope(granted.scopes)
    if granted.sid is not None:
        claims["sid"] = granted.sid
    if confirmation:
        claims["cnf"] = dict(confirmation)
    token = Token(
        issuer.chance.text(_TOKEN_BYTES), id=f"refresh-{jti}", format="opaque", jti=jti, claims=claims, header={}
    )
    record = TokenRecord(token, client_id=granted.client_id, expires_at=claims["exp"], not_before=None)
    record.kind, record.granted = "refresh_token", granted
    issuer.tokens.add(record)
    return token.value


def revoke_family(issuer: Issuer, family: str) -> int:
    """Revoke every token that goes back to one decision.

    Args:
        issuer: who issued them.
        family: what they have in common, as :attr:`mock_as.granted.Granted.family` says it.

    Returns:
        How many there were.
    """
    records = [record for record in issuer.tokens.select() if record.granted and record.granted.family == family]
    for record in records:
        record.revoke(issuer.clock.now())
    return len(records)


def _order(granted: Granted, confirmation: Mapping[str, str] | None, token_format: TokenFormat | None) -> Order:
    return Order(
        sub=granted.sub,
        client_id=granted.client_id,
        scope=granted.scopes,
        aud=granted.resources or None,
        format=token_format,
        grant_type=granted.grant_type,
        claims=_claims(granted, confirmation) or None,
    )


def _claims(granted: Granted, confirmation: Mapping[str, str] | None) -> dict[str, Any]:
    claims = dict(granted.claims)
    for name in ("auth_time", "acr", "sid", "act"):
        value = getattr(granted, name)
        if value is not None:
            claims[name] = value
    details = [dict(detail) for detail in granted.authorization_details if _is_for(detail, granted.resources)]
    if details:
        claims["authorization_details"] = details
    if confirmation:
        claims["cnf"] = dict(confirmation)
    return claims


def _is_for(detail: Mapping[str, Any], resources: tuple[str, ...]) -> bool:
    """Tell whether a detail is for a token's audience: RFC 9396 section 9.1."""
    locations = detail.get("locations")
    if not resources or not isinstance(locations, list):
        return True  # it may be used anywhere
    return any(location in resources for location in locations)


def _described(token: Token, confirmation: Mapping[str, str] | None) -> dict[str, Any]:
    document: dict[str, Any] = {
        "access_token": token.value,
        "token_type": "DPoP" if confirmation and "jkt" in confirmation else "Bearer",
    }
    issued, expires = token.claims.get("iat"), token.claims.get("exp")
    if isinstance(issued, (int, float)) and isinstance(expires, (int, float)):
        document["expires_in"] = int(expires - issued)
    scope = token.claims.get("scope")
    if scope:
        # A rule of a test may have made anything of it.
        document["scope"] = " ".join(map(str, scope)) if isinstance(scope, list) else str(scope)
    return document


def _id_token(issuer: Issuer, granted: Granted, token: Token) -> str:
    now = int(issuer.clock.now())
    claims: dict[str, Any] = {
        **granted.claims,
        "iss": issuer.issuer,
        "sub": granted.client_id if granted.sub is None else granted.sub,
        "aud": granted.client_id,
        "iat": now,
        "exp": now + ID_TOKEN_LIFETIME,
        "at_hash": _left_half(token.value),
    }
    for name in ("nonce", "auth_time", "acr", "sid"):
        value = getattr(granted, name)
        if value is not None:
            claims[name] = value
    return issuer.keys.signing().jwt("JWT", claims)


def _left_half(token: str) -> str:
    """Hash a token as ``at_hash`` wants it: OpenID Connect Core 1.0 section 3.1.3.6."""
    digest = hashlib.sha256(token.encode()).digest()
    return base64url(digest[: len(digest) // 2])
