"""What happened in a request of the demo, judged against what should have."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from resource_server._demo.rows import Answered, Calls, Outcome, Row, describe_challenge, who_answered

GOOD = Outcome(status=200, assurance="introspected", answered="AS", calls=Calls(introspection=1))
ASKED = Calls(introspection=1)


def row(expected: Outcome, outcome: Outcome) -> Row:
    """Return a row of the story."""
    return Row(request="GET /orders", note="", expected=expected, outcome=outcome, milliseconds=1.25)


@pytest.mark.parametrize(
    ("headers", "described"),
    [
        pytest.param({}, "", id="none"),
        pytest.param({"www-authenticate": 'Bearer realm="api"'}, "Bearer", id="bare"),
        pytest.param({"www-authenticate": 'Bearer realm="api", scope="a b"'}, "Bearer scope=a b", id="bare-scope"),
        pytest.param({"www-authenticate": 'Bearer error="invalid_token"'}, "invalid_token", id="error"),
        pytest.param({"www-authenticate": 'Bearer error="x", scope="a"'}, "x scope=a", id="error-scope"),
        pytest.param({"www-authenticate": 'Bearer error="x", Basic realm="r"'}, "x; Basic", id="two"),
        pytest.param({"retry-after": "5"}, "Retry-After: 5", id="retry-after"),
    ],
)
def test_describe_challenge(headers: dict[str, str], described: str) -> None:
    """A challenge is told by its error code, a bare one by its scheme, and both name the scope they want."""
    assert describe_challenge(headers) == described


@pytest.mark.parametrize(
    ("assurance", "calls", "remembered", "answered"),
    [
        pytest.param("introspected", ASKED, False, "AS", id="asked"),
        pytest.param("introspected", ASKED, True, "AS", id="asked-again"),
        pytest.param("introspected", Calls(), True, "cache", id="known"),
        pytest.param("introspected", None, True, "cache", id="known-in-outage"),
        pytest.param("local", Calls(introspection=1, jwks=1), False, "JWKS", id="introspection-fails"),
        pytest.param("local", None, False, "JWKS", id="outage"),
        pytest.param("", Calls(), False, "nobody", id="nothing-to-ask"),
        pytest.param("", None, False, "nobody", id="nobody-to-ask"),
        pytest.param("", ASKED, False, "AS", id="refused"),
    ],
)
def test_who_answered(assurance: str, calls: Calls | None, answered: Answered, *, remembered: bool) -> None:
    """Memory answers what it knows without a question; else a local yes is the key set's, and a question the AS's."""
    assert who_answered(assurance, calls, remembered=remembered) == answered


@pytest.mark.parametrize(
    ("calls", "text"),
    [(Calls(), "0"), (Calls(introspection=1), "1 introspection"), (Calls(1, 2), "1 introspection, 2 jwks")],
)
def test_calls_name_their_kinds(calls: Calls, text: str) -> None:
    """Questions are counted by kind, and kinds that did not happen are left out."""
    assert str(calls) == text


def test_no_surprise() -> None:
    """A request that ends as expected surprises nobody."""
    assert row(GOOD, replace(GOOD)).surprises == ()


def test_surprises_are_named() -> None:
    """Each part that is not as expected is named, with what came and what should have come."""
    refused = Outcome(status=401, challenge="invalid_token", answered="nobody", calls=None)
    assert row(GOOD, refused).surprises == (
        "status is 401, not 200",
        "challenge is invalid_token, not none",
        "assurance is none, not introspected",
        "answered is nobody, not AS",
        "calls is none, not 1 introspection",
    )


def test_json() -> None:
    """A row as JSON has what happened, what was expected, and what of it differs."""
    document = json.loads(json.dumps(row(GOOD, replace(GOOD, status=500)).as_json()))
    assert document == {
        "request": "GET /orders",
        "note": "",
        "status": 500,
        "challenge": "",
        "assurance": "introspected",
        "answered": "AS",
        "calls": {"introspection": 1, "jwks": 0},
        "milliseconds": 1.2,
        "expected": {
            "status": 200,
            "challenge": "",
            "assurance": "introspected",
            "answered": "AS",
            "calls": {"introspection": 1, "jwks": 0},
        },
        "surprises": ["status is 500, not 200"],
    }
