"""Several issuers at one address."""

from __future__ import annotations

import httpx
import pytest

from mock_as import MockAS, UsageError
from tests.mock_as.reading import problem

pytestmark = pytest.mark.anyio


async def test_tenant_has_everything_of_its_own(mock: MockAS, client: httpx.AsyncClient) -> None:
    """A token, a key, a fault, a moved clock and a journal of one issuer are nothing to another."""
    one, other = mock.tenant(), mock.tenant()
    token = one.token("alice")
    one.clock.advance(3601)
    other.fault("introspect", 503)
    answers = {
        issuer.issuer: await client.post(
            issuer.url.introspection, data={"token": token.value}, auth=issuer.credentials("rs")
        )
        for issuer in (mock, one, other)
    }
    assert [answer.status_code for answer in answers.values()] == [200, 200, 503]
    assert [answers[issuer.issuer].json() for issuer in (mock, one)] == [{"active": False}] * 2
    assert [len(issuer.requests()) for issuer in (mock, one, other)] == [1, 1, 1]
    assert len({issuer.keys.signing().kid for issuer in (mock, one, other)}) == 3


def test_a_seed_gives_tenants_nothing_in_common() -> None:
    """With one seed two issuers still do not make the same token or code, which each would take for its own."""
    mock, again = MockAS(seed=1), MockAS(seed=1)
    issuers = [mock, mock.tenant("a"), mock.tenant("b")]
    values = [issuer.token(format="opaque").value for issuer in issuers]
    assert len(set(values)) == len(values)
    assert values == [one.token(format="opaque").value for one in (again, again.tenant("a"), again.tenant("b"))]
    for issuer in issuers:
        issuer.seed(2)
    assert len({issuer.chance.text(32) for issuer in issuers}) == len(issuers)


async def test_tenant_says_who_it_is(mock: MockAS, client: httpx.AsyncClient) -> None:
    """The metadata of a tenant are at both places, and its tokens name it."""
    tenant = mock.tenant("shop")
    assert tenant.issuer == "https://as.example.test/t/shop"
    assert tenant.url.metadata == "https://as.example.test/.well-known/oauth-authorization-server/t/shop"
    for url in (tenant.url.metadata, tenant.url.openid_configuration):
        assert (await client.get(url)).json()["issuer"] == tenant.issuer
    assert tenant.token().claims["iss"] == tenant.issuer


async def test_tenant_below_the_path_of_an_issuer() -> None:
    """Where the issuer has a path, its tenants are below it, and the control plane is at the root as well."""
    mock = MockAS(issuer="https://as.example.test/realm")
    tenant = mock.tenant("a")
    async with httpx.AsyncClient(transport=tenant.transport()) as client:
        assert (await client.get(tenant.url.metadata)).json()["issuer"] == "https://as.example.test/realm/t/a"
        assert (await client.get(tenant.url.jwks)).json() == tenant.keys.jwks()
        for url in (tenant.url.admin, mock.url.admin, "https://as.example.test/realm/_mock"):
            assert (await client.get(f"{url}/health")).json()["status"] == "ok"
        assert (await client.get("https://as.example.test/jwks")).status_code == 404


def test_name_is_for_good(mock: MockAS) -> None:
    """The same name is the same tenant; without one there is a new one each time."""
    assert mock.tenant("a") is mock.tenant("a")
    assert mock.tenant().name != mock.tenant().name


def test_tenants_are_found_where_browsers_and_servers_look() -> None:
    """The endpoints of a tenant are where those of its landlord are reached."""
    tenant = MockAS(front_url="http://localhost:9000", back_url="http://mock-as:9000").tenant("a")
    assert tenant.url.authorization == "http://localhost:9000/t/a/authorize"
    assert tenant.url.token == "http://mock-as:9000/t/a/token"
    assert tenant.identity.hosts == {"as.example.test", "localhost", "mock-as"}


@pytest.mark.parametrize("name", ["", "a/b", "..", "ä", "x" * 65, "a b"])
def test_name_must_fit_into_a_url(mock: MockAS, name: str) -> None:
    """A name that a URL would need to encode is refused."""
    with pytest.raises(UsageError, match="tenant"):
        mock.tenant(name)


async def test_unknown_tenant(client: httpx.AsyncClient) -> None:
    """An issuer that nobody made is not made by asking for it."""
    response = await client.get("/t/nobody/jwks")
    assert response.status_code == 404
    assert "/_mock/issuers/nobody" in problem(response)["hint"]


async def test_tenant_that_is_gone(mock: MockAS, client: httpx.AsyncClient) -> None:
    """A tenant that was taken away and made anew is another one."""
    first = mock.tenant("a")
    assert (await client.get(first.url.jwks)).json() == first.keys.jwks()
    del mock.tenants["a"]
    second = mock.tenant("a")
    assert (await client.get(second.url.jwks)).json() == second.keys.jwks() != first.keys.jwks()
