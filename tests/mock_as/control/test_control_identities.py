"""Clients, users, resources and issuers over HTTP: registered, changed and forgotten while the server runs."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from mock_as import MockAS
from mock_as.clients import Client
from mock_as.tokens.resources import Resource
from mock_as.users import User
from tests.mock_as.reading import problem

pytestmark = pytest.mark.anyio

EVERY = [("clients", "id", "rs"), ("users", "sub", "alice"), ("resources", "uri", "https://api.example.test/orders")]


@pytest.fixture
def mock() -> MockAS:
    """Make a mock that knows a resource too."""
    return MockAS(resources=[Resource(uri="https://api.example.test/orders", lifetime=60)])


@pytest.mark.parametrize(("kind", "key", "name"), EVERY)
async def test_entries_are_shown_and_forgotten(
    mock: MockAS, client: httpx.AsyncClient, kind: str, key: str, name: str
) -> None:
    """Each kind is listed, shown one by one, and forgotten; what is not there is 404."""
    listed = (await client.get(f"/_mock/{kind}")).json()[kind]
    shown = (await client.get(f"/_mock/{kind}/{name}")).json()
    assert shown in listed
    assert shown[key] == name
    assert "secret" not in shown
    assert (await client.delete(f"/_mock/{kind}/{name}")).json() == {"deleted": True}
    assert name not in getattr(mock, kind)
    for method in ("GET", "DELETE", "PATCH"):
        missing = await client.request(method, f"/_mock/{kind}/{name}", json={} if method == "PATCH" else None)
        assert missing.status_code == 404
        assert problem(missing)["title"].startswith("There is no such")


async def test_client_is_registered_and_changed(mock: MockAS, client: httpx.AsyncClient) -> None:
    """A client is put as a whole and changed in part; what was not said stays as it was."""
    body = {"secret": "s", "scopes": ["read"], "claims": {"tenant": "acme"}, "introspect": True}
    shown = (await client.put("/_mock/clients/orders", json=body)).json()
    assert (shown["id"], shown["scopes"], shown["grants"]) == ("orders", ["read"], ["client_credentials"])
    expected = Client(id="orders", secret="s", scopes=("read",), claims={"tenant": "acme"}, introspect=True)
    assert mock.clients["orders"] == expected
    await client.patch("/_mock/clients/orders", json={"scopes": ["read", "write"], "format": "opaque"})
    changed = mock.clients["orders"]
    assert (changed.scopes, changed.format, changed.secret) == (("read", "write"), "opaque", "s")
    grant = {"grant_type": "client_credentials"}
    answer = await client.post("/token", data=grant, auth=("orders", "s"))
    assert answer.json()["scope"] == "read write"


async def test_credentials_of_a_client(client: httpx.AsyncClient) -> None:
    """A test gets the secret of a client where it asks for it."""
    shown = (await client.get("/_mock/clients/rs/credentials")).json()
    assert shown == {"client_id": "rs", "client_secret": "rs-secret"}
    missing = await client.get("/_mock/clients/nobody/credentials")
    assert (missing.status_code, problem(missing)["errors"][0]["field"]) == (422, "client_id")


async def test_key_of_a_client(client: httpx.AsyncClient) -> None:
    """A test gets the key of a client that has one, to play it."""
    assert "d" in (await client.get("/_mock/clients/svc.jwt/key")).json()["jwk"]
    for name in ("svc", "nobody"):
        missing = await client.get(f"/_mock/clients/{name}/key")
        assert (missing.status_code, problem(missing)["errors"][0]["field"]) == (422, "client_id")


async def test_user_is_made_and_disabled(mock: MockAS, client: httpx.AsyncClient) -> None:
    """A person is put and changed, and can no longer log in when disabled."""
    await client.put("/_mock/users/dave", json={"name": "Dave", "scopes": ["read"], "claims": {"email": "d@x.test"}})
    assert mock.users["dave"] == User(sub="dave", name="Dave", scopes=("read",), claims={"email": "d@x.test"})
    await client.patch("/_mock/users/dave", json={"disabled": True})
    assert (mock.users["dave"].disabled, mock.users["dave"].name) == (True, "Dave")
    refused = await client.post("/_mock/authorize", json={"client_id": "web", "sub": "dave"})
    assert (refused.status_code, problem(refused)["errors"][0]["field"]) == (422, "sub")


async def test_resource_is_made_and_changed(mock: MockAS, client: httpx.AsyncClient) -> None:
    """A resource is put and changed, and its tokens are as it says."""
    uri = "https://api.example.test/reports"
    await client.put(f"/_mock/resources/{uri}", json={"format": "opaque", "lifetime": 60})
    await client.patch(f"/_mock/resources/{uri}", json={"lifetime": 30})
    assert mock.resources[uri] == Resource(uri=uri, format="opaque", lifetime=30)


@pytest.mark.parametrize(
    ("path", "field"), [("/clients/rs", "id"), ("/users/alice", "sub"), ("/resources/https://r.test/", "uri")]
)
async def test_name_may_be_said_twice(mock: MockAS, client: httpx.AsyncClient, path: str, field: str) -> None:
    """What is shown can be sent back as it is; another name than that of the path is refused."""
    mock.resources["https://r.test/"] = Resource(uri="https://r.test/")
    before = [dict(registry) for registry in (mock.clients, mock.users, mock.resources)]
    shown = {**(await client.get(f"/_mock{path}")).json(), **({"secret": "rs-secret"} if field == "id" else {})}
    for method in ("PUT", "PATCH"):
        assert (await client.request(method, f"/_mock{path}", json=shown)).status_code == 200
        refused = await client.request(method, f"/_mock{path}", json={**shown, field: "other"})
        assert (refused.status_code, problem(refused)["errors"][0]["field"]) == (422, field)
    assert [dict(registry) for registry in (mock.clients, mock.users, mock.resources)] == before


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("/clients/orders", {"secret": "s", "auth_methods": ["client_secret_baisc"]}, "auth_methods"),
        ("/clients/orders", {"secret": "s", "scpoes": []}, "scpoes"),
        ("/clients/orders", {"secret": "s", "lifetime": "60"}, "lifetime"),
        ("/clients/orders", {"secret": 5}, "secret"),
        ("/users/dave", {"scopes": "read"}, "scopes"),
        ("/users/dave", {"disabled": "yes"}, "disabled"),
        ("/resources/https://x.test/", {"format": "jwe"}, "format"),
        ("/issuers/not a name", None, "tenant"),
    ],
)
async def test_wrong_entry(mock: MockAS, client: httpx.AsyncClient, path: str, body: Any, field: str) -> None:
    """What could never work is refused by the name of the member, and changes nothing."""
    before = [dict(registry) for registry in (mock.clients, mock.users, mock.resources)]
    response = await client.put(f"/_mock{path}", json=body)
    assert response.status_code == 422
    assert field in [error["field"] for error in problem(response)["errors"]]
    assert [dict(registry) for registry in (mock.clients, mock.users, mock.resources)] == before
    assert not mock.tenants


# ----------------------------------------------------------------------------------------------------------- issuers


async def test_issuers(mock: MockAS, client: httpx.AsyncClient) -> None:
    """Issuers are made with everything of their own, listed, and forgotten with what they hold."""
    made = await client.put("/_mock/issuers/acme")
    assert (made.status_code, made.json()["issuer"]) == (201, f"{mock.issuer}/t/acme")
    assert (await client.put("/_mock/issuers/acme")).status_code == 200
    assert (await client.get(made.json()["metadata"])).json()["issuer"] == f"{mock.issuer}/t/acme"
    assert (await client.get("/_mock/issuers/acme")).json() == made.json()
    anonymous = (await client.post("/_mock/issuers")).json()["name"]
    listed = (await client.get("/_mock/issuers")).json()
    assert (listed["issuer"], [item["name"] for item in listed["issuers"]]) == (mock.issuer, ["acme", anonymous])
    assert (await client.delete("/_mock/issuers/acme")).json() == {"deleted": True}
    assert list(mock.tenants) == [anonymous]
    for method in ("GET", "DELETE"):
        assert (await client.request(method, "/_mock/issuers/acme")).status_code == 404


async def test_options_of_an_issuer(mock: MockAS, client: httpx.AsyncClient) -> None:
    """Options of an issuer are changed until its next reset, and those of the others stay."""
    tenant = mock.tenant("acme")
    changed = await client.patch("/_mock/issuers/acme", json={"profile": "canaille", "token_format": "opaque"})
    assert changed.json()["options"] == {"profile": "canaille", "token_format": "opaque"}
    assert (tenant.options.profile, mock.options.profile, tenant.token().format) == ("canaille", "strict", "opaque")
    for wrong in ({"profile": "x"}, {"lifetime": 0}, {"seed": 1}):
        refused = await client.patch("/_mock/issuers/acme", json=wrong)
        assert (refused.status_code, [error["field"] for error in problem(refused)["errors"]]) == (422, list(wrong))
    assert (await client.patch("/_mock/issuers/nobody", json={})).status_code == 404


async def test_each_issuer_has_a_control_plane(mock: MockAS, client: httpx.AsyncClient) -> None:
    """The control plane of a tenant changes the tenant and nobody else."""
    tenant = mock.tenant("acme")
    await client.post("/t/acme/_mock/clock", json={"advance": 60})
    await client.post("/t/acme/_mock/tokens", json={"sub": "alice"})
    assert (tenant.clock.offset, mock.clock.offset) == (60, 0)
    assert (len(tenant.tokens), len(mock.tokens)) == (1, 0)
    state = (await client.get("/t/acme/_mock/state")).json()
    assert state["issuer"] == tenant.issuer
    document = (await client.get("/t/acme/_mock/openapi.json")).json()
    assert document["servers"] == [{"url": "/t/acme"}]
    assert "/_mock/tokens" in document["paths"]


async def test_there_is_one_application() -> None:
    """The control plane is built once in a process, however many mocks there are."""
    first, second = MockAS(), MockAS()
    first.token()
    for mock, count in ((first, 1), (second, 0)):
        async with httpx.AsyncClient(transport=mock.transport(), base_url=mock.issuer) as client:
            assert (await client.get("/_mock/tokens")).json()["count"] == count
