"""What is said about a person, to whom, and who is refused.

References: OpenID Connect Core 1.0 sections 5.3 and 5.4, RFC 6750 section 3, RFC 8705 section 3, RFC 9449 section 7
"""

from __future__ import annotations

import base64
from typing import Any

import httpx
import pytest

from mock_as import MockAS, Token
from mock_as.oauth.client_certificate import thumbprint
from mock_as.users import User
from tests.mock_as.oauth.test_authorization_code import redeem
from tests.mock_as.person import Browser, asking, redirected

pytestmark = pytest.mark.anyio


async def about(client: httpx.AsyncClient, token: Token) -> dict[str, Any]:
    """Ask with a token."""
    answer = await client.get("/userinfo", headers=token.bearer)
    assert answer.status_code == 200
    return dict(answer.json())


def refused(answer: httpx.Response, status: int, error: str, scheme: str = "Bearer") -> None:
    """Insist that a request was refused, in the body and in the challenge."""
    assert (answer.status_code, answer.json()["error"]) == (status, error)
    said, _, parameters = answer.headers["www-authenticate"].partition(" ")
    assert said == scheme
    assert f'error="{error}"' in parameters.split(", ")


@pytest.mark.parametrize(
    ("scope", "names"),
    [
        ("openid", set[str]()),
        ("openid email", {"email", "email_verified"}),
        ("openid profile", {"name", "preferred_username"}),
        ("openid address phone", {"address", "phone_number", "phone_number_verified"}),
    ],
)
async def test_each_scope_has_its_claims(mock: MockAS, client: httpx.AsyncClient, scope: str, names: set[str]) -> None:
    """A scope of OpenID Connect stands for some claims, and nothing is said beyond them."""
    said = await about(client, mock.token(sub="alice", scope=scope, client_id="web"))
    assert set(said) == {"sub"} | names
    assert said["sub"] == "alice"


async def test_opaque_and_by_post(mock: MockAS, client: httpx.AsyncClient) -> None:
    """An opaque token will do, and it may be sent in the form: RFC 6750 section 2.2."""
    token = mock.token(sub="bob", scope="openid email", format="opaque")
    answer = await client.post("/userinfo", data={"access_token": token.value})
    assert answer.json()["email"] == "bob@example.test"


async def test_what_was_typed(mock: MockAS, client: httpx.AsyncClient) -> None:
    """What was typed on the login page is said, as far as the scopes go; an unknown person has nothing else."""
    browser = Browser(client)
    page = await browser.open("/authorize", **asking(scope="openid email"))
    typed = '{"email": "somebody@example.test", "phone_number": "1", "tenant": "acme"}'
    code = redirected(await browser.press(page, ("decision", "allow"), sub="somebody", claims=typed))["code"]
    token = (await redeem(mock, client, code)).json()["access_token"]
    answer = await client.get("/userinfo", headers={"Authorization": f"bearer {token}"})
    assert answer.json() == {"sub": "somebody", "email": "somebody@example.test", "tenant": "acme"}


async def test_a_user_of_a_test(mock: MockAS, client: httpx.AsyncClient) -> None:
    """People who are registered while the server runs are known at once."""
    mock.users["another"] = User(sub="another", claims={"name": "Another", "tenant": "acme"})
    assert await about(client, mock.token(sub="another", scope="openid profile")) == {
        "sub": "another",
        "name": "Another",
    }


async def test_without_a_token(client: httpx.AsyncClient) -> None:
    """Who sends no token is challenged without an error: RFC 6750 section 3.1."""
    for headers in ({}, {"Authorization": "Basic eDp5"}, {"Authorization": "Bearer "}):
        answer = await client.get("/userinfo", headers=headers)
        assert answer.status_code == 401
        assert "error=" not in answer.headers["www-authenticate"]


async def test_tokens_that_are_no_good(mock: MockAS, client: httpx.AsyncClient) -> None:
    """A token that is unknown, has expired, was revoked, or is for something else says nothing."""
    revoked = mock.token(sub="alice", scope="openid")
    mock.revoke(revoked)
    expired = mock.token(sub="alice", scope="openid", expires_in=-1)
    refresh = mock.token(sub="alice", scope="openid", defect="refresh_token")
    for token in (revoked, expired, refresh):
        refused(await client.get("/userinfo", headers=token.bearer), 401, "invalid_token")
    refused(await client.get("/userinfo", headers={"Authorization": "Bearer x"}), 401, "invalid_token")


@pytest.mark.parametrize("scope", ["read", None])
async def test_without_openid(mock: MockAS, client: httpx.AsyncClient, scope: str | None) -> None:
    """A token without the scope openid is not for this endpoint."""
    answer = await client.get("/userinfo", headers=mock.token(sub="alice", scope=scope).bearer)
    refused(answer, 403, "insufficient_scope")


async def test_two_tokens(mock: MockAS, client: httpx.AsyncClient) -> None:
    """A token is sent in one way only: RFC 6750 section 2."""
    token = mock.token(sub="alice", scope="openid")
    answer = await client.post("/userinfo", data={"access_token": token.value}, headers=token.bearer)
    refused(answer, 400, "invalid_request")


async def test_bound_to_a_key(mock: MockAS, client: httpx.AsyncClient) -> None:
    """A token that is bound to a key needs a fresh proof for this request, this token and that key."""
    token = mock.token(sub="alice", scope="openid", token_type="DPoP")
    other = mock.token(sub="alice", scope="openid", token_type="DPoP")
    url = mock.url.userinfo
    good = token.dpop("GET", url)
    assert (await client.get("/userinfo", headers=good)).json() == {"sub": "alice"}
    assert token.prover is not None
    assert other.prover is not None
    for headers in (
        good,
        token.bearer,
        {"Authorization": good["Authorization"]},
        token.dpop("POST", url),
        token.dpop("GET", mock.url.token),
        {**token.dpop("GET", url), "DPoP": token.prover.proof("GET", url)},
        {**token.dpop("GET", url), "DPoP": token.prover.proof("GET", url, token=other.value)},
        {**token.dpop("GET", url), "DPoP": other.prover.proof("GET", url, token=token.value)},
        {"Authorization": f"DPoP {mock.token(sub='alice', scope='openid').value}"},
    ):
        refused(await client.get("/userinfo", headers=headers), 401, "invalid_token", "DPoP")


async def test_bound_to_a_certificate(mock: MockAS, client: httpx.AsyncClient) -> None:
    """A token that is bound to a certificate needs it."""
    certificate = b"not looked into"
    token = mock.token(sub="alice", scope="openid", cnf={"x5t#S256": thumbprint(certificate)})
    shown = {"Client-Cert": f":{base64.b64encode(certificate).decode()}:"}
    assert (await client.get("/userinfo", headers={**token.bearer, **shown})).status_code == 200
    refused(await client.get("/userinfo", headers=token.bearer), 401, "invalid_token", "DPoP")
