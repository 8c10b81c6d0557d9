"""Our own verdict on a request: a resource server that verifies JWTs, with keys that are answered from memory."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import httpx

from resource_server import BearerTokenError, Clock, Event, RequestParts, ResourceServer
from resource_server._protocol.jwks import ALGORITHMS
from resource_server.errors import MissingToken
from tests.differential.draft import Case
from tests.differential.proofs import ORIGIN
from tests.differential.worlds import World
from tests.support.jwt import AUDIENCE, ISSUER, NOW


class Ruling(NamedTuple):
    """What a judge said of a request."""

    claims: dict[str, Any] | None
    """The claims of the token that was accepted; ``None`` where it was refused."""
    reason: str = ""

    @property
    def accepted(self) -> bool:
        """Whether the request was let in."""
        return self.claims is not None


class Ours:
    """The resource servers of all worlds."""

    def __init__(self) -> None:
        """Have made none yet."""
        self._servers: dict[tuple[str, int], ResourceServer] = {}

    async def judge(self, case: Case) -> Ruling:
        """Judge a request.

        Raises:
            Exception: whatever is no refusal is a mistake, and is let through.
        """
        parts = RequestParts(case.method, list(case.headers), case.query.encode(), path=case.path.encode())
        try:
            principal = await self._server(case).authenticate(parts)
        except BearerTokenError as error:
            return Ruling(None, "missing" if isinstance(error, MissingToken) else f"{error.error} {error.reason}")
        claims = thawed(principal.claims)
        assert isinstance(claims, dict)
        stood_for = {"sub": principal.subject, "client_id": principal.client_id, "jti": principal.token_id}
        assert stood_for == {name: claims[name] for name in stood_for}
        return Ruling(claims)

    def _server(self, case: Case) -> ResourceServer:
        key = (case.world.name, case.leeway)
        if key not in self._servers:
            self._servers[key] = _server(case.world, case.leeway)
        return self._servers[key]


def thawed(value: Any) -> Any:
    """Copy read-only claims into plain JSON values."""
    if isinstance(value, Mapping):
        return {name: thawed(member) for name, member in value.items()}
    return [thawed(item) for item in value] if isinstance(value, tuple) else value


def _server(world: World, leeway: int) -> ResourceServer:
    document = {"keys": [dict(key) for key in world.keys]}
    return ResourceServer(
        issuer=ISSUER,
        audience=AUDIENCE,
        strategy="jwks",
        jwks_uri=f"{ISSUER}/jwks",
        leeway=leeway,
        dpop="optional",
        dpop_algorithms=ALGORITHMS,
        dpop_window=300.0,  # what the other judge takes
        dpop_replay_size=1_000_000,
        external_url=ORIGIN,
        cache_size=1000,
        transport=httpx.MockTransport(lambda _: httpx.Response(200, json=document)),
        clock=Clock(wall=lambda: NOW, monotonic=lambda: 0.0),
        observer=_unobserved,
    )


def _unobserved(event: Event) -> None:
    """Observe nothing: thousands of refusals are no news here."""
