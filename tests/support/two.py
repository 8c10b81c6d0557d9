"""A resource server that trusts two issuers, each with an authorization server of its own inside the process."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from resource_server import AuthorizationServer, Clock, Event, InvalidToken, Principal, ResourceServer
from tests.support.jwt import AUDIENCE, REMOVED, SigningKey, access_token
from tests.support.origin import Origin
from tests.support.play import SECRET, Time
from tests.support.stage import bearer
from tests.support.told import noting

ONE, OTHER = "https://one.example.com", "https://other.example.com"
SHARED: dict[str, Any] = {"audience": AUDIENCE, "client_id": "rs", "client_secret": SECRET, "retries": 0}


class ByHost(httpx.AsyncBaseTransport):
    """Sends each request to the authorization server of its host."""

    def __init__(self, origins: dict[str, Origin]) -> None:
        """Know the hosts."""
        self.origins = origins

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Pass on a request."""
        return await self.origins[request.url.host].handle_async_request(request)


def unit(issuer: str, **changes: Any) -> AuthorizationServer:
    """Describe one of the two, so completely that no metadata has to be asked for; ``REMOVED`` takes an option away."""
    usual = {"issuer": issuer, "introspection_endpoint": f"{issuer}/introspect", "jwks_uri": f"{issuer}/jwks"}
    said: dict[str, Any] = {name: value for name, value in (usual | changes).items() if value is not REMOVED}
    return AuthorizationServer(**said)


class Two:
    """The resource server, and what its two issuers have been asked.

    Args:
        one: further options of the first issuer; it takes opaque tokens too.
        other: further options of the second.
        clock: what time it is; by default it stands still.
        options: options of the resource server.
    """

    def __init__(
        self,
        one: dict[str, Any] | None = None,
        other: dict[str, Any] | None = None,
        /,
        *,
        clock: Clock | None = None,
        **options: Any,
    ) -> None:
        """Begin with nothing known, and with authorization servers that know nothing either."""
        self.one, self.other = Origin(), Origin()
        self.time = Time()
        self.events: list[Event] = []
        said: dict[str, Any] = SHARED | options
        self.server = ResourceServer(
            authorization_servers=[unit(ONE, **(one or {})), unit(OTHER, **({"token_format": "jwt"} | (other or {})))],
            transport=ByHost({"one.example.com": self.one, "other.example.com": self.other}),
            clock=clock or self.time.clock,
            observer=noting(self.events),
            **said,
        )

    async def ask(self, token: str) -> Principal:
        """Present a token."""
        return await self.server.authenticate(bearer(token))

    async def refusal(self, token: str) -> str | None:
        """Present a token that is refused, and return the reason."""
        return await refusal(self.server, token)


async def refusal(server: ResourceServer, token: str) -> str | None:
    """Present a token that is refused, and return the reason."""
    with pytest.raises(InvalidToken) as refused:
        await server.authenticate(bearer(token))
    return refused.value.reason


def issued(issuer: str, key: SigningKey, **changes: Any) -> str:
    """Make an access token of an issuer's."""
    return access_token(key, iss=issuer, **changes)
