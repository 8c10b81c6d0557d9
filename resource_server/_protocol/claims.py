"""Judge claims: the same function for a JWT's and for those of an introspection answer.

A claim of the wrong type is never treated as an absent one: that is how checks get skipped. But an ``acr`` or an
``auth_time`` can only fulfil something, never forbid it: one of the wrong type fulfils nothing, like an absent one.

References: RFC 7519 section 4.1, RFC 7662 section 2.2, RFC 9068 sections 2.2 and 4, RFC 8725 section 3.12, RFC 9470
section 6
"""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from resource_server._protocol.grammar import is_scope_token
from resource_server.errors import Reason
from resource_server.principal import NO_CLAIMS, Assurance, Claims, FrozenDict, Principal

_MAX_IAT_SKEW = 60.0
_EARLIEST = 1.0
_MAX_SHARED = 512
_BEARER_TYPES = frozenset({"bearer", "dpop", "n_a", "access_token", "pop", "jwt", "at+jwt"})
_ACCESS_TOKEN_USES = frozenset({"access_token", "access"})
# Members that an ID token, a logout token, a security event or an introspection response has, and no access token.
_FOREIGN_MEMBERS = frozenset({"at_hash", "c_hash", "s_hash", "events", "token_introspection"})
_FOREIGN_TYPES = frozenset({"id", "refresh", "offline", "logout"})
_SHARED = frozenset({"iss", "client_id", "scope", "token_type", "aud", "azp", "tenant"})


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimRules:
    """What a resource server demands of every token."""

    issuer: str
    audience: frozenset[str] = frozenset()
    """Our own names; empty where the audience is left to the authorization server."""
    require_audience: bool = True
    """Refuse a token without ``aud``, where we have a name."""
    required: frozenset[str] = frozenset()
    """Claims that must be there."""
    scope_claims: tuple[str, ...] = ("scope",)
    """Where the scopes stand: the first of these that is there counts."""


def judge_claims(claims: Mapping[str, Any], rules: ClaimRules, assurance: Assurance) -> Principal | Reason:
    """Judge everything about claims that does not change with time.

    Args:
        claims: the members of an introspection answer, or the payload of a verified JWT.
        rules: what this resource server demands.
        assurance: who vouches for these claims.

    Returns:
        The principal, or why there is none. Its times are judged by :func:`judge_time`, on every request.
    """
    reason = _judge_kind(claims) or _judge_issuer(claims, rules) or _judge_audience(claims, rules)
    if reason is not None:
        return reason
    if not _are_well_typed(claims, rules):
        return "malformed"
    return _principal(claims, rules, assurance)


def judge_time(principal: Principal, now: float, leeway: float) -> Reason | None:
    """Judge whether this is the time to use a token.

    Args:
        principal: whom the token stands for.
        now: seconds since the epoch.
        leeway: seconds by which the clocks may differ.
    """
    if principal.expires_at is not None and now >= principal.expires_at + leeway:
        return "expired"
    if principal.not_before is not None and now < principal.not_before - leeway:
        return "not_yet_valid"
    return None


def _judge_kind(claims: Mapping[str, Any]) -> Reason | None:
    """Refuse what shows itself to be another kind of token: active, signed and ours, but no access token."""
    token_type, token_use, typ = claims.get("token_type"), claims.get("token_use"), claims.get("typ")
    if token_type is not None and not (isinstance(token_type, str) and token_type.lower() in _BEARER_TYPES):
        return "wrong_type"
    if token_use is not None and not (isinstance(token_use, str) and token_use in _ACCESS_TOKEN_USES):
        return "wrong_type"
    if isinstance(typ, str) and typ.lower() in _FOREIGN_TYPES:
        return "wrong_type"
    return None if _FOREIGN_MEMBERS.isdisjoint(claims) else "wrong_type"


def _judge_issuer(claims: Mapping[str, Any], rules: ClaimRules) -> Reason | None:
    if "iss" not in claims:
        return "wrong_issuer" if "iss" in rules.required else None
    return None if claims["iss"] == rules.issuer else "wrong_issuer"


