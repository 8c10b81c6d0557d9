"""What somebody wants revoked, as what is remembered of it.

References: RFC 7009 section 2.1, RFC 7519 section 4.1.7
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime
from typing import cast

from resource_server._protocol.jws import JWS
from resource_server._protocol.revocation import Revocation, RevocationKind
from resource_server._validation.decrypt import find_jwt
from resource_server._validation.state import IssuerState
from resource_server._validation.verdict import Active
from resource_server._validation.verify_jwt import judge_content, judge_signature
from resource_server.principal import Principal

Moment = float | datetime
"""Seconds since the epoch, or a moment with a time zone."""


def read_demand(
    named: Mapping[str, object], before: object, *, now: float, memory: float
) -> tuple[RevocationKind, str | bytes, float]:
    """Judge what a caller wants revoked.

    Args:
        named: the five things that can be named, of which one is not ``None``.
        before: seconds since the epoch, or a moment with a time zone.
        now: seconds since the epoch.
        memory: seconds for which a revocation matters at most.

    Returns:
        What is named, its value, and the moment before which tokens are meant, in seconds since the epoch.

    Raises:
        TypeError: not exactly one thing is named, or it is not text, or ``before`` is given for one token.
        ValueError: a value is empty, or ``before`` is no moment that can be meant.
    """
    given = [(kind, value) for kind, value in named.items() if value is not None]
    if len(given) != 1:
        raise TypeError(f"revoke() takes exactly one of {', '.join(named)}")
    [(kind, value)] = given
    if not isinstance(value, str) and not (kind == "token" and isinstance(value, bytes)):
        raise TypeError(f"{kind} must be a str, not {type(value).__name__}")
    if not value:
        raise ValueError(f"{kind} must not be empty")
    if before is None:
        # A token names the second in which it was issued: this one counts as before.
        return cast("RevocationKind", kind), value, math.floor(now) + 1
    if kind in {"token", "jti"}:
        raise TypeError(f"before has no meaning for {kind}")
    return cast("RevocationKind", kind), value, _moment(before, now + memory)


def _moment(before: object, latest: float) -> float:
    if isinstance(before, datetime):
        if before.tzinfo is None:
            raise ValueError("before must name its time zone")
        before = before.timestamp()
    if isinstance(before, bool) or not isinstance(before, int | float):
        raise TypeError("before must be seconds since the epoch or a datetime")
    if not math.isfinite(before) or before > latest:
        raise ValueError(f"before must be seconds since the epoch that are not far ahead, not {before!r}")
    return before


def revoke_token(state: IssuerState, token: bytes, key: bytes, *, now: float, memory: float) -> list[Revocation]:
    """Return what is to be remembered of one token, and forget that it was good.

    Its ``jti`` is believed only where the authorization server or the signature vouches for it, or anybody could have
    somebody else's token revoked.

    Args:
        state: the issuer.
        token: the access token.
        key: its digest.
        now: seconds since the epoch.
        memory: seconds for which a revocation matters at most.
    """
    jws = find_jwt(state, token)
    name = (key if jws is None else state.digest(jws.signing_input)).hex()
    principal = _vouched_for(state, jws, key)
    state.cache.discard(key)
    until = now + memory
    if principal is not None and principal.expires_at is not None:
        until = min(until, _end(principal.expires_at, jws) + state.policy.leeway + 1)
    revoked = [Revocation("token", name, now, until)]
    if principal is not None and principal.token_id is not None:
        revoked.append(Revocation("jti", principal.token_id, now, until))
    return revoked


def _end(expires_at: float, jws: JWS | None) -> float:
    """Return when the token ends: in an outage it is good for as long as it says, and not as the server said."""
    content = None if jws is None else jws.claims()
    own = None if content is None else content.get("exp")
    return max(expires_at, own) if isinstance(own, int | float) else expires_at


def _vouched_for(state: IssuerState, jws: JWS | None, key: bytes) -> Principal | None:
    """Return whom the token stands for, where somebody has said so: it is not said here that it is still good."""
    known = state.cache.get(key, state.clock.monotonic())
    if isinstance(known, Active):
        return known.principal
    content = None if jws is None else judge_content(state, jws)
    if jws is None or not isinstance(content, Principal):
        return None
    return content if isinstance(judge_signature(state, jws, content), Active) else None
