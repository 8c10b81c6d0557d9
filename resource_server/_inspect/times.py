"""Write moments for people: as a date, and as how long that is from now."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

TIMES = ("exp", "nbf", "iat", "auth_time", "updated_at")
"""The claims that are seconds since the epoch (RFC 7519 section 2, OpenID Connect Core 1.0)."""
_UNITS = (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1))
_SHOWN_UNITS = 2


def spell_times(members: Mapping[str, Any], now: float) -> dict[str, str]:
    """Write each claim that is a moment.

    Args:
        members: claims.
        now: seconds since the epoch.
    """
    moments = {name: members[name] for name in TIMES if name in members}
    return {
        name: spell_moment(value, now)
        for name, value in moments.items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    }


def spell_moment(moment: float, now: float) -> str:
    """Write one moment.

    Args:
        moment: seconds since the epoch.
        now: as above.
    """
    try:
        date = datetime.fromtimestamp(moment, UTC)
    except (ValueError, OverflowError, OSError):
        return "no moment that a calendar has"
    return f"{date:%Y-%m-%d %H:%M:%S} UTC ({spell_distance(moment - now)})"


def spell_distance(seconds: float) -> str:
    """Write how far a moment is away: ``in 4 min``, ``2 h 5 min ago``, ``now``."""
    left = abs(round(seconds))
    parts: list[str] = []
    for name, size in _UNITS:
        count, left = divmod(left, size)
        if count or parts:
            parts.append(f"{count} {name}")
    text = " ".join(part for part in parts[:_SHOWN_UNITS] if not part.startswith("0 "))
    if not text:
        return "now"
    return f"in {text}" if seconds > 0 else f"{text} ago"
