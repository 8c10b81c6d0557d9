"""The verifier that the SDK and FastMCP take: what it can tell them, and what they make of it."""

from __future__ import annotations

import importlib.util
import sys
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from types import ModuleType
from typing import Any

import httpx
import pytest
from fastmcp import FastMCP
from fastmcp.server.auth import MultiAuth, RemoteAuthProvider
from fastmcp.server.auth import TokenVerifier as FastMCPVerifier
from mcp.server import MCPServer
from mcp.server.auth.provider import TokenVerifier as Protocol
from mcp.server.auth.settings import AuthSettings
from pydantic import AnyHttpUrl

import resource_server.mcp
from resource_server import VerificationUnavailable
from resource_server.mcp import TokenVerifier, principal
from tests.mcp.conftest import calling
from tests.support.fastapi_app import AUDIENCE, ISSUER, NOBODY, READER, ScriptedAS, active
from tests.support.jwt import thumbprint
from tests.support.proofs import client_key

pytestmark = pytest.mark.anyio

ACCEPT = {"Accept": "application/json, text/event-stream", "Host": "127.0.0.1:1"}


@pytest.fixture
def anyio_backend() -> str:
    """Run in asyncio, where MCP servers run."""
    return "asyncio"


@pytest.fixture
def authorization_server() -> ScriptedAS:
    """Give an authorization server that knows a few tokens."""
    return ScriptedAS()


@asynccontextmanager
async def running(app: Any) -> AsyncGenerator[httpx.AsyncClient]:
    """Run an application, and be its client."""
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:1", headers=ACCEPT) as client,
    ):
        yield client


async def ask(client: httpx.AsyncClient, token: str | None) -> httpx.Response:
    """Call the tool."""
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    return await client.post("/mcp", json=calling("whoami"), headers=headers)


async def whoami() -> str:
    """Say who has called."""
    return principal().subject or ""


async def test_what_it_tells(authorization_server: ScriptedAS) -> None:
    """A good token is told in the SDK's words; one that is not, or not for here, is none."""
    expiry = int(time.time()) + 60
    authorization_server.tokens["good-canary"] = active("read", iss=ISSUER, exp=expiry, email="alice@example.com")
    verifier = TokenVerifier(authorization_server.server(resource="https://rs.example.com/mcp"))
    token = await verifier.verify_token("good-canary")
    assert token is not None
    assert (token.token, token.client_id, token.subject, token.scopes) == ("good-canary", "app", "alice", ["read"])
    assert (token.expires_at, token.resource) == (expiry, "https://rs.example.com/mcp")
    assert token.claims["iss"] == ISSUER
    assert "canary" not in repr(token) + str(token)
    assert await verifier.verify_token("unknown-canary") is None
    assert await verifier.verify_token("\udcff nonsense") is None
    plain = await TokenVerifier(authorization_server.server()).verify_token(READER)
    assert plain is not None
    assert (plain.expires_at, plain.resource) == (None, AUDIENCE)


@pytest.mark.attack("A-D-3")
async def test_bound_tokens(authorization_server: ScriptedAS) -> None:
    """A token that is bound to a key is refused: what would prove that is not shown to a verifier."""
    bound = {"cnf": {"jkt": thumbprint(client_key())}, "token_type": "DPoP"}
    authorization_server.tokens["bound-canary"] = active("read", **bound)
    server = authorization_server.server(dpop="optional", external_url="https://rs.example.com")
    assert await TokenVerifier(server).verify_token("bound-canary") is None


async def test_outage(authorization_server: ScriptedAS) -> None:
    """What cannot be verified is no bad token where that is configured: an error, so that no 401 comes of it."""
    authorization_server.outage = 500
    assert await TokenVerifier(authorization_server.server()).verify_token("x-canary") is None
    with pytest.raises(VerificationUnavailable):
        await TokenVerifier(authorization_server.server(unavailable_status=503)).verify_token("x-canary")


def settings(**changes: Any) -> AuthSettings:
    """Write the SDK's settings."""
    told = {"issuer_url": ISSUER, "resource_server_url": AUDIENCE, "required_scopes": ["read"]}
    return AuthSettings.model_validate(told | {"validate_token_resource": True} | changes)


async def test_in_the_sdk(authorization_server: ScriptedAS) -> None:
    """The SDK takes it as its ``token_verifier``, and writes the refusals itself; an outage is no 401 there."""
    server = authorization_server.server(unavailable_status=503, retries=0)
    verifier: Protocol = TokenVerifier(server)
    orders = MCPServer("Orders", token_verifier=verifier, auth=settings())
    orders.add_tool(whoami)
    async with running(orders.streamable_http_app(stateless_http=True, json_response=True)) as client:
        assert (await ask(client, None)).status_code == 401
        assert (await ask(client, "unknown-canary")).status_code == 401
        assert (await ask(client, NOBODY)).status_code == 403
        answer = await ask(client, READER)
        assert answer.json()["result"]["content"][0]["text"] == "alice"
        authorization_server.outage = 500
        assert (await ask(client, "x-canary")).status_code == 500


@pytest.mark.parametrize("wrapped", [False, True], ids=["alone", "in a RemoteAuthProvider"])
async def test_in_fastmcp(wrapped: bool, authorization_server: ScriptedAS) -> None:  # noqa: FBT001 - a parameter
    """FastMCP takes it as its ``auth``, alone or in a provider; alone, an outage is a 503 there."""
    server = authorization_server.server(unavailable_status=503, retries=0)
    verifier = TokenVerifier(server, "read")
    assert isinstance(verifier, FastMCPVerifier)
    remote = RemoteAuthProvider(verifier, [AnyHttpUrl(ISSUER)], "https://rs.example.com")
    orders: FastMCP[Any] = FastMCP("Orders", auth=remote if wrapped else verifier)
    orders.tool(whoami)
    async with running(orders.http_app(stateless_http=True, json_response=True)) as client:
        missing = await ask(client, None)
        assert (missing.status_code, 'scope="read"' in missing.headers["www-authenticate"]) == (401, True)
        assert (await ask(client, "unknown-canary")).status_code == 401
        assert (await ask(client, NOBODY)).status_code == 403
        answer = await ask(client, READER)
        assert answer.json()["result"]["content"][0]["text"] == "alice"
        authorization_server.outage = 500
        outage = await ask(client, "x-canary")
        assert outage.status_code == (500 if wrapped else 503)
        assert wrapped or int(outage.headers["retry-after"]) >= 1


async def test_one_of_several(authorization_server: ScriptedAS) -> None:
    """It can be one of several of FastMCP's."""
    several = MultiAuth(verifiers={"ours": TokenVerifier(authorization_server.server())})
    token = await several.verify_token(READER)
    assert token is not None
    assert token.subject == "alice"


def test_without_fastmcp(monkeypatch: pytest.MonkeyPatch, authorization_server: ScriptedAS) -> None:
    """Where FastMCP is not installed the verifier is the SDK's alone."""
    monkeypatch.setitem(sys.modules, "fastmcp.server.auth", None)
    module = _load_anew()
    verifier = module.TokenVerifier(authorization_server.server(), "read")
    assert not isinstance(verifier, FastMCPVerifier)
    assert verifier.required_scopes == ["read"]
    assert module.AccessToken.__mro__[1].__module__ == "mcp.server.auth.provider"


def _load_anew() -> ModuleType:
    spec = importlib.util.spec_from_file_location("resource_server_mcp_alone", resource_server.mcp.__file__)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
