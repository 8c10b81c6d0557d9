"""The JWT bearer grant.

References: RFC 7521 section 4.1, RFC 7523 sections 2.1 and 3
"""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from mock_as import MockAS
from mock_as.clients import JWT_BEARER
from mock_as.keys.of_clients import key_pair
from mock_as.keys.signing import generate_key
from mock_as.tokens.proofs import Prover
from tests.mock_as.asking import ask, assert_refused, assertion, record_of, with_assertion

pytestmark = pytest.mark.anyio


async def vouch(
    client: httpx.AsyncClient, text: str, auth: tuple[str, str] | None = None, headers: Any = None, **form: Any
) -> httpx.Response:
    """Ask for a token with an assertion."""
    return await ask(client, {"grant_type": JWT_BEARER, "assertion": text, **form}, auth, headers)


async def test_client_speaks_for_a_person(mock: MockAS, client: httpx.AsyncClient) -> None:
    """A client that has a key gets tokens in the name of whom it vouches for."""
    response = await vouch(client, assertion(mock, sub="alice"), scope="read write")
    claims = record_of(mock, response).token.claims
    assert (claims["sub"], claims["client_id"], claims["scope"]) == ("alice", "svc.jwt", "read write")
    assert "refresh_token" not in response.json()


async def test_client_speaks_for_itself(mock: MockAS, client: httpx.AsyncClient) -> None:
    """A client may vouch for itself."""
    claims = record_of(mock, await vouch(client, assertion(mock), resource="https://a.test")).token.claims
    assert (claims["sub"], claims["aud"]) == ("svc.jwt", "https://a.test")


async def test_person_limits_the_scope(mock: MockAS, client: httpx.AsyncClient) -> None:
    """In the name of a person who is known there is no more scope than the person has."""
    assert (await vouch(client, assertion(mock, sub="bob"))).json()["scope"] == "read orders:read"
    assert "scope" not in (await vouch(client, assertion(mock, sub="carol"))).json()
    everything = (await vouch(client, assertion(mock, sub="somebody"))).json()["scope"]
    assert everything == "read write admin orders:read orders:write"


async def test_disabled_person(mock: MockAS, client: httpx.AsyncClient) -> None:
    """Nobody speaks for a person who has been disabled."""
    assert_refused(await vouch(client, assertion(mock, sub="mallory")), "invalid_grant", about="disabled")


async def test_assertion_comes_once(mock: MockAS, client: httpx.AsyncClient) -> None:
    """An assertion is not taken twice, nor as credentials and then as a grant."""
    text = assertion(mock)
    assert (await vouch(client, text)).status_code == 200
    assert_refused(await vouch(client, text), "invalid_grant", about="before")
    assert_refused(await ask(client, with_assertion(text)), "invalid_client", 401, "before")


@pytest.mark.parametrize(
    ("claims", "about"),
    [
        ({"iss": None}, "no iss"),
        ({"iss": 7}, "no iss"),
        ({"sub": None}, "no sub"),
        ({"sub": ""}, "no sub"),
        ({"iss": "nobody"}, "signature"),
        ({"iss": "svc"}, "signature"),
        ({"iss": "svc.mtls"}, "signature"),
        ({"aud": "https://other.test"}, "not meant"),
        ({"exp": 1}, "expired"),
        ({"exp": None}, "no exp"),
        ({"jti": None}, "jti"),
    ],
)
async def test_wrong_assertion(mock: MockAS, client: httpx.AsyncClient, claims: dict[str, Any], about: str) -> None:
    """An assertion of another, for another, or not of now is no grant: RFC 7523 section 3.1."""
    assert_refused(await vouch(client, assertion(mock, **claims)), "invalid_grant", about=about)


async def test_forged_assertion(mock: MockAS, client: httpx.AsyncClient) -> None:
    """What the client has not signed is no grant, and nor is what is no JWT."""
    assert_refused(await vouch(client, assertion(mock, key=generate_key("ES256"))), "invalid_grant", about="signature")
    assert_refused(await vouch(client, "garbage"), "invalid_grant", about="no JWT")
    assert_refused(await vouch(client, ""), "invalid_request")


async def test_client_must_be_registered_for_it(mock: MockAS, client: httpx.AsyncClient) -> None:
    """A client that is not registered for the grant does not speak for anybody."""
    text = assertion(mock, "svc.mtls", key_pair("svc.mtls").key, sub="alice")
    assert_refused(await vouch(client, text), "unauthorized_client")


async def test_scope_of_the_client(mock: MockAS, client: httpx.AsyncClient) -> None:
    """A client does not get a scope that it may not have."""
    assert_refused(await vouch(client, assertion(mock, sub="alice"), scope="unheard-of"), "invalid_scope")


async def test_credentials_must_be_right_if_there_are_any(mock: MockAS, client: httpx.AsyncClient) -> None:
    """Credentials are not needed, but where there are some they are judged: RFC 7523 section 3.1."""
    good: dict[str, Any] = {"sub": "alice"}
    form = with_assertion(assertion(mock), {"grant_type": JWT_BEARER, "assertion": assertion(mock, **good)})
    assert (await ask(client, form)).status_code == 200
    assert_refused(await vouch(client, assertion(mock, **good), ("svc", "wrong")), "invalid_client", 401)
    other = await vouch(client, assertion(mock, **good), ("svc", "svc-secret"))
    assert_refused(other, "invalid_grant", about="another client")
    assert (await vouch(client, assertion(mock, **good), client_id="svc.jwt")).status_code == 200
    named = await vouch(client, assertion(mock, **good), client_id="svc")
    assert_refused(named, "invalid_grant", about="another client")


async def test_token_may_be_bound(mock: MockAS, client: httpx.AsyncClient) -> None:
    """The token is bound to the key that the client proves."""
    prover = Prover(generate_key("ES256"), mock.clock.now)
    response = await vouch(client, assertion(mock), headers={"DPoP": prover.proof("POST", mock.url.token)})
    assert record_of(mock, response).token.claims["cnf"] == {"jkt": prover.thumbprint}
