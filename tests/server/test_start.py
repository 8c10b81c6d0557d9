"""Starting while the authorization server is down: nothing fails, nothing hangs, and its return is noticed."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest

from resource_server import Principal, ResourceServer
from resource_server.events import AuthorizationServerUnavailable
from tests.support.jwt import ISSUER, REMOVED, access_token, signing_key
from tests.support.origin import Gate, Origin, Reply, fails, publishes, says, says_yes
from tests.support.play import INTROSPECTION, JWKS, Time, options
from tests.support.stage import bearer
from tests.support.told import noting

pytestmark = pytest.mark.anyio

METADATA = {"issuer": ISSUER, "introspection_endpoint": INTROSPECTION, "jwks_uri": JWKS}
PLACE = "oauth-authorization-server"
UP: dict[str, Reply] = {"introspect": says_yes(sub=REMOVED, jti=REMOVED), "jwks": publishes(signing_key())}
DOWN: list[Any] = [
    pytest.param(fails(httpx.ConnectError("refused")), id="refused"),
    pytest.param(says(503, retry_after="3"), id="503"),
    pytest.param(says(404), id="not there yet"),
    pytest.param(says(500), id="500"),
]


class Start:
    """A server that has yet to find out everything, its authorization server, and what it has told.

    Args:
        changes: the server's options.
    """

    def __init__(self, **changes: Any) -> None:
        """Begin with nothing known."""
        self.origin, self.time = Origin(), Time()
        self.told: list[object] = []
        found = options(introspection_endpoint=REMOVED, jwks_uri=REMOVED, **changes)
        self.server = ResourceServer(transport=self.origin, clock=self.time.clock, observer=noting(self.told), **found)

    def come_up(self) -> None:
        """Let the authorization server answer."""
        self.origin.replies |= {**UP, PLACE: says(200, METADATA)}
        self.time.advance(4.0)


@pytest.mark.parametrize("strategy", ["introspect", "jwks", "introspect_then_jwks", "jwks_then_introspect"])
@pytest.mark.parametrize("down", DOWN)
async def test_a_start_in_an_outage(down: Reply, strategy: str) -> None:
    """A start in an outage ends, and the first request after the outage is judged."""
    start = Start(strategy=strategy, retries=2)
    for place in (PLACE, "openid-configuration", "introspect", "jwks"):
        start.origin.replies[place] = down
    await start.server.start()
    assert start.told
    assert len(start.origin.requests) <= 12
    start.come_up()
    assert isinstance(await start.server.authenticate(bearer(access_token())), Principal)


async def test_a_start_asks_nothing_in_a_loop() -> None:
    """After a start that failed, nobody asks until somebody wants to know."""
    start = Start()
    start.origin.replies[PLACE] = says(503)
    before = asyncio.all_tasks()
    await start.server.start()
    assert len(start.origin.requests) == 2  # once for each of what needs it
    assert asyncio.all_tasks() == before
    assert {type(event) for event in start.told} == {AuthorizationServerUnavailable}


async def test_a_start_that_is_not_answered() -> None:
    """A server that hangs keeps a start for ``timeout``, however many things there are to fetch."""
    start = Start(timeout=0.05)
    gate = Gate(says(200, METADATA))
    start.origin.replies |= {PLACE: gate, "jwks": publishes(signing_key())}
    await start.server.start()
    assert start.origin.count("jwks") == 0
    gate.open()
    await start.server.aclose()


async def test_metadata_comes_back_before_the_rest() -> None:
    """What is found after the start is used, and what is still missing is asked for when it is needed."""
    start = Start(strategy="introspect_then_jwks")
    start.origin.replies[PLACE] = says(503)
    await start.server.start()
    start.origin.replies |= {PLACE: says(200, METADATA), "introspect": says(503), "jwks": UP["jwks"]}
    start.time.advance(6.0)
    principal = await start.server.authenticate(bearer(access_token()))
    assert principal.assurance.name == "LOCAL"


async def test_the_first_request_without_a_start() -> None:
    """Without a start the same holds: a request in the outage is refused, the first one after it is judged."""
    start = Start(strategy="introspect")
    start.origin.replies[PLACE] = says(503)
    with pytest.raises(Exception, match="invalid_token"):
        await start.server.authenticate(bearer("token"))
    start.come_up()
    assert isinstance(await start.server.authenticate(bearer("token")), Principal)
