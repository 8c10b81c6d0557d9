"""What every answer of an authorization server is held to."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resource_server._protocol.answers import max_age, read_json_object, retry_after, status_fault
from resource_server._protocol.messages import HTTPResponse, Unavailable
from tests.support.jwt import NOW
from tests.support.local import json_response

DATE = 784_111_777.0
"""Sunday, 6 November 1994, 08:49:37 UTC: the date of RFC 9110's examples."""


@pytest.fixture(params=["UTC0", "XYZ-5", "ABC+8"])
def _time_zone(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", request.param)
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json",
        "Application/JSON",
        "application/json;charset=utf-8",
        'application/json; charset="UTF-8"',
        "application/json ; charset=utf-8 ; x=y",
        "application/json;x=charset",
    ],
)
def test_json(content_type: str) -> None:
    """RFC 8259 §8.1: JSON is UTF-8, and may say so."""
    assert read_json_object(json_response({"a": 1}, content_type=content_type), NOW) == {"a": 1}


@pytest.mark.rfc("8414-3.2-a", "7662-2.3-a", "8725-3.7-a")
@pytest.mark.attack("A-I-3")
@pytest.mark.parametrize(
    "content_type",
    [
        "text/html",
        "text/plain",
        "text/json",
        "",
        "application/json, text/html",
        "application/jsonx",
        "application/json;charset=utf-16",
        "application/json; charset=iso-8859-1",
        'application/json;CHARSET="utf-16le"',
        "application/token-introspection+jwt",
    ],
)
def test_another_content_type(content_type: str) -> None:
    """RFC 9110 §8.3: a body that says it is something else is not read as JSON."""
    assert read_json_object(json_response({"a": 1}, content_type=content_type), NOW) == Unavailable("content_type")


@pytest.mark.attack("A-I-3")
@pytest.mark.parametrize("headers", [(), (("content-type", "application/json"),) * 2])
def test_no_single_content_type(headers: tuple[tuple[str, str], ...]) -> None:
    """RFC 9110 §5.3: no content type, or two, is none that can be relied on."""
    assert read_json_object(HTTPResponse(200, headers, b"{}"), NOW) == Unavailable("content_type")


@pytest.mark.parametrize("body", [b"", b"[]", b"null", b"\xef\xbb\xbf{}", b'{"a":1,"a":1}', b"<html>", b'{"a":NaN}'])
def test_not_an_object(body: bytes) -> None:
    """A body that is not one JSON object with one meaning is an answer that cannot be relied on."""
    assert read_json_object(json_response(body), NOW) == Unavailable("not_json")


@pytest.mark.rfc("7662-2.3-a")
@pytest.mark.attack("A-I-3", "A-K-12")
@pytest.mark.parametrize(
    ("status", "fault"),
    [
        *[(status, "outage") for status in (201, 202, 204, 206, 226, 299, 408, 425, 429, 500, 501, 502, 503, 504, 599)],
        *[(status, "configuration") for status in (100, 103, 199, 300, 301, 302, 303, 304, 307, 308)],
        *[(status, "configuration") for status in (400, 401, 403, 404, 405, 410, 411, 415, 418, 451)],
    ],
)
def test_status(status: int, fault: str) -> None:
    """RFC 9110 §15: only 200 counts; what passes by itself is an outage, what waits for somebody is a wrong set-up."""
    response = json_response({"active": True}, status=status)
    expected = Unavailable(f"status_{status}", fault="outage" if fault == "outage" else "configuration")
    assert read_json_object(response, NOW) == expected
    assert status_fault(response, NOW) == expected


def waits(value: str, now: float = NOW) -> float | None:
    """Read a Retry-After field value."""
    return retry_after(HTTPResponse(503, (("retry-after", value),)), now)


@pytest.mark.rfc("9110-10.2.3-a")
@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("120", 120.0),
        (" 7 ", 7.0),
        ("0", 0.0),
        ("86400", 86_400.0),
        ("86401", 86_400.0),
        ("9" * 12, 86_400.0),
        ("9" * 400, 86_400.0),
    ],
)
def test_retry_after_seconds(value: str, seconds: float) -> None:
    """RFC 9110 §10.2.3: Retry-After is a number of seconds; we wait no longer than a day."""
    assert waits(value) == seconds


