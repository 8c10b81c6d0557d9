"""The authorization code flow, as a browser and a client go through it.

References: RFC 6749 section 4.1, RFC 7636, RFC 8707, RFC 9207, RFC 9396, RFC 9700 section 2.1,
OpenID Connect Core 1.0 section 3.1
"""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import KeySet

from mock_as import Client, MockAS
from mock_as.oauth.authorization_request import LONGEST
from mock_as.oauth.grants.authorization_code import CODE_LIFETIME
from tests.mock_as.person import CALLBACK, VERIFIER, Browser, Page, asking, parameters_of, redirected, twice

pytestmark = pytest.mark.anyio


@pytest.fixture
def browser(client: httpx.AsyncClient) -> Browser:
    """Open a browser."""
    return Browser(client)


def redeeming(code: str, **changes: str | None) -> dict[str, str]:
    """Return the parameters of a token request, with some of them changed; `None` leaves one out."""
    usual = {"grant_type": "authorization_code", "code": code, "redirect_uri": CALLBACK, "code_verifier": VERIFIER}
    return {name: value for name, value in {**usual, **changes}.items() if value is not None}


async def redeem(mock: MockAS, client: httpx.AsyncClient, code: str, **changes: str | None) -> httpx.Response:
    """Redeem a code as the client `web`."""
    return await client.post("/token", data=redeeming(code, **changes), auth=mock.credentials("web"))


def claims_of(mock: MockAS, token: str) -> dict[str, Any]:
    """Verify a JWT with the published keys, and read it."""
    keys: Any = mock.keys.jwks()
    return dict(jwt.decode(token, KeySet.import_key_set(keys), algorithms=["ES256"]).claims)


async def tell(browser: Browser, **changes: str | None) -> dict[str, str]:
    """Send an authorization request that is not good, and return what the client is told."""
    told = redirected(await browser.client.get("/authorize", params=asking(**changes)))
    assert told["iss"] == "https://as.example.test"
    assert told["state"] == "a state & more"
    assert "code" not in told
    return told


# --------------------------------------------------------------------------------------------------------- what is good


async def test_the_whole_flow(mock: MockAS, client: httpx.AsyncClient, browser: Browser) -> None:
    """A person logs in by one click, and the client gets tokens that say who it was and what was granted."""
    page = await browser.open("/authorize", **asking())
    assert page.response.status_code == 200
    back = await browser.log_in(page)
    assert set(back) == {"code", "state", "iss"}
    assert (back["state"], back["iss"]) == ("a state & more", mock.issuer)
    answer = await redeem(mock, client, back["code"])
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    document = answer.json()
    assert document["token_type"] == "Bearer"
    assert document["scope"] == "openid read write"
    assert document["refresh_token"]
    access = claims_of(mock, document["access_token"])
    assert (access["sub"], access["client_id"], access["scope"]) == ("alice", "web", "openid read write")
    about = claims_of(mock, document["id_token"])
    assert (about["sub"], about["aud"], about["nonce"]) == ("alice", "web", "a-nonce")
    assert about["sid"] == access["sid"]
    assert abs(about["auth_time"] - mock.clock.now()) < 60


async def test_by_post(browser: Browser) -> None:
    """The request may come as a form: OpenID Connect Core 1.0 section 3.1.2.1."""
    page = Page(await browser.client.post("/authorize", data=asking()))
    assert "code" in await browser.log_in(page, "bob")


async def test_public_client(client: httpx.AsyncClient, browser: Browser) -> None:
    """A public client proves by PKCE alone that the code is its own."""
    back = await browser.log_in(await browser.open("/authorize", **asking(client_id="spa")))
    answer = await client.post("/token", data=redeeming(back["code"], client_id="spa"))
    assert answer.status_code == 200


