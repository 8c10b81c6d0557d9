"""The token endpoint.

References: RFC 6749 sections 2.3, 3.2, 4.4 and 5, RFC 8707
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

import httpx
import pytest

from mock_as import Client, MockAS
from tests.mock_as.reading import directives, is_json
from tests.support.headers import parse_challenges

pytestmark = pytest.mark.anyio

GRANT = {"grant_type": "client_credentials"}


@pytest.fixture
def mock() -> MockAS:
    """Make a mock with a client whose id and secret need every kind of encoding."""
    return MockAS(
        clients=[Client(id="a b+c:d", secret="s é%+ :", auth_methods=("client_secret_basic", "client_secret_post"))]
    )


async def ask(
    client: httpx.AsyncClient,
    form: Mapping[str, Any] | None = None,
    auth: tuple[str, str] | None = ("svc", "svc-secret"),
) -> httpx.Response:
    """Ask for a token."""
    return await client.post("/token", data=GRANT if form is None else dict(form), auth=auth)  # type: ignore[arg-type]


def assert_refused(response: httpx.Response, error: str, status: int = 400) -> None:
    """Insist on an error as RFC 6749 section 5.2 has it."""
    assert (response.status_code, response.json()["error"]) == (status, error)
    assert is_json(response)
    assert "no-store" in directives(response)
    assert set(response.json()) <= {"error", "error_description"}


@pytest.mark.rfc("9111-as-a", "as-1")
async def test_client_gets_a_token(mock: MockAS, client: httpx.AsyncClient) -> None:
    """The answer is JSON that nobody stores, with the token, its type, its lifetime and its scope."""
    response = await ask(client)
    assert response.status_code == 200
    assert is_json(response)
    assert "no-store" in directives(response)
    assert response.headers["pragma"] == "no-cache"
    body = response.json()
    assert set(body) == {"access_token", "token_type", "expires_in", "scope"}
    assert (body["token_type"], body["expires_in"]) == ("Bearer", 3600)
    record = mock.tokens.find(body["access_token"])
    assert record is not None
    assert record.token.claims["sub"] == record.client_id == "svc"
    assert record.token.claims["aud"] == "https://api.example.test"


async def test_scope_is_what_was_asked_or_everything(client: httpx.AsyncClient) -> None:
    """A client gets the scopes that it asks for, and all of its own if it names none: RFC 6749 section 3.3."""
    assert (await ask(client, {**GRANT, "scope": "read orders:write"})).json()["scope"] == "read orders:write"
    assert (await ask(client, {**GRANT, "scope": "read  write "})).json()["scope"] == "read write"
    assert (await ask(client)).json()["scope"] == "read write admin orders:read orders:write"
    readonly = await ask(client, GRANT, ("svc.readonly", "svc.readonly-secret"))
    assert readonly.json()["scope"] == "read orders:read"


@pytest.mark.rfc("as-1")
@pytest.mark.parametrize("scope", ["write", "read write", "unheard-of", 'read"', "read\u00a0orders:read"])
async def test_scope_that_the_client_may_not_have(client: httpx.AsyncClient, scope: str) -> None:
    """A scope that is not the client's is refused, not left out in silence."""
    assert_refused(
        await ask(client, {**GRANT, "scope": scope}, ("svc.readonly", "svc.readonly-secret")), "invalid_scope"
    )


async def test_clients_say_what_they_do(mock: MockAS, client: httpx.AsyncClient) -> None:
    """The ready-made clients get what their names say: an opaque token, and a short one."""
    opaque = (await ask(client, GRANT, mock.credentials("svc.opaque"))).json()
    assert "." not in opaque["access_token"]
    short = (await ask(client, GRANT, mock.credentials("svc.short"))).json()
    assert short["expires_in"] == 2
    record = mock.tokens.find(short["access_token"])
    assert record is not None
    assert record.token.claims["exp"] - record.token.claims["iat"] == 2


# -------------------------------------------------------------------------------------------- client authentication