@pytest.mark.rfc("9110-10.2.3-a")
@pytest.mark.usefixtures("_time_zone")
@pytest.mark.parametrize(
    "value", ["Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"]
)
def test_retry_after_date(value: str) -> None:
    """RFC 9110 §5.6.7: or a date in one of three forms, each of them in UTC wherever this machine stands."""
    assert waits(value, DATE - 90.0) == 90.0
    assert waits(value, DATE - 90.5) == 91.0
    assert waits(value, DATE + 5.0) == 0.0
    assert waits(value, DATE - 1e7) == 86_400.0


@pytest.mark.rfc("9110-10.2.3-a")
@pytest.mark.parametrize("value", ["", "-1", "1.5", "1e3", "soon", "٣", "NaN", "inf", "Sun, 99 Nov 1994 08:49:37 GMT"])
def test_retry_after_garbage(value: str) -> None:
    """RFC 9110 §10.2.3: what is neither a number nor a date says nothing."""
    assert waits(value) is None


def test_retry_after_absent_or_repeated() -> None:
    """RFC 9110 §5.3: no field, or two, says nothing either."""
    assert retry_after(HTTPResponse(503), NOW) is None
    assert retry_after(HTTPResponse(503, (("retry-after", "1"), ("retry-after", "1"))), NOW) is None


@pytest.mark.rfc("9110-10.2.3-a")
@pytest.mark.parametrize("status", [429, 500, 503])
def test_retry_after_is_passed_on(status: int) -> None:
    """RFC 9110 §10.2.3: an outage carries the time the other side asked for."""
    response = HTTPResponse(status, (("retry-after", "7"),))
    assert status_fault(response, NOW) == Unavailable(f"status_{status}", 7.0)


@pytest.mark.rfc("9111-jwks-a")
@pytest.mark.attack("A-K-9")
@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("max-age=60", 60.0),
        ("MAX-AGE=60", 60.0),
        ("public, max-age=60 ,must-revalidate", 60.0),
        (" max-age = 60", 60.0),
        ("max-age=0", 0.0),
        ("max-age=1000000000", 1e9),
        ("max-age=99999999999999", 99_999_999_999_999.0),
        ("no-store", 0.0),
        ("max-age=60, no-cache", 0.0),
        ("no-cache=set-cookie, max-age=60", 0.0),
        ("", None),
        ("public", None),
        ("s-maxage=60", None),
        ("max-age", None),
        ("max-age=", None),
        ("max-age=NaN", None),
        ("max-age=-1", None),
        ("max-age=1.5", None),
        ("max-age=٣", None),
        ("max-age=60, max-age=60", None),
        ("max-age=60, max-age=3600", None),
    ],
)
def test_max_age(value: str, seconds: float | None) -> None:
    """RFC 9111 §5.2.2: max-age is taken where it says one thing, and is 0 where nothing may be kept."""
    assert max_age(HTTPResponse(200, (("cache-control", value),))) == seconds


def test_max_age_absent_or_repeated() -> None:
    """RFC 9111 §4.2.1: no directive, or fields in conflict, leave it to us."""
    assert max_age(HTTPResponse(200)) is None
    assert max_age(HTTPResponse(200, (("cache-control", "max-age=1"), ("cache-control", "max-age=2")))) is None


VALUES = st.text(max_size=30) | st.text("SunMoTeWdhFriatNov 0123456789:,+-GMT", max_size=40)


@given(value=VALUES, status=st.integers(100, 599), body=st.binary(max_size=10))
def test_never_raises(value: str, status: int, body: bytes) -> None:
    """Whatever headers and body an answer has, it is judged, and no time it names is negative or beyond a day."""
    names = ("retry-after", "cache-control", "content-type")
    response = HTTPResponse(status, tuple((name, value) for name in names), body)
    found = read_json_object(response, NOW)
    waited = found.retry_after if isinstance(found, Unavailable) else None
    assert waited is None or 0.0 <= waited <= 86_400.0
    assert (max_age(response) or 0.0) >= 0.0


def test_a_year_beyond_all_calendars() -> None:
    """RFC 9110 §10.2.3: a date that is none is no wish."""
    assert waits("Sun, 06 Nov 99999999999999999999 08:49:37 GMT") is None


@pytest.mark.parametrize("read", [read_json_object, status_fault])
def test_the_date_of_a_wish_is_seen_from_now(read: Any) -> None:
    """RFC 9110 §10.2.3: Retry-After may be a date, which is so many seconds from now."""
    response = HTTPResponse(503, (("retry-after", "Sun, 06 Nov 1994 08:49:37 GMT"),), b"")
    assert read(response, DATE - 7.0) == Unavailable("status_503", 7.0)
