"""A resource server on a stage: its authorization server inside the process, its clocks, and what it has told."""

from __future__ import annotations

from typing import Any

from resource_server import Event, RequestParts, ResourceServer
from tests.support.origin import Origin, Reply
from tests.support.play import Time, options
from tests.support.told import noting


class Stage:
    """A resource server that asks an :class:`~tests.support.origin.Origin`.

    Args:
        changes: the server's options, beyond or in place of the usual ones.
        replies: how the authorization server answers, by the last part of the path.
    """

    def __init__(self, changes: dict[str, Any] | None = None, /, **replies: Reply) -> None:
        """Begin with nothing known."""
        self.origin = Origin(**replies)
        self.time = Time()
        self.events: list[Event] = []
        self.server = ResourceServer(
            transport=self.origin, clock=self.time.clock, observer=noting(self.events), **options(**(changes or {}))
        )


def bearer(token: str | bytes) -> RequestParts:
    """Make a request with a token."""
    value = token if isinstance(token, bytes) else token.encode()
    return RequestParts("GET", [(b"host", b"rs.example.com"), (b"authorization", b"Bearer " + value)])
