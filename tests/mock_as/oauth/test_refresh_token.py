"""The refresh token grant.

References: RFC 6749 section 6, RFC 9449 section 5, RFC 9700 section 4.14
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import httpx
import pytest

from mock_as import MockAS
from mock_as.granted import Granted
from mock_as.jwts import read
from mock_as.keys.signing import generate_key
from mock_as.oauth.grants.issue import issue
from mock_as.tokens.proofs import Prover
from tests.mock_as.asking import ask, assert_refused, record_of

pytestmark = pytest.mark.anyio

WEB = ("web", "web-secret")
RESOURCE = "https://orders.example.test"
DETAIL = {"type": "account"}


def first(mock: MockAS, confirmation: dict[str, str] | None = None, **facts: Any) -> dict[str, Any]:
    """Issue the first tokens of a grant."""
    usual = Granted(
        client_id="web",
        grant_type="authorization_code",
        sub="alice",
        scopes=("openid", "read", "write"),
        nonce="n",
        sid="s",
    )
    granted = replace(usual, **facts)
    return issue(mock, granted, refresh=True, confirmation=confirmation)


async def refresh(
    client: httpx.AsyncClient,
    token: str,
    auth: tuple[str, str] | None = WEB,
    headers: dict[str, str] | None = None,
    **form: Any,
) -> httpx.Response:
    """Use a refresh token."""
    return await ask(client, {"grant_type": "refresh_token", "refresh_token": token, **form}, auth, headers)


async def test_refresh(mock: MockAS, client: httpx.AsyncClient) -> None:
    """A refresh token brings another access token for the same, and what else there was at first."""
    response = await refresh(client, first(mock)["refresh_token"])
    claims = record_of(mock, response).token.claims
    assert (claims["sub"], claims["client_id"], claims["sid"]) == ("alice", "web", "s")
    document = response.json()
    assert document["scope"] == "openid read write"
    id_token = read(document["id_token"]).claims
    assert (id_token["sub"], id_token["aud"], id_token["sid"]) == ("alice", "web", "s")
    assert "nonce" not in id_token


async def test_no_id_token_without_openid(mock: MockAS, client: httpx.AsyncClient) -> None:
    """Without the scope openid there is no ID token."""
    assert "id_token" not in (await refresh(client, first(mock, scopes=("read",))["refresh_token"])).json()


async def test_rotation(mock: MockAS, client: httpx.AsyncClient) -> None:
    """A refresh token is replaced whenever it is used, and the new one works."""
    old = first(mock)["refresh_token"]
    new = (await refresh(client, old)).json()["refresh_token"]
    assert new != old
    assert (await refresh(client, new)).status_code == 200


async def test_used_twice(mock: MockAS, client: httpx.AsyncClient) -> None:
    """A refresh token that comes again was stolen: everything that goes back to its grant is revoked."""
    tokens = first(mock)
    replaced = (await refresh(client, tokens["refresh_token"])).json()
    again = (await refresh(client, replaced["refresh_token"])).json()
    assert_refused(await refresh(client, tokens["refresh_token"]), "invalid_grant")
    for text in (tokens["access_token"], replaced["access_token"], again["access_token"], again["refresh_token"]):
        record = mock.tokens.find(text)
        assert record is not None
        assert record.revoked
    assert_refused(await refresh(client, again["refresh_token"]), "invalid_grant")


async def test_without_rotation(mock: MockAS, client: httpx.AsyncClient) -> None:
    """Where refresh tokens are not rotated one can be used again and again."""
    mock.configure(rotate_refresh_tokens=False)
    token = first(mock)["refresh_token"]
    for _ in range(2):
        response = await refresh(client, token)
        assert response.status_code == 200
        assert "refresh_token" not in response.json()


async def test_scope_may_be_narrowed(mock: MockAS, client: httpx.AsyncClient) -> None:
    """A client may ask for less, which does not change what it can ask for next: RFC 6749 section 6."""
    narrow = (await refresh(client, first(mock)["refresh_token"], scope="read")).json()
    assert narrow["scope"] == "read"
    assert "id_token" not in narrow
    wide = (await refresh(client, narrow["refresh_token"])).json()
    assert wide["scope"] == "openid read write"


async def test_resources_may_be_narrowed(mock: MockAS, client: httpx.AsyncClient) -> None:
    """A client may ask for one of the resources that were granted: RFC 8707 section 2.2."""
    token = first(mock, resources=(RESOURCE, "https://other.test"))["refresh_token"]
    response = await refresh(client, token, resource=RESOURCE)
    assert record_of(mock, response).token.claims["aud"] == RESOURCE
    both = await refresh(client, response.json()["refresh_token"])
    assert record_of(mock, both).token.claims["aud"] == [RESOURCE, "https://other.test"]


async def test_details_may_be_narrowed(mock: MockAS, client: httpx.AsyncClient) -> None:
    """A client may ask for some of the details that were granted: RFC 9396 section 6.1."""
    token = first(mock, authorization_details=(DETAIL, {"type": "other"}))["refresh_token"]
    response = await refresh(client, token, authorization_details='[{"type":"account"}]')
    assert response.json()["authorization_details"] == [DETAIL]


@pytest.mark.parametrize(
    ("form", "error"),
    [
        ({"scope": "admin"}, "invalid_scope"),
        ({"scope": "read admin"}, "invalid_scope"),
        ({"resource": "https://other.test"}, "invalid_target"),
        ({"resource": "relative"}, "invalid_target"),
        ({"authorization_details": '[{"type":"other"}]'}, "invalid_authorization_details"),
        ({"authorization_details": "garbage"}, "invalid_authorization_details"),
        ({"refresh_token": ""}, "invalid_request"),
        ({"refresh_token": "unknown"}, "invalid_grant"),
    ],
)
async def test_more_than_was_granted(mock: MockAS, client: httpx.AsyncClient, form: dict[str, str], error: str) -> None:
    """What was not granted is refused, and the refresh token stays good for what was."""
    token = first(mock, resources=(RESOURCE,), authorization_details=(DETAIL,))["refresh_token"]
    request = {"grant_type": "refresh_token", "refresh_token": token, **form}
    assert_refused(await ask(client, request, WEB), error)
    assert (await refresh(client, token)).status_code == 200


async def test_wrong_tokens(mock: MockAS, client: httpx.AsyncClient) -> None:
    """An access token is no refresh token, nor is one of another client, one that has expired, or a minted one."""
    tokens = first(mock)
    minted = mock.token(client_id="web", defect="refresh_token", format="opaque").value
    others = first(mock, client_id="spa")["refresh_token"]
    for text in (tokens["access_token"], minted, others):
        assert_refused(await refresh(client, text), "invalid_grant")
    mock.expire(tokens["refresh_token"])
    assert_refused(await refresh(client, tokens["refresh_token"]), "invalid_grant")


async def test_token_of_another_client_is_not_harmed(mock: MockAS, client: httpx.AsyncClient) -> None:
    """Who tries the refresh token of another client, used or not, does not revoke it."""
    used = first(mock, client_id="spa")["refresh_token"]
    new = (await refresh(client, used, None, client_id="spa")).json()["refresh_token"]
    assert_refused(await refresh(client, used), "invalid_grant")
    assert (await refresh(client, new, None, client_id="spa")).status_code == 200


async def test_client_must_be_registered_for_it(mock: MockAS, client: httpx.AsyncClient) -> None:
    """A client that is not registered for the grant cannot refresh, whatever token it has."""
    token = first(mock, client_id="svc")["refresh_token"]
    assert_refused(await refresh(client, token, ("svc", "svc-secret")), "unauthorized_client")


async def test_client_must_authenticate(mock: MockAS, client: httpx.AsyncClient) -> None:
    """A confidential client does not get in by its name, nor with a wrong secret."""
    token = first(mock)["refresh_token"]
    assert_refused(await refresh(client, token, None, client_id="web"), "invalid_client", 401)
    assert_refused(await refresh(client, token, ("web", "wrong")), "invalid_client", 401)
    assert_refused(await refresh(client, token, None), "invalid_client", 401)
    assert (await refresh(client, token)).status_code == 200


async def test_disabled_person(mock: MockAS, client: httpx.AsyncClient) -> None:
    """Nothing is refreshed in the name of a person who has been disabled."""
    token = first(mock, sub="mallory")["refresh_token"]
    assert_refused(await refresh(client, token), "invalid_grant", about="disabled")


async def test_client_in_its_own_name(mock: MockAS, client: httpx.AsyncClient) -> None:
    """A grant in nobody's name is refreshed as well."""
    response = await refresh(client, first(mock, sub=None, scopes=("read",))["refresh_token"])
    assert record_of(mock, response).token.claims["sub"] == "web"


