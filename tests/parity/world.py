"""One set of routes, one authorization server, and requests as they come in: what every front door is held against.

A case is a request, or several, that is sent to each door. A door is an application with these routes in the idiom of
its framework, and a way to send a request to it in this process.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple, Protocol

import httpx

from mock_as import Client, MockAS, Token
from resource_server import BlockingResourceServer, Clock, Principal, Requirement, ResourceServer
from resource_server.events import Event
from resource_server.requirements import Demands
from tests.support.answer import Answer
from tests.support.promises import CLIENT_SECRET, PRESENTED

BASE = "https://api.example.test"
METADATA = "/.well-known/oauth-protected-resource"
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "BREW")
"""What the routes take, wherever the framework lets them."""
RS = Client(id="rs", secret=CLIENT_SECRET, introspect=True, auth_methods=("client_secret_basic",))
RawHeaders = Sequence[tuple[bytes, bytes]]


class Route(NamedTuple):
    """What a route demands: the words that ``require`` takes in every door."""

    scopes: tuple[str, ...] = ()
    demands: Demands = Demands()

    @property
    def requirement(self) -> Requirement:
        """The same as a value."""
        return Requirement.of(*self.scopes, **self.demands)


PUBLIC = "/public"
ROUTES: Mapping[str, Route] = {
    "/things": Route(("read",)),
    "/both": Route(("read", "write")),
    "/hidden": Route(("admin",), {"hide": True}),
    "/ajax": Route(("read",), {"ajax_forbidden": True}),
    "/gold": Route(("read",), {"acr_values": "gold"}),
    "/recent": Route(("read",), {"max_age": 60}),
    "/elsewhere": Route(("read",), {"audience": "https://other.example.test"}),
    "/live": Route(("read",), {"unavailable_status": 503}),
    "/bound": Route(("read",), {"dpop": "required"}),
    "/asked": Route(("read",), {"assurance": "introspected"}),  # type: ignore[typeddict-item] # as people write it
}
"""The protected routes; ``PUBLIC`` is the one that needs no token."""
RULES = {path: route.requirement for path, route in ROUTES.items()}
"""The same, for what stands around whole applications."""


def said_of(principal: Principal) -> dict[str, Any]:
    """Return what a route answers whom it lets in."""
    return {
        "subject": principal.subject,
        "scopes": sorted(principal.scopes),
        "assurance": str(principal.assurance),
    }


@dataclass(frozen=True, slots=True)
class Sent:
    """A request, as bytes that a server has parsed."""

    method: str = "GET"
    path: str = "/things"
    """As it was sent: escapes are left to be decoded."""
    query: bytes = b""
    headers: tuple[tuple[bytes, bytes], ...] = ()
    body: bytes = b""
    host: bytes = b"api.example.test"

    def but(self, **changes: Any) -> Sent:
        """Return the same request, changed."""
        return replace(self, **changes)

    def plus(self, *headers: tuple[bytes, bytes]) -> Sent:
        """Return the same request with more fields."""
        return replace(self, headers=(*self.headers, *headers))


class Door(Protocol):
    """An application with the routes, in one framework."""

    async def send(self, sent: Sent) -> Answer:
        """Send one request, and return the response."""
        ...


@dataclass
class World:
    """One authorization server with a clock, and resource servers that ask it, one for each door.

    Args:
        mock_as: what is asked; its clock is everybody's.
    """

    mock_as: MockAS
    events: list[Event] = field(default_factory=list[Event])
    stack: ExitStack = field(default_factory=ExitStack)
    """What ends with the test."""

    def token(self, **facts: Any) -> Token:
        """Mint a token of a person, for ``read``."""
        said: dict[str, Any] = {"sub": "alice"}
        token = self.mock_as.token(**(said | facts))
        PRESENTED.add(token.value)
        return token

    def server(self, **options: Any) -> ResourceServer:
        """Make what judges behind a door for coroutines."""
        return ResourceServer(transport=self.mock_as.transport(), **self._options(options))

    def blocking(self, **options: Any) -> BlockingResourceServer:
        """Make what judges behind a door for threads."""
        return BlockingResourceServer(transport=_Blocking(self.mock_as), **self._options(options))

    def _options(self, options: Mapping[str, Any]) -> dict[str, Any]:
        client_id, secret = self.mock_as.credentials("rs")
        usual: dict[str, Any] = {
            "issuer": self.mock_as.issuer,
            "audience": self.mock_as.options.audience,
            "resource": BASE,
            "client_id": client_id,
            "client_secret": secret,
            "clock": Clock(wall=self.mock_as.clock.now, monotonic=self.mock_as.clock.now),
            "observer": self.events.append,
            "retries": 0,
        }
        return {**usual, **options}


class _Blocking(httpx.BaseTransport):
    """Leads to the authorization server from a thread without an event loop."""

    def __init__(self, mock_as: MockAS) -> None:
        self._transport = mock_as.transport()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        return asyncio.run(self._answer(request))

    async def _answer(self, request: httpx.Request) -> httpx.Response:
        response = await self._transport.handle_async_request(request)
        content = httpx.ByteStream(await response.aread())
        return httpx.Response(response.status_code, headers=response.headers, stream=content)
