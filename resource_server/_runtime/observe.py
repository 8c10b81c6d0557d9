"""Tell an observer, whatever it does with it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Generic, TypeVar

E = TypeVar("E")
_LOGGER = logging.getLogger("resource_server")


class Observers(Generic[E]):
    """Several observers as one; none is in the way of another.

    Args:
        first: the one that is there from the beginning.
    """

    def __init__(self, first: Callable[[E], None]) -> None:
        """Start with one."""
        self._all: tuple[Callable[[E], None], ...] = (first,)

    def __call__(self, event: E) -> None:
        """Tell each."""
        for observer in self._all:
            notify(observer, event)

    def add(self, observer: Callable[[E], None]) -> None:
        """Tell one more from now on."""
        self._all = (*self._all, observer)


def notify(observer: Callable[[E], None], event: E) -> None:
    """Hand an event to an observer; one that fails is reported and never decides about a request."""
    try:
        observer(event)
    except Exception:  # noqa: BLE001 - the edge: an observer is the application's code, and may raise anything
        # Not the traceback: its frames may belong to an application that keeps tokens in them.
        _LOGGER.error("observer_failed event=%s", type(event).__name__)  # noqa: TRY400 - see above
