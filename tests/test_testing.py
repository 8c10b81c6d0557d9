"""What a user's own tests are given: acting as a principal, and looking at challenges."""

import logging
import time
from contextlib import suppress
from typing import Annotated, Any

import httpx
import pytest
from fastapi import FastAPI

from resource_server import Assurance, Clock, ConfigurationError, InvalidToken, Principal, RequestParts, ResourceServer
from resource_server.fastapi import install, require
from resource_server.testing import assert_challenge, principal_override
from tests.support.fastapi_app import AUDIENCE, ISSUER, READER, ScriptedAS

NO_TOKEN = RequestParts("GET", ())


def api(server: ResourceServer) -> httpx.AsyncClient:
    """Make a client of an application with a few routes."""
    app = FastAPI()

    @app.get("/me")
    async def me(principal: Annotated[Principal, require("read")]) -> dict[str, Any]:
        return {"sub": principal.subject, "client_id": principal.client_id, "tenant": principal.claims.get("tenant")}

    @app.get("/sure", dependencies=[require(assurance=Assurance.INTROSPECTED)])
    async def sure() -> str:
        return "sure"

    @app.get("/payments", dependencies=[require(audience="https://payments.example.test")])
    async def payments() -> str:
        return "payments"

    install(app, server)
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://api.example.test")


@pytest.mark.anyio
async def test_override() -> None:
    """Within the override requests are this principal's, whatever token they carry; afterwards all is as it was."""
    authorization_server = ScriptedAS()
    server = authorization_server.server()
    async with api(server) as client:
        assert (await client.get("/me")).status_code == 401
        with principal_override(server, subject="bob", scopes="read write", tenant="acme") as principal:
            assert (principal.subject, sorted(principal.scopes)) == ("bob", ["read", "write"])
            for headers in ({}, {"authorization": "Bearer unknown"}, {"authorization": "Basic x"}):
                answer = await client.get("/me", headers=headers)
                assert answer.json() == {"sub": "bob", "client_id": "test-client", "tenant": "acme"}
        assert (await client.get("/me")).status_code == 401
    assert authorization_server.introspections == 0


@pytest.mark.anyio
async def test_requirements_are_judged() -> None:
    """Scopes, audiences, assurance and times are judged as for a real token: the token alone is taken on trust."""
    server = ScriptedAS().server()
    async with api(server) as client:
        with principal_override(server):
            assert_challenge(await client.get("/me"), status=403, error="insufficient_scope", scope="read")
            assert_challenge(await client.get("/payments"), status=401, error="invalid_token")
            assert (await client.get("/sure")).status_code == 200
        with principal_override(server, assurance=Assurance.LOCAL):
            assert_challenge(await client.get("/sure"), status=401, error="invalid_token")
        with principal_override(server, aud=[AUDIENCE, "https://payments.example.test"]):
            assert (await client.get("/payments")).status_code == 200
        with principal_override(server, scopes="read", exp=time.time() - 1):
            assert_challenge(await client.get("/me"), status=401, error="invalid_token")
        with principal_override(server, scopes="read", cnf={"jkt": "thumbprint"}):
            assert_challenge(await client.get("/me"), status=401, error="invalid_token")


@pytest.mark.anyio
async def test_defaults() -> None:
    """Without further words the principal is a complete one: of this issuer, for this audience, good for an hour."""
    server = ScriptedAS().server(clock=Clock(wall=lambda: 5000.0))
    with principal_override(server) as principal:
        assert await server.authenticate(NO_TOKEN) == principal
    assert (principal.subject, principal.client_id) == ("test-subject", "test-client")
    assert (principal.issuer, principal.audience, principal.expires_at) == (ISSUER, (AUDIENCE,), 8600.0)
    assert (principal.scopes, principal.assurance) == (frozenset(), Assurance.INTROSPECTED)


def test_without_subject_and_client() -> None:
    """A subject and a client can be left out, as an authorization server may."""
    with principal_override(ScriptedAS().server(), subject=None, client_id=None) as principal:
        assert (principal.subject, principal.client_id) == (None, None)
        assert {"sub", "client_id"}.isdisjoint(principal.claims)


