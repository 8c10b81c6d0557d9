"""A server needs no start and no end, works in any event loop, and can be closed and used again."""

from __future__ import annotations

import asyncio
from threading import Barrier, Thread
from typing import Any

import pytest
import respx

from resource_server import Principal, ResourceServer
from resource_server.events import AuthorizationServerUnavailable, ConfigurationFault
from tests.support.jwt import ISSUER, REMOVED, access_token, signing_key
from tests.support.origin import Gate, Origin, publishes, says, says_yes
from tests.support.play import INTROSPECTION, JWKS, OPTIONS, SECRET, Time, active_members, options
from tests.support.stage import Stage, bearer
from tests.support.told import noting

pytestmark = pytest.mark.anyio

METADATA = {"issuer": ISSUER, "introspection_endpoint": INTROSPECTION, "jwks_uri": JWKS}
WITHOUT_ENDPOINTS = options(introspection_endpoint=REMOVED, jwks_uri=REMOVED)


def metadata_only(origin: Origin, **changes: Any) -> ResourceServer:
    """Make a server that finds its endpoints by itself."""
    return ResourceServer(
        transport=origin, clock=Time().clock, observer=lambda _: None, **(WITHOUT_ENDPOINTS | changes)
    )


def serving(**replies: Any) -> Origin:
    """Make an authorization server with metadata."""
    origin = Origin(introspect=says_yes(), jwks=publishes(signing_key()), **replies)
    origin.replies["oauth-authorization-server"] = says(200, METADATA)
    return origin


@pytest.mark.parametrize(
    ("changes", "asked"),
    [
        ({}, ["oauth-authorization-server", "jwks"]),
        ({"introspection_endpoint": INTROSPECTION, "jwks_uri": JWKS}, ["jwks"]),
        ({"jwks_uri": JWKS}, ["oauth-authorization-server", "jwks"]),
        ({"strategy": "introspect"}, ["oauth-authorization-server"]),
        ({"strategy": "introspect", "introspection_endpoint": INTROSPECTION}, []),
        ({"strategy": "jwks", "jwks_uri": JWKS}, ["jwks"]),
    ],
    ids=["nothing known", "everything known", "jwks_uri known", "introspection only", "nothing needed", "keys only"],
)
async def test_start_fetches_what_will_be_needed(changes: dict[str, Any], asked: list[str]) -> None:
    """Starting fetches metadata and keys ahead of the first request."""
    origin = serving()
    server = metadata_only(origin, **changes)
    assert server.metadata is None
    await server.start()
    assert [request.url.path.rpartition("/")[2] for request in origin.requests] == asked
    assert (server.metadata is not None) == ("oauth-authorization-server" in asked)
    before = len(origin.requests)
    await server.start()
    assert len(origin.requests) == before
    await server.aclose()


async def test_start_survives_an_outage() -> None:
    """An authorization server that is down when we start is reported, and found when it is back."""
    origin = Origin()
    told: list[object] = []
    server = ResourceServer(transport=origin, clock=Time().clock, observer=noting(told), **WITHOUT_ENDPOINTS)
    origin.replies["oauth-authorization-server"] = says(503)
    await server.start()
    assert {type(event) for event in told} == {AuthorizationServerUnavailable}
    origin.replies |= serving().replies
    assert isinstance(await server.authenticate(bearer("token")), Principal)


async def test_no_start_is_needed() -> None:
    """What is lacking is fetched when it is first needed."""
    origin = serving()
    assert isinstance(await metadata_only(origin).authenticate(bearer("token")), Principal)
    assert [request.url.path for request in origin.requests] == [
        "/.well-known/oauth-authorization-server",
        "/introspect",
    ]


async def test_as_a_context_manager() -> None:
    """``async with`` starts and closes; what the caller brought stays open."""
    origin = serving()
    async with metadata_only(origin) as server:
        assert server.metadata is not None
        assert len(server._lines()[0]._drivers) == 1
    assert len(server._lines()[0]._drivers) == 0
    assert not origin.closed


async def test_a_closed_server_can_be_used_again(respx_mock: respx.MockRouter) -> None:
    """Closing ends the connections and nothing else: the next request opens new ones."""
    route = respx_mock.post(INTROSPECTION).respond(200, json=active_members())
    server = ResourceServer(clock=Time().clock, **OPTIONS)
    await server.aclose()
    for token in ("one", "two"):
        assert isinstance(await server.authenticate(bearer(token)), Principal)
        await server.aclose()
        await server.aclose()
    assert route.call_count == 2
    assert isinstance(await server.authenticate(bearer("one")), Principal)
    assert route.call_count == 2


