"""An introspection answer that the authorization server has signed, so that it holds whoever has passed it on.

What is refused here is a fault of configuration and never an outage: the answer has come, and is not the one that was
agreed on. Nothing is let in because of it. Whoever can put another answer in the place of the right one can keep that
back as well, which is an outage and treated as one; by writing an answer he gains nothing that silence would not bring
him.

References: RFC 9701 sections 4, 5 and 8, RFC 8725 sections 3.1, 3.8, 3.9 and 3.11
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from resource_server._protocol.demand import Demand
from resource_server._protocol.jws import JWS
from resource_server._protocol.messages import Unavailable

MEDIA_TYPE = "application/token-introspection+jwt"
TYP = "token-introspection+jwt"
MAX_AGE, MAX_AHEAD = 60.0, 60.0
"""Seconds between the signature and now. The answer to this question has just been made: an older one is another
question's. Nothing in it names the question, so that for as long an old yes could be shown again."""
_TIMES = (("iat", None), ("nbf", -math.inf), ("exp", math.inf))
_ACCEPT: Mapping[Demand, str] = {
    "off": "application/json",
    "optional": f"{MEDIA_TYPE}, application/json;q=0.5",
    "required": MEDIA_TYPE,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerRules:
    """What is demanded of a signed answer."""

    issuer: str
    own_names: frozenset[str]
    """What it may call us."""
    algorithms: frozenset[str]
    leeway: float = 0.0
    """Seconds by which the clocks may differ."""


def accepted_media_types(mode: Demand) -> str:
    """Write the ``Accept`` field that asks for the kind of answer that is wanted (RFC 9701 section 4)."""
    return _ACCEPT[mode]


def refused(cause: str) -> Unavailable:
    """Say why an answer is not the one that was agreed on."""
    return Unavailable(cause, fault="configuration")


def judge_signed_answer(jws: JWS, rules: AnswerRules, now: float) -> dict[str, Any] | Unavailable:
    """Judge what a signed answer says of itself, before anybody has vouched for it.

    Args:
        jws: the answer, taken apart.
        rules: what is demanded of it.
        now: seconds since the epoch.

    Returns:
        What it says about the token, below ``token_introspection``; whatever stands beside that says nothing about it.
    """
    if jws.typ is None or jws.typ.lower().removeprefix("application/") != TYP:
        return refused("answer_wrong_type")
    if jws.algorithm not in rules.algorithms:
        return refused("answer_algorithm")
    claims = jws.claims() or {}
    cause = _judge_claims(claims, rules, now)
    if cause is not None:
        return refused(cause)
    members = claims.get("token_introspection")
    return members if isinstance(members, dict) else refused("answer_not_nested")


def _judge_claims(claims: Mapping[str, Any], rules: AnswerRules, now: float) -> str | None:
    if claims.get("iss") != rules.issuer:
        return "answer_wrong_issuer"
    if not _is_for(claims.get("aud"), rules.own_names):
        return "answer_wrong_audience"
    return None if _is_timely(claims, rules.leeway, now) else "answer_stale"


def _is_for(audience: object, own_names: frozenset[str]) -> bool:
    values = audience if isinstance(audience, list) else [audience]
    return all(isinstance(value, str) for value in values) and not own_names.isdisjoint(values)


def _is_timely(claims: Mapping[str, Any], leeway: float, now: float) -> bool:
    """Tell whether an answer was made just now, and may be used now where it says when that is."""
    issued_at, not_before, expires_at = (claims.get(name, default) for name, default in _TIMES)
    if not all(
        isinstance(time, int | float) and not isinstance(time, bool) for time in (issued_at, not_before, expires_at)
    ):
        return False
    is_recent: bool = now - MAX_AGE - leeway <= issued_at <= now + MAX_AHEAD + leeway
    return is_recent and not_before <= now + MAX_AHEAD + leeway and now < expires_at + leeway
