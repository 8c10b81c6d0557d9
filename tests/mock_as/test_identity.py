"""Who the issuer is, and where its endpoints are."""

from __future__ import annotations

import httpx
import pytest

from mock_as import MockAS, UsageError
from mock_as.doors import Door
from mock_as.identity import Identity

pytestmark = pytest.mark.anyio

ISSUERS = {
    "https://as.example.test": (
        "https://as.example.test",
        "https://as.example.test/.well-known/oauth-authorization-server",
    ),
    "https://as.example.test/": (
        "https://as.example.test",
        "https://as.example.test/.well-known/oauth-authorization-server",
    ),
    "http://localhost:9000/t/one": (
        "http://localhost:9000/t/one",
        "http://localhost:9000/.well-known/oauth-authorization-server/t/one",
    ),
    "https://as.example.test/one/": (
        "https://as.example.test/one",
        "https://as.example.test/.well-known/oauth-authorization-server/one",
    ),
}


@pytest.mark.parametrize("issuer", ISSUERS)
def test_endpoints_are_under_the_issuer(issuer: str) -> None:
    """Endpoints follow the path of the issuer; its metadata is found as RFC 8414 section 3.1 says."""
    base, metadata = ISSUERS[issuer]
    urls = Identity(issuer).urls
    assert urls.issuer == issuer
    assert urls.metadata == metadata
    assert [urls.token, urls.introspection, urls.revocation, urls.jwks] == [
        f"{base}/token",
        f"{base}/introspect",
        f"{base}/revoke",
        f"{base}/jwks",
    ]


@pytest.mark.parametrize(
    "issuer", ["", "as.example.test", "ftp://as.example.test", "https://", "https://a.test?x", "https://a.test#x"]
)
def test_refuses_what_is_no_issuer(issuer: str) -> None:
    """An issuer is an http or https URL without query and fragment."""
    with pytest.raises(UsageError, match="is not an http"):
        MockAS(issuer=issuer)


def test_auto_is_the_address_while_served() -> None:
    """An issuer that is the address it is served under is one only while it is served."""
    mock = MockAS(issuer="auto")
    with pytest.raises(RuntimeError, match="name the issuer"):
        _ = mock.issuer
    with mock.identity.served_at("http://127.0.0.1:1234"):
        assert mock.issuer == mock.url.issuer == "http://127.0.0.1:1234"
        assert mock.token().claims["iss"] == "http://127.0.0.1:1234"
    with pytest.raises(RuntimeError, match="name the issuer"):
        mock.transport()


async def test_auto_is_the_address_of_each_request() -> None:
    """While a request is answered, the issuer and its tenants are whatever address it was sent to."""
    mock = MockAS(issuer="auto")
    mock.tenant("acme")
    with mock.identity.served_at("http://127.0.0.1:1234"):
        async with httpx.AsyncClient(transport=httpx.ASGITransport(mock.app)) as client:
            for base in ("http://mock-as:9000", "https://localhost", "http://[::1]:9000"):
                metadata = (await client.get(f"{base}/.well-known/openid-configuration")).json()
                assert (metadata["issuer"], metadata["token_endpoint"]) == (base, f"{base}/token")
                claims = (await client.post(f"{base}/t/acme/_mock/tokens")).json()["claims"]
                assert claims["iss"] == f"{base}/t/acme"
            strange = await client.get("http://a/.well-known/openid-configuration", headers={"Host": "a b"})
        assert strange.json()["issuer"] == mock.issuer == "http://127.0.0.1:1234"


async def test_port_of_the_control_plane_is_not_the_issuer() -> None:
    """A token that is minted at the port of the control plane is from the issuer, which is not there."""
    mock = MockAS(issuer="auto")
    with mock.identity.served_at("http://127.0.0.1:1234"):
        transport = httpx.ASGITransport(Door(mock.app, "control"))
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:5678") as client:
            assert (await client.post("/_mock/tokens")).json()["claims"]["iss"] == "http://127.0.0.1:1234"


def test_fixed_issuer_stays_when_served() -> None:
    """An issuer that was named keeps its name wherever it is served."""
    mock = MockAS(issuer="https://as.example.com/tenant")
    with mock.identity.served_at("http://127.0.0.1:1234"):
        assert mock.issuer == "https://as.example.com/tenant"


def test_an_issuer_without_a_name(mock: MockAS) -> None:
    """Where nobody named it, the issuer is where it is: the address it is served under, else a name for tests."""
    assert mock.issuer == "https://as.example.test"
    with mock.serve() as url:
        assert mock.issuer == url
        assert mock.token().claims["iss"] == url
        assert mock.url.token == f"{url}/token"
    assert mock.issuer == "https://as.example.test"
