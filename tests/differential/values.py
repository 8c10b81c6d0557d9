"""Values that do not belong where they are put: every JSON type, and what lies at the edges of each."""

from __future__ import annotations

from random import Random
from typing import Any

from tests.differential.draft import offset
from tests.support.jwt import REMOVED

JUNK: tuple[Any, ...] = (
    None,
    True,
    False,
    0,
    1,
    -1,
    1.5,
    1e308,
    2**53 + 1,
    "",
    " ",
    "x",
    "1700003600",
    "\u00e9\u4e2d\U0001f511",
    "nul\u0000",
    [],
    ["x"],
    [None],
    {},
    {"x": 1},
)
TIMES: tuple[float, ...] = (
    *(-1e6, -3600, -301, -300, -299, -61, -60, -59, -31, -30, -29, -1, -0.5),
    *(0, 0.5, 1, 29, 30, 31, 59, 60, 61, 89, 90, 91, 299, 300, 301, 3600, 1e6),
)
"""Seconds from now, on both sides of every limit that either judge could have."""


def junk(random: Random) -> Any:
    """Return a value of any type, or the mark of one that is taken away."""
    return random.choice((REMOVED, *JUNK))


def moment(random: Random) -> Any:
    """Return a time near a limit, or a number that is no time at all."""
    if random.random() < 0.1:
        return random.choice((0, 1, 0.5, -1, 1e20, 2**31, 2**32, 2**53, 1e-7))
    return offset(random.choice(TIMES))


def shown(value: Any) -> str:
    """Write a value into the name of a mutation."""
    return "removed" if value is REMOVED else repr(value)[:40]
