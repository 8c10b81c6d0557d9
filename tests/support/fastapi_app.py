"""A FastAPI application's resource server, with an authorization server that is a dictionary."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs

import httpx

from resource_server import ResourceServer
from tests.support.jwt import AUDIENCE, ISSUER, jwks, signing_key
from tests.support.promises import CLIENT_SECRET

__all__ = ["ADMIN", "AUDIENCE", "ISSUER", "NOBODY", "READER", "TOKENS", "WRITER", "ScriptedAS", "active"]


def active(scope: str = "", **members: Any) -> dict[str, Any]:
    """Write an introspection answer for a good token."""
    return {"active": True, "aud": AUDIENCE, "sub": "alice", "client_id": "app", "scope": scope, **members}


NOBODY, READER, WRITER, ADMIN = "nobody-canary", "reader-canary", "writer-canary", "admin-canary"
TOKENS: Mapping[str, Mapping[str, Any]] = {
    NOBODY: active(),
    READER: active("read"),
    WRITER: active("read write"),
    ADMIN: active("read write admin"),
}
"""What the authorization server knows, unless told otherwise."""


class ScriptedAS:
    """Answers introspection from a dictionary, and counts; its JWTs are signed with the session's ES256 key.

    Args:
        tokens: the members of the answer for each token; others are inactive.
        metadata: its metadata document, where it has one.
    """

    def __init__(
        self, tokens: Mapping[str, Mapping[str, Any]] = TOKENS, *, metadata: Mapping[str, Any] | None = None
    ) -> None:
        """Start having been asked nothing."""
        self.tokens = dict(tokens)
        self.metadata = metadata
        self.introspections = 0
        self.outage: int | None = None
        """The status to answer introspection with, instead of an answer."""

    def transport(self) -> httpx.MockTransport:
        """Return a transport that leads here."""
        return httpx.MockTransport(self._answer)

    def server(self, **options: Any) -> ResourceServer:
        """Make a resource server that asks here."""
        defaults: dict[str, Any] = {
            "transport": self.transport(),
            "issuer": ISSUER,
            "audience": AUDIENCE,
            "client_id": "rs",
            "client_secret": CLIENT_SECRET,
            "introspection_endpoint": f"{ISSUER}/introspect",
            "jwks_uri": f"{ISSUER}/jwks",
        }
        return ResourceServer(**(defaults | options))

    def _answer(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == "/introspect":
            return self._introspect(request)
        if request.url.path == "/jwks":
            return httpx.Response(200, json=jwks(signing_key("ES256")))
        if request.url.path == "/.well-known/oauth-authorization-server" and self.metadata is not None:
            return httpx.Response(200, json=dict(self.metadata))
        return httpx.Response(404)

    def _introspect(self, request: httpx.Request) -> httpx.Response:
        self.introspections += 1
        if self.outage is not None:
            return httpx.Response(self.outage)
        token = parse_qs(request.content.decode("ascii"))["token"][0]
        return httpx.Response(200, json=dict(self.tokens.get(token, {"active": False})))