async def test_without_openid_there_is_no_id_token(mock: MockAS, client: httpx.AsyncClient, browser: Browser) -> None:
    """Plain OAuth gets no ID token; without a scope it gets what the person may grant, and nothing of OpenID."""
    back = await browser.log_in(await browser.open("/authorize", **asking(scope=None)), "bob")
    document = (await redeem(mock, client, back["code"])).json()
    assert "id_token" not in document
    assert document["scope"].split() == ["read", "orders:read"]


async def test_confidential_client_without_pkce(mock: MockAS, client: httpx.AsyncClient, browser: Browser) -> None:
    """A client with a secret may do without PKCE, and then no verifier may come: RFC 9700 section 2.1.1."""
    request = asking(code_challenge=None, code_challenge_method=None)
    back = await browser.log_in(await browser.open("/authorize", **request))
    assert (await redeem(mock, client, back["code"])).json()["error"] == "invalid_request"
    assert (await redeem(mock, client, back["code"], code_verifier=None)).status_code == 200


async def test_the_only_address_may_go_unsaid() -> None:
    """A client that is registered with one address need not name it, neither at first nor when it redeems."""
    mock = MockAS(clients=[Client(id="one", secret="s", grants=("authorization_code",), redirect_uris=(CALLBACK,))])
    async with httpx.AsyncClient(transport=mock.transport(), base_url=mock.issuer) as client:
        browser = Browser(client)
        page = await browser.open("/authorize", **asking(client_id="one", redirect_uri=None, scope="read"))
        back = await browser.log_in(page)
        form = redeeming(back["code"], redirect_uri=None)
        assert (await client.post("/token", data=form, auth=("one", "s"))).status_code == 200


@pytest.mark.rfc("9396-9-b")
async def test_resources_and_details(mock: MockAS, client: httpx.AsyncClient, browser: Browser) -> None:
    """What the token shall be for, and in detail, reaches the token: RFC 8707, RFC 9396."""
    details = [{"type": "payment", "amount": "1.00"}]
    request = asking(resource="https://one.example", authorization_details=json.dumps(details), acr_values="mfa pwd")
    back = await browser.log_in(await browser.open("/authorize", **request))
    document = (await redeem(mock, client, back["code"])).json()
    claims = claims_of(mock, document["access_token"])
    assert claims["aud"] in ("https://one.example", ["https://one.example"])
    assert document["authorization_details"] == details
    assert claims["authorization_details"] == details
    assert claims["acr"] == "mfa"


async def test_a_token_for_one_of_the_resources(mock: MockAS, client: httpx.AsyncClient, browser: Browser) -> None:
    """An access token can be for less than what was granted, and for nothing else: RFC 8707 section 2.2."""
    one, two = "https://one.example", "https://two.example"
    page = Page(await client.get("/authorize", params=twice(("resource", one), ("resource", two))))
    code = (await browser.log_in(page))["code"]
    assert (await redeem(mock, client, code, resource="https://three.example")).json()["error"] == "invalid_target"
    first = (await redeem(mock, client, code, resource=one)).json()
    assert claims_of(mock, first["access_token"])["aud"] in (one, [one])
    form = {"grant_type": "refresh_token", "refresh_token": first["refresh_token"], "resource": two}
    second = (await client.post("/token", data=form, auth=mock.credentials("web"))).json()
    assert claims_of(mock, second["access_token"])["aud"] in (two, [two])


async def test_form_post(browser: Browser) -> None:
    """An answer may travel in a form, which the browser sends by itself or when its button is pressed."""
    page = await browser.open("/authorize", **asking(response_mode="form_post"))
    answer = Page(await browser.press(page, ("user", "alice")))
    assert (answer.form.action, answer.form.method) == (CALLBACK, "post")
    assert {name for name, _ in answer.form.fields} == {"code", "state", "iss"}
    assert dict(answer.form.fields)["state"] == "a state & more"
    assert "https://app.example.test" in answer.policy["form-action"]
    assert answer.response.headers["cache-control"] == "no-store"


