"""An MCP server on a socket, the mock authorization server that it asks, and the clients that call it."""

from __future__ import annotations

import importlib.util
import socket
import threading
from collections.abc import AsyncGenerator, Callable, Generator, Iterator
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import httpx
import httpx2
import pytest
import uvicorn
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from mock_as import MockAS, Token
from tests.support.live import PATIENCE, _Server
from tests.support.promises import logs_keep_secrets

__all__ = ["Serve", "logs_keep_secrets"]

EXAMPLE = Path(__file__).parents[2] / "examples/mcp_server.py"
Serve = Callable[[Callable[[str], Any]], AbstractContextManager[str]]


@contextmanager
def serve(make_app: Callable[[str], Any]) -> Generator[str]:
    """Serve an application while the block runs.

    Args:
        make_app: makes it, told the URL under which it will be reached.

    Yields:
        The URL.
    """
    listener = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    server = _Server(uvicorn.Config(make_app(url), http="httptools", ws="none", log_config=None, lifespan="on"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    assert server.ready.wait(PATIENCE)
    try:
        yield url
    finally:
        server.should_exit = True
        thread.join(PATIENCE)
        assert not thread.is_alive()


@pytest.fixture
def configured(mock_as_server: MockAS, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[str], None]:
    """Return what configures a resource server by the environment alone, for the URL under which it is reached."""
    monkeypatch.chdir(tmp_path)

    def configure(url: str) -> None:
        monkeypatch.setenv("RESOURCE_SERVER_ISSUER", mock_as_server.url.issuer)
        monkeypatch.setenv("RESOURCE_SERVER_AUDIENCE", f"{url}/mcp")
        monkeypatch.setenv("RESOURCE_SERVER_RESOURCE", f"{url}/mcp")
        monkeypatch.setenv("RESOURCE_SERVER_CLIENT_ID", "rs")
        monkeypatch.setenv("RESOURCE_SERVER_CLIENT_SECRET", "rs-secret")

    return configure


@pytest.fixture
def example(configured: Callable[[str], None], monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Serve the example as a user would, and return its URL; an outage is a 503."""
    monkeypatch.setenv("RESOURCE_SERVER_UNAVAILABLE_STATUS", "503")
    monkeypatch.setenv("RESOURCE_SERVER_RETRIES", "0")

    def make_app(url: str) -> Any:
        configured(url)
        spec = importlib.util.spec_from_file_location("mcp_orders", EXAMPLE)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module.app

    with serve(make_app) as url:
        yield url


@asynccontextmanager
async def client_of(url: str, token: Token | str | None = None, **options: Any) -> AsyncGenerator[Client]:
    """Be a client of the SDK.

    Args:
        url: of the MCP server, without its path.
        token: what it sends.
        options: of its HTTP client.
    """
    if token is not None:
        options["headers"] = {"Authorization": f"Bearer {token.value if isinstance(token, Token) else token}"}
    async with (
        httpx2.AsyncClient(**options) as http,
        Client(streamable_http_client(f"{url}/mcp", http_client=http)) as client,
    ):
        yield client


def post(url: str, token: Token | str | None = None, **sent: Any) -> httpx.Response:
    """Send one message without a session, and look at the response itself."""
    headers = {"Accept": "application/json, text/event-stream", **sent.pop("headers", {})}
    if token is not None:
        headers["Authorization"] = f"Bearer {token.value if isinstance(token, Token) else token}"
    sent = sent or {"json": {"jsonrpc": "2.0", "id": 1, "method": "ping"}}
    return httpx.post(f"{url}/mcp", headers=headers, **sent)


def calling(tool: str, **arguments: Any) -> dict[str, Any]:
    """Write a call of a tool."""
    return {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": tool, "arguments": arguments}}
