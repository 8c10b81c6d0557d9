"""A token that somebody wants to know about: it is looked at, and shown nowhere."""

from __future__ import annotations

from dataclasses import dataclass, field

from resource_server._protocol.messages import RequestParts


@dataclass(frozen=True, slots=True)
class Sample:
    """An access token, as it was given."""

    value: bytes = field(repr=False)

    def request(self) -> RequestParts:
        """Return a request with it."""
        return RequestParts("GET", [(b"authorization", b"Bearer " + self.value)])
