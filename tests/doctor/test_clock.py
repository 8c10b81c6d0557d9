"""The doctor reads dates strictly, and where there are none it says so."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from resource_server._doctor.clock import judge_clock, skew_of
from resource_server._protocol.messages import HTTPRequest, HTTPResponse, Unavailable
from resource_server._runtime.recording import Exchanged

NOW = 1_700_000_000.0
"""Tue, 14 Nov 2023 22:13:20 GMT."""


def answered(*dates: str) -> Exchanged:
    """Return an exchange whose answer has these dates."""
    headers = tuple(("date", date) for date in dates)
    request = HTTPRequest("GET", "https://as.example.com/jwks", "jwks", 1)
    return Exchanged(request, HTTPResponse(200, headers), NOW, NOW + 0.5)


@pytest.mark.parametrize(
    ("dates", "skew"),
    [
        (("Tue, 14 Nov 2023 22:13:20 GMT",), 0.0),
        (("Tue, 14 Nov 2023 22:13:19 GMT",), 0.0),
        (("Tue, 14 Nov 2023 22:13:21 GMT",), 0.0),
        (("Tue, 14 Nov 2023 22:13:22 GMT",), 1.75),
        (("Tue, 14 Nov 2023 22:23:20 GMT",), 599.75),
        (("Tue Nov 14 22:03:20 2023",), -600.25),
        ((), None),
        (("yesterday",), None),
        (("Tue, 14 Nov 2023 22:13:20 GMT", "Tue, 14 Nov 2023 22:13:20 GMT"), None),
        (("Tue, 99 Nov 2023 22:13:20 GMT",), None),
    ],
)
def test_a_date(dates: tuple[str, ...], skew: float | None) -> None:
    """A date in any of its forms counts; what is none, or stands twice, does not."""
    assert skew_of(answered(*dates)) == skew


def test_an_answer_out_of_a_cache() -> None:
    """An answer with an age was made earlier, by whatever clock."""
    request = HTTPRequest("GET", "https://as.example.com/jwks", "jwks", 1)
    headers = (("date", "Tue, 14 Nov 2023 21:13:20 GMT"), ("age", "3600"))
    assert skew_of(Exchanged(request, HTTPResponse(200, headers), NOW, NOW)) is None


def test_no_answer() -> None:
    """Where there was no answer there is no date."""
    request = HTTPRequest("GET", "https://as.example.com/jwks", "jwks", 1)
    assert skew_of(Exchanged(request, Unavailable("timeout"), NOW, NOW)) is None


def judged(leeway: float, *dates: str) -> str:
    """Return the verdict on answers with these dates."""
    unit: dict[str, Any] = {
        "record": SimpleNamespace(exchanges=[answered(date) for date in dates]),
        "settings": SimpleNamespace(leeway=leeway),
        "clock": SimpleNamespace(wall=lambda: NOW),
    }
    [found] = judge_clock(cast("Any", SimpleNamespace(**unit)), None)
    return found.verdict


def test_the_answer_that_agrees_best_counts() -> None:
    """A cache may give an old answer with its old date; the clock is judged by the one that was made just now."""
    assert judged(0.0, "Tue, 14 Nov 2023 21:13:20 GMT", "Tue, 14 Nov 2023 22:13:20 GMT") == "ok"


@pytest.mark.parametrize(
    ("leeway", "date", "verdict"),
    [
        (0.0, "Tue, 14 Nov 2023 22:13:22 GMT", "ok"),
        (0.0, "Tue, 14 Nov 2023 22:13:40 GMT", "warning"),
        (0.0, "Tue, 14 Nov 2023 22:14:00 GMT", "failed"),
        (20.0, "Tue, 14 Nov 2023 22:13:40 GMT", "ok"),
        (20.0, "Tue, 14 Nov 2023 22:14:00 GMT", "warning"),
        (20.0, "Tue, 14 Nov 2023 22:14:20 GMT", "failed"),
    ],
)
def test_the_leeway_is_borne_first(leeway: float, date: str, verdict: str) -> None:
    """What the leeway allows is no fault; half a minute beyond it spoils few tokens, and is a warning."""
    assert judged(leeway, date) == verdict
