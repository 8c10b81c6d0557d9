"""The resource owner password credentials grant.

References: RFC 6749 section 4.3, RFC 9700 section 2.4
"""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from mock_as import MockAS
from mock_as.users import User
from tests.mock_as.asking import ask, assert_refused, record_of

pytestmark = pytest.mark.anyio

WEB = ("web", "web-secret")


@pytest.fixture
def mock() -> MockAS:
    """Make a mock that offers the grant."""
    return MockAS(password_grant=True)


async def log_in(
    client: httpx.AsyncClient, username: str = "alice", auth: tuple[str, str] | None = WEB, **form: Any
) -> httpx.Response:
    """Ask for tokens with a name and a password."""
    request = {"grant_type": "password", "username": username, "password": f"{username}-password", **form}
    return await ask(client, request, auth)


async def test_not_offered_unless_asked_for() -> None:
    """The grant is unknown to a server that was not told to offer it."""
    mock = MockAS()
    async with httpx.AsyncClient(transport=mock.transport(), base_url=mock.issuer) as client:
        assert_refused(await log_in(client), "unsupported_grant_type")


async def test_name_and_password(mock: MockAS, client: httpx.AsyncClient) -> None:
    """A name and its password bring tokens in that name, which can be refreshed."""
    response = await log_in(client, scope="openid read")
    claims = record_of(mock, response).token.claims
    assert (claims["sub"], claims["scope"]) == ("alice", "openid read")
    assert claims["auth_time"] == int(claims["iat"])
    assert response.json()["id_token"]
    form = {"grant_type": "refresh_token", "refresh_token": response.json()["refresh_token"]}
    assert (await ask(client, form, WEB)).status_code == 200


async def test_person_limits_the_scope(client: httpx.AsyncClient) -> None:
    """A person gets no more scope than the person has, and no ID token that nobody asked for."""
    document = (await log_in(client, "bob")).json()
    assert document["scope"] == "read orders:read"
    assert "id_token" not in document


async def test_what_is_said_about_a_person(mock: MockAS, client: httpx.AsyncClient) -> None:
    """The tokens say about the person what all are told, and leave the rest to userinfo."""
    mock.users["somebody"] = User(sub="somebody", claims={"tenant": "acme", "email": "somebody@example.test"})
    claims = record_of(mock, await log_in(client, "somebody")).token.claims
    assert claims["tenant"] == "acme"
    assert "email" not in claims


@pytest.mark.parametrize(
    ("form", "error"),
    [
        ({"password": "wrong"}, "invalid_grant"),
        ({"password": "alice-passwörd"}, "invalid_grant"),
        ({"username": "bob"}, "invalid_grant"),
        ({"username": "nobody", "password": "nobody-password"}, "invalid_grant"),
        ({"username": "mallory", "password": "mallory-password"}, "invalid_grant"),
        ({"username": ""}, "invalid_request"),
        ({"password": ""}, "invalid_request"),
        ({"scope": "unheard-of"}, "invalid_scope"),
    ],
)
async def test_wrong_request(client: httpx.AsyncClient, form: dict[str, str], error: str) -> None:
    """A wrong password, somebody unknown or disabled, and a request without either are refused."""
    request = {"grant_type": "password", "username": "alice", "password": "alice-password", **form}
    assert_refused(await ask(client, request, WEB), error)


async def test_client_must_be_allowed(client: httpx.AsyncClient) -> None:
    """The client authenticates too, and must be registered for the grant."""
    assert_refused(await log_in(client, auth=("web", "wrong")), "invalid_client", 401)
    assert_refused(await log_in(client, auth=("svc", "svc-secret")), "unauthorized_client")
