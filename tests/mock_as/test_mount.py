"""The authorization server as a route of respx, beside the routes that a test has of its own."""

from __future__ import annotations

import httpx
import pytest
import respx

from mock_as import MockAS


@pytest.mark.anyio
async def test_asynchronous(mock_as: MockAS) -> None:
    """Every asynchronous client reaches it, whoever made that client, and other hosts stay the test's own."""
    with respx.mock() as router:
        route = mock_as.mount(router)
        router.get("https://other.example.test/").respond(204)
        async with httpx.AsyncClient() as client:
            form = {"grant_type": "client_credentials", "scope": "read"}
            answer = await client.post(mock_as.url.token, data=form, auth=mock_as.credentials("svc"))
            assert answer.json()["token_type"] == "Bearer"
            assert (await client.get("https://other.example.test/")).status_code == 204
        assert route.call_count == 1
    mock_as.assert_called("token", times=1)


def test_blocking(mock_as: MockAS) -> None:
    """A blocking client is answered as well, body and header fields as they are."""
    with respx.mock() as router:
        mock_as.mount(router)
        token = mock_as.token(sub="alice", format="opaque")
        answer = httpx.post(mock_as.url.introspection, data={"token": token.value}, auth=mock_as.credentials("rs"))
        assert answer.json()["sub"] == "alice"
        assert answer.headers["cache-control"] == "no-store"
        assert httpx.get(mock_as.url.jwks).json() == mock_as.keys.jwks()


def test_blocking_failure(mock_as: MockAS) -> None:
    """A fault of the network is the exception that it is, for blocking clients too."""
    mock_as.fault("jwks", "reset", times=1)
    with respx.mock() as router:
        mock_as.mount(router)
        with pytest.raises(httpx.ReadError):
            httpx.get(mock_as.url.jwks)


@pytest.mark.anyio
@pytest.mark.mock_as(issuer="https://as.example.test", back_url="http://as.internal.test:9000")
async def test_every_host(mock_as: MockAS) -> None:
    """It answers at each of its hosts, and at another port of one of them nobody does."""
    with respx.mock() as router:
        route = mock_as.mount(router)
        async with httpx.AsyncClient() as client:
            for url in (mock_as.url.issuer, "http://as.internal.test:9000"):
                assert (await client.get(f"{url}/jwks")).status_code == 200
            with pytest.raises(httpx.ConnectError):
                await client.get("http://as.internal.test:9001/jwks")
        assert route.called