async def test_public_client_proves_the_same_key(mock: MockAS, client: httpx.AsyncClient) -> None:
    """The refresh token of a public client is bound to the key it has proven: RFC 9449 section 5."""
    mine, other = (Prover(generate_key("ES256"), mock.clock.now) for _ in range(2))
    token = first(mock, {"jkt": mine.thumbprint}, client_id="spa", scopes=("read",))["refresh_token"]
    for headers in ({}, {"DPoP": other.proof("POST", mock.url.token)}):
        refused = await refresh(client, token, None, headers, client_id="spa")
        assert_refused(refused, "invalid_grant", about="another key")
    good = await refresh(client, token, None, {"DPoP": mine.proof("POST", mock.url.token)}, client_id="spa")
    assert record_of(mock, good).token.claims["cnf"] == {"jkt": mine.thumbprint}


async def test_confidential_client_may_change_its_key(mock: MockAS, client: httpx.AsyncClient) -> None:
    """A client that has credentials may go on with another key."""
    token = first(mock, {"jkt": "old"})["refresh_token"]
    prover = Prover(generate_key("ES256"), mock.clock.now)
    response = await refresh(client, token, WEB, {"DPoP": prover.proof("POST", mock.url.token)})
    assert record_of(mock, response).token.claims["cnf"] == {"jkt": prover.thumbprint}


async def test_refused_proof_does_not_use_the_token(mock: MockAS, client: httpx.AsyncClient) -> None:
    """A client that is refused because of its proof can try again with the same refresh token."""
    token = first(mock)["refresh_token"]
    assert_refused(await refresh(client, token, WEB, {"DPoP": "garbage"}), "invalid_dpop_proof")
    assert (await refresh(client, token)).status_code == 200
