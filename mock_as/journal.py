"""The requests that came in, for tests to look at: the last thousand of them."""

from __future__ import annotations

import asyncio
import threading
import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import AsyncGenerator, Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from mock_as.credentials import claimed_client_id
from mock_as.errors import unknown
from mock_as.latches import Latch
from mock_as.messages import Answer, Form, Headers, Request
from mock_as.shell import printable
from mock_as.tokens import Token

SIZE = 1000
"""How many requests are remembered."""
BYTES = 64 * 1024 * 1024
"""How long they, and their answers, may be together."""
PATIENCE = 5.0
"""How long to wait for requests, in seconds, where nothing else is said."""
_CREDENTIALS = frozenset({"authorization", "proxy-authorization", "cookie", "x-api-key"})
ENDPOINTS = frozenset(
    {
        "authorize",
        "device",
        "discovery",
        "end_session",
        "introspect",
        "jwks",
        "par",
        "register",
        "revoke",
        "token",
        "userinfo",
    }
)
EVERYWHERE = ENDPOINTS | {"*"}
"""The same, and the word for all of them."""
FACTS = frozenset({"endpoint", "method", "path", "client_id", "status", "fault"})
"""What is known about a request, beside its own parameters."""


@dataclass(slots=True, kw_only=True, eq=False)
class Entry:
    """A request, and what became of it.

    It is made for every request, so it only keeps what came and went; what is to be known about that is worked out
    when somebody looks.
    """

    endpoint: str
    request: Request = field(repr=False)
    """The request as it came; what it keeps secret is left out of everything below."""
    answer: Answer | None = field(repr=False)
    """What was answered; ``None`` if a fault of the network left the request without an answer."""
    fault: str | None
    """The action of the fault that was applied."""
    at: float
    """When the answer was ready, in seconds since the epoch by the server's clock."""
    duration: float
    """How long it took to make the answer, in seconds."""
    number: int = 0
    """Which request it was, counted from 1 by the journal, which never starts anew."""

    @property
    def method(self) -> str:
        """The HTTP method."""
        return self.request.method

    @property
    def path(self) -> str:
        """The path, as it was sent."""
        return self.request.path

    @property
    def headers(self) -> Headers:
        """The header fields in order, with names in lower case; credentials are left out."""
        return redact_headers(self.request.headers)

    @property
    def form(self) -> Form:
        """The parameters of the body exactly as they were sent."""
        return self.request.form or Form()

    @property
    def query(self) -> Form:
        """The parameters of the URL exactly as they were sent."""
        return self.request.query

    @property
    def size(self) -> int:
        """How many bytes of it are kept, about."""
        request = self.request
        asked = len(request.path) + request.query.length + len(request.body)
        return asked + (0 if self.answer is None else len(self.answer.body))

    @property
    def client_id(self) -> str | None:
        """Who the client said it was, in either way; not proven by being here."""
        return claimed_client_id(self.request)

    @property
    def status(self) -> int | None:
        """The status that was answered; ``None`` where there was no answer."""
        return None if self.answer is None else self.answer.status


def redact_headers(headers: Headers) -> Headers:
    """Leave the credentials out of header fields; the scheme stays."""
    return tuple((name, _redact(value) if name in _CREDENTIALS else value) for name, value in headers)


def _redact(authorization: str) -> str:
    scheme, space, _ = authorization.partition(" ")
    return f"{scheme} ***" if space else "***"


_Seen = TypeVar("_Seen")


class View(ABC, Generic[_Seen]):
    """Some requests, as they are at the moment of looking: entries, or the copies that another process has of them."""

    @abstractmethod
    def __iter__(self) -> Iterator[_Seen]: ...

    def __len__(self) -> int:
        return len(list(iter(self)))

    def __getitem__(self, index: int) -> _Seen:
        return list(self)[index]

    def __repr__(self) -> str:
        return "\n".join(_line(entry) for entry in self) or "no request"

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self)

    @property
    def last(self) -> _Seen:
        """The latest of them.

        Raises:
            IndexError: there is none.
        """
        return self[-1]


class Requests(View[Entry]):
    """The requests that match, as they are at the moment of looking."""

    def __init__(self, journal: Journal, matches: Callable[[Entry], bool]) -> None:
        self._journal = journal
        self._matches = matches

    def __iter__(self) -> Iterator[Entry]:
        return iter([entry for entry in self._journal.entries if self._matches(entry)])

    def clear(self) -> None:
        """Forget them."""
        self._journal.forget(self._matches)

    def wait(self, count: int = 1, timeout: float = PATIENCE) -> Requests:
        """Block until there are as many; for tests whose server runs in another thread.

        Args:
            count: how many.
            timeout: how long to wait at most, in seconds.

        Returns:
            The same view.

        Raises:
            TimeoutError: there are fewer after that time; the message shows the journal.
        """
        deadline = time.monotonic() + timeout
        news = threading.Event()
        with self._journal.watched(news.set):
            while self.count < count:
                if not news.wait(max(0.0, deadline - time.monotonic())):
                    raise self._too_few(count, timeout)
                news.clear()
        return self

    async def wait_async(self, count: int = 1, timeout: float = PATIENCE) -> Requests:  # noqa: ASYNC109 - as wait
        """Wait until there are as many; for tests that share the server's event loop.

        Args:
            count: how many.
            timeout: how long to wait at most, in seconds.

        Returns:
            The same view.

        Raises:
            TimeoutError: there are fewer after that time; the message shows the journal.
        """
        try:
            await self._journal.until(lambda: self.count >= count, timeout)
        except TimeoutError:
            raise self._too_few(count, timeout) from None
        return self

    def _too_few(self, count: int, timeout: float) -> TimeoutError:
        return TimeoutError(f"{self.count} of {count} requests came within {timeout:g} s\n{self!r}")


