"""The metadata document: where it is, and that it tells the truth.

References: RFC 8414
"""

from __future__ import annotations

import httpx
import pytest

from mock_as import MockAS
from tests.mock_as.reading import is_json

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("suffix", ["oauth-authorization-server", "openid-configuration"])
async def test_document_is_at_both_places(mock: MockAS, client: httpx.AsyncClient, suffix: str) -> None:
    """The document is where RFC 8414 and where OpenID Connect look for it, and is the same."""
    response = await client.get(f"/.well-known/{suffix}")
    assert response.status_code == 200
    assert is_json(response)
    assert response.json()["issuer"] == mock.issuer


@pytest.mark.parametrize(
    "path",
    [
        "/.well-known/oauth-authorization-server/t/one",
        "/.well-known/openid-configuration/t/one",
        "/t/one/.well-known/openid-configuration",
        "/t/one/.well-known/oauth-authorization-server",
    ],
)
async def test_issuer_with_a_path(path: str) -> None:
    """For an issuer with a path the document is in the inserted place and in the appended one."""
    mock = MockAS(issuer="https://as.example.test/t/one")
    async with httpx.AsyncClient(transport=mock.transport(), base_url="https://as.example.test") as client:
        document = (await client.get(path)).json()
        assert document["issuer"] == mock.issuer
        assert (await client.get(document["jwks_uri"])).status_code == 200
        assert (await client.get("/.well-known/oauth-authorization-server")).status_code == 404


async def test_everything_advertised_works(mock: MockAS, client: httpx.AsyncClient) -> None:
    """Every endpoint that is advertised answers, and there is none that is not."""
    document = (await client.get(mock.url.metadata)).json()
    endpoints = {name: url for name, url in document.items() if name.endswith(("_endpoint", "_uri"))}
    assert set(endpoints) == {"token_endpoint", "introspection_endpoint", "revocation_endpoint", "jwks_uri"}
    statuses = {name: (await client.post(url)).status_code for name, url in endpoints.items()}
    assert statuses == {
        "token_endpoint": 400,
        "introspection_endpoint": 401,
        "revocation_endpoint": 401,
        "jwks_uri": 405,
    }
    assert (endpoints["token_endpoint"], endpoints["jwks_uri"]) == (mock.url.token, mock.url.jwks)


async def test_no_list_is_empty(mock: MockAS, client: httpx.AsyncClient) -> None:
    """A list without elements is left out: RFC 8414 section 3.2."""
    document = (await client.get(mock.url.metadata)).json()
    lists = [value for value in document.values() if isinstance(value, list)]
    assert lists
    assert all(lists)


async def test_nobody_takes_it_for_the_real_thing(mock: MockAS, client: httpx.AsyncClient) -> None:
    """A member that no real server has says that this is a mock, and which version."""
    document = (await client.get(mock.url.metadata)).json()
    assert isinstance(document["mock_as"], str)
    assert document["mock_as"]


async def test_grants_and_methods_are_those_that_work(mock: MockAS, client: httpx.AsyncClient) -> None:
    """The grants, the scopes and the ways to authenticate are those there are."""
    document = (await client.get(mock.url.metadata)).json()
    assert document["grant_types_supported"] == ["client_credentials"]
    assert document["scopes_supported"] == ["read", "write", "admin", "orders:read", "orders:write"]
    methods = {name: value for name, value in document.items() if name.endswith("auth_methods_supported")}
    assert set(methods) == {
        f"{name}_endpoint_auth_methods_supported" for name in ("token", "introspection", "revocation")
    }
    assert all(value == ["client_secret_basic", "client_secret_post"] for value in methods.values())
