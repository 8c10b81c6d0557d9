"""A response as somebody has pasted it, and what is known of the request before it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field


class UnreadableError(Exception):
    """What was pasted is no response; the message says why, and repeats nothing of it."""


@dataclass(frozen=True, slots=True)
class Sent:
    """The credentials of the request, where the paste shows them."""

    scheme: str | None = None
    """The authentication scheme, in lower case; ``None`` where the request is shown and has none."""
    secret: str = field(default="", repr=False)
    """What follows the scheme: to recognize it elsewhere, and never to be shown."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One response."""

    status: int
    reason: str = ""
    fields: Sequence[tuple[str, str]] = field(default=(), repr=False)
    """Names in lower case."""
    body: str = field(default="", repr=False)
    sent: Sent | None = None
    """``None`` where the paste does not show the request."""

    def all(self, name: str) -> list[str]:
        """Return every value of a field, by its name in lower case."""
        return [value for known, value in self.fields if known == name]

    def first(self, name: str) -> str:
        """Return the first value of a field; empty where there is none."""
        return next(iter(self.all(name)), "")
