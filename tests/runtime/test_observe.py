"""Telling an observer: it never decides about a request."""

from __future__ import annotations

import logging

import pytest

from resource_server._runtime.observe import notify
from resource_server.events import ConfigurationFault
from tests.support.canary import log_text


def test_an_observer_is_told() -> None:
    """The event reaches the observer as it is."""
    told: list[object] = []
    event = ConfigurationFault("jwks", "status_404", "https://as.example.com")
    notify(told.append, event)
    assert told == [event]


def test_an_observer_that_fails_is_harmless(caplog: pytest.LogCaptureFixture) -> None:
    """What an observer raises is reported by the kind of event only, and goes no further."""
    caplog.set_level(logging.DEBUG)

    def fails(_: object) -> None:
        raise RuntimeError("canary-of-the-application")

    notify(fails, ConfigurationFault("jwks", "status_404", "https://as.example.com"))
    (record,) = caplog.records
    assert (record.name, record.levelname) == ("resource_server", "ERROR")
    assert record.getMessage() == "observer_failed event=ConfigurationFault"
    assert record.exc_info is None
    assert "canary" not in log_text(caplog)


def test_an_observer_may_stop_the_process() -> None:
    """What is not an ordinary exception is not ours to hold."""

    def interrupts(_: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        notify(interrupts, ConfigurationFault("jwks", "status_404", "https://as.example.com"))
