"""The revocation endpoint.

References: RFC 7009
"""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from mock_as import MockAS
from mock_as.granted import Granted
from mock_as.oauth.grants.issue import issue
from tests.mock_as.conftest import Post
from tests.mock_as.reading import directives

pytestmark = pytest.mark.anyio


async def revoke(client: httpx.AsyncClient, caller: str = "svc", **form: Any) -> httpx.Response:
    """Revoke a token as a client."""
    return await client.post("/revoke", data=form or {"x": "y"}, auth=(caller, f"{caller}-secret"))


@pytest.mark.rfc("as-2")
@pytest.mark.parametrize("token_format", ["jwt", "opaque"])
async def test_revoked_token_is_inactive_at_once(
    mock: MockAS, client: httpx.AsyncClient, introspect: Post, token_format: Any
) -> None:
    """A revoked token introspects as inactive from the answer on, in either format."""
    token = mock.token(format=token_format)
    assert (await introspect(token)).json()["active"] is True
    response = await revoke(client, token=token.value)
    assert response.status_code == 200
    assert "no-store" in directives(response)
    assert (await introspect(token)).json() == {"active": False}


@pytest.mark.rfc("as-2")
@pytest.mark.parametrize("hint", [{}, {"token_type_hint": "refresh_token"}, {"token_type_hint": "anything"}])
async def test_unknown_token_is_no_error(client: httpx.AsyncClient, hint: dict[str, str]) -> None:
    """A token that does not exist is as good as revoked, whatever the hint: RFC 7009 section 2.2."""
    assert (await revoke(client, token="unknown", **hint)).status_code == 200


async def test_revoking_twice_is_no_error(mock: MockAS, client: httpx.AsyncClient) -> None:
    """A token that has been revoked can be revoked again."""
    token = mock.token()
    for _ in range(2):
        assert (await revoke(client, token=token.value)).status_code == 200


async def test_token_of_another_client(mock: MockAS, client: httpx.AsyncClient, introspect: Post) -> None:
    """A client revokes its own tokens only: RFC 7009 section 2.1."""
    token = mock.token(client_id="web")
    response = await revoke(client, token=token.value)
    assert (response.status_code, response.json()["error"]) == (400, "invalid_grant")
    assert (await introspect(token)).json()["active"] is True


async def test_client_must_authenticate(mock: MockAS, client: httpx.AsyncClient, introspect: Post) -> None:
    """Without right credentials nothing is revoked."""
    token = mock.token()
    response = await client.post("/revoke", data={"token": token.value}, auth=("svc", "wrong"))
    assert (response.status_code, response.json()["error"]) == (401, "invalid_client")
    assert (await introspect(token)).json()["active"] is True


async def test_token_must_be_there(client: httpx.AsyncClient) -> None:
    """A request without a token is malformed."""
    response = await revoke(client)
    assert (response.status_code, response.json()["error"]) == (400, "invalid_request")


async def test_get_is_not_taken(client: httpx.AsyncClient) -> None:
    """GET is 405, with what is taken instead."""
    response = await client.get("/revoke")
    assert (response.status_code, response.headers["allow"]) == (405, "POST")


def grant(mock: MockAS, client_id: str) -> dict[str, Any]:
    """Issue the tokens of a grant."""
    granted = Granted(client_id=client_id, grant_type="authorization_code", sub="alice", scopes=("read",))
    return issue(mock, granted, refresh=True)


def revoked(mock: MockAS, tokens: dict[str, Any]) -> list[bool]:
    """Tell what of the tokens of a grant was revoked."""
    records = [mock.tokens.find(tokens[name]) for name in ("access_token", "refresh_token")]
    return [record is not None and record.revoked for record in records]


async def test_refresh_token_takes_its_family_along(mock: MockAS, client: httpx.AsyncClient) -> None:
    """With a refresh token goes everything that was issued for the same grant: RFC 7009 section 2.1."""
    mine, other = grant(mock, "web"), grant(mock, "web")
    assert (await revoke(client, "web", token=mine["refresh_token"])).status_code == 200
    assert (revoked(mock, mine), revoked(mock, other)) == ([True, True], [False, False])


async def test_access_token_goes_alone(mock: MockAS, client: httpx.AsyncClient) -> None:
    """An access token is revoked by itself: its client can go on with another one."""
    tokens = grant(mock, "web")
    assert (await revoke(client, "web", token=tokens["access_token"])).status_code == 200
    assert revoked(mock, tokens) == [True, False]


async def test_refresh_token_of_another_client(mock: MockAS, client: httpx.AsyncClient) -> None:
    """Nobody revokes the grants of another client."""
    tokens = grant(mock, "web")
    response = await revoke(client, "svc", token=tokens["refresh_token"])
    assert (response.status_code, response.json()["error"]) == (400, "invalid_grant")
    assert revoked(mock, tokens) == [False, False]


async def test_public_client_revokes_by_its_name(mock: MockAS, client: httpx.AsyncClient) -> None:
    """A public client revokes its own tokens, and no other's: RFC 7009 section 2.1."""
    mine, other = grant(mock, "spa"), grant(mock, "web")
    for tokens, status in ((mine, 200), (other, 400)):
        form = {"token": tokens["refresh_token"], "client_id": "spa"}
        assert (await client.post("/revoke", data=form)).status_code == status
    assert (revoked(mock, mine), revoked(mock, other)) == ([True, True], [False, False])
