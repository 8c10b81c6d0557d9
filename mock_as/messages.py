"""HTTP messages as values: what an endpoint gets, and what it gives back.

References: RFC 6749 appendix B (the form), RFC 9110 section 5
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import parse_qsl

FORM_TYPE = "application/x-www-form-urlencoded"
SECRET_FIELDS = frozenset({"client_secret", "client_assertion"})
"""What no journal shows."""
MOST_PARAMETERS = 1000
"""How many parameters a request may have; a short text can hold very many, each of which takes its room in memory."""
BODILESS = frozenset({204, 304})
"""The statuses whose answers have no body, nor a length of it."""
_REDACTED = SECRET_FIELDS | {
    "token", "access_token", "refresh_token", "id_token_hint", "subject_token", "actor_token", "assertion",
    "code", "code_verifier", "device_code", "guard", "password", "registration_access_token", "request_uri",
    "user_code",
}  # fmt: skip

Headers = tuple[tuple[str, str], ...]
NO_STORE = {"cache-control": "no-store", "pragma": "no-cache"}
"""What forbids to store an answer that holds a token, or says something about one."""


class Form(Mapping[str, str]):
    """The parameters of a request, exactly as they were decoded; a repeated one shows its first value."""

    def __init__(self, pairs: Iterable[tuple[str, str]] = ()) -> None:
        self.pairs = tuple(pairs)
        self._first = dict(reversed(self.pairs))
        self.length = sum(len(name) + len(value) for name, value in self.pairs)

    def __getitem__(self, name: str) -> str:
        return self._first[name]

    def __iter__(self) -> Iterator[str]:
        return iter(dict(self.pairs))

    def __len__(self) -> int:
        return len(self._first)

    def get_all(self, name: str) -> list[str]:
        """Return every value of a parameter, in order."""
        return [value for key, value in self.pairs if key == name]

    def repeated(self) -> set[str]:
        """Return the names of the parameters that are there more than once."""
        return {name for name, count in Counter(name for name, _ in self.pairs).items() if count > 1}

    def __repr__(self) -> str:
        shown = {name: "***" if name in _REDACTED else value for name, value in self.items()}
        return f"Form({shown!r})"


@dataclass(frozen=True, slots=True)
class Request:
    """A request to one of the OAuth endpoints."""

    method: str
    path: str
    headers: Headers = field(repr=False)
    form: Form | None
    """The parameters of the body; ``None`` where the body is not a form."""
    query: Form = field(default_factory=Form)
    """The parameters of the URL."""
    body: bytes = field(default=b"", repr=False)
    certificate: bytes | None = field(default=None, repr=False)
    """The certificate that the client showed in TLS, as DER."""

    def header(self, name: str) -> str | None:
        """Return the value of a header field, several of a name joined as one list.

        Args:
            name: in lower case.
        """
        values = [value for key, value in self.headers if key == name]
        return ", ".join(values) if values else None


@dataclass(frozen=True, slots=True)
class Answer:
    """A response, before it is sent."""

    status: int
    headers: Headers = field(repr=False)
    body: bytes = field(repr=False)

    def json(self) -> Any:  # noqa: ANN401 - JSON holds any value
        """Return what the body says."""
        return json.loads(self.body)

    def with_headers(self, values: Mapping[str, str]) -> Answer:
        """Set header fields, each in the place of what was there under its name.

        Args:
            values: the values by name, in lower case.
        """
        kept = tuple(pair for pair in self.headers if pair[0] not in values)
        return replace(self, headers=(*kept, *values.items()))

    def with_json(self, document: object) -> Answer:
        """Say something else, in JSON."""
        return replace(self, body=encode_json(document))


def encode_json(document: object) -> bytes:
    """Write a value as compact JSON, in ASCII so that no text can fail to be encoded."""
    return json.dumps(document, separators=(",", ":")).encode()


def json_answer(document: object, status: int = 200, headers: Mapping[str, str] = NO_STORE) -> Answer:
    """Answer with JSON.

    Args:
        document: what to say.
        status: the HTTP status.
        headers: further header fields, with names in lower case; by default those that forbid to store the answer.
    """
    return Answer(status, (), encode_json(document)).with_headers({"content-type": "application/json", **headers})


def oauth_error(error: str, description: str, status: int = 400, headers: Mapping[str, str] | None = None) -> Answer:
    """Answer with an error of OAuth, which nobody may store.

    Args:
        error: the error code.
        description: what is wrong, for the developer of the client.
        status: the HTTP status.
        headers: further header fields, with names in lower case.

    References: RFC 6749 section 5.2
    """
    document = {"error": error, "error_description": description}
    return json_answer(document, status, {**NO_STORE, **(headers or {})})


def parse_query(query: bytes) -> Form:
    """Read the parameters of a URL; what is not UTF-8 is shown with replacement characters.

    Args:
        query: what stands after the question mark; where there are more than :data:`MOST_PARAMETERS` in it, it is not
            read at all.
    """
    try:
        pairs = parse_qsl(
            query.decode("latin-1"), keep_blank_values=True, errors="replace", max_num_fields=MOST_PARAMETERS
        )
    except ValueError:
        return Form()
    return Form(pairs)


def parse_form(content_type: str | None, body: bytes) -> Form | None:
    """Read the parameters of a request.

    Args:
        content_type: the header field.
        body: the bytes of the body.

    Returns:
        The parameters, none of them where there is no body; ``None`` where the body is not a form in UTF-8, or one
        with more than :data:`MOST_PARAMETERS`.
    """
    if not body:
        return Form()
    media_type = (content_type or "").split(";", 1)[0].strip().lower()
    if media_type != FORM_TYPE:
        return None
    try:
        pairs = parse_qsl(body.decode(), keep_blank_values=True, errors="strict", max_num_fields=MOST_PARAMETERS)
        return Form(pairs)
    except ValueError:
        return None
