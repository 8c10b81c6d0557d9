"""Tell an observer, whatever it does with it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TypeVar

E = TypeVar("E")
_LOGGER = logging.getLogger("resource_server")


def notify(observer: Callable[[E], None], event: E) -> None:
    """Hand an event to an observer; one that fails is reported and never decides about a request."""
    try:
        observer(event)
    except Exception:  # noqa: BLE001 - the edge: an observer is the application's code, and may raise anything
        # Not the traceback: its frames may belong to an application that keeps tokens in them.
        _LOGGER.error("observer_failed event=%s", type(event).__name__)  # noqa: TRY400 - see above
