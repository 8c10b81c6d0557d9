"""Observers for tests that are about what happened, not about how often the authorization server was asked for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from resource_server import Event
from resource_server.events import AuthorizationServerAsked


def noting(events: list[Any]) -> Callable[[Event], None]:
    """Make an observer that keeps every event but the questions themselves, of which there is one for each attempt."""

    def keep(event: Event) -> None:
        if not isinstance(event, AuthorizationServerAsked):
            events.append(event)

    return keep
