"""Sessions of a real MCP server behind the front door: each message has the caller that its own request has."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from fastmcp import FastMCP
from fastmcp.server.dependencies import get_access_token as fastmcp_access_token
from mcp.server import MCPServer
from mcp.server.auth.middleware.auth_context import get_access_token

from resource_server import Requirement
from resource_server.mcp import principal, protect
from tests.mcp.conftest import calling, serve
from tests.support.fastapi_app import READER, WRITER, ScriptedAS, active
from tests.support.promises import PRESENTED

pytestmark = pytest.mark.anyio

HEADERS = {"Accept": "application/json, text/event-stream", "Host": "127.0.0.1:1"}
HELLO = {
    "jsonrpc": "2.0",
    "id": 0,
    "method": "initialize",
    "params": {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}},
}


@pytest.fixture
def anyio_backend() -> str:
    """Run in asyncio, where MCP servers run."""
    return "asyncio"


@pytest.fixture
def authorization_server() -> ScriptedAS:
    """Give an authorization server that knows many subjects."""
    subjects = {f"subject-{n}-canary": active("read", sub=f"subject-{n}") for n in range(20)}
    known = {READER: active("read", client_id="app"), WRITER: active("read write", client_id="app")}
    return ScriptedAS(known | subjects)


async def whoami() -> list[str | None]:
    """Say who has called, as everybody knows it who may be asked."""
    theirs = get_access_token()
    await asyncio.sleep(0)
    return [principal().subject, " ".join(sorted(principal().scopes)), None if theirs is None else theirs.subject]


async def whoami_too() -> str | None:
    """Say who has called, as FastMCP knows it."""
    token = fastmcp_access_token()
    return None if token is None else token.subject


@asynccontextmanager
async def running(http: Any, authorization_server: ScriptedAS, **options: Any) -> AsyncGenerator[httpx.AsyncClient]:
    """Run an MCP server behind the front door, and be a client."""
    app = protect(http, authorization_server.server(**options), "read", tools={"write": Requirement.of("write")})
    transport = httpx.ASGITransport(app)
    async with (
        http.router.lifespan_context(http),
        httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:1", headers=HEADERS) as client,
    ):
        yield client


def sdk_server() -> Any:
    """Make a server of the SDK."""
    orders = MCPServer("Orders")
    orders.add_tool(whoami)
    return orders.streamable_http_app(json_response=True)


async def send(client: httpx.AsyncClient, token: str, message: Any, session: str | None = None) -> httpx.Response:
    """Send a message."""
    PRESENTED.add(token)
    headers = {"Authorization": f"Bearer {token}"} | ({} if session is None else {"Mcp-Session-Id": session})
    return await client.post("/mcp", json=message, headers=headers)


async def begin(client: httpx.AsyncClient, token: str) -> str:
    """Begin a session."""
    answer = await send(client, token, HELLO)
    session: str = answer.headers["mcp-session-id"]
    ready = await send(client, token, {"jsonrpc": "2.0", "method": "notifications/initialized"}, session)
    assert ready.status_code == 202
    return session


def told(answer: httpx.Response) -> Any:
    """Read what a tool has returned."""
    assert answer.status_code == 200
    return [json.loads(part["text"]) if part["text"][:1] in '["' else part["text"] for part in _content(answer)]


def _content(answer: httpx.Response) -> Any:
    return answer.json()["result"]["content"]


async def test_a_session_has_no_caller_of_its_own(authorization_server: ScriptedAS) -> None:
    """A later message of a session has the scopes of its own token, not of the one that began the session."""
    async with running(sdk_server(), authorization_server) as client:
        session = await begin(client, READER)
        assert told(await send(client, READER, calling("whoami"), session)) == ["alice", "read", "alice"]
        assert told(await send(client, WRITER, calling("whoami"), session)) == ["alice", "read write", "alice"]


async def test_sessions_of_others(authorization_server: ScriptedAS) -> None:
    """A session is its caller's: to everybody else it is not there."""
    async with running(sdk_server(), authorization_server) as client:
        session = await begin(client, READER)
        other = await send(client, "subject-1-canary", calling("whoami"), session)
        assert other.status_code == 404


@pytest.mark.attack("A-F-11")
async def test_many_at_once(authorization_server: ScriptedAS) -> None:
    """Of many callers at once, in sessions of their own, each is told of itself every time."""
    async with running(sdk_server(), authorization_server) as client:

        async def ask(number: int) -> None:
            token = f"subject-{number}-canary"
            session = await begin(client, token)
            for _ in range(10):
                answer = told(await send(client, token, calling("whoami"), session))
                assert answer == [f"subject-{number}", "read", f"subject-{number}"]

        await asyncio.gather(*map(ask, range(20)))


@pytest.mark.parametrize("stateless", [False, True])
async def test_fastmcp(stateless: bool, authorization_server: ScriptedAS) -> None:  # noqa: FBT001 - a parameter
    """FastMCP's own view of the caller is right too."""
    orders: FastMCP[Any] = FastMCP("Orders")
    orders.tool(whoami_too)
    http = orders.http_app(json_response=True, stateless_http=stateless)
    async with running(http, authorization_server) as client:
        session = None if stateless else await begin(client, READER)
        assert told(await send(client, READER, calling("whoami_too"), session)) == ["alice"]


@pytest.mark.rfc("mcp-4")
async def test_scopes_that_include_others(authorization_server: ScriptedAS) -> None:
    """A scope that includes the one that is needed is enough, for a tool too."""
    authorization_server.tokens["wide-canary"] = active("all")
    orders = MCPServer("Orders")
    orders.add_tool(whoami, name="write")
    http = orders.streamable_http_app(json_response=True, stateless_http=True)
    async with running(http, authorization_server, implied_scopes={"all": ["read", "write"]}) as client:
        assert told(await send(client, "wide-canary", calling("write"))) == ["alice", "all", "alice"]


@pytest.mark.attack("A-F-10")
def test_a_real_stream_ends_with_its_token(authorization_server: ScriptedAS) -> None:
    """What a real MCP server streams over real HTTP ends when the token is revoked, and ends as a response should."""
    server = authorization_server.server()
    headers = {**HEADERS, "Authorization": f"Bearer {READER}"}
    PRESENTED.add(READER)
    with serve(lambda _: protect(sdk_server(), server)) as url, httpx.Client(base_url=url, headers=headers) as client:
        del client.headers["Host"]
        session = client.post("/mcp", json=HELLO).headers["mcp-session-id"]
        with client.stream("GET", "/mcp", headers={"Mcp-Session-Id": session}) as stream:
            assert stream.status_code == 200
            server.revoke(token=READER)
            assert b"".join(stream.iter_raw()) == b""
