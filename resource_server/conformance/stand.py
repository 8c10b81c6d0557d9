"""What a probe has at hand: the target, its authorization server, and everything that was answered so far."""

from __future__ import annotations

import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from resource_server.conformance.authorization_server import CLIENT_SECRET, AuthorizationServer, Token
from resource_server.conformance.target import Target
from resource_server.conformance.wire import Answer, Connection, Fields

SUBJECT = "conformance-suite-subject"
SCOPES = {"read": "read", "write": "write", "both": "read write", "post": "write"}
"""What each route asks for."""
_MENDED = 15.0
_POLL = 0.1


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request to the target, and its answer."""

    method: str
    path: str
    answer: Answer
    secrets: tuple[str, ...] = field(repr=False)
    """What must not be in the answer."""
    outage: bool
    """Whether the authorization server misbehaved."""


class Stand:
    """Asks the target, and keeps what it says.

    Args:
        target: what is judged.
        server: the authorization server that it trusts.
    """

    def __init__(self, target: Target, server: AuthorizationServer) -> None:
        self.target = target
        self.server = server
        self.exchanges: list[Exchange] = []
        self.connection = Connection(target.url)
        self.waited = 0.0
        """How long the last wait for the target was, in seconds."""
        self._outage = False
        self._lost = False

    # ------------------------------------------------------------------------------------------------------- tokens

    def token(self, **wishes: Any) -> Token:  # noqa: ANN401 - JSON
        """Mint a token of the kind that the target takes; good, where nothing else is wished.

        Args:
            wishes: members of the mock's order, which have the last word; ``format`` chooses the kind.
        """
        kind = "jwt" if self.target.format == "jwt" else "opaque"
        order: dict[str, Any] = {"sub": SUBJECT, "scope": "read", "format": kind, "aud": self.target.audience}
        if wishes.get("format", kind) == "jwt" or "defect" in wishes:
            order |= {"format": "jwt", "alg": self.target.alg}
        return self.server.mint(order | wishes)

    def jwt(self, **wishes: Any) -> Token:  # noqa: ANN401 - JSON
        """Mint a JWT."""
        return self.token(**({"format": "jwt"} | wishes))

    def opaque(self, **wishes: Any) -> Token:  # noqa: ANN401 - JSON
        """Mint a token without a meaning of its own."""
        return self.token(**({"format": "opaque"} | wishes))

    # ----------------------------------------------------------------------------------------------------- requests

    def ask(  # noqa: PLR0913 - the parts of a request
        self,
        token: Token | str | None = None,
        route: str = "read",
        *,
        method: str = "",
        fields: Fields = (),
        body: bytes | None = None,
        query: str = "",
        announced: int | None = None,
        scheme: str = "Bearer",
        timeout: float | None = None,
    ) -> Answer:
        """Ask the target for something.

        Args:
            token: the token to present; nothing where it is ``None``.
            route: the name of the route.
            method: another method than the route's.
            fields: further header fields.
            body: the body.
            query: what is added to the query.
            announced: the length that is announced, where that is not the body's.
            scheme: the scheme in front of the token.
            timeout: seconds without a byte.
        """
        place = self.target.routes[route]
        text = token.text if isinstance(token, Token) else token
        said = [] if text is None else [("Authorization", f"{scheme} {text}")]
        method = method or place.method
        answer = self.connection.send(
            method,
            f"{place.path}{_joined(place.path, query)}",
            [*said, *fields],
            body,
            announced=announced,
            timeout=timeout,
        )
        self.keep(method, place.path, answer, token)
        return answer

    def keep(self, method: str, path: str, answer: Answer, *tokens: Token | str | None) -> None:
        """Keep an exchange, for what is judged over all of them."""
        secrets = tuple(token.text for token in tokens if isinstance(token, Token))
        self.exchanges.append(Exchange(method, path, answer, (*secrets, CLIENT_SECRET), self._outage))

    def ask_all(self, tokens: Sequence[Token | str], route: str = "read") -> list[Answer]:
        """Ask with each token, one after the other."""
        return [self.ask(token, route) for token in tokens]

    # ------------------------------------------------------------------------------------------------------ outages

    @contextmanager
    def trouble(self, *endpoints: str, token: Token | None = None, **said: Any) -> Generator[list[str]]:  # noqa: ANN401 - JSON
        """Let the authorization server misbehave while a block runs.

        Args:
            endpoints: where.
            token: only to questions about it.
            said: how.
        """
        self._outage = True
        try:
            yield [self.server.fault(endpoint, token, **said) for endpoint in endpoints]
        finally:
            self.server.behave()
            self._outage = False
            self.settle()

    def settle(self, seconds: float | None = None) -> float | None:
        """Wait until a new good token is let in, and return how many seconds that took; ``None`` where it is not.

        A target may leave an authorization server that has failed alone for a while. One that has not come back once
        is not waited for again.

        Args:
            seconds: how long to wait; 15 where it is not said.
        """
        started = time.monotonic()
        self._outage = True
        try:
            while not 200 <= self.ask(self.token()).status < 300:  # noqa: PLR2004 - let in
                if self._lost or time.monotonic() - started > (seconds or _MENDED):
                    self._lost = True
                    return None
                time.sleep(_POLL)
        finally:
            self._outage = False
        self._lost = False
        self.waited = time.monotonic() - started
        return self.waited

    def asked(self, token: Token) -> int:
        """Count the questions about a token."""
        return len(self.server.questions("introspect", token))


def _joined(path: str, query: str) -> str:
    if not query:
        return ""
    return f"{'&' if '?' in path else '?'}{query}"