async def test_custom_scheme_and_loopback_port(browser: Browser) -> None:
    """A native application is reached at the port that it happens to have: RFC 8252 section 7.3."""
    uri = "http://127.0.0.1:49152/callback"
    page = await browser.open("/authorize", **asking(redirect_uri=uri))
    assert page.policy["form-action"] == ["'self'", "http://127.0.0.1:49152"]
    back = parameters_of((await browser.press(page, ("user", "bob"))).headers["location"], uri)
    assert "code" in back


# ------------------------------------------------------------------------------------------- requests that are not good


@pytest.mark.parametrize(
    "changes",
    [
        {"client_id": None},
        {"client_id": "nobody"},
        {"redirect_uri": "https://evil.example/"},
        {"redirect_uri": f"{CALLBACK}/../x"},
        {"redirect_uri": None},
        {"request_uri": "urn:ietf:params:oauth:request_uri:unknown"},
        {"request_uri": "https://app.example.test/request.jwt"},
    ],
)
async def test_nobody_is_sent_where_nobody_is_registered(browser: Browser, changes: dict[str, str | None]) -> None:
    """Without a good client and address the person is told, and no browser is sent anywhere."""
    response = await browser.client.get("/authorize", params=asking(**changes))
    assert response.status_code == 400
    assert "location" not in response.headers
    assert Page(response).roles["alert"]


@pytest.mark.parametrize("name", ["client_id", "redirect_uri"])
async def test_two_of_what_there_is_one(browser: Browser, name: str) -> None:
    """A client or an address that is there twice is none."""
    assert (await browser.client.get("/authorize", params=twice((name, asking()[name])))).status_code == 400


async def test_a_body_that_is_no_form(browser: Browser) -> None:
    """What is not a form is refused on a page."""
    response = await browser.client.post("/authorize", json=asking())
    assert response.status_code == 400
    assert Page(response).headings == ["That did not work"]


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"response_type": None}, "invalid_request"),
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"response_type": "code id_token"}, "unsupported_response_type"),
        ({"response_mode": "fragment"}, "invalid_request"),
        ({"scope": "read root"}, "invalid_scope"),
        ({"resource": "/relative"}, "invalid_target"),
        ({"resource": "https://one.example/#part"}, "invalid_target"),
        ({"resource": "https://["}, "invalid_target"),
        ({"authorization_details": "{}"}, "invalid_authorization_details"),
        ({"authorization_details": "[{}]"}, "invalid_authorization_details"),
        ({"authorization_details": "[1"}, "invalid_authorization_details"),
        ({"prompt": "none login"}, "invalid_request"),
        ({"prompt": "often"}, "invalid_request"),
        ({"max_age": "-1"}, "invalid_request"),
        ({"max_age": "x"}, "invalid_request"),
        ({"max_age": "9" * 5000}, "invalid_request"),
        ({"request": "e30.e30."}, "request_not_supported"),
        ({"registration": "{}"}, "registration_not_supported"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge_method": None}, "invalid_request"),
        ({"code_challenge": "short"}, "invalid_request"),
        ({"code_challenge": None}, "invalid_request"),
        ({"client_id": "spa", "code_challenge": None, "code_challenge_method": None}, "invalid_request"),
        ({"prompt": "none"}, "login_required"),
    ],
)
async def test_the_client_is_told(browser: Browser, changes: dict[str, str | None], error: str) -> None:
    """What is wrong with a request of a good client goes back to it, with its state and the issuer."""
    assert (await tell(browser, **changes))["error"] == error


async def test_a_request_that_is_too_long(mock: MockAS, browser: Browser) -> None:
    """A request is kept while somebody looks at it, so it has a limit, pushed or not."""
    response = await browser.client.post("/authorize", data=asking(state="x" * LONGEST))
    assert response.status_code == 400
    pushed = await browser.client.post("/par", data=asking(state="x" * LONGEST), auth=mock.credentials("web"))
    assert (pushed.status_code, pushed.json()["error"]) == (400, "invalid_request")
    assert len(mock.pending.pushed) == 0


