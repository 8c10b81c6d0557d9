"""Make tokens: honest ones, and every kind of wrong one that a resource server must refuse.

References: RFC 9068 section 2
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from mock_as.errors import UsageError, unknown
from mock_as.keys import DEFAULT_ALGORITHM, KeyRing, SigningKey
from mock_as.keys.signing import generate_key
from mock_as.tokens import FORMATS, TOKEN_TYPES, TokenFormat, TokenType
from mock_as.tokens.defects import DEFECTS
from mock_as.tokens.drafts import Draft, merge


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What a token shall be; :meth:`mock_as.MockAS.token` says what each part means."""

    sub: str | None = None
    client_id: str = "svc"
    scope: str | Iterable[str] | None = "read"
    format: TokenFormat | None = None
    aud: str | Iterable[str] | None = None
    expires_in: float | None = None
    nbf_in: float | None = None
    iat_in: float | None = None
    alg: str | None = None
    claims: Mapping[str, Any] | None = None
    header: Mapping[str, Any] | None = None
    key: str | None = None
    token_type: TokenType = "Bearer"  # noqa: S105 - no secret
    cnf: Mapping[str, Any] | None = None
    active: bool | None = None
    known: bool | None = None
    id: str | None = None
    jti: str | None = None
    grant_type: str | None = None
    defect: str | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot be made."""
        for name, value, choices in (
            ("format", self.format, FORMATS),
            ("token_type", self.token_type, TOKEN_TYPES),
            ("defect", self.defect, DEFECTS),
        ):
            if value is not None and value not in choices:
                raise unknown(name, value, choices)
        if self.defect is not None and self.format == "opaque" and not self.suits_opaque:
            raise UsageError("defect", f"{self.defect!r} needs format='jwt': an opaque token has no inside")
        if self.known is False and self.active is not None:
            raise UsageError("active", "introspection says nothing about a token that is not known")

    @property
    def suits_opaque(self) -> bool:
        """Whether the token can be opaque: its defect, if any, is one that introspection can show."""
        return self.defect is None or not DEFECTS[self.defect].jwt_only


def as_audience(audience: str | Iterable[str]) -> str | list[str]:
    """Return an audience as a text, or several as a list.

    Raises:
        UsageError: there is none.
    """
    values = [audience] if isinstance(audience, str) else list(audience)
    if not values:
        raise UsageError("audience", "there must be one at least")
    return values[0] if len(values) == 1 else values


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What the server decides about a token that nobody orders."""

    issuer: str
    audience: str | list[str]
    scope: str
    lifetime: float
    now: float
    jti: str
    alg: str
    keys: KeyRing
    claims: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """What it says because of its client, or because a rule fits it."""


def draw_up(order: Order, terms: Terms) -> Draft:
    """Write everything that is in a token, wrong where its defect wants it to be.

    Args:
        order: what the token shall be.
        terms: what the server decides about it.

    Returns:
        The token, to be serialized if it is to be a JWT.

    Raises:
        UsageError: a value of the order is not one that a token can have.
    """
    key = terms.keys.signing(terms.alg) if order.key is None else _named(order.key, terms)
    draft = Draft(
        issuer=terms.issuer,
        client_id=order.client_id,
        now=int(terms.now),
        claims=_honest_claims(order, terms),
        keys=terms.keys,
        key=key,
        header={"typ": "at+jwt", "alg": key.alg, "kid": key.kid},
    )
    merge(draft.claims, terms.claims)
    _bind(draft, order)
    if order.defect is not None:
        DEFECTS[order.defect].apply(draft)
    merge(draft.claims, order.claims)
    merge(draft.header, order.header)
    return draft


def _honest_claims(order: Order, terms: Terms) -> dict[str, Any]:
    now = int(terms.now)
    claims: dict[str, Any] = {
        "iss": terms.issuer,
        "aud": terms.audience,
        "sub": order.client_id if order.sub is None else order.sub,
        "client_id": order.client_id,
        "iat": now if order.iat_in is None else _after(now, order.iat_in, "iat_in"),
        "exp": _after(now, terms.lifetime, "expires_in"),
        "jti": terms.jti,
    }
    if order.nbf_in is not None:
        claims["nbf"] = _after(now, order.nbf_in, "nbf_in")
    if terms.scope:
        claims["scope"] = terms.scope
    return claims


def _bind(draft: Draft, order: Order) -> None:
    """Bind the token to a key: to that of the order, or else to a new one that the test gets to hold.

    References: RFC 7800 section 3.1, RFC 9449 section 6
    """
    if order.cnf is not None:
        draft.claims["cnf"] = dict(order.cnf)
    elif order.token_type == "DPoP":  # noqa: S105 - no secret
        draft.proof_key = generate_key(DEFAULT_ALGORITHM)
        draft.claims["cnf"] = {"jkt": draft.proof_key.thumbprint()}


def _after(now: int, seconds: float, name: str) -> float:
    if not math.isfinite(seconds):
        raise UsageError(name, f"{seconds!r} is not a number of seconds")
    # A whole number of seconds stays an integer, as NumericDate usually is.
    return now + (int(seconds) if seconds == int(seconds) else seconds)


def _named(name: str, terms: Terms) -> SigningKey:
    if name == "unpublished":
        return terms.keys.unpublished(terms.alg)
    if name == "previous":
        return terms.keys.previous(terms.alg)
    try:
        return terms.keys.find(name)
    except UsageError:
        known = [key["kid"] for key in terms.keys.describe()]
        raise unknown("key", name, [*known, "unpublished", "previous"]) from None
