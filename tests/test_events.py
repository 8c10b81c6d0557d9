"""What happens is told as what it is, is logged no more often than is useful, and shows nothing secret."""

from __future__ import annotations

import logging
from dataclasses import FrozenInstanceError, fields
from typing import Any, get_args, get_type_hints

import pytest

from resource_server import Assurance, Event, LoggingObserver
from resource_server.events import (
    AuthorizationServerUnavailable,
    ConfigurationFault,
    ConfigurationReloaded,
    RequestRefused,
    RequestUnverifiable,
    RevocationFeedUnavailable,
    RevocationsForgotten,
    StoreUnavailable,
    TokenValidated,
)

OUTAGE = AuthorizationServerUnavailable("introspection", "status_503", 7.0, "https://as.example.com")
FAULT = ConfigurationFault("introspection", "status_401", "https://as.example.com")
STORE = StoreUnavailable("timeout", "https://as.example.com")
FEED = RevocationFeedUnavailable("connect", "https://as.example.com")
FORGOTTEN = RevocationsForgotten("https://as.example.com")
BAD_TOKEN = RequestRefused(401, "invalid_token", "inactive", "0123456789ab", "https://as.example.com")
UNVERIFIABLE = RequestUnverifiable(401, "0123456789ab", "https://as.example.com")
RELOADED = ConfigurationReloaded(("cache_ttl", "timeout"), ("cache_url",), "https://as.example.com")
VALIDATED = TokenValidated("0123456789ab", "active", Assurance.LOCAL, None, 0.25, "https://as.example.com", "jwks")


class Ticking:
    """A clock that is set by hand."""

    def __init__(self, now: float = 0.0) -> None:
        """Begin at a moment."""
        self.now = now

    def __call__(self) -> float:
        """Tell the time."""
        return self.now


@pytest.fixture(autouse=True)
def everything_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """Listen at DEBUG."""
    caplog.set_level(logging.DEBUG, logger="resource_server")


def lines(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str]]:
    """Return level and text of what was logged."""
    return [(record.levelname, record.getMessage()) for record in caplog.records]


@pytest.mark.parametrize(
    ("event", "level", "text"),
    [
        (FAULT, "ERROR", "configuration_fault endpoint=introspection cause=status_401 issuer=https://as.example.com"),
        (
            OUTAGE,
            "WARNING",
            (
                "authorization_server_unavailable endpoint=introspection cause=status_503 retry_after=7.0 "
                "issuer=https://as.example.com"
            ),
        ),
        (STORE, "WARNING", "store_unavailable cause=timeout issuer=https://as.example.com"),
        (FEED, "WARNING", "revocation_feed_unavailable cause=connect issuer=https://as.example.com"),
        (FORGOTTEN, "ERROR", "revocations_forgotten issuer=https://as.example.com"),
        (
            RELOADED,
            "INFO",
            "configuration_reloaded changed=cache_ttl,timeout at_a_restart=cache_url issuer=https://as.example.com",
        ),
        (
            BAD_TOKEN,
            "INFO",
            (
                "request_refused status=401 error=invalid_token reason=inactive fingerprint=0123456789ab "
                "issuer=https://as.example.com suppressed=0"
            ),
        ),
        (
            UNVERIFIABLE,
            "INFO",
            "request_unverifiable status=401 fingerprint=0123456789ab issuer=https://as.example.com suppressed=0",
        ),
        (
            VALIDATED,
            "DEBUG",
            (
                "token_validated fingerprint=0123456789ab outcome=active assurance=local seconds=0.25 "
                "issuer=https://as.example.com source=jwks"
            ),
        ),
    ],
    ids=[
        "configuration fault",
        "outage",
        "store",
        "feed",
        "forgotten",
        "reloaded",
        "bad token",
        "unverifiable",
        "validated",
    ],
)
def test_three_kinds_that_nobody_mistakes(
    caplog: pytest.LogCaptureFixture, event: Event, level: str, text: str
) -> None:
    """A configuration fault is an error, an outage a warning, a bad token neither: its sender decides no log level."""
    LoggingObserver()(event)
    assert lines(caplog) == [(level, text)]
    assert [record.name for record in caplog.records] == ["resource_server"]


