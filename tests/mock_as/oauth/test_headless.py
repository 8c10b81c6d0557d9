"""Log in without a browser: the same answers as the page gives.

References: RFC 6749 section 4.1
"""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from mock_as import Client, MockAS, UsageError
from tests.mock_as.oauth.test_authorization_code import claims_of, redeem
from tests.mock_as.person import CALLBACK, CHALLENGE, asking, parameters_of

pytestmark = pytest.mark.anyio


async def test_a_code(mock: MockAS, client: httpx.AsyncClient) -> None:
    """A code that comes without a browser is as good as any."""
    url = mock.authorize(
        client_id="web",
        sub="bob",
        scope=["openid", "read", "write"],
        claims={"tenant": "acme"},
        code_challenge=CHALLENGE,
        nonce="n",
        state="s",
    )
    back = parameters_of(url)
    assert (back["state"], back["iss"]) == ("s", mock.issuer)
    document = (await redeem(mock, client, back["code"])).json()
    assert document["scope"] == "openid read"
    claims = claims_of(mock, document["id_token"])
    assert (claims["sub"], claims["nonce"], claims["tenant"]) == ("bob", "n", "acme")
    assert claims["auth_time"] == int(mock.clock.now())


def test_less_than_asked(mock: MockAS) -> None:
    """Less than what is asked for can be granted."""
    back = parameters_of(mock.authorize(client_id="web", scope="read write", granted_scope="read admin"))
    assert mock.pending.codes.get(back["code"]).granted.scopes == ("read",)


async def test_a_pushed_request(mock: MockAS, client: httpx.AsyncClient) -> None:
    """What was pushed can be decided, once."""
    answer = await client.post("/par", data=asking(scope="read write"), auth=mock.credentials("web"))
    uri = answer.json()["request_uri"]
    back = parameters_of(mock.authorize(client_id="web", sub="bob", request_uri=uri))
    assert mock.pending.codes.get(back["code"]).granted.scopes == ("read",)
    with pytest.raises(UsageError) as caught:
        mock.authorize(client_id="web", request_uri=uri)
    assert caught.value.field == "request_uri"


def test_each_has_a_session_of_its_own(mock: MockAS) -> None:
    """Tokens can be told by the session in which they were granted."""
    codes = [parameters_of(mock.authorize(client_id="web", scope="read"))["code"] for _ in range(2)]
    sessions = {mock.pending.codes.get(code).granted.sid for code in codes}
    assert len(sessions - {None}) == 2


def test_an_address_of_a_native_application(mock: MockAS) -> None:
    """Another address than the first can be named, of any port where that is allowed."""
    uri = "http://127.0.0.1:49152/callback"
    assert "code" in parameters_of(mock.authorize(client_id="web", redirect_uri=uri, scope="read"), uri)


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"decision": "deny"}, "access_denied"),
        ({"error": "temporarily_unavailable"}, "temporarily_unavailable"),
        ({"scope": "root"}, "invalid_scope"),
        ({"client_id": "spa"}, "invalid_request"),
        ({"response_type": "token"}, "unsupported_response_type"),
    ],
)
def test_errors(mock: MockAS, options: dict[str, Any], error: str) -> None:
    """The client is told what was decided, or what is wrong with its request."""
    asked: dict[str, Any] = {"client_id": "web", "scope": "read", "state": "s", **options}
    told = parameters_of(mock.authorize(**asked))
    assert (told["error"], told["state"], told["iss"]) == (error, "s", mock.issuer)


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"client_id": "wbe"}, "client_id"),
        ({"client_id": "svc"}, "redirect_uri"),
        ({"redirect_uri": "https://evil.example/"}, "redirect_uri"),
        ({"sub": "mallory"}, "sub"),
        ({"sub": ""}, "sub"),
        ({"decision": "perhaps"}, "decision"),
        ({"error": "no_such_error"}, "error"),
        ({"claims": {"iss": "https://evil.example"}}, "claims"),
    ],
)
def test_what_cannot_be_asked(mock: MockAS, options: dict[str, Any], field: str) -> None:
    """A mistake of the test is named, and no code is made."""
    asked: dict[str, Any] = {"client_id": "web", "scope": "read", **options}
    with pytest.raises(UsageError) as caught:
        mock.authorize(**asked)
    assert caught.value.field == field
    assert len(mock.pending.codes) == 0


def test_a_seed_makes_the_same_codes() -> None:
    """With a seed the codes come again, too."""
    urls = {MockAS(seed=42).authorize(client_id="web") for _ in range(2)}
    assert len(urls) == 1


def test_the_only_address() -> None:
    """The address of a client that has one need not be named."""
    mock = MockAS(clients=[Client(id="one", secret="s", grants=("authorization_code",), redirect_uris=(CALLBACK,))])
    assert "code" in parameters_of(mock.authorize(client_id="one"))
