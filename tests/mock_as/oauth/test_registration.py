"""Clients that register themselves, and what they can do with their registration.

References: RFC 7591, RFC 7592
"""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from mock_as import MockAS
from mock_as.oauth.endpoints import register as endpoint
from tests.mock_as.oauth.test_authorization_code import redeeming
from tests.mock_as.person import CALLBACK, Browser, asking

pytestmark = pytest.mark.anyio

KEY = {"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}


async def register(client: httpx.AsyncClient, **metadata: Any) -> dict[str, Any]:
    """Register a client."""
    answer = await client.post("/register", json={"redirect_uris": [CALLBACK], **metadata})
    assert answer.status_code == 201
    assert answer.headers["cache-control"] == "no-store"
    return dict(answer.json())


def holding(registered: dict[str, Any]) -> dict[str, str]:
    """Return the header field that a client looks after its registration with."""
    return {"Authorization": f"Bearer {registered['registration_access_token']}"}


async def test_a_client_registers_and_is_used(mock: MockAS, client: httpx.AsyncClient) -> None:
    """A client that has registered itself goes through the whole flow with what it was told."""
    mock.clock.freeze()
    registered = await register(client, client_name="An application", grant_types=["authorization_code"])
    assert registered["client_id_issued_at"] == int(mock.clock.now())
    assert registered["client_secret_expires_at"] == 0
    assert registered["token_endpoint_auth_method"] == "client_secret_basic"
    assert registered["response_types"] == ["code"]
    assert registered["redirect_uris"] == [CALLBACK]
    assert registered["client_name"] == "An application"
    client_id, secret = registered["client_id"], registered["client_secret"]
    back = await Browser(client).log_in(await Browser(client).open("/authorize", **asking(client_id=client_id)))
    answer = await client.post("/token", data=redeeming(back["code"]), auth=(client_id, secret))
    assert answer.status_code == 200


async def test_defaults(client: httpx.AsyncClient) -> None:
    """A client that says nothing else is one of the code flow, with a secret and every scope."""
    registered = await register(client)
    assert registered["grant_types"] == ["authorization_code"]
    assert "openid" in registered["scope"].split()


async def test_public_and_machine_clients(mock: MockAS, client: httpx.AsyncClient) -> None:
    """A public client gets no secret; one that redirects nobody needs no address."""
    public = await register(client, token_endpoint_auth_method="none")
    assert "client_secret" not in public
    machine = await register(client, redirect_uris=[], grant_types=["client_credentials"], scope="read")
    form = {"grant_type": "client_credentials"}
    answer = await client.post("/token", data=form, auth=(machine["client_id"], machine["client_secret"]))
    assert answer.json()["scope"] == "read"
    assert mock.clients[public["client_id"]].is_public


async def test_what_else_is_registered(mock: MockAS, client: httpx.AsyncClient) -> None:
    """Keys, certificates and how tokens are bound are part of a registration."""
    registered = await register(
        client,
        token_endpoint_auth_method="tls_client_auth",
        tls_client_auth_san_dns="client.example.test",
        dpop_bound_access_tokens=True,
        tls_client_certificate_bound_access_tokens=True,
        post_logout_redirect_uris=["https://app.example.test/"],
        jwks={"keys": [KEY]},
        unheard_of=1,
    )
    assert "unheard_of" not in registered
    made = mock.clients[registered["client_id"]]
    assert (made.dpop_bound, made.mtls_bound) == (True, True)
    assert made.certificate == {"san_dns": "client.example.test"}
    assert made.public_keys() == [KEY]
    assert made.post_logout_redirect_uris == ("https://app.example.test/",)
    assert registered["tls_client_auth_san_dns"] == "client.example.test"


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"redirect_uris": []}, "invalid_redirect_uri"),
        ({"redirect_uris": ["/relative"]}, "invalid_redirect_uri"),
        ({"redirect_uris": [f"{CALLBACK}#part"]}, "invalid_redirect_uri"),
        ({"redirect_uris": ["javascript:alert(1)"]}, "invalid_redirect_uri"),
        ({"post_logout_redirect_uris": ["x"]}, "invalid_redirect_uri"),
        ({"redirect_uris": CALLBACK}, "invalid_client_metadata"),
        ({"redirect_uris": [1]}, "invalid_client_metadata"),
        ({"scope": ["read"]}, "invalid_client_metadata"),
        ({"scope": "root"}, "invalid_client_metadata"),
        ({"grant_types": ["password"]}, "invalid_client_metadata"),
        ({"response_types": ["token"]}, "invalid_client_metadata"),
        ({"token_endpoint_auth_method": "magic"}, "invalid_client_metadata"),
        ({"token_endpoint_auth_method": "private_key_jwt"}, "invalid_client_metadata"),
        ({"dpop_bound_access_tokens": "yes"}, "invalid_client_metadata"),
        ({"client_uri": "x"}, "invalid_client_metadata"),
        ({"jwks_uri": "https://app.example.test/jwks"}, "invalid_client_metadata"),
        ({"jwks": {"keys": [{**KEY, "d": "x"}]}}, "invalid_client_metadata"),
        ({"jwks": 1}, "invalid_client_metadata"),
        ({"jwks": {"keys": [{}]}}, "invalid_client_metadata"),
        ({"jwks": {"keys": [1]}}, "invalid_client_metadata"),
        ({"jwks": {"keys": [{"kty": 1}]}}, "invalid_client_metadata"),
    ],
)
async def test_what_cannot_be_registered(
    mock: MockAS, client: httpx.AsyncClient, changes: dict[str, Any], error: str
) -> None:
    """What is wrong with the metadata is said, and nobody is registered: RFC 7591 section 3.2.2."""
    before = set(mock.clients)
    answer = await client.post("/register", json={"redirect_uris": [CALLBACK], **changes})
    assert (answer.status_code, answer.json()["error"]) == (400, error)
    assert set(mock.clients) == before


