"""Clients that prove nothing, and those that nobody has registered; those with a secret are in test_token_endpoint.

References: RFC 6749 sections 2.3 and 3.2.1, RFC 7009 section 2.1
"""

from __future__ import annotations

import httpx
import pytest

from mock_as import Client, MockAS
from mock_as.granted import Granted
from mock_as.oauth.grants.issue import issue
from mock_as.oauth.grants.refresh_token import RefreshToken
from tests.mock_as.asking import CLIENT_CREDENTIALS, ask, assert_refused, record_of

pytestmark = pytest.mark.anyio

REFRESH = {"grant_type": RefreshToken.GRANT_TYPE}


def refresh_token(mock: MockAS, client_id: str) -> str:
    """Issue a refresh token to a client."""
    granted = Granted(client_id=client_id, grant_type="authorization_code", sub="alice", scopes=("read",))
    return str(issue(mock, granted, refresh=True)["refresh_token"])


async def test_public_client(mock: MockAS, client: httpx.AsyncClient) -> None:
    """A public client says who it is, and no more."""
    form = {**REFRESH, "refresh_token": refresh_token(mock, "spa"), "client_id": "spa"}
    assert record_of(mock, await ask(client, form)).client_id == "spa"


async def test_public_client_with_a_secret(mock: MockAS, client: httpx.AsyncClient) -> None:
    """A public client that sends a secret, in either place, claims what it is not."""
    form = {**REFRESH, "refresh_token": refresh_token(mock, "spa")}
    assert_refused(await ask(client, form, ("spa", "spa-secret")), "invalid_client", 401)
    with_secret = {**form, "client_id": "spa", "client_secret": "spa-secret"}
    assert_refused(await ask(client, with_secret), "invalid_client", 401)


@pytest.mark.parametrize("client_id", ["", "nobody", "web"])
async def test_nobody(mock: MockAS, client: httpx.AsyncClient, client_id: str) -> None:
    """Without credentials only a public client gets in."""
    form = {**REFRESH, "refresh_token": refresh_token(mock, "web"), "client_id": client_id}
    assert_refused(await ask(client, form), "invalid_client", 401)


async def test_public_client_gets_no_token_of_its_own(client: httpx.AsyncClient) -> None:
    """Client credentials are for clients that have some: RFC 6749 section 4.4."""
    assert_refused(await ask(client, {**CLIENT_CREDENTIALS, "client_id": "spa"}), "invalid_client", 401)


async def test_public_client_does_not_introspect() -> None:
    """Whoever proves nothing is told nothing: RFC 7662 section 2.1."""
    mock = MockAS(clients=[Client(id="open", auth_methods=("none",), introspect=True)])
    async with httpx.AsyncClient(transport=mock.transport(), base_url=mock.issuer) as client:
        form = {"token": mock.token().value, "client_id": "open"}
        assert_refused(await ask(client, form, path="/introspect"), "invalid_client", 401)


async def test_wrong_credentials_are_no_public_client() -> None:
    """A client that may do without credentials does not get in with wrong ones."""
    mock = MockAS(clients=[Client(id="app", secret="s", auth_methods=("client_secret_basic", "none"))])
    async with httpx.AsyncClient(transport=mock.transport(), base_url=mock.issuer) as client:
        form = {"token": "unknown", "client_id": "app"}
        assert (await ask(client, form, path="/revoke")).status_code == 200
        assert (await ask(client, form, ("app", "s"), path="/revoke")).status_code == 200
        assert_refused(await ask(client, form, ("app", "wrong"), path="/revoke"), "invalid_client", 401)


async def test_client_id_beside_the_credentials(client: httpx.AsyncClient) -> None:
    """A client may name itself beside its credentials, but nobody else."""
    auth = ("svc", "svc-secret")
    assert (await ask(client, {**CLIENT_CREDENTIALS, "client_id": "svc"}, auth)).status_code == 200
    refused = await ask(client, {**CLIENT_CREDENTIALS, "client_id": "svc.post"}, auth)
    assert_refused(refused, "invalid_request", about="another client")


# --------------------------------------------------------------------------------------------------- open to anybody


async def test_open_clients(mock: MockAS, client: httpx.AsyncClient) -> None:
    """Where anybody may come, an unknown client gets tokens and introspects with any secret, in either place."""
    mock.configure(open_clients=True)
    response = await ask(client, CLIENT_CREDENTIALS, ("orders", "whatever"))
    assert record_of(mock, response).token.claims["sub"] == "orders"
    form = {"token": response.json()["access_token"], "client_id": "other", "client_secret": "thing"}
    assert (await ask(client, form, path="/introspect")).json()["active"] is True


async def test_open_clients_are_not_registered(mock: MockAS, client: httpx.AsyncClient) -> None:
    """An unknown client needs a secret, a registered one needs its own, and nobody is registered by coming."""
    mock.configure(open_clients=True)
    assert_refused(await ask(client, CLIENT_CREDENTIALS, ("svc", "whatever")), "invalid_client", 401)
    assert_refused(await ask(client, {**CLIENT_CREDENTIALS, "client_id": "orders"}), "invalid_client", 401)
    assert (await ask(client, CLIENT_CREDENTIALS, ("orders", "whatever"))).status_code == 200
    assert "orders" not in mock.clients
    mock.configure(open_clients=False)
    assert_refused(await ask(client, CLIENT_CREDENTIALS, ("orders", "whatever")), "invalid_client", 401)
