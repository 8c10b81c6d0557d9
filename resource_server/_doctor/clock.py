"""Compare our clock with that of the authorization server: by the dates of its answers, and of a token.

References: RFC 9110 section 6.6.1, RFC 7519 sections 4.1.4 to 4.1.6
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Any

from resource_server._doctor.finding import Finding, broken, fine, odd, passed_over
from resource_server._doctor.unit import Unit
from resource_server._protocol.messages import HTTPResponse
from resource_server._runtime.recording import Exchanged

PRECISION = 2.0
"""Seconds that a date may be wrong by itself: it has no fractions, and was under way."""
BEARABLE = 30.0
"""Seconds of difference beyond the leeway that spoil a few tokens only: those that were issued just now."""
_MEND = "let both machines take their time from the same servers (NTP)"


def judge_clock(unit: Unit, claims: Mapping[str, Any] | None) -> list[Finding]:
    """Judge what the answers so far, and a token, say of the time.

    Args:
        unit: the authorization server.
        claims: those of a token that it has issued a moment ago or earlier, where there is one.
    """
    skews = [skew for exchanged in unit.record.exchanges if (skew := skew_of(exchanged)) is not None]
    future = _future(claims, unit.clock.wall())
    if future > unit.settings.leeway + PRECISION and future > max(map(abs, skews), default=0.0):
        return [_judge(unit, future, "by the token, which was issued later than it is here")]
    if not skews:
        return [passed_over("clock", "no answer of the authorization server has a date")]
    return [_judge(unit, min(skews, key=abs), "by the dates of its answers")]


def skew_of(exchanged: Exchanged) -> float | None:
    """Return the seconds by which the other clock is ahead; ``None`` where the answer has no date."""
    if not isinstance(exchanged.outcome, HTTPResponse) or exchanged.outcome.header("age") is not None:
        return None  # with an age it comes out of a cache, and was made earlier
    try:
        moment = parsedate_to_datetime(exchanged.outcome.header("date") or "")
        date = (moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None
    if exchanged.asked_at - 1 <= date <= exchanged.answered_at + 1:
        return 0.0
    return date - (exchanged.asked_at + exchanged.answered_at) / 2


def _future(claims: Mapping[str, Any] | None, now: float) -> float:
    """Return the seconds by which a token comes from the future."""
    moments = [(claims or {}).get(name) for name in ("iat", "nbf")]
    return max((moment - now for moment in moments if isinstance(moment, int | float)), default=0.0)


def _judge(unit: Unit, skew: float, how: str) -> Finding:
    leeway = unit.settings.leeway
    if abs(skew) <= leeway + PRECISION:
        return fine("clock", "our clock and that of the authorization server agree")
    direction = "ahead of" if skew > 0 else "behind"
    says = f"the clock of the authorization server is {_spell(abs(skew))} {direction} ours, {how}"
    if abs(skew) <= leeway + BEARABLE:
        return odd("clock", says, f"{_MEND}, or set RESOURCE_SERVER_LEEWAY={abs(skew):.0f}")
    return broken("clock", says, _MEND)


def _spell(seconds: float) -> str:
    minutes, left = divmod(round(seconds), 60)
    return f"{minutes} min {left} s" if minutes else f"{left} s"
