"""The examples run as they stand, and do what they say."""

from __future__ import annotations

import importlib.util
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from mock_as import MockAS
from resource_server.testing import assert_challenge

pytestmark = pytest.mark.anyio

ROOT = Path(__file__).parents[1]
ORDERS = ROOT / "examples/fastapi_app.py"
ORDER = {"item": "tea", "quantity": 2}


@pytest.fixture
def mock_as_options() -> dict[str, Any]:
    """Let tokens be for the orders API."""
    return {"audience": "https://orders.example.test"}


@pytest.fixture
def orders_app(mock_as_server: MockAS, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> FastAPI:
    """Load the orders API as a server would: configured by nothing but the environment."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RESOURCE_SERVER_ISSUER", mock_as_server.url.issuer)
    monkeypatch.setenv("RESOURCE_SERVER_AUDIENCE", "https://orders.example.test")
    monkeypatch.setenv("RESOURCE_SERVER_CLIENT_ID", "rs")
    monkeypatch.setenv("RESOURCE_SERVER_CLIENT_SECRET", "rs-secret")
    spec = importlib.util.spec_from_file_location("orders_api", ORDERS)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert isinstance(module.app, FastAPI)
    return module.app


@pytest.fixture
async def orders(orders_app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """Be a client of the orders API, whose lifespan runs."""
    transport = httpx.ASGITransport(orders_app)
    async with (
        orders_app.router.lifespan_context(orders_app),
        httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client,
    ):
        yield client


def test_orders_api_is_short() -> None:
    """The example is read in one glance: fewer than 40 lines."""
    assert len(ORDERS.read_text(encoding="utf-8").splitlines()) < 40


@pytest.mark.parametrize("path", ["/orders", "/orders/live"])
async def test_orders_are_for_readers(path: str, orders: httpx.AsyncClient, mock_as_server: MockAS) -> None:
    """Reading needs orders:read, and the answer says who called and how sure the API is."""
    assert_challenge(await orders.get(path), status=401, scope="orders:read")
    other = mock_as_server.token(scope="orders:write")
    refused = await orders.get(path, headers=other.bearer)
    assert_challenge(refused, status=403, error="insufficient_scope", scope="orders:read")
    token = mock_as_server.token(sub="alice", scope="orders:read")
    answer = await orders.get(path, headers=token.bearer)
    assert answer.status_code == 200
    assert answer.json() == {"caller": "alice", "assurance": "introspected", "orders": []}


async def test_placing_an_order(orders: httpx.AsyncClient, mock_as_server: MockAS) -> None:
    """Placing an order needs orders:write, and then a body that is one."""
    reader = mock_as_server.token(scope="orders:read")
    refused = await orders.post("/orders", headers=reader.bearer, json=ORDER)
    assert_challenge(refused, status=403, error="insufficient_scope", scope="orders:write")
    writer = mock_as_server.token(sub="alice", scope="orders:write")
    placed = await orders.post("/orders", headers=writer.bearer, json=ORDER)
    assert placed.status_code == 201
    assert placed.json() == {"caller": "alice", "assurance": "introspected", "order": ORDER}
    assert (await orders.post("/orders", headers=writer.bearer, json={})).status_code == 422


async def test_body_is_not_read_for_strangers(orders: httpx.AsyncClient) -> None:
    """Without a token a malformed order is a 401: nobody gets to probe the API's model."""
    refused = await orders.post("/orders", content=b"{", headers={"Content-Type": "application/json"})
    assert_challenge(refused, status=401, scope="orders:write")


async def test_review_is_hidden(orders: httpx.AsyncClient, mock_as_server: MockAS) -> None:
    """Who is not an admin cannot tell the review from a path where there is nothing."""
    reader = mock_as_server.token(scope="orders:read")
    hidden, nothing = [await orders.get(path, headers=reader.bearer) for path in ("/admin/orders", "/nothing/there")]
    assert [hidden.status_code, hidden.content] == [404, nothing.content]
    assert sorted(hidden.headers.items()) == sorted(nothing.headers.items())
    admin = mock_as_server.token(sub="root", scope="admin")
    answer = await orders.get("/admin/orders", headers=admin.bearer)
    assert answer.json() == {"caller": "root", "assurance": "introspected", "orders": []}


async def test_outage_is_told_apart_where_asked_for(orders: httpx.AsyncClient, mock_as_server: MockAS) -> None:
    """A token that cannot be verified is a 401, and on the live route a 503 that says when to come back."""
    token = mock_as_server.token(scope="orders:read", format="opaque")
    mock_as_server.fault("introspect", status=503)
    assert_challenge(await orders.get("/orders", headers=token.bearer), status=401, error="invalid_token")
    unavailable = await orders.get("/orders/live", headers=token.bearer)
    assert unavailable.status_code == 503
    assert int(unavailable.headers["retry-after"]) >= 1
