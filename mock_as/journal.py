"""The requests that came in, for tests to look at: the last thousand of them."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from mock_as.errors import unknown
from mock_as.messages import Form, Headers
from mock_as.tokens import Token

SIZE = 1000
"""How many requests are remembered."""
CHARACTERS = 64 * 1024 * 1024
"""How long their parameters may be together."""
_CREDENTIALS = frozenset({"authorization", "proxy-authorization", "cookie", "x-api-key"})
_HARMLESS = frozenset({"audience", "client_id", "grant_type", "resource", "scope", "token_type_hint"})
"""The parameters that are shown as they are; of others nobody knows what they hold."""
ENDPOINTS = frozenset({"discovery", "jwks", "token", "introspect", "revoke"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A request, and what became of it."""

    endpoint: str
    method: str
    path: str
    headers: Headers
    """The header fields in order, with names in lower case; the credentials of ``Authorization`` are left out."""
    form: Form
    """The parameters exactly as they were sent."""
    client_id: str | None
    """Who the client said it was, in either way; not proven by being here."""
    status: int | None
    """The status that was answered; ``None`` if a fault of the network left the request without an answer."""
    fault: str | None
    """The action of the fault that was applied."""
    at: float
    """When the answer was ready, in seconds since the epoch by the server's clock."""
    duration: float
    """How long it took to make the answer, in seconds."""


def redact_headers(headers: Headers) -> Headers:
    """Leave the credentials out of header fields; the scheme stays."""
    return tuple((name, _redact(value) if name in _CREDENTIALS else value) for name, value in headers)


def _redact(authorization: str) -> str:
    scheme, space, _ = authorization.partition(" ")
    return f"{scheme} ***" if space else "***"


class Requests:
    """The requests that match, as they are at the moment of looking."""

    def __init__(self, journal: Journal, matches: Callable[[Entry], bool]) -> None:
        self._journal = journal
        self._matches = matches

    def __iter__(self) -> Iterator[Entry]:
        return iter([entry for entry in self._journal.entries if self._matches(entry)])

    def __len__(self) -> int:
        return len(list(iter(self)))

    def __getitem__(self, index: int) -> Entry:
        return list(self)[index]

    def __repr__(self) -> str:
        return "\n".join(_line(entry) for entry in self) or "no request"

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self)

    @property
    def last(self) -> Entry:
        """The latest of them.

        Raises:
            IndexError: there is none.
        """
        return self[-1]

    def clear(self) -> None:
        """Forget them."""
        self._journal.forget(self._matches)


def _line(entry: Entry) -> str:
    outcome = "no answer" if entry.status is None else str(entry.status)
    fault = f" fault={entry.fault}" if entry.fault else ""
    request = f"{entry.endpoint}: {entry.method} {entry.path} {entry.form!r} client_id={entry.client_id}"
    return f"{request} → {outcome}{fault}"


class Journal:
    """Remembers requests, within limits.

    Args:
        text_of: returns the text of a token, however it is named.
    """

    def __init__(self, text_of: Callable[[Token | str], str]) -> None:
        self._text_of = text_of
        self._lock = threading.Lock()
        self._entries: deque[Entry] = deque()
        self._characters = 0

    @property
    def entries(self) -> tuple[Entry, ...]:
        """What is remembered, the oldest first."""
        with self._lock:
            return tuple(self._entries)

    def add(self, entry: Entry) -> None:
        """Remember a request; the oldest are forgotten when there are too many, or when they are too long together."""
        with self._lock:
            self._entries.append(entry)
            self._characters += entry.form.length
            while len(self._entries) > SIZE or self._characters > CHARACTERS:
                self._characters -= self._entries.popleft().form.length

    def clear(self) -> None:
        """Forget every request."""
        self.forget(lambda _entry: True)

    def forget(self, matches: Callable[[Entry], bool]) -> None:
        """Forget the requests that match."""
        with self._lock:
            self._entries = deque(entry for entry in self._entries if not matches(entry))
            self._characters = sum(entry.form.length for entry in self._entries)

    def requests(self, endpoint: str | None, match: Mapping[str, Any]) -> Requests:
        """Return the requests that match.

        Args:
            endpoint: to which endpoint; ``None`` or ``*`` for any.
            match: what an entry, or else a parameter of its form, must be; ``token`` may be named in any way.

        Raises:
            UsageError: there is no such endpoint.
        """
        if endpoint not in {None, "*", *ENDPOINTS}:
            raise unknown("endpoint", endpoint, {"*", *ENDPOINTS})
        wanted = {name: self._text_of(fact) if name == "token" else fact for name, fact in match.items()}
        if endpoint not in {None, "*"}:
            wanted["endpoint"] = endpoint
        return Requests(self, lambda entry: all(_fact(entry, name) == fact for name, fact in wanted.items()))


_FACTS = frozenset({"endpoint", "method", "path", "client_id", "status", "fault"})


def _fact(entry: Entry, name: str) -> object:
    return getattr(entry, name) if name in _FACTS else entry.form.get(name)


def public_form(form: Form, id_of: Callable[[str], str | None]) -> dict[str, str]:
    """Return the parameters as they may be shown over HTTP: no secret, and tokens by their ids.

    Args:
        form: the parameters.
        id_of: returns the id of a token that is known.
    """
    shown = {name: value if name in _HARMLESS else "***" for name, value in form.items()}
    if "token" in shown:
        shown["token"] = id_of(form["token"]) or "unknown token"
    return shown
