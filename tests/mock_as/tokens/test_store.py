"""What the server remembers about tokens."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mock_as import Clock, MockAS, Token, UsageError
from mock_as.tokens.store import as_time


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


def test_edit_changes_what_is_known_and_not_the_token(mock: MockAS) -> None:
    """An edit gives the record other claims; the token that the test holds stays as it is, and its text is the same."""
    token = mock.token(scope="read")
    mock.tokens.edit(token.id, scope="", claims={"a": 1})
    record = mock.tokens.find(token)
    assert record is not None
    assert "scope" not in record.token.claims
    assert record.token.claims["a"] == 1
    assert (token.claims["scope"], record.token.value) == ("read", token.value)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"exp": 1_700_000_001}, True),
        ({"exp": 1_700_000_000}, False),
        ({"claims": {"exp": None}}, True),
        ({"claims": {"exp": 5}}, False),
        ({"claims": {"nbf": 1_700_000_060}}, False),
        ({"claims": {"nbf": 1_600_000_000}}, True),
    ],
)
def test_edited_times_decide(mock: MockAS, change: dict[str, object], expected: bool) -> None:  # noqa: FBT001
    """A time that is edited decides from then on whether the token is active."""
    token = mock.token()
    mock.tokens.edit(token, **change)  # type: ignore[arg-type]
    record = mock.tokens.find(token)
    assert record is not None
    assert record.is_active(1_700_000_000) is expected


def test_edit_refuses_what_cannot_be(mock: MockAS) -> None:
    """A token that nobody knows cannot be edited, and no token can say what JSON cannot; nothing changes."""
    token = mock.token()
    with pytest.raises(UsageError, match=r"^token: the server knows no such token"):
        mock.tokens.edit("stranger", scope="x")
    with pytest.raises(UsageError, match=r"^claims: cannot be written as JSON"):
        mock.tokens.edit(token, scope="x", claims={"x": object()})
    record = mock.tokens.find(token)
    assert record is not None
    assert record.token.claims == token.claims


def test_tokens_are_selected_by_their_claims(mock: MockAS) -> None:
    """Tokens are found by client, subject, session, or all of these at once."""
    mock.token("alice", claims={"sid": "s-1"})
    mock.token("alice", client_id="web", claims={"sid": "s-2"})
    found = [
        [record.token.id for record in mock.tokens.select(**facts)]
        for facts in ({}, {"sub": "alice", "client_id": "web"}, {"sid": "s-1"}, {"sid": "s-3"})
    ]
    assert found == [["tok-1", "tok-2"], ["tok-2"], ["tok-1"], []]


def test_token_that_is_called_active_is_not_forgotten() -> None:
    """A token that introspection is to call active stays known beyond its end."""
    mock = MockAS(token_format="opaque", lifetime=10)
    kept = mock.token(expires_in=-1, active=True)
    for _ in range(10_000):
        mock.token(expires_in=-1)
    assert len(mock.tokens) < 10_000
    assert mock.tokens.find(kept) is not None


def test_what_was_dumped_can_be_loaded_again(mock: MockAS) -> None:
    """Tokens come back with the fates that they had, as often as wanted."""
    token = mock.token()
    dumped = mock.tokens.dump()
    for _ in range(2):
        mock.revoke(token)
        mock.tokens.edit(token, claims={"a": 1})
        mock.token()
        mock.tokens.load(dumped)
        [record] = mock.tokens.select()
        assert (record.revoked, record.token.claims) == (False, token.claims)


STEPS = st.lists(st.tuples(st.sampled_from(["add", "expired", "remove", "revoke", "edit", "load"]), st.integers(0, 9)))


@settings(max_examples=60, deadline=None)
@given(STEPS)
def test_every_name_leads_to_the_same_record(steps: list[tuple[str, int]]) -> None:
    """Whatever is done to tokens: each that is known has one record, found by its text and by its id."""
    mock = MockAS(token_format="opaque", clock=Time())
    for step, number in steps:
        records = mock.tokens.select()
        if step in {"add", "expired"}:
            mock.token(expires_in=-1 if step == "expired" else 10)
        elif step == "load":
            mock.tokens.load(mock.tokens.dump())
        elif records:
            token = records[number % len(records)].token
            verbs: dict[str, Callable[[Token], object]] = {"remove": mock.tokens.remove, "revoke": mock.revoke}
            verbs.get(step, partial(mock.tokens.edit, scope="x"))(token)
    for record in mock.tokens.select():
        assert mock.tokens.get(record.token.value) is mock.tokens.find(record.token.id) is record
    assert len(mock.tokens) == len(mock.tokens.select())
