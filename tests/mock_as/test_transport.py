"""The transport that answers httpx in this process."""

from __future__ import annotations

import httpx
import pytest

from mock_as import MockAS

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    "url",
    [
        "https://other.example.test/jwks",
        "http://as.example.test/jwks",
        "https://as.example.test:8443/jwks",
        "https://as.example.test.attacker.test/jwks",
    ],
)
async def test_other_hosts_cannot_be_reached(mock: MockAS, url: str) -> None:
    """Only the issuer's own host, scheme and port answer; for any other there is no connection."""
    async with httpx.AsyncClient(transport=mock.transport()) as client:
        with pytest.raises(
            httpx.ConnectError, match=r"the mock authorization server is https://as\.example\.test, not"
        ):
            await client.get(url)
    assert mock.requests().count == 0


@pytest.mark.parametrize("url", ["https://as.example.test:443/jwks", "https://AS.example.test/jwks"])
async def test_host_in_another_spelling(mock: MockAS, url: str) -> None:
    """The default port and capital letters do not make another host."""
    async with httpx.AsyncClient(transport=mock.transport()) as client:
        assert (await client.get(url)).status_code == 200


async def test_port_belongs_to_the_host() -> None:
    """An issuer with a port is reached at that port, and the error of another names it."""
    mock = MockAS(issuer="http://localhost:9000")
    async with httpx.AsyncClient(transport=mock.transport()) as client:
        assert (await client.get("http://localhost:9000/jwks")).status_code == 200
        with pytest.raises(httpx.ConnectError, match=r"is http://localhost:9000, not http://localhost"):
            await client.get("http://localhost/jwks")


async def test_plain_asgi_transport_works_as_well(mock: MockAS) -> None:
    """The application can be used with httpx's own transport, and fails there as it does here."""
    async with httpx.AsyncClient(transport=httpx.ASGITransport(mock.app), base_url=mock.issuer) as client:
        assert (await client.get("/jwks")).status_code == 200
        mock.fault("jwks", "refused")
        with pytest.raises(httpx.ConnectError):
            await client.get("/jwks")