async def test_credentials_in_the_form(client: httpx.AsyncClient) -> None:
    """A client that is registered for it authenticates in the form."""
    form = {**GRANT, "client_id": "svc.post", "client_secret": "svc.post-secret"}
    assert (await ask(client, form, None)).status_code == 200


@pytest.mark.parametrize("plus", ["+", "%20"])
async def test_basic_credentials_are_form_encoded(client: httpx.AsyncClient, plus: str) -> None:
    """In HTTP Basic a space may be a plus: id and secret are decoded as forms are, RFC 6749 section 2.3.1."""
    user, password = f"a{plus}b%2Bc%3Ad", f"s{plus}%C3%A9%25%2B{plus}%3A"
    header = "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
    response = await client.post("/token", data=GRANT, headers={"Authorization": header})
    assert response.status_code == 200


async def test_credentials_in_the_form_are_decoded_once(mock: MockAS, client: httpx.AsyncClient) -> None:
    """In the form, id and secret are encoded as every other parameter is."""
    client_id, secret = mock.credentials("a b+c:d")
    form = {**GRANT, "client_id": client_id, "client_secret": secret}
    assert (await ask(client, form, None)).status_code == 200


def basic(text: bytes) -> str:
    """Encode the credentials of HTTP Basic."""
    return "Basic " + base64.b64encode(text).decode()


@pytest.mark.rfc("as-1")
@pytest.mark.parametrize(
    "header",
    [
        basic(b"svc:wrong"),
        basic(b"nobody:svc-secret"),
        basic(b"svc:"),
        basic(b":svc-secret"),
        basic(b"svc"),
        basic(b""),
        basic(b"svc:svc-secret\xff"),
        basic(b"svc:%ff"),
        basic(b"svc.post:svc.post-secret"),
        "Basic",
        "Basic !!!!",
        "Basic c3ZjOnN2Yy1zZWNyZXQ=, Basic c3ZjOnN2Yy1zZWNyZXQ=",
        "Bearer c3ZjOnN2Yy1zZWNyZXQ=",
    ],
)
async def test_wrong_credentials(client: httpx.AsyncClient, header: str) -> None:
    """Credentials that are wrong, or cannot be read, are 401 invalid_client with a challenge to Basic."""
    response = await client.post("/token", data=GRANT, headers={"Authorization": header})
    assert_refused(response, "invalid_client", 401)
    [challenge] = parse_challenges(response.headers["www-authenticate"])
    assert challenge.scheme == "basic"
    assert challenge.params == {"realm": "mock-as", "charset": "UTF-8"}


@pytest.mark.rfc("as-1")
@pytest.mark.parametrize(
    "form",
    [
        {},
        {"client_id": "svc.post"},
        {"client_secret": "svc.post-secret"},
        {"client_id": "svc.post", "client_secret": ""},
        {"client_id": "svc.post", "client_secret": "wrong"},
        {"client_id": "nobody", "client_secret": "wrong"},
        {"client_id": "svc", "client_secret": "svc-secret"},
    ],
)
async def test_wrong_credentials_in_the_form(client: httpx.AsyncClient, form: dict[str, str]) -> None:
    """No credentials, wrong ones, and right ones in a place that the client is not registered for, are 401."""
    response = await ask(client, GRANT | form, None)
    assert_refused(response, "invalid_client", 401)
    assert [challenge.scheme for challenge in parse_challenges(response.headers["www-authenticate"])] == ["basic"]


async def test_no_difference_between_unknown_and_wrong(client: httpx.AsyncClient) -> None:
    """An answer does not tell whether a client exists."""
    unknown, wrong = await ask(client, GRANT, ("nobody", "x")), await ask(client, GRANT, ("svc", "x"))
    assert unknown.content == wrong.content
    assert unknown.headers == wrong.headers


