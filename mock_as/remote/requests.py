"""The journal of an issuer in another process."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from mock_as.journal import FACTS, PATIENCE, View
from mock_as.messages import Form, Headers
from mock_as.remote.channel import Channel

ASKABLE = FACTS | {"since", "token"}
"""What the control plane takes as itself, and not as a parameter that a request had."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteEntry:
    """A request and what became of it, without what the issuer keeps secret; tokens are there by their ids."""

    number: int
    endpoint: str
    method: str
    path: str
    client_id: str | None
    status: int | None
    fault: str | None
    at: float
    duration: float
    headers: Headers
    query: Form
    form: Form
    answer: Any = field(default=None, repr=False)
    """The document that was answered."""


def _entry(members: Mapping[str, Any]) -> RemoteEntry:
    read: dict[str, Any] = {name: Form(members[name].items()) for name in ("query", "form")}
    read["headers"] = tuple((name, value) for name, value in members["headers"])
    return RemoteEntry(**{**members, **read})


class RemoteRequests(View[RemoteEntry]):
    """The requests that match, as they are at the moment of looking.

    Args:
        channel: asks the issuer.
        match: the parameters of the question.
    """

    def __init__(self, channel: Channel, match: Mapping[str, object]) -> None:
        self._channel = channel
        self._match = match

    def __iter__(self) -> Iterator[RemoteEntry]:
        return iter([_entry(members) for members in self._channel.ask("GET", "/requests", **self._match)["requests"]])

    @property
    def count(self) -> int:
        """How many there are."""
        return int(self._channel.ask("GET", "/requests/count", **self._match)["count"])

    def clear(self) -> None:
        """Forget them."""
        self._channel.ask("DELETE", "/requests", **self._match)

    def wait(self, count: int = 1, timeout: float = PATIENCE) -> RemoteRequests:
        """Block until there are as many.

        Args:
            count: how many.
            timeout: how long to wait at most, in seconds.

        Returns:
            The same view.

        Raises:
            TimeoutError: there are fewer after that time.
        """
        self._channel.ask("GET", "/requests/wait", count=count, timeout=timeout, **self._match)
        return self
