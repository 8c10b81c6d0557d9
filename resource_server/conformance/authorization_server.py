"""The mock authorization server, by its control plane over HTTP."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode

from resource_server.conformance.errors import SuiteError
from resource_server.conformance.printable import printable
from resource_server.conformance.wire import Connection

CLIENT_ID, CLIENT_SECRET = "rs", "rs-secret"
_LONGEST_WAIT = 30.0


@dataclass(frozen=True, slots=True)
class Token:
    """A token that was minted."""

    text: str = field(repr=False)
    id: str
    header: Mapping[str, Any]
    proof_key: Mapping[str, Any] | None = field(repr=False, default=None)
    """The private key that it is bound to, as a JWK."""


class AuthorizationServer:
    """Mints tokens, misbehaves, and remembers who asked what.

    Args:
        url: where it listens.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self._connection = Connection(url, _LONGEST_WAIT)

    def endpoints(self) -> Mapping[str, str]:
        """Return the URLs of its endpoints, by their names.

        Raises:
            SuiteError: it is no mock authorization server.
        """
        urls: Mapping[str, str] = self._ask("GET", "/version")["url"]
        return urls

    def mint(self, wishes: Mapping[str, Any]) -> Token:
        """Mint a token.

        Args:
            wishes: the members of ``POST /_mock/tokens``.
        """
        minted = self._ask("POST", "/tokens", wishes)
        return Token(minted["token"], minted["id"], minted["header"], minted["proof_key"])

    def revoke(self, token: Token) -> None:
        """Revoke a token."""
        self._ask("POST", "/tokens/revoke", {"id": token.id})

    def new_key(self, alg: str) -> str:
        """Publish one more key and return its ``kid``; the others stay as they are."""
        kid: str = self._ask("POST", "/keys", {"alg": alg})["kid"]
        self._ask("POST", f"/keys/{quote(kid, safe='')}/publish")
        return kid

    def fault(self, endpoint: str, token: Token | None = None, **said: Any) -> str:  # noqa: ANN401 - JSON
        """Misbehave from now on, and return the fault's name.

        Args:
            endpoint: where.
            token: only to questions about it.
            said: further members of ``POST /_mock/faults``.
        """
        match = {} if token is None else {"match": {"token": token.text}}
        name: str = self._ask("POST", "/faults", {"endpoint": endpoint, **match, **said})["id"]
        return name

    def behave(self) -> None:
        """Take all faults back, and release what they hold."""
        self._ask("DELETE", "/faults")

    def questions(self, endpoint: str, token: Token | None = None, since: int = 0) -> list[dict[str, Any]]:
        """Return the requests that came in, oldest first.

        Args:
            endpoint: where.
            token: only those about it.
            since: only those after this number.
        """
        filters = {"endpoint": endpoint, "since": str(since)}
        if token is not None:
            filters["token"] = token.id
        found: list[dict[str, Any]] = self._ask("GET", "/requests?" + urlencode(filters))["requests"]
        return found

    def last_number(self) -> int:
        """Return the number of the last request that came in; 0 where none has."""
        requests = self._ask("GET", "/requests")["requests"]
        return int(requests[-1]["number"]) if requests else 0

    def _ask(self, method: str, path: str, document: Mapping[str, Any] | None = None) -> dict[str, Any]:
        body = None if document is None else json.dumps(document).encode()
        fields = [] if document is None else [("Content-Type", "application/json")]
        answer = self._connection.send(method, f"/_mock{path}", fields, body)
        members = _read(answer.body) if 200 <= answer.status < 300 else None  # noqa: PLR2004 - success
        if members is None:
            said = f"{method} {path}: {printable(answer.text)}"
            raise SuiteError(f"the mock authorization server at {self.url} answered {said}")
        return members


def _read(body: bytes) -> dict[str, Any] | None:
    """Return what an answer of the control plane says; ``None`` where that is another server's."""
    try:
        document = json.loads(body)
    except ValueError:
        return None
    return document if isinstance(document, dict) else None
