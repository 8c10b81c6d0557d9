"""The introspection endpoint.

References: RFC 7662
"""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from mock_as import Client, Clock, MockAS
from tests.mock_as.conftest import Post
from tests.mock_as.reading import directives, is_json
from tests.support.headers import parse_challenges

pytestmark = pytest.mark.anyio

NOW = 1_700_000_000
INACTIVE = {"active": False}
FORMATS = pytest.mark.parametrize("token_format", ["jwt", "opaque"])


@pytest.fixture
def mock() -> MockAS:
    """Make a mock whose clock stands still, with a caller for one audience only."""
    one = Client(id="rs.one", secret="rs.one-secret", introspect=True, audiences=("https://one.example.test",))
    return MockAS(clock=Clock(lambda: NOW), clients=[one])


@pytest.mark.rfc("9111-as-a")
@FORMATS
async def test_active_token(mock: MockAS, introspect: Post, token_format: Any) -> None:
    """Of an active token everything is said that the server knows, in either format alike."""
    token = mock.token(sub="alice", client_id="web", scope="read write", format=token_format, claims={"tenant": "acme"})
    response = await introspect(token)
    assert (response.status_code, is_json(response)) == (200, True)
    assert "no-store" in directives(response)
    assert response.json() == {
        "active": True,
        "scope": "read write",
        "client_id": "web",
        "username": "alice",
        "token_type": "Bearer",
        "exp": NOW + 3600,
        "iat": NOW,
        "sub": "alice",
        "aud": "https://api.example.test",
        "iss": "https://as.example.test",
        "jti": token.jti,
        "tenant": "acme",
    }


@FORMATS
async def test_not_before_is_said(mock: MockAS, introspect: Post, token_format: Any) -> None:
    """A token that has become valid says since when."""
    token = mock.token(nbf_in=-5, format=token_format)
    assert (await introspect(token)).json()["nbf"] == NOW - 5


@pytest.mark.parametrize(
    "order", [{}, {"sub": "rs"}, {"sub": "svc"}, {"claims": {"sub": None}}, {"claims": {"sub": 7}}]
)
async def test_only_people_have_usernames(mock: MockAS, introspect: Post, order: dict[str, Any]) -> None:
    """A client is no person, and has no username; nor has whoever has no name."""
    assert "username" not in (await introspect(mock.token(**order))).json()


@pytest.mark.rfc("7662-2.2-i", "7662-4-d", "9111-as-a")
@FORMATS
@pytest.mark.parametrize("reason", ["unknown", "revoked", "expired", "later", "not yet", "foreign"])
async def test_inactive_says_nothing_else(mock: MockAS, introspect: Post, reason: str, token_format: Any) -> None:
    """Whatever the reason, an inactive token is `{"active": false}` and not a word more: RFC 7662 section 2.2."""
    token = {
        "unknown": lambda: mock.token(known=False, format=token_format),
        "foreign": lambda: MockAS().token(format=token_format),
        "expired": lambda: mock.token(expires_in=-1, format=token_format),
        "not yet": lambda: mock.token(nbf_in=10, format=token_format),
    }.get(reason, lambda: mock.token(format=token_format))()
    if reason == "revoked":
        mock.revoke(token)
    if reason == "later":
        mock.expire(token)
    response = await introspect(token)
    assert response.status_code == 200
    assert response.json() == INACTIVE
    assert "no-store" in directives(response)


@pytest.mark.parametrize("text", ["garbage", "a.b.c", "tok-1", "\x00", "é" * 5000, " "])
async def test_garbage_is_inactive(mock: MockAS, introspect: Post, text: str) -> None:
    """What is no token is inactive, be it even the id of one."""
    mock.token()
    assert (await introspect(text)).json() == INACTIVE


@pytest.mark.rfc("7662-2.2-i", "7662-4-d")
async def test_changed_jwt_is_inactive(mock: MockAS, introspect: Post) -> None:
    """A JWT is known as a whole: with one character changed, or a better payload, it is unknown."""
    header, payload, signature = mock.token(sub="alice").value.split(".")
    other = mock.token(sub="bob").value.split(".")[1]
    assert (await introspect(f"{header}.{payload}.{signature}x")).json() == INACTIVE
    assert (await introspect(f"{header}.{other}.{signature}")).json() == INACTIVE