def _line(entry: Any) -> str:  # noqa: ANN401 - an entry, or a copy of one
    outcome = "no answer" if entry.status is None else str(entry.status)
    fault = f" fault={entry.fault}" if entry.fault else ""
    parameters = entry.query if entry.query and not entry.form else entry.form
    asked = f" {parameters!r}" if parameters else ""
    client = "" if entry.client_id is None else f" client_id={entry.client_id}"
    return printable(f"{entry.endpoint}: {entry.method} {entry.path}{asked}{client} → {outcome}{fault}")


class Journal:
    """Remembers requests, within limits.

    Args:
        text_of: returns the text of a token, however it is named.
    """

    def __init__(self, text_of: Callable[[Token | str], str]) -> None:
        self._text_of = text_of
        self._lock = threading.Lock()
        self._entries: deque[Entry] = deque()
        self._bytes = 0
        self._number = 0
        self._watchers: tuple[Callable[[], None], ...] = ()
        self._releases = 0

    @property
    def entries(self) -> tuple[Entry, ...]:
        """What is remembered, the oldest first."""
        with self._lock:
            return tuple(self._entries)

    @property
    def number(self) -> int:
        """The number of the latest request, also of one that is forgotten."""
        return self._number

    def add(self, entry: Entry) -> None:
        """Remember a request; the oldest are forgotten when there are too many, or when they are too long together."""
        with self._lock:
            self._number = entry.number = self._number + 1
            self._entries.append(entry)
            self._bytes += entry.size
            while len(self._entries) > SIZE or self._bytes > BYTES:
                self._bytes -= self._entries.popleft().size
        for notice in self._watchers:
            notice()

    @contextmanager
    def watched(self, notice: Callable[[], None]) -> Generator[None]:
        """Tell somebody of every request while a block runs.

        Args:
            notice: called after each, in the thread that answers it.
        """
        with self._lock:
            self._watchers = (*self._watchers, notice)
        try:
            yield
        finally:
            with self._lock:
                self._watchers = tuple(other for other in self._watchers if other is not notice)

    async def until(self, condition: Callable[[], bool], timeout: float) -> None:  # noqa: ASYNC109 - as Requests.wait
        """Wait until something is so that only a request can bring about, across threads and event loops.

        Args:
            condition: tells whether it is.
            timeout: how long to wait at most, in seconds.

        Raises:
            TimeoutError: it was not so in that time.
        """
        async with asyncio.timeout(timeout):
            while True:
                news = Latch()
                with self.watched(news.open):
                    if condition():
                        return
                    await news.wait()

    def follow(self, after: int) -> AsyncGenerator[Entry]:
        """Yield requests as they come, across threads and event loops, until :meth:`release` after this call.

        Args:
            after: the number of the request before the first one that is wanted.
        """
        return self._follow(after, self._releases)

    async def _follow(self, after: int, releases: int) -> AsyncGenerator[Entry]:
        while releases == self._releases:
            news = Latch()
            with self.watched(news.open):
                later = [entry for entry in self.entries if entry.number > after]
                if not later and releases == self._releases:
                    await news.wait()
            for entry in later:
                yield entry
                after = entry.number

    def release(self) -> None:
        """Let everybody go who follows the journal."""
        self._releases += 1
        for notice in self._watchers:
            notice()

    def clear(self) -> None:
        """Forget every request."""
        self.forget(lambda _entry: True)

    def forget(self, matches: Callable[[Entry], bool]) -> None:
        """Forget the requests that match."""
        with self._lock:
            self._entries = deque(entry for entry in self._entries if not matches(entry))
            self._bytes = sum(entry.size for entry in self._entries)

    def requests(self, endpoint: str | None, match: Mapping[str, Any]) -> Requests:
        """Return the requests that match.

        Args:
            endpoint: to which endpoint; ``None`` or ``*`` for any.
            match: what an entry, or else a parameter of it, must be; ``token`` may be named in any way, and ``since``
                is the number of a request before those that are meant.

        Raises:
            UsageError: there is no such endpoint.
        """
        if endpoint not in {None, *EVERYWHERE}:
            raise unknown("endpoint", endpoint, EVERYWHERE)
        wanted = {name: self._text_of(fact) if name == "token" else fact for name, fact in match.items()}
        since = int(wanted.pop("since", 0))
        if endpoint not in {None, "*"}:
            wanted["endpoint"] = endpoint
        return Requests(self, lambda entry: entry.number > since and _has(entry, wanted))


def _has(entry: Entry, facts: Mapping[str, object]) -> bool:
    return all(_fact(entry, name) == fact for name, fact in facts.items())


def _fact(entry: Entry, name: str) -> object:
    return getattr(entry, name) if name in FACTS else entry.form.get(name, entry.query.get(name))