async def test_only_so_many(mock: MockAS, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """Anybody can register, so the oldest that did make room for more; those that were there before stay."""
    monkeypatch.setattr(endpoint, "MOST", 2)
    before = set(mock.clients)
    ids = [(await register(client))["client_id"] for _ in range(4)]
    assert set(mock.clients) - before == set(ids[2:])
    assert before <= set(mock.clients)


async def test_metadata_that_are_too_long(mock: MockAS, client: httpx.AsyncClient) -> None:
    """Metadata of any length would be kept for good, so they have a limit."""
    answer = await client.post("/register", json={"redirect_uris": [CALLBACK], "client_name": "x" * endpoint.LONGEST})
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")
    assert len(mock.pending.registrations) == 0


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff", b"[" * 100_000])
async def test_a_body_that_is_none(client: httpx.AsyncClient, body: bytes) -> None:
    """What is not a JSON object is refused."""
    headers = {"content-type": "application/json"}
    answer = await client.post("/register", content=body, headers=headers)
    assert (answer.status_code, answer.json()["error"]) in (
        (400, "invalid_request"),
        (400, "invalid_client_metadata"),
    )


# ------------------------------------------------------------------------------------------------- after registration


async def test_read(client: httpx.AsyncClient) -> None:
    """A client reads what it was told when it registered: RFC 7592 section 2.1."""
    registered = await register(client)
    answer = await client.get(registered["registration_client_uri"], headers=holding(registered))
    assert answer.json() == registered


async def test_update(mock: MockAS, client: httpx.AsyncClient) -> None:
    """A client replaces its metadata, and keeps its id and its secret: RFC 7592 section 2.2."""
    registered = await register(client, client_name="Before", scope="read write")
    uri = registered["registration_client_uri"]
    said = {"client_id": registered["client_id"], "client_secret": registered["client_secret"], "scope": "read"}
    said["redirect_uris"] = [f"{CALLBACK}/2"]
    answer = await client.put(uri, json=said, headers=holding(registered))
    assert answer.status_code == 200
    changed = answer.json()
    assert (changed["scope"], changed["redirect_uris"], changed.get("client_name")) == ("read", [f"{CALLBACK}/2"], None)
    assert changed["client_secret"] == registered["client_secret"]
    assert mock.clients[registered["client_id"]].scopes == ("read",)
    assert (await client.get(uri, headers=holding(registered))).json() == changed


async def test_a_public_client_becomes_confidential(client: httpx.AsyncClient) -> None:
    """A client that had no secret gets one when it needs it."""
    registered = await register(client, token_endpoint_auth_method="none")
    said = {"client_id": registered["client_id"], "redirect_uris": [CALLBACK]}
    answer = await client.put(registered["registration_client_uri"], json=said, headers=holding(registered))
    assert answer.json()["client_secret"]


@pytest.mark.parametrize(
    "changes",
    [
        {"client_id": None},
        {"client_id": "web"},
        {"client_secret": "wrong"},
        {"client_secret": 1},
        {"registration_access_token": "x"},
        {"client_id_issued_at": 1},
        {"scope": "root"},
    ],
)
async def test_what_cannot_be_updated(mock: MockAS, client: httpx.AsyncClient, changes: dict[str, Any]) -> None:
    """What only the server says cannot be changed, and what is wrong changes nothing."""
    registered = await register(client)
    before = mock.clients[registered["client_id"]]
    said = {"client_id": registered["client_id"], "redirect_uris": [CALLBACK], **changes}
    answer = await client.put(registered["registration_client_uri"], json=said, headers=holding(registered))
    assert answer.status_code == 400
    assert mock.clients[registered["client_id"]] == before


async def test_a_secret_that_is_no_text(client: httpx.AsyncClient) -> None:
    """Half a character, which JSON can hold and UTF-8 cannot, is another secret and no accident."""
    registered = await register(client)
    body = {"client_id": registered["client_id"], "redirect_uris": [CALLBACK], "client_secret": "\ud800"}
    content, headers = json.dumps(body), {**holding(registered), "Content-Type": "application/json"}
    response = await client.put(registered["registration_client_uri"], content=content, headers=headers)
    assert (response.status_code, response.json()["error"]) == (400, "invalid_request")


async def test_delete(mock: MockAS, client: httpx.AsyncClient) -> None:
    """A client that ends its registration is gone, with its tokens: RFC 7592 section 2.3."""
    registered = await register(client)
    uri = registered["registration_client_uri"]
    token = mock.token(client_id=registered["client_id"])
    answer = await client.delete(uri, headers=holding(registered))
    assert (answer.status_code, answer.content) == (204, b"")
    assert registered["client_id"] not in mock.clients
    form = {"token": token.value}
    assert (await client.post("/introspect", data=form, auth=mock.credentials("rs"))).json() == {"active": False}
    assert (await client.get(uri, headers=holding(registered))).status_code == 401


async def test_only_the_client_itself(client: httpx.AsyncClient) -> None:
    """Without the token of a registration nothing is told about it, nor about any other client."""
    one, two = await register(client), await register(client)
    uri = one["registration_client_uri"]
    for headers in ({}, holding(two), {"Authorization": "Basic eDp5"}, {"Authorization": "Bearer é".encode()}):
        answer = await client.get(uri, headers=headers)  # type: ignore[arg-type] # bytes and texts
        assert (answer.status_code, answer.json()["error"]) == (401, "invalid_token")
        assert answer.headers["www-authenticate"].partition(" ")[0] == "Bearer"
    assert (await client.get("/register/web", headers=holding(one))).status_code == 401
    assert (await client.post(uri, headers=holding(one))).status_code == 405


async def test_reset_forgets(mock: MockAS, client: httpx.AsyncClient) -> None:
    """Who has registered itself is forgotten at a reset."""
    registered = await register(client)
    mock.reset()
    answer = await client.get(registered["registration_client_uri"], headers=holding(registered))
    assert answer.status_code == 401


async def test_no_secret_is_shown(mock: MockAS, client: httpx.AsyncClient) -> None:
    """Neither the secret nor the token shows in what Python says of a registration."""
    registered = await register(client)
    shown = repr(mock.pending.registrations.get(registered["client_id"])) + repr(mock.clients[registered["client_id"]])
    assert registered["registration_access_token"] not in shown
    assert registered["client_secret"] not in shown
