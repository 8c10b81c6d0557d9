"""The examples for ASGI frameworks do what they say."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from mock_as import MockAS
from resource_server.testing import assert_challenge

pytestmark = pytest.mark.anyio

ROOT = Path(__file__).parents[2]
AUDIENCE = "https://api.example.test"


@pytest.fixture
def mock_as_options() -> dict[str, Any]:
    """Let tokens be for the orders API."""
    return {"audience": AUDIENCE}


def load(name: str, mock_as_server: MockAS, monkeypatch: pytest.MonkeyPatch, folder: Path) -> Any:
    """Load an example's application, configured by the environment alone."""
    variables = {"ISSUER": mock_as_server.url.issuer, "AUDIENCE": AUDIENCE}
    variables |= {"CLIENT_ID": "rs", "CLIENT_SECRET": "rs-secret"}
    for variable, value in variables.items():
        monkeypatch.setenv(f"RESOURCE_SERVER_{variable}", value)
    monkeypatch.chdir(folder)
    spec = importlib.util.spec_from_file_location(name, ROOT / "examples" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, name, module)  # Litestar looks there for what annotations name
    spec.loader.exec_module(module)
    return module.app


@pytest.mark.parametrize("name", ["starlette_app", "litestar_app"])
async def test_orders(name: str, mock_as_server: MockAS, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Orders are listed and placed with the scopes for it, everybody sees the health, and the rest is hidden."""
    app = load(name, mock_as_server, monkeypatch, tmp_path)
    token = mock_as_server.token(sub="alice", scope="orders:read orders:write").value
    alice = {"authorization": f"Bearer {token}"}
    transport = httpx.ASGITransport(app)
    async with app.server, httpx.AsyncClient(transport=transport, base_url=AUDIENCE) as client:
        assert (await client.get("/healthz")).json() == {"status": "ok"}
        assert_challenge(await client.get("/orders"), status=401, scope="orders:read")
        assert_challenge(await client.post("/orders", content=b"{"), status=401, scope="orders:write")
        said = {"caller": "alice", "assurance": "introspected"}
        assert (await client.get("/orders", headers=alice)).json() == {**said, "orders": []}
        placed = await client.post("/orders", headers=alice, json={"item": "tea"})
        assert (placed.status_code, placed.json()) == (201, {**said, "order": {"item": "tea"}})
        hidden, missing = [await client.get(path, headers=alice) for path in ("/admin/orders", "/unknown")]
        assert (hidden.status_code, hidden.content) == (missing.status_code, missing.content)
        assert hidden.status_code == 404
        assert hidden.headers == missing.headers