@pytest.mark.parametrize("event", [FAULT, OUTAGE, STORE, FEED], ids=["configuration fault", "outage", "store", "feed"])
@pytest.mark.parametrize("begin", [0.0, 5.0, 1e9])
def test_the_same_fault_is_logged_once_in_a_while(caplog: pytest.LogCaptureFixture, event: Event, begin: float) -> None:
    """A fault that lasts is one line a minute, however many requests meet it; the first one is never lost."""
    clock = Ticking(begin)
    observer = LoggingObserver(repeat_after=60.0, monotonic=clock)
    for elapsed in (0.0, 1.0, 59.9):
        clock.now = begin + elapsed
        observer(event)
    assert len(caplog.records) == 1
    clock.now = begin + 60.0
    observer(event)
    assert len(caplog.records) == 2


def test_every_fault_has_its_own_minute(caplog: pytest.LogCaptureFixture) -> None:
    """Another endpoint, another cause or another kind is news."""
    observer = LoggingObserver(monotonic=Ticking())
    events: list[Event] = [
        OUTAGE,
        AuthorizationServerUnavailable("jwks", "status_503", 7.0, "https://as.example.com"),
        AuthorizationServerUnavailable("introspection", "timeout", None, "https://as.example.com"),
        FAULT,
        ConfigurationFault("metadata", "issuer_mismatch", "https://as.example.com"),
    ]
    for event in events * 3:
        observer(event)
    assert len(caplog.records) == len(events)


def test_how_long_to_wait_is_no_news(caplog: pytest.LogCaptureFixture) -> None:
    """A server that names another ``Retry-After`` each time does not fill the log."""
    observer = LoggingObserver(monotonic=Ticking())
    for seconds in range(100):
        observer(
            AuthorizationServerUnavailable("introspection", "status_503", float(seconds), "https://as.example.com")
        )
    assert len(caplog.records) == 1


def test_two_observers_count_for_themselves(caplog: pytest.LogCaptureFixture) -> None:
    """Two servers in one process do not silence each other."""
    for observer in (LoggingObserver(), LoggingObserver()):
        observer(FAULT)
    assert len(caplog.records) == 2


def test_refusals_are_not_limited(caplog: pytest.LogCaptureFixture) -> None:
    """Who listens at DEBUG sees every one, and none of them twice."""
    observer = LoggingObserver(monotonic=Ticking())
    for _ in range(3):
        observer(BAD_TOKEN)
    assert len(caplog.records) == 3


@pytest.mark.parametrize("kind", get_args(Event), ids=lambda kind: kind.__name__)
def test_every_event_names_its_issuer(kind: Any) -> None:
    """One observer may listen to the servers of several issuers: each event says which one it is about."""
    assert "issuer" in {field.name for field in fields(kind)}


ALLOWED_TYPES = {str, int, float, type(None), Assurance, Ellipsis}


@pytest.mark.rfc("7662-5-a")
@pytest.mark.parametrize("kind", get_args(Event), ids=lambda kind: kind.__name__)
def test_no_event_has_room_for_a_secret(kind: Any) -> None:
    """RFC 7662 §5: events are flat, and none has a field for a token, a claim or an exception."""
    names = {field.name for field in fields(kind)}
    known = {"fingerprint", "outcome", "assurance", "reason", "seconds", "status", "error", "endpoint", "cause"}
    known |= {"source", "method", "address", "port", "clock_skew", "lag_seconds", "correlation_id"}
    assert names <= known | {"retry_after", "issuer", "changed", "at_a_restart", "revocations", "routes"}
    for hint in get_type_hints(kind).values():
        parts = [part for option in (get_args(hint) or (hint,)) for part in (get_args(option) or (option,))]
        assert all(isinstance(part, str) or part in ALLOWED_TYPES for part in parts)


@pytest.mark.parametrize("event", [FAULT, OUTAGE, BAD_TOKEN, UNVERIFIABLE, VALIDATED], ids=lambda e: type(e).__name__)
def test_an_event_is_a_value(event: Any) -> None:
    """An observer may keep an event: nothing changes it."""
    with pytest.raises((FrozenInstanceError, TypeError)):
        setattr(event, fields(event)[0].name, "other")
    assert isinstance(hash(event), int)
