"""What the server remembers about tokens."""

from __future__ import annotations

import math

import pytest

from mock_as import Clock, MockAS
from mock_as.store import as_time


class Time:
    """A time that the test moves."""

    def __init__(self) -> None:
        self.now = 1_700_000_000.0

    def __call__(self) -> float:
        """Tell the time."""
        return self.now


@pytest.fixture
def mock() -> MockAS:
    """Make a mock whose clock stands still."""
    return MockAS(clock=Time())


def is_active(mock: MockAS, **order: object) -> bool:
    """Mint a token, and tell whether it is active now."""
    record = mock.tokens.find(mock.token(**order))  # type: ignore[arg-type]
    assert record is not None
    return record.is_active(mock.clock.now())


def test_token_is_active_until_the_very_second(mock: MockAS) -> None:
    """A token is good before its `exp` and not from then on: RFC 7519 section 4.1.4."""
    token = mock.token(expires_in=10)
    record = mock.tokens.find(token)
    assert record is not None
    assert record.is_active(token.claims["exp"] - 0.001)
    assert not record.is_active(token.claims["exp"])


def test_token_is_active_from_the_very_second(mock: MockAS) -> None:
    """A token is good from its `nbf` on and not before: RFC 7519 section 4.1.5."""
    token = mock.token(nbf_in=10)
    record = mock.tokens.find(token)
    assert record is not None
    assert not record.is_active(token.claims["nbf"] - 0.001)
    assert record.is_active(token.claims["nbf"])


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        ({}, True),
        ({"claims": {"exp": None}}, True),
        ({"claims": {"exp": "soon"}}, True),
        ({"claims": {"exp": 1}}, False),
        ({"claims": {"exp": "soon"}, "expires_in": -1}, False),
        ({"claims": {"nbf": 99_999_999_999}}, False),
        ({"claims": {"nbf": True}}, True),
        ({"defect": "expired"}, False),
        ({"defect": "not_yet_valid"}, False),
        ({"defect": "iat_future"}, True),
        ({"client_id": "svc.short"}, True),
    ],
)
def test_claims_decide_where_they_are_times(mock: MockAS, order: dict[str, object], expected: bool) -> None:  # noqa: FBT001
    """The times that a token has decide; where a claim is no time, what was meant decides."""
    assert is_active(mock, **order) is expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (1, 1.0),
        (1.5, 1.5),
        (True, None),
        ("1", None),
        (math.nan, None),
        (math.inf, None),
        (10**400, None),
        (None, None),
    ],
)
def test_times_are_finite_numbers(value: object, expected: float | None) -> None:
    """Only a finite number is a time; one too large for the clock is none."""
    assert as_time(value, None) == expected


def test_token_is_found_by_every_name(mock: MockAS) -> None:
    """A token is found by itself, by its text and by its id; a stranger is not found."""
    token = mock.token()
    record = mock.tokens.find(token)
    assert record is not None
    assert mock.tokens.find(token.value) is record
    assert mock.tokens.find(token.id) is record
    assert mock.tokens.find("stranger") is None
    assert mock.tokens.get(token.id) is None


def test_expired_tokens_are_forgotten_in_time() -> None:
    """Memory is bounded by the tokens that live, not by those that were ever minted."""
    time = Time()
    mock = MockAS(clock=Clock(time), token_format="opaque", lifetime=10)
    for _ in range(9_999):
        mock.token()
    survivor = mock.token(expires_in=1000)
    assert len(mock.tokens) == 10_000
    time.now += 11
    for _ in range(10_001):
        mock.token()
    assert len(mock.tokens) == 10_001 + 1
    assert mock.tokens.find(survivor.id) is not None
    assert mock.tokens.find("tok-1") is None