@pytest.mark.rfc("7662-2.2-i", "7662-4-d")
async def test_forgeries_are_inactive(mock: MockAS, introspect: Post) -> None:
    """The server does not vouch for a token that it would never have issued."""
    for defect in ("alg_none", "bad_signature", "jwk_header", "hs256_with_public_key", "wrong_iss", "id_token"):
        assert (await introspect(mock.token(defect=defect))).json() == INACTIVE


async def test_refresh_token_is_active_and_has_no_type(mock: MockAS, introspect: Post) -> None:
    """A refresh token introspects as active, as it does on real servers; only its type and audience tell it apart."""
    answer = (await introspect(mock.token(defect="refresh_token", format="opaque"))).json()
    assert answer["active"] is True
    assert "token_type" not in answer
    assert answer["aud"] == "https://as.example.test"


async def test_claims_do_not_overrule_the_server(mock: MockAS, introspect: Post) -> None:
    """A claim named `active` does not decide whether the token is."""
    token = mock.token(claims={"active": "no"})
    assert (await introspect(token)).json()["active"] is True
    mock.revoke(token)
    assert (await introspect(token)).json() == INACTIVE


# ------------------------------------------------------------------------------------------------------------ callers


@pytest.mark.rfc("7662-2.2-i", "7662-2.2-j")
async def test_denied_caller_sees_nothing(mock: MockAS, introspect: Post) -> None:
    """A caller that may not introspect learns nothing, not even that it may not."""
    token = mock.token()
    for caller in ("rs.denied", "svc"):
        response = await introspect(token, caller)
        assert (response.status_code, response.json()) == (200, INACTIVE)


@pytest.mark.rfc("7662-2.2-i", "7662-2.2-j", "7662-4-d")
async def test_caller_for_one_audience(mock: MockAS, introspect: Post) -> None:
    """A caller for one audience sees the tokens for it, and no others: RFC 7662 section 4."""
    mine = mock.token(aud=["https://two.example.test", "https://one.example.test"])
    assert (await introspect(mine, "rs.one")).json()["active"] is True
    assert (await introspect(mock.token(), "rs.one")).json() == INACTIVE
    assert (await introspect(mock.token(defect="no_aud"), "rs.one")).json() == INACTIVE


@pytest.mark.rfc("7662-4-e")
@pytest.mark.parametrize("auth", [None, ("rs", "wrong"), ("nobody", "rs-secret")])
async def test_caller_must_authenticate(mock: MockAS, client: httpx.AsyncClient, auth: Any) -> None:
    """Without right credentials there is no answer about any token, but 401 with a challenge: RFC 7662 section 2.1."""
    response = await client.post("/introspect", data={"token": mock.token().value}, auth=auth)
    assert (response.status_code, response.json()["error"]) == (401, "invalid_client")
    assert [challenge.scheme for challenge in parse_challenges(response.headers["www-authenticate"])] == ["basic"]
    assert "no-store" in directives(response)


async def test_token_cannot_authenticate(mock: MockAS, client: httpx.AsyncClient) -> None:
    """A bearer token is no client authentication here."""
    token = mock.token()
    response = await client.post("/introspect", data={"token": token.value}, headers=token.bearer)
    assert response.status_code == 401


async def test_credentials_in_the_form(mock: MockAS, client: httpx.AsyncClient) -> None:
    """The caller may authenticate in the form."""
    form = {"token": mock.token().value, "client_id": "rs", "client_secret": "rs-secret"}
    assert (await client.post("/introspect", data=form)).json()["active"] is True


# ----------------------------------------------------------------------------------------------------------- requests


@pytest.mark.parametrize("hint", ["access_token", "refresh_token", "anything"])
async def test_hint_is_only_a_hint(mock: MockAS, introspect: Post, hint: str) -> None:
    """A wrong or unknown hint does not keep a token from being found: RFC 7662 section 2.1."""
    assert (await introspect(mock.token(), token_type_hint=hint)).json()["active"] is True


@pytest.mark.parametrize("form", [{}, {"token": ""}, {"token": ["a", "b"]}])
async def test_malformed_request(client: httpx.AsyncClient, form: dict[str, Any]) -> None:
    """A request without a token, or with two, is malformed."""
    response = await client.post("/introspect", data=form or {"x": "y"}, auth=("rs", "rs-secret"))
    assert (response.status_code, response.json()["error"]) == (400, "invalid_request")


