"""Pushed authorization requests: judged when they are pushed, kept for a while, and decided once.

References: RFC 9126
"""

from __future__ import annotations

import httpx
import pytest

from mock_as import MockAS
from mock_as.oauth.endpoints.par import LIFETIME
from tests.mock_as.oauth.test_authorization_code import redeem
from tests.mock_as.person import Browser, asking, redirected

pytestmark = pytest.mark.anyio


async def push(mock: MockAS, client: httpx.AsyncClient, **changes: str | None) -> httpx.Response:
    """Push a request as the client `web`."""
    return await client.post("/par", data=asking(**changes), auth=mock.credentials("web"))


async def test_the_whole_flow(mock: MockAS, client: httpx.AsyncClient) -> None:
    """The browser brings a reference only, and the client gets what it has asked for behind its back."""
    answer = await push(mock, client, client_id=None)
    assert answer.status_code == 201
    assert answer.headers["cache-control"] == "no-store"
    pushed = answer.json()
    assert set(pushed) == {"request_uri", "expires_in"}
    assert pushed["expires_in"] == LIFETIME
    brought = {"client_id": "web", "request_uri": pushed["request_uri"], "scope": "admin"}
    browser = Browser(client)
    page = await browser.open("/authorize", **brought)
    assert page.form.checkboxes == ["openid", "read", "write"]
    assert (await browser.open("/authorize", **brought)).response.status_code == 200
    back = await browser.log_in(page)
    assert back["state"] == "a state & more"
    assert (await redeem(mock, client, back["code"])).status_code == 200
    assert (await browser.open("/authorize", **brought)).response.status_code == 400


async def test_a_public_client_may_push(client: httpx.AsyncClient) -> None:
    """A public client identifies itself by its id."""
    assert (await client.post("/par", data=asking(client_id="spa"))).status_code == 201


async def test_a_reference_is_the_clients(mock: MockAS, client: httpx.AsyncClient) -> None:
    """A reference is of no use to another client, nor when it has expired."""
    uri = (await push(mock, client)).json()["request_uri"]
    for brought in ({"client_id": "spa", "request_uri": uri}, {"request_uri": uri}):
        assert (await client.get("/authorize", params=brought)).status_code == 400
    mock.clock.advance(LIFETIME)
    assert (await client.get("/authorize", params={"client_id": "web", "request_uri": uri})).status_code == 400


async def test_silently(mock: MockAS, client: httpx.AsyncClient) -> None:
    """A pushed request that asks nobody is decided at once."""
    uri = (await push(mock, client, prompt="none")).json()["request_uri"]
    brought = {"client_id": "web", "request_uri": uri}
    assert redirected(await client.get("/authorize", params=brought))["error"] == "login_required"
    assert (await client.get("/authorize", params=brought)).status_code == 400


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"redirect_uri": "https://evil.example/"}, "invalid_request"),
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"scope": "root"}, "invalid_scope"),
        ({"request_uri": "urn:ietf:params:oauth:request_uri:x"}, "invalid_request"),
        ({"client_id": "spa"}, "invalid_request"),
        ({"request": "e30.e30."}, "request_not_supported"),
    ],
)
async def test_what_cannot_be_pushed(
    mock: MockAS, client: httpx.AsyncClient, changes: dict[str, str | None], error: str
) -> None:
    """What is wrong with a request is said to the client, and no browser is needed to find out."""
    answer = await push(mock, client, **changes)
    assert (answer.status_code, answer.json()["error"]) == (400, error)


async def test_who_may_push(mock: MockAS, client: httpx.AsyncClient) -> None:
    """A client has to authenticate as at the token endpoint: RFC 9126 section 2."""
    answer = await client.post("/par", data=asking(), auth=("web", "wrong"))
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")
    assert "www-authenticate" in answer.headers
    assert (await client.post("/par", json=asking(), auth=mock.credentials("web"))).status_code == 400
    assert (await client.get("/par")).status_code == 405
    doubled = httpx.QueryParams(asking()).add("scope", "read")
    headers = {"content-type": "application/x-www-form-urlencoded"}
    answer = await client.post("/par", content=str(doubled), headers=headers, auth=mock.credentials("web"))
    assert answer.json()["error"] == "invalid_request"