async def test_two_ways_to_authenticate(client: httpx.AsyncClient) -> None:
    """A client authenticates in one way at a time: RFC 6749 section 2.3."""
    assert_refused(await ask(client, {**GRANT, "client_secret": "svc-secret"}), "invalid_request")


# ------------------------------------------------------------------------------------------------- what is malformed


@pytest.mark.rfc("as-1")
@pytest.mark.parametrize(
    ("form", "error"),
    [
        ({"scope": "read"}, "invalid_request"),
        ({"grant_type": ""}, "invalid_request"),
        ({"grant_type": "password"}, "unsupported_grant_type"),
        ({"grant_type": ["client_credentials", "client_credentials"]}, "invalid_request"),
        ({**GRANT, "scope": ["read", "write"]}, "invalid_request"),
    ],
)
async def test_malformed_request(client: httpx.AsyncClient, form: dict[str, Any], error: str) -> None:
    """A request without a grant, with one there is not, or with a parameter twice, has an error of its own."""
    assert_refused(await ask(client, form), error)


@pytest.mark.parametrize("content_type", ["application/json", "text/plain", ""])
async def test_parameters_are_a_form(client: httpx.AsyncClient, content_type: str) -> None:
    """Parameters in anything but a form are no parameters."""
    headers = {"Content-Type": content_type}
    response = await client.post(
        "/token", content=b"grant_type=client_credentials", headers=headers, auth=("svc", "svc-secret")
    )
    assert_refused(response, "invalid_request")


async def test_parameter_without_a_value_is_not_there(client: httpx.AsyncClient) -> None:
    """A parameter without a value counts as one that was left out: RFC 6749 section 3.2."""
    response = await ask(client, {**GRANT, "scope": "", "resource": ""})
    assert response.json()["scope"] == "read write admin orders:read orders:write"


@pytest.mark.rfc("as-1")
async def test_client_without_the_grant() -> None:
    """A client that is not registered for a grant does not get it."""
    mock = MockAS(clients=[Client(id="web", secret="s", grants=("authorization_code",))])
    async with httpx.AsyncClient(transport=mock.transport(), base_url=mock.issuer) as client:
        assert_refused(await ask(client, GRANT, ("web", "s")), "unauthorized_client")


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "HEAD", "OPTIONS"])
async def test_only_post(client: httpx.AsyncClient, method: str) -> None:
    """A token is asked for with POST: RFC 6749 section 3.2."""
    response = await client.request(method, "/token", params=GRANT)
    assert response.status_code == 405
    assert response.headers["allow"] == "POST"
    assert "no-store" in directives(response)


# --------------------------------------------------------------------------------------------------------- resources


@pytest.mark.rfc("9068-5-a", "8707-2-b")
@pytest.mark.parametrize(
    ("resource", "expected"),
    [
        ("https://rs.example.test/a?b=c", "https://rs.example.test/a?b=c"),
        ("urn:example:rs", "urn:example:rs"),
        (["https://a.test", "https://b.test"], ["https://a.test", "https://b.test"]),
        (["https://a.test", ""], "https://a.test"),
    ],
)
async def test_resource_is_the_audience(mock: MockAS, client: httpx.AsyncClient, resource: Any, expected: Any) -> None:
    """A token is for the resource that was named, or for each of several: RFC 8707 section 2."""
    token = (await ask(client, {**GRANT, "resource": resource})).json()["access_token"]
    record = mock.tokens.find(token)
    assert record is not None
    assert record.token.claims["aud"] == expected


@pytest.mark.rfc("8707-2-a")
@pytest.mark.parametrize(
    "resource",
    ["rs", "/rs", "https://", "https://a.test/#part", "https://a.test#", "https://[::1", ["https://a.test", "rs"]],
)
async def test_resource_that_is_none(mock: MockAS, client: httpx.AsyncClient, resource: Any) -> None:
    """A resource is an absolute URI without a fragment, every one of them; no token is issued otherwise."""
    assert_refused(await ask(client, {**GRANT, "resource": resource}), "invalid_target")
    assert len(mock.tokens) == 0