def _judge_audience(claims: Mapping[str, Any], rules: ClaimRules) -> Reason | None:
    audience = _audience(claims.get("aud"))
    if audience is None:
        return "wrong_audience"
    if not rules.audience or ("aud" not in claims and not rules.require_audience):
        return None
    return "wrong_audience" if rules.audience.isdisjoint(audience) else None


def _audience(value: object) -> tuple[str, ...] | None:
    if value is None:
        return ()
    values = [value] if isinstance(value, str) else value
    if not isinstance(values, list) or not all(isinstance(item, str) for item in values):
        return None
    # What is shared is kept, and anybody can write a long list into a token that is not verified yet.
    return _shared_strings(tuple(values)) if sum(map(len, values)) + len(values) <= _MAX_SHARED else tuple(values)


def _are_well_typed(claims: Mapping[str, Any], rules: ClaimRules) -> bool:
    if not rules.required <= claims.keys():
        return False
    texts = (claims[name] for name in ("sub", "client_id", "jti") if name in claims)
    if not all(isinstance(value, str) for value in texts):
        return False
    times = (claims[name] for name in ("exp", "nbf", "iat") if name in claims)
    return all(_is_numeric_date(value) for value in times) and isinstance(claims.get("cnf", {}), dict)


def _is_numeric_date(value: object) -> bool:
    """A NumericDate is a number: not a string that looks like one, not a boolean, not an infinity."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        return False
    return math.isfinite(value) and value >= _EARLIEST


def _principal(claims: Mapping[str, Any], rules: ClaimRules, assurance: Assurance) -> Principal:
    acr, auth_time = claims.get("acr"), claims.get("auth_time")
    return Principal(
        subject=claims.get("sub"),
        client_id=claims.get("client_id"),
        scopes=_scopes(claims, rules.scope_claims),
        issuer=rules.issuer,
        audience=_audience(claims.get("aud")) or (),
        expires_at=claims.get("exp"),
        not_before=_not_before(claims),
        token_id=claims.get("jti"),
        acr=acr if isinstance(acr, str) else None,
        auth_time=auth_time if _is_numeric_date(auth_time) else None,
        confirmation=_confirmation(claims),
        assurance=assurance,
        claims=_read_only(claims),
    )


def _not_before(claims: Mapping[str, Any]) -> float | None:
    """Combine ``nbf`` with ``iat``, which may lie a minute ahead: clocks differ, time machines do not exist."""
    moments = [claims["nbf"]] if "nbf" in claims else []
    if "iat" in claims:
        moments.append(claims["iat"] - _MAX_IAT_SKEW)
    return max(moments, default=None)


def _confirmation(claims: Mapping[str, Any]) -> Claims | None:
    """A token that is announced as sender-constrained is bound, even where the key is not named."""
    if "cnf" in claims:
        return _read_only(claims["cnf"])
    return NO_CLAIMS if str(claims.get("token_type")).lower() in ("dpop", "pop") else None


def _scopes(claims: Mapping[str, Any], names: tuple[str, ...]) -> frozenset[str]:
    value = next((claims[name] for name in names if name in claims), None)
    if isinstance(value, str):
        return _parse_scope(value) if len(value) <= _MAX_SHARED else _parse_scope.__wrapped__(value)
    if isinstance(value, list):
        return frozenset(item for item in value if is_scope_token(item))
    return frozenset()


@lru_cache(maxsize=1024)
def _parse_scope(value: str) -> frozenset[str]:
    """Split a scope (RFC 6749 section 3.3); a whole fleet of tokens shares few of them, so the sets are shared."""
    return frozenset(token for token in value.split(" ") if is_scope_token(token))


@lru_cache(maxsize=1024)
def _shared_strings(values: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(map(sys.intern, values))


def _read_only(members: Mapping[str, Any]) -> Claims:
    """Copy JSON into values that cannot be changed, sharing the strings that many tokens have in common."""
    return FrozenDict(
        {
            sys.intern(name): sys.intern(value) if name in _SHARED and isinstance(value, str) else _frozen(value)
            for name, value in members.items()
        }
    )


def _frozen(value: Any) -> Any:  # noqa: ANN401 - JSON is any of seven types
    if isinstance(value, dict):
        return _read_only(value)
    return tuple(map(_frozen, value)) if isinstance(value, list) else value