async def test_closing_ends_the_fetches_in_the_background() -> None:
    """Nothing is left running behind a closed server."""
    key = signing_key()
    gate = Gate(publishes(key))
    stage = Stage(introspect=says_yes(sub=REMOVED, jti=REMOVED), jwks=gate)
    before = asyncio.all_tasks()
    await stage.server.authenticate(bearer(access_token()))
    await gate.arrived()
    assert asyncio.all_tasks() != before
    await stage.server.aclose()
    assert asyncio.all_tasks() == before


@pytest.mark.attack("A-C-14")
def test_two_event_loops_in_two_threads() -> None:
    """Loops share what is known and no connection: each asks for itself what it is the first to need."""
    opened: list[Any] = []
    together = Barrier(2)
    server = ResourceServer(clock=Time().clock, **OPTIONS)
    results: list[Principal] = []

    async def work(token: str) -> None:
        together.wait()
        results.append(await server.authenticate(bearer(token)))
        results.append(await server.authenticate(bearer("shared")))
        opened.append(server._lines()[0].driver()._exchange._own)
        together.wait()
        await server.aclose()

    with respx.mock:
        route = respx.post(INTROSPECTION).respond(200, json=active_members())
        threads = [Thread(target=asyncio.run, args=(work(token),)) for token in ("one", "two")]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert 3 <= route.call_count <= 4
    assert len(results) == 4
    assert opened[0] is not opened[1]
    assert len(server._lines()[0]._drivers) == 0


@pytest.mark.attack("A-C-14")
def test_one_event_loop_after_the_other() -> None:
    """A server outlives its loops; what it knows, the next loop knows."""
    origin = Origin(introspect=says_yes())
    server = ResourceServer(transport=origin, clock=Time().clock, **OPTIONS)
    for _ in range(3):
        principal = asyncio.run(server.authenticate(bearer("token")))
        assert principal.subject == "subject of token"
    assert origin.count("introspect") == 1


async def test_from_env(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the environment says is what a constructor call would say, and keywords win over it."""
    for name, value in OPTIONS.items():
        monkeypatch.setenv(f"RESOURCE_SERVER_{name.upper()}", str(value))
    monkeypatch.setenv("RESOURCE_SERVER_CACHE_TTL", "7.5")
    told: list[object] = []
    origin = Origin(introspect=says(401))
    server = ResourceServer.from_env(
        transport=origin, clock=Time().clock, observer=noting(told), env_file=None, strategy="introspect"
    )
    assert (server.settings.cache_ttl, server.settings.strategy) == (7.5, "introspect")
    with pytest.raises(Exception, match="invalid_token"):
        await server.authenticate(bearer("token"))
    assert told[0] == ConfigurationFault("introspection", "status_401", ISSUER)


async def test_from_env_with_a_callers_client(monkeypatch: pytest.MonkeyPatch) -> None:
    """A client is handed through to where it is used."""
    for name, value in OPTIONS.items():
        monkeypatch.setenv(f"RESOURCE_SERVER_{name.upper()}", str(value))
    client: Any = object()
    server = ResourceServer.from_env(client=client, env_file=None)
    assert server._means.client is client


async def test_the_repr_names_the_issuer_and_no_secret() -> None:
    """A server in a log or a traceback tells which one it is."""
    text = repr(ResourceServer(**OPTIONS))
    assert ISSUER in text
    assert SECRET not in text


async def test_an_unknown_option() -> None:
    """A keyword that does not exist is a ``TypeError``, as for any function."""
    with pytest.raises(TypeError, match="'cache_tll'"):
        ResourceServer(**options(cache_tll=3))


def test_event_loops_that_are_over_leave_nothing() -> None:
    """A program that runs one event loop after another, as tests do, does not gather their connections."""
    server = ResourceServer(transport=Origin(introspect=says_yes()), clock=Time().clock, **OPTIONS)
    loops = [asyncio.new_event_loop() for _ in range(5)]
    for number, loop in enumerate(loops):
        loop.run_until_complete(server.authenticate(bearer(f"token-{number}")))
        loop.close()
    assert list(server._lines()[0]._drivers) == loops[-1:]
