"""The verbs about everything, over HTTP: tokens, keys, held requests, snapshots, seeds, profiles, metadata, logins."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest

from mock_as import Clock, MockAS
from tests.mock_as.conftest import Post
from tests.mock_as.reading import problem

pytestmark = pytest.mark.anyio

NOW = 1_700_000_000


@pytest.fixture
def mock() -> MockAS:
    """Make a mock whose clock stands still."""
    return MockAS(clock=Clock(lambda: NOW))


async def ask(client: httpx.AsyncClient, method: str, path: str, document: Any = None, **query: Any) -> Any:
    """Ask the control plane for something that it can do."""
    response = await client.request(method, f"/_mock{path}", json=document, params=query)
    assert response.is_success, response.text
    return response.json()


# ------------------------------------------------------------------------------------------------------------ tokens


async def test_several_tokens(mock: MockAS, client: httpx.AsyncClient) -> None:
    """Several tokens are made at once; the first is there as if it were the only one."""
    answer = await ask(client, "POST", "/tokens", {"n": 3, "format": "opaque"})
    assert len({item["token"] for item in answer["tokens"]}) == len(mock.tokens) == 3
    assert answer["tokens"][0]["token"] == answer["token"]


async def test_proof_key_of_a_token(client: httpx.AsyncClient) -> None:
    """A token that is bound to a key made for it comes with the key."""
    answer = await ask(client, "POST", "/tokens", {"token_type": "DPoP"})
    assert "d" in answer["proof_key"]
    assert answer["claims"]["cnf"]["jkt"]
    assert (await ask(client, "POST", "/tokens"))["proof_key"] is None


async def test_tokens_are_found(mock: MockAS, client: httpx.AsyncClient) -> None:
    """Tokens are listed without their texts, by subject, by client and by whether they are active."""
    alice = mock.token("alice")
    mock.revoke(mock.token("alice", client_id="web"))
    mock.token("bob")
    listed = await ask(client, "GET", "/tokens")
    assert listed["count"] == 3
    assert alice.value not in str(listed)
    for query, count in (
        ({"sub": "alice"}, 2),
        ({"client_id": "web"}, 1),
        ({"active": "true"}, 2),
        ({"sub": "alice", "active": "false"}, 1),
    ):
        assert (await ask(client, "GET", "/tokens", **query))["count"] == count


async def test_token_is_edited(mock: MockAS, client: httpx.AsyncClient, introspect: Post) -> None:
    """What introspection says of a live token changes at once; the JWT stays as it is."""
    token = mock.token("alice")
    shown = await ask(client, "GET", f"/tokens/{token.id}")
    assert (shown["token"], shown["claims"]["sub"], shown["active"]) == (token.value, "alice", True)
    change = {"scope": ["write"], "claims": {"tenant": "acme", "sub": None}, "exp": NOW + 5}
    edited = await ask(client, "PATCH", f"/tokens/{token.id}", change)
    said = (await introspect(token)).json()
    assert (said["scope"], said["tenant"], said["exp"], "sub" in said) == ("write", "acme", NOW + 5, False)
    assert (edited["token"], edited["expires_at"]) == (token.value, NOW + 5)
    mock.clock.advance(6)
    assert (await introspect(token)).json() == {"active": False}


async def test_token_is_forgotten(mock: MockAS, client: httpx.AsyncClient, introspect: Post) -> None:
    """Introspection does not know a token that was forgotten, nor does the control plane."""
    token = mock.token(format="opaque")
    assert await ask(client, "DELETE", f"/tokens/{token.id}") == {"deleted": True}
    assert (await introspect(token)).json() == {"active": False}
    for method in ("GET", "PATCH", "DELETE"):
        missing = await client.request(method, f"/_mock/tokens/{token.id}", json={})
        assert (missing.status_code, problem(missing)["title"]) == (404, "There is no such token.")


# -------------------------------------------------------------------------------------------------------------- keys


async def test_keys_are_staged_and_changed(mock: MockAS, client: httpx.AsyncClient) -> None:
    """A key is staged, published, used, replaced by another of its name, and forgotten."""
    kid = (await ask(client, "POST", "/keys", {"alg": "ES384"}))["kid"]
    assert {"kid": kid, "alg": "ES384", "state": "unpublished"} in mock.keys.describe()
    for change, state in (("activate", "signing, unpublished"), ("publish", "signing"), ("replace", "signing")):
        shown = await ask(client, "POST", f"/keys/{kid}/{change}")
        assert {"kid": kid, "alg": "ES384", "state": state} in shown["keys"]
    await ask(client, "POST", f"/keys/{kid}/unpublish")
    assert kid not in [key["kid"] for key in mock.keys.jwks()["keys"]]
    shown = await ask(client, "DELETE", f"/keys/{kid}")
    assert kid not in [key["kid"] for key in shown["keys"]]
    for method, path in (("POST", f"/keys/{kid}/publish"), ("DELETE", f"/keys/{kid}")):
        missing = await client.request(method, f"/_mock{path}")
        assert (missing.status_code, problem(missing)["errors"][0]["field"]) == (422, "kid")
    assert (await client.post("/_mock/keys/x/polish")).status_code == 422


# ------------------------------------------------------------------------------------------------------------- faults


async def test_held_request_is_waited_for_and_released(mock: MockAS, client: httpx.AsyncClient) -> None:
    """A fault that holds requests tells how many there are, and lets them go on."""
    name = (await ask(client, "POST", "/faults", {"endpoint": "jwks", "action": "hold"}))["id"]
    held = asyncio.create_task(client.get("/jwks"))
    assert (await ask(client, "GET", f"/faults/{name}/wait", count=1))["applied"] == 1
    late = await client.get(f"/_mock/faults/{name}/wait", params={"count": 2, "timeout": 0.01})
    assert late.status_code == 408
    assert problem(late)["title"] == "It happened 1 of 2 times within 0.01 s."
    assert (await ask(client, "POST", f"/faults/{name}/release"))["applied"] == 1
    assert (await held).json() == mock.keys.jwks()
    assert (await ask(client, "GET", f"/faults/{name}"))["applied"] == 1
    for method, path in (("GET", ""), ("GET", "/wait"), ("POST", "/release")):
        assert (await client.request(method, f"/_mock/faults/unknown{path}")).status_code == 404


# --------------------------------------------------------------------------------------------------------------- whole


async def test_reset_keeps_what_it_is_told(mock: MockAS, client: httpx.AsyncClient) -> None:
    """A reset leaves what is to be kept, and refuses to keep what there is not."""
    mock.clock.advance(5)
    token = mock.token()
    await ask(client, "POST", "/reset", {"keep": ["tokens"]})
    assert (mock.tokens.find(token) is None, mock.clock.offset) == (False, 0)
    refused = await client.post("/_mock/reset", json={"keep": ["token"]})
    assert (refused.status_code, problem(refused)["errors"][0]["field"]) == (422, "keep")
    assert mock.tokens.find(token) is not None


async def test_snapshot_and_restore(mock: MockAS, client: httpx.AsyncClient) -> None:
    """A state is remembered under a name, and restored by it."""
    name = (await ask(client, "POST", "/snapshot"))["snapshot"]
    mock.clock.advance(5)
    assert await ask(client, "POST", "/restore", {"snapshot": name}) == {"restored": name}
    assert mock.clock.offset == 0
    refused = await client.post("/_mock/restore", json={"snapshot": "unknown"})
    assert (refused.status_code, problem(refused)["errors"][0]["field"]) == (422, "snapshot")
    assert (
        (await client.post("/_mock/restore")).json() == await ask(client, "POST", "/restore", {}) == {"restored": name}
    )


async def test_seed(client: httpx.AsyncClient) -> None:
    """The same seed makes the same tokens."""
    texts: list[str] = []
    for _ in range(2):
        assert await ask(client, "POST", "/seed", {"seed": 42}) == {"seed": 42}
        texts.append((await ask(client, "POST", "/tokens", {"format": "opaque"}))["token"])
    assert texts[0] == texts[1]
    assert (await client.post("/_mock/seed", json={})).status_code == 422


async def test_profile(mock: MockAS, client: httpx.AsyncClient) -> None:
    """The behaviour of a real server is put on by its name."""
    assert await ask(client, "GET", "/profile") == {"profile": "strict"}
    assert await ask(client, "PUT", "/profile", {"profile": "canaille"}) == {"profile": "canaille"}
    refused = await client.put("/_mock/profile", json={"profile": "canary"})
    assert (refused.status_code, mock.options.profile) == (422, "canaille")


async def test_metadata_are_edited(client: httpx.AsyncClient) -> None:
    """A member of the metadata is changed, added or left out, until the edits are taken back."""
    path = "/.well-known/oauth-authorization-server"
    honest = (await client.get(path)).json()
    edits = {"introspection_endpoint": None, "x": 1}
    assert await ask(client, "PATCH", "/metadata", edits) == {"edits": edits}
    changed = (await client.get(path)).json()
    assert ("introspection_endpoint" in changed, changed["x"]) == (False, 1)
    assert await ask(client, "GET", "/metadata") == {"edits": edits}
    assert await ask(client, "DELETE", "/metadata") == {"edits": {}}
    assert (await client.get(path)).json() == honest


async def test_version_says_where_everything_is(mock: MockAS, client: httpx.AsyncClient) -> None:
    """A harness learns the version, the issuer and the addresses of the endpoints."""
    answer = await ask(client, "GET", "/version")
    assert (answer["issuer"], answer["url"]["token"]) == (mock.issuer, mock.url.token)


async def test_login_without_a_browser(mock: MockAS, client: httpx.AsyncClient) -> None:
    """A login is one request, which answers with the URL that the browser would be sent to, and what is in it."""
    answer = await ask(client, "POST", "/authorize", {"client_id": "web", "sub": "bob", "state": "s"})
    assert answer["redirect"].startswith("https://app.example.test/callback?")
    assert (answer["parameters"]["state"], answer["parameters"]["iss"]) == ("s", mock.issuer)
    denied = await ask(client, "POST", "/authorize", {"client_id": "web", "decision": "deny"})
    assert denied["parameters"]["error"] == "access_denied"
    for document, field in (({"client_id": "wbe"}, "client_id"), ({"client_id": "web", "stat": "s"}, "stat")):
        refused = await client.post("/_mock/authorize", json=document)
        assert (refused.status_code, problem(refused)["errors"][0]["field"]) == (422, field)
