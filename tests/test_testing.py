"""What a user's own tests are given: acting as a principal, and looking at challenges."""

import logging
import time
from contextlib import suppress
from typing import Annotated, Any, get_args

import httpx
import pytest
from fastapi import FastAPI

from resource_server import (
    Assurance,
    BearerTokenError,
    Clock,
    ConfigurationError,
    InvalidToken,
    Principal,
    RequestParts,
    Requirement,
    ResourceServer,
)
from resource_server._options.authorization_server import AuthorizationServer
from resource_server.errors import Scheme
from resource_server.fastapi import install, require
from resource_server.requirements import detail
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
            assert (await client.get("/me")).status_code == 200  # a proof belongs to the token


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
        ('Bearer realm="a"', {"scheme": "DPoP"}, "not exactly one DPoP challenge"),
        ('DPoP algs="ES256", DPoP algs="ES256"', {"scheme": "DPoP"}, "not exactly one DPoP challenge"),
        ("Bearer realm=a, DPoP", {"scheme": "DPoP"}, "a DPoP challenge needs a parameter"),
        ('DPoP error="use_dpop_nonce", Bearer realm="a"', {"scheme": "DPoP"}, "error is use_dpop_nonce, not None"),
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


@pytest.mark.rfc("9449-7.2-c", "9110-11.6.1-b")
def test_several_challenges() -> None:
    """RFC 9449 §7.2: of several challenges the one of the scheme in question is judged, wherever it stands."""
    both = response('DPoP realm="a", algs="ES256 RS256", error="use_dpop_nonce", Bearer realm="b", scope="read"')
    dpop = assert_challenge(both, status=401, error="use_dpop_nonce", scheme="DPoP")
    assert (dpop.scheme, dpop.params["algs"], dpop.params["realm"]) == ("dpop", "ES256 RS256", "a")
    assert assert_challenge(both, scope="read").params["realm"] == "b"


@pytest.mark.anyio
@pytest.mark.rfc("9449-7.2-c")
async def test_challenges_with_proofs() -> None:
    """RFC 9449 §7.2: where both schemes are offered, each challenge can be looked at."""
    async with api(ScriptedAS().server(dpop="optional", resource="https://api.example.test")) as client:
        for scheme in get_args(Scheme):
            assert_challenge(await client.get("/me"), status=401, scope="read", scheme=scheme)


@pytest.mark.anyio
async def test_override_of_the_rest() -> None:
    """How the user authenticated and what was granted in detail are claims like any other, and are judged."""
    server = ScriptedAS().server()
    wanted = Requirement(acr_values=("gold",), max_age=300, details=(detail("payment", amount=5),))
    details = [{"type": "payment", "amount": 5}]
    claims: dict[str, Any] = {"acr": "gold", "auth_time": time.time(), "authorization_details": details}
    with principal_override(server, **claims) as principal:
        assert await server.authenticate(NO_TOKEN, wanted) == principal
    for name in claims:
        others = {other: value for other, value in claims.items() if other != name}
        with principal_override(server, **others), pytest.raises(BearerTokenError):
            await server.authenticate(NO_TOKEN, wanted)


@pytest.mark.anyio
async def test_override_with_several_issuers() -> None:
    """With several authorization servers the principal is the first one's, or that of the one that is named."""
    first, second = "https://a.example.test", "https://b.example.test"
    several = [AuthorizationServer(issuer=issuer, token_format="jwt") for issuer in (first, second)]
    options: dict[str, Any] = {"authorization_servers": several, "client_id": "rs", "client_secret": "secret-canary"}
    server = ResourceServer(audience=AUDIENCE, **options)
    with principal_override(server) as principal:
        assert (principal.issuer, principal.audience) == (first, (AUDIENCE,))
        assert await server.authenticate(NO_TOKEN) == principal
    with principal_override(server, iss=second) as principal:
        assert principal.issuer == second
    with pytest.raises(ConfigurationError, match="wrong_issuer"), principal_override(server, iss=ISSUER):
        pass