@pytest.mark.rfc("7662-4-f")
async def test_get_is_not_taken(mock: MockAS, client: httpx.AsyncClient) -> None:
    """A token in a URL would be in every log: GET is 405, with what is taken instead."""
    response = await client.get("/introspect", params={"token": mock.token().value}, auth=("rs", "rs-secret"))
    assert response.status_code == 405
    assert response.headers["allow"] == "POST"


# --------------------------------------------------------------------------------------------------------------- JWTs


async def test_server_that_does_not_introspect_jwts() -> None:
    """Some servers refuse to introspect JWTs, known or not, and go on to introspect opaque tokens."""
    mock = MockAS(refuse_jwt_introspection=True)
    async with httpx.AsyncClient(transport=mock.transport(), base_url=mock.issuer) as client:
        for token in (mock.token(), mock.token(known=False)):
            response = await client.post("/introspect", data={"token": token.value}, auth=mock.credentials("rs"))
            assert (response.status_code, response.json()["error"]) == (400, "unsupported_token_type")
            assert "no-store" in directives(response)
        opaque = mock.token(format="opaque")
        response = await client.post("/introspect", data={"token": opaque.value}, auth=mock.credentials("rs"))
        assert response.json()["active"] is True
        response = await client.post("/introspect", data={"token": mock.token().value}, auth=("rs", "wrong"))
        assert response.status_code == 401


# --------------------------------------------------------------------------------------------------- what is said of it


@pytest.mark.rfc("9449-as-a")
@FORMATS
async def test_bound_token_says_what_it_is_bound_to(mock: MockAS, introspect: Post, token_format: Any) -> None:
    """A token that is bound to a key of the client is of the type DPoP, with its `cnf`: RFC 9449 section 6.2."""
    token = mock.token(token_type="DPoP", format=token_format)
    answer = (await introspect(token)).json()
    assert (answer["token_type"], answer["cnf"]) == ("DPoP", token.claims["cnf"])


async def test_certificate_bound_token_is_a_bearer_token(mock: MockAS, introspect: Post) -> None:
    """A token that is bound to a certificate is of the type Bearer, with its `cnf`: RFC 8705 section 3.2."""
    cnf = {"x5t#S256": "bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dg2"}
    answer = (await introspect(mock.token(cnf=cnf))).json()
    assert (answer["token_type"], answer["cnf"]) == ("Bearer", cnf)


@pytest.mark.rfc("9396-9-b")
async def test_whoever_acts_and_what_in_detail_is_said(mock: MockAS, introspect: Post) -> None:
    """The actor and the authorization details are told as they are: RFC 8693 section 4.1, RFC 9396 section 9.2."""
    claims = {"act": {"sub": "svc", "act": {"sub": "web"}}, "authorization_details": [{"type": "payment", "amount": 1}]}
    answer = (await introspect(mock.token("alice", claims=claims))).json()
    assert {name: answer[name] for name in claims} == claims


@FORMATS
async def test_edited_token_says_something_else_at_once(mock: MockAS, introspect: Post, token_format: Any) -> None:
    """What is edited is told from then on, while a JWT says of itself what it always said."""
    token = mock.token("alice", scope="read", format=token_format)
    mock.tokens.edit(token, scope=["write"], claims={"tenant": "acme", "jti": None})
    answer = (await introspect(token)).json()
    assert (answer["scope"], answer["tenant"], "jti" in answer) == ("write", "acme", False)
    mock.tokens.edit(token, exp=NOW + 9.0)
    assert repr((await introspect(token)).json()["exp"]) == str(NOW + 9)
    mock.tokens.edit(token, exp=NOW - 1)
    assert (await introspect(token)).json() == INACTIVE


@FORMATS
async def test_answer_can_be_forced(mock: MockAS, introspect: Post, token_format: Any) -> None:
    """A token can be called active although it is not, and inactive although it is."""
    expired, good = (
        mock.token(expires_in=-5, active=True, format=token_format),
        mock.token(active=False, format=token_format),
    )
    mock.revoke(expired)
    assert (await introspect(expired)).json()["exp"] == NOW - 5
    assert (await introspect(good)).json() == INACTIVE


async def test_forgotten_token_is_unknown(mock: MockAS, introspect: Post) -> None:
    """A token that the server forgets is inactive, and forgetting it again changes nothing."""
    token = mock.token()
    assert (mock.tokens.remove(token), mock.tokens.remove(token)) == (True, False)
    assert (await introspect(token)).json() == INACTIVE
