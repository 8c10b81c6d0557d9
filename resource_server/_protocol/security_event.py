"""Judge what an authorization server tells us unasked: a Security Event Token, or a logout token.

Both are JWTs that say what has happened, and here they are reduced to what they revoke. What is revoked follows from
the token alone and not from when it came, so that one which is sent again, to this worker or another, says nothing new.

References: RFC 8417 sections 2 and 3, RFC 8935 section 2.4, OpenID Connect Back-Channel Logout 1.0 sections 2.4 and
2.6, OpenID Continuous Access Evaluation Profile 1.0, OpenID RISC Profile 1.0
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from resource_server._protocol.jws import JWS
from resource_server._protocol.revocation import Revocation
from resource_server._protocol.subject_identifier import Targets, judge_subject
from resource_server.errors import EventRefusal

LOGOUT = "http://schemas.openid.net/event/backchannel-logout"
_CAEP = "https://schemas.openid.net/secevent/caep/event-type/"
_RISC = "https://schemas.openid.net/secevent/risc/event-type/"
SESSION_REVOKED = f"{_CAEP}session-revoked"
CREDENTIAL_CHANGE = f"{_CAEP}credential-change"
REVOKING = frozenset(
    {
        SESSION_REVOKED,
        CREDENTIAL_CHANGE,
        f"{_CAEP}token-claims-change",
        f"{_RISC}account-disabled",
        f"{_RISC}account-purged",
        f"{_RISC}credential-compromise",
        f"{_RISC}sessions-revoked",
    }
)
"""The events after which the tokens of their subject are not good any more; every other event changes nothing here."""

_EVENT_TYPES = frozenset({"secevent+jwt", "application/secevent+jwt"})
# Explicit typing came late to logout tokens; the required event tells them from every other kind of JWT.
_LOGOUT_TYPES = frozenset({"logout+jwt", "application/logout+jwt", "jwt", "application/jwt", None})
_MAX_SKEW = 60.0
# A NumericDate is usually a whole number, cut off: what happened in that second may have happened at its very end.
_REST_OF_SECOND = 0.999


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeRules:
    """What a resource server demands of these tokens."""

    issuer: str
    audience: frozenset[str]
    """Our own names, our client identifier among them; empty where we have none."""
    algorithms: frozenset[str]
    memory: float
    """Seconds a token lives at most: what was revoked longer ago has ended by itself."""
    leeway: float = 0.0


def judge_notice(jws: JWS, rules: NoticeRules, now: float) -> tuple[Revocation, ...] | EventRefusal:
    """Judge a token that nobody has vouched for yet, by its ``typ`` as the one kind or the other.

    Args:
        jws: the parsed token.
        rules: what this resource server demands.
        now: seconds since the epoch.

    Returns:
        What it revokes, which may be nothing; or why it is refused.
    """
    if jws.algorithm not in rules.algorithms:
        return "invalid_key"
    claims = jws.claims()
    if claims is None:
        return "invalid_request"
    if claims.get("iss") != rules.issuer:
        return "invalid_issuer"
    if rules.audience and rules.audience.isdisjoint(_audience(claims.get("aud"))):
        return "invalid_audience"
    typ = None if jws.typ is None else jws.typ.lower()
    if not _is_well_typed(claims) or not _is_timely(claims, rules, now):
        return "invalid_request"
    found: tuple[Revocation, ...] | None = None
    if typ in _EVENT_TYPES:
        found = _judge_events(claims, rules)
    elif typ in _LOGOUT_TYPES:
        found = _judge_logout(claims, rules)
    return "invalid_request" if found is None else found


def _audience(value: object) -> list[str]:
    values: list[object] = value if isinstance(value, list) else [value]
    names = [name for name in values if isinstance(name, str)]
    return names if len(names) == len(values) else []


def _is_well_typed(claims: Mapping[str, Any]) -> bool:
    """Judge the types of what both kinds have in common; without ``iat`` nobody could tell an old one from a new."""
    token_id, events = claims.get("jti"), claims.get("events")
    if not isinstance(token_id, str) or not token_id or not isinstance(events, dict) or not events:
        return False
    texts = all(isinstance(claims[name], str) and claims[name] for name in ("sub", "sid") if name in claims)
    times = all(_is_numeric_date(claims[name]) for name in ("exp", "toe") if name in claims)
    return texts and times and _is_numeric_date(claims.get("iat")) and all(isinstance(e, dict) for e in events.values())


def _is_numeric_date(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and value >= 0


def _is_timely(claims: Mapping[str, Any], rules: NoticeRules, now: float) -> bool:
    """Refuse what has expired or comes from the future; what is merely old revokes nothing that still lives."""
    if now >= claims.get("exp", math.inf) + rules.leeway:
        return False
    issued_at: float = claims["iat"]
    return issued_at <= now + _MAX_SKEW + rules.leeway


def _judge_logout(claims: Mapping[str, Any], rules: NoticeRules) -> tuple[Revocation, ...] | None:
    """Judge a logout token; with a ``nonce`` it could be an ID token that was bent."""
    if LOGOUT not in claims["events"] or "nonce" in claims:
        return None
    moment = claims["iat"]
    if "sid" in claims:
        return _revocations((("sid", claims["sid"]),), moment, rules)
    return _revocations((("sub", claims["sub"]),), moment, rules) if "sub" in claims else None


def _judge_events(claims: Mapping[str, Any], rules: NoticeRules) -> tuple[Revocation, ...] | None:
    found: list[Revocation] = []
    for name, event in _revoking(claims["events"]):
        targets = _targets(claims, event, rules.issuer, narrow=name == SESSION_REVOKED)
        moment = event.get("event_timestamp", claims.get("toe", claims["iat"]))
        if targets is None or not _is_numeric_date(moment):
            return None
        found += _revocations(targets, min(moment, claims["iat"]), rules)
    return tuple(dict.fromkeys(found))


def _revoking(events: Mapping[str, dict[str, Any]]) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, event in events.items():
        # A credential that was added takes nothing away from anybody.
        added = name == CREDENTIAL_CHANGE and event.get("change_type") == "create"
        if name in REVOKING and not added:
            yield name, event


def _targets(claims: Mapping[str, Any], event: Mapping[str, Any], issuer: str, *, narrow: bool) -> Targets | None:
    """Find the subject: of the whole token, or where drafts had it, in the event, or the ``sub`` of any JWT."""
    for place in (claims.get("sub_id"), event.get("subject")):
        if place is not None:
            return judge_subject(place, issuer, narrow=narrow)
    return (("sub", claims["sub"]),) if "sub" in claims else None


def _revocations(targets: Targets, moment: float, rules: NoticeRules) -> tuple[Revocation, ...]:
    before = moment + _REST_OF_SECOND if moment == int(moment) else moment
    return tuple(Revocation(kind, value, before, before + rules.memory) for kind, value in targets)
