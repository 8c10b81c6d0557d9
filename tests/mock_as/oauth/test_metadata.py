"""The metadata document: where it is, and that it tells the truth.

References: RFC 8414
"""

from __future__ import annotations

import httpx
import pytest

from mock_as import Client, MockAS
from mock_as.clients import AUTH_METHODS, CONFIDENTIAL_METHODS, DEFAULT_SCOPES, OPENID_SCOPES
from tests.mock_as.reading import is_json

pytestmark = pytest.mark.anyio


@pytest.mark.rfc("8414-as-a")
@pytest.mark.parametrize("suffix", ["oauth-authorization-server", "openid-configuration"])
async def test_document_is_at_both_places(mock: MockAS, client: httpx.AsyncClient, suffix: str) -> None:
    """The document is where RFC 8414 and where OpenID Connect look for it, and is the same."""
    response = await client.get(f"/.well-known/{suffix}")
    assert response.status_code == 200
    assert is_json(response)
    assert response.json()["issuer"] == mock.issuer


@pytest.mark.rfc("8414-as-a")
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
    statuses = {name: (await client.post(url)).status_code for name, url in endpoints.items()}
    assert statuses == {
        "authorization_endpoint": 400,
        "device_authorization_endpoint": 401,
        "end_session_endpoint": 200,
        "introspection_endpoint": 401,
        "jwks_uri": 405,
        "pushed_authorization_request_endpoint": 401,
        "registration_endpoint": 400,
        "revocation_endpoint": 401,
        "token_endpoint": 400,
        "userinfo_endpoint": 401,
    }
    assert (endpoints["token_endpoint"], endpoints["jwks_uri"]) == (mock.url.token, mock.url.jwks)


async def test_browsers_and_servers_come_from_different_sides() -> None:
    """Where a person's browser goes is on the front, the rest on the back, and the issuer is one for both."""
    front, back = "http://localhost:9000", "http://mock-as:9000"
    mock = MockAS(issuer="https://as.example.test/auth", front_url=front, back_url=back)
    async with httpx.AsyncClient(transport=mock.transport(), base_url="https://as.example.test") as client:
        document = (await client.get("/.well-known/oauth-authorization-server/auth")).json()
        form = {"client_id": "device"}
        device = (await client.post("/auth/device_authorization", data=form)).json()
    urls = {name: url for name, url in document.items() if name.endswith(("_endpoint", "_uri"))}
    on_front = {name for name, url in urls.items() if url.startswith(f"{front}/auth/")}
    assert on_front == {"authorization_endpoint", "end_session_endpoint"}
    assert {name for name, url in urls.items() if url.startswith(f"{back}/auth/")} == set(urls) - on_front
    assert device["verification_uri"] == f"{front}/auth/device"
    assert document["issuer"] == "https://as.example.test/auth"


@pytest.mark.rfc("8414-as-a")
async def test_no_list_is_empty(mock: MockAS, client: httpx.AsyncClient) -> None:
    """A list without elements is left out: RFC 8414 section 3.2."""
    document = (await client.get(mock.url.metadata)).json()
    lists = [value for value in document.values() if isinstance(value, list)]
    assert lists
    assert all(lists)


@pytest.mark.rfc("as-7")
async def test_nobody_takes_it_for_the_real_thing(mock: MockAS, client: httpx.AsyncClient) -> None:
    """A member that no real server has says that this is a mock, and which version."""
    document = (await client.get(mock.url.metadata)).json()
    assert isinstance(document["mock_as"], str)
    assert document["mock_as"]


async def test_grants_are_those_that_work() -> None:
    """The grants are those that the token endpoint takes: each that is advertised is known there, and no other is."""
    for password in (False, True):
        mock = MockAS(password_grant=password)
        async with httpx.AsyncClient(transport=mock.transport(), base_url=mock.issuer) as client:
            grants = (await client.get(mock.url.metadata)).json()["grant_types_supported"]
            assert len(set(grants)) == len(grants)
            assert ("password" in grants) is password
            for grant in {*grants, "password", "implicit"}:
                form = {"grant_type": grant}
                error = (await client.post("/token", data=form, auth=mock.credentials("web"))).json().get("error")
                assert (error != "unsupported_grant_type") is (grant in grants)


async def test_methods_are_those_that_work(mock: MockAS, client: httpx.AsyncClient) -> None:
    """A client may authenticate in every way that is advertised; a public one may not introspect."""
    document = (await client.get(mock.url.metadata)).json()
    methods = {name: set(value) for name, value in document.items() if name.endswith("auth_methods_supported")}
    assert methods == {
        "token_endpoint_auth_methods_supported": set(AUTH_METHODS),
        "introspection_endpoint_auth_methods_supported": set(CONFIDENTIAL_METHODS),
        "revocation_endpoint_auth_methods_supported": set(AUTH_METHODS),
    }


async def test_scopes_of_clients(mock: MockAS, client: httpx.AsyncClient) -> None:
    """The scopes are those of OpenID Connect, the usual ones, and those of the clients there are."""
    mock.clients["one"] = Client(id="one", secret="s", scopes=("read", "special"))
    scopes = (await client.get(mock.url.metadata)).json()["scopes_supported"]
    assert scopes == [*OPENID_SCOPES, *DEFAULT_SCOPES, "special"]


async def test_edits(mock: MockAS, client: httpx.AsyncClient) -> None:
    """A test may say something else in the document, or leave a member out, until the next reset."""
    before = (await client.get(mock.url.metadata)).json()
    mock.metadata_edits.update(introspection_endpoint=None, issuer="https://other.example", more=[1])
    edited = (await client.get(mock.url.metadata)).json()
    assert "introspection_endpoint" not in edited
    assert (edited["issuer"], edited["more"]) == ("https://other.example", [1])
    mock.reset()
    assert (await client.get(mock.url.metadata)).json() == before
