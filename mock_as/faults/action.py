"""What a way to misbehave consists of, and what it can know when it happens."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from email.utils import formatdate

from mock_as.errors import UsageError
from mock_as.journal import ENDPOINTS
from mock_as.keys import KeyRing
from mock_as.messages import Answer
from mock_as.tokens.store import TokenStore

HOUR = 3600
DAY = 24 * HOUR


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """Where and when an answer is spoilt."""

    issuer: str
    """The issuer identifier."""
    now: float
    """The time, in seconds since the epoch."""
    keys: KeyRing
    tokens: TokenStore
    ask: Callable[[str], Answer]
    """Works out the honest answer to the same request about another token."""
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    """The header fields of the request, with names in lower case."""
    caller: str = ""
    """Who the client said it was."""
    token: str = ""
    """The token that the request is about."""
    argument: str = ""
    """What stands in parentheses after the action."""
    count: int = 1
    """How often it has happened, this time included."""
    since: float = 0
    """When it was decided that it shall happen, in seconds since the epoch."""

    @property
    def seconds(self) -> float:
        """The argument as a duration."""
        return float(self.argument)

    def http_date(self, seconds: float) -> str:
        """Write a time as a header field does.

        Args:
            seconds: how far from now.

        References: RFC 9110 section 5.6.7
        """
        return formatdate(self.now + seconds, usegmt=True)


Spoil = Callable[[Answer, Scene], Answer]


@dataclass(frozen=True, slots=True)
class Argument:
    """What may stand in parentheses after an action."""

    name: str
    """What it is."""
    pattern: str
    """The regular expression that it matches as a whole."""
    default: str | None = None
    """What it is where there are no parentheses; ``None`` if it cannot be left out."""
    per_second: int | None = None
    """How many of its units make a second, if it is a duration."""

    def judge(self, action: str, text: str) -> None:
        """Refuse what it cannot be.

        Args:
            action: the name of the action.
            text: what stands in parentheses.

        Raises:
            UsageError: it is something else.
        """
        if not re.fullmatch(self.pattern, text):
            raise UsageError("action", f"{action}({text}) is not a {self.name}")

    def of(self, seconds: float) -> str:
        """Write a duration in the units of the argument.

        Raises:
            UsageError: the argument is no duration.
        """
        if self.per_second is None:
            raise UsageError("seconds", f"the argument is a {self.name}, not a duration")
        return f"{seconds * self.per_second:.15g}"


_NUMBER = r"\d{1,9}(\.\d{1,9})?"
SECONDS = Argument("number of seconds", _NUMBER, "5", 1)


@dataclass(frozen=True, slots=True)
class Action:
    """A way to misbehave."""

    description: str
    """What happens, in one sentence."""
    spoil: Spoil | None = None
    """Makes the wrong answer out of the honest one; ``None`` where it is the connection that fails."""
    endpoints: frozenset[str] = ENDPOINTS
    """Where it can happen."""
    argument: Argument | None = None
    error: str | None = None
    """The exception of httpx that a client in this process sees, if it has no answer."""

    def __call__(self, answer: Answer, scene: Scene) -> Answer:
        """Return what is sent in the place of the honest answer; one that it has nothing to do with stays as it is.

        Args:
            answer: the honest one.
            scene: where and when it is spoilt.
        """
        return answer if self.spoil is None else self.spoil(answer, scene)