@pytest.mark.anyio
async def test_nesting() -> None:
    """An override within another one ends by bringing the outer one back, also when the test in it fails."""
    server = ScriptedAS().server()
    with principal_override(server, subject="outer"):
        with suppress(ZeroDivisionError), principal_override(server, subject="inner"):
            assert (await server.authenticate(NO_TOKEN)).subject == "inner"
            _ = 1 // 0
        assert (await server.authenticate(NO_TOKEN)).subject == "outer"


@pytest.mark.anyio
async def test_other_servers_are_not_affected() -> None:
    """The override is of one server: another one in the same process judges as ever."""
    one, other = ScriptedAS().server(), ScriptedAS().server()
    with principal_override(one):
        credentials = RequestParts("GET", ((b"authorization", b"Bearer unknown"),))
        with pytest.raises(InvalidToken):
            await other.authenticate(credentials)


@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        ({"iss": "https://other.example.test"}, "wrong_issuer"),
        ({"aud": "https://other.example.test"}, "wrong_audience"),
        ({"exp": "tomorrow"}, "malformed"),
        ({"token_use": "id"}, "wrong_type"),
    ],
)
def test_impossible_claims(claims: dict[str, Any], reason: str) -> None:
    """Claims that no real token could have here are refused: a test that rests on them would prove nothing."""
    server = ScriptedAS().server()
    with pytest.raises(ConfigurationError, match=reason), principal_override(server, **claims):
        pass


@pytest.mark.attack("A-F-12")
def test_override_is_announced(caplog: pytest.LogCaptureFixture) -> None:
    """Whoever leaves the override on in production reads so in the log."""
    with caplog.at_level(logging.WARNING), principal_override(ScriptedAS().server()):
        [record] = caplog.records
    assert (record.name, record.levelname) == ("resource_server", "WARNING")
    assert "not authenticated" in record.getMessage()


@pytest.mark.anyio
async def test_challenges_of_real_refusals() -> None:
    """The assertion accepts what the server sends, and returns it parsed."""
    async with api(ScriptedAS().server()) as client:
        challenge = assert_challenge(await client.get("/me"), status=401, scope="read")
        assert (challenge.scheme, challenge.params) == ("bearer", {"realm": "api", "scope": "read"})
        refused = await client.get("/payments", headers={"authorization": f"Bearer {READER}"})
        assert assert_challenge(refused, error="invalid_token").params["error"] == "invalid_token"


def response(challenge: str | None, status: int = 401) -> httpx.Response:
    """Make a response with this challenge."""
    return httpx.Response(status, headers={} if challenge is None else {"WWW-Authenticate": challenge})


@pytest.mark.parametrize(
    ("challenge", "expected", "complaint"),
    [
        (None, {}, "no WWW-Authenticate in a 401"),
        ('Basic realm="api"', {}, "not exactly one Bearer challenge"),
        ('Bearer realm="a", Bearer realm="b"', {}, "not exactly one Bearer challenge"),
        ("Bearer", {}, "needs a parameter"),
        ('Bearer realm="a", realm="b"', {}, "malformed"),
        ('Bearer realm="a', {}, "malformed"),
        ('Bearer realm="a"', {"status": 403}, "status is 401, not 403"),
        ('Bearer realm="a"', {"error": "invalid_token"}, "error is None, not invalid_token"),
        ('Bearer realm="a", error="invalid_token"', {}, "error is invalid_token, not None"),
        ('Bearer realm="a", scope="read"', {"scope": "write"}, "scope is 'read', not 'write'"),
        ('Bearer realm="a"', {"scope": "write"}, "scope is '', not 'write'"),
    ],
)
def test_wrong_challenges(challenge: str | None, expected: dict[str, Any], complaint: str) -> None:
    """The assertion fails for every challenge that is not the one expected, and says what came instead."""
    with pytest.raises(AssertionError, match=complaint):
        assert_challenge(response(challenge), **expected)


def test_scopes_in_any_order() -> None:
    """Scopes are a set: their order is no reason to fail."""
    found = assert_challenge(response('Bearer realm="a", scope="b a"'), scope="a b")
    assert found.params["scope"] == "b a"
