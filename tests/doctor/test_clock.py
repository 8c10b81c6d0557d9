"""The doctor reads dates strictly, and where there are none it says so."""

from __future__ import annotations

import pytest

from resource_server._doctor.clock import skew_of
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


def test_no_answer() -> None:
    """Where there was no answer there is no date."""
    request = HTTPRequest("GET", "https://as.example.com/jwks", "jwks", 1)
    assert skew_of(Exchanged(request, Unavailable("timeout"), NOW, NOW)) is None