async def test_a_repeated_parameter(browser: Browser) -> None:
    """Nothing but a resource may be there twice: RFC 6749 section 3.1."""
    told = redirected(await browser.client.get("/authorize", params=twice(("scope", "read"))))
    assert told["error"] == "invalid_request"
    resources = twice(("resource", "https://one.example"), ("resource", "https://two.example"))
    assert (await browser.client.get("/authorize", params=resources)).status_code == 200


async def test_a_client_without_the_grant() -> None:
    """A client that is not registered for the flow is told so."""
    mock = MockAS(clients=[Client(id="one", secret="s", redirect_uris=(CALLBACK,))])
    async with httpx.AsyncClient(transport=mock.transport(), base_url=mock.issuer) as client:
        told = await tell(Browser(client), client_id="one", scope="read")
    assert told["error"] == "unauthorized_client"


# ----------------------------------------------------------------------------------------------- codes that are no good


async def test_a_code_is_good_once(mock: MockAS, client: httpx.AsyncClient, browser: Browser) -> None:
    """A code that comes a second time was stolen: it is refused, and what it was redeemed for is revoked."""
    back = await browser.log_in(await browser.open("/authorize", **asking()))
    document = (await redeem(mock, client, back["code"])).json()
    mock.clock.advance(CODE_LIFETIME + 1)
    again = await redeem(mock, client, back["code"])
    assert (again.status_code, again.json()["error"]) == (400, "invalid_grant")
    for name in ("access_token", "refresh_token"):
        form = {"token": document[name]}
        answer = await client.post("/introspect", data=form, auth=mock.credentials("rs"))
        assert answer.json() == {"active": False}


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"code": "unknown"}, "invalid_grant"),
        ({"code": None}, "invalid_request"),
        ({"redirect_uri": "https://app.example.test/"}, "invalid_grant"),
        ({"redirect_uri": None}, "invalid_grant"),
        ({"code_verifier": VERIFIER[:-1] + "x"}, "invalid_grant"),
        ({"code_verifier": None}, "invalid_request"),
        ({"code_verifier": "short"}, "invalid_request"),
    ],
)
async def test_a_code_is_bound(
    mock: MockAS, client: httpx.AsyncClient, browser: Browser, changes: dict[str, str | None], error: str
) -> None:
    """A code is good for the request that it answers, and a failed attempt does not spend it."""
    back = await browser.log_in(await browser.open("/authorize", **asking()))
    answer = await redeem(mock, client, **{"code": back["code"], **changes})  # type: ignore[arg-type] # the code may be left out
    assert (answer.status_code, answer.json()["error"]) == (400, error)
    assert (await redeem(mock, client, back["code"])).status_code == 200


async def test_a_code_expires(mock: MockAS, client: httpx.AsyncClient, browser: Browser) -> None:
    """A code lives for a minute of the server's clock."""
    back = await browser.log_in(await browser.open("/authorize", **asking()))
    mock.clock.advance(CODE_LIFETIME)
    assert (await redeem(mock, client, back["code"])).json()["error"] == "invalid_grant"


async def test_a_code_of_another_client(client: httpx.AsyncClient, browser: Browser) -> None:
    """A code is of no use to another client, and is not spent by it."""
    back = await browser.log_in(await browser.open("/authorize", **asking()))
    answer = await client.post("/token", data=redeeming(back["code"], client_id="spa"))
    assert answer.json()["error"] == "invalid_grant"


async def test_a_code_that_is_bound_to_a_key(mock: MockAS, client: httpx.AsyncClient, browser: Browser) -> None:
    """A code that was asked for with the thumbprint of a key is of no use without it: RFC 9449 section 10."""
    back = await browser.log_in(await browser.open("/authorize", **asking(dpop_jkt="a-thumbprint")))
    assert (await redeem(mock, client, back["code"])).json()["error"] == "invalid_grant"
