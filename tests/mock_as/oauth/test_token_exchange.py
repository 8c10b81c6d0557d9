"""Token exchange.

References: RFC 8693
"""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from mock_as import Client, MockAS
from mock_as.clients import TOKEN_EXCHANGE
from mock_as.granted import Granted
from mock_as.keys.signing import generate_key
from mock_as.oauth.grants.issue import issue
from mock_as.tokens.proofs import Prover
from tests.mock_as.asking import ask, assert_refused, record_of

pytestmark = pytest.mark.anyio

ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"
JWT = "urn:ietf:params:oauth:token-type:jwt"
SVC = ("svc", "svc-secret")


async def exchange(
    client: httpx.AsyncClient, subject: str, auth: tuple[str, str] | None = SVC, headers: Any = None, **form: Any
) -> httpx.Response:
    """Exchange a token."""
    request = {"grant_type": TOKEN_EXCHANGE, "subject_token": subject, "subject_token_type": ACCESS_TOKEN, **form}
    return await ask(client, request, auth, headers)


@pytest.mark.parametrize("token_format", ["jwt", "opaque"])
async def test_impersonation(mock: MockAS, client: httpx.AsyncClient, token_format: Any) -> None:
    """A client gets a token of its own in the name of the subject, for the same audience and scope."""
    subject = mock.token("alice", client_id="web", scope="read write", aud="https://a.test", format=token_format)
    response = await exchange(client, subject.value)
    claims = record_of(mock, response).token.claims
    assert (claims["sub"], claims["client_id"], claims["scope"]) == ("alice", "svc", "read write")
    assert claims["aud"] == "https://a.test"
    assert "act" not in claims
    document = response.json()
    assert (document["issued_token_type"], document["token_type"]) == (ACCESS_TOKEN, "Bearer")
    assert "refresh_token" not in document


async def test_delegation(mock: MockAS, client: httpx.AsyncClient) -> None:
    """With an actor's token the token says who acts, and within that who acted before: RFC 8693 section 4.1."""
    subject, actor, next_actor = mock.token("alice").value, mock.token("gateway").value, mock.token("orders").value
    once = await exchange(client, subject, actor_token=actor, actor_token_type=ACCESS_TOKEN)
    assert record_of(mock, once).token.claims["act"] == {"sub": "gateway"}
    twice = await exchange(client, once.json()["access_token"], actor_token=next_actor, actor_token_type=JWT)
    claims = record_of(mock, twice).token.claims
    assert (claims["sub"], claims["act"]) == ("alice", {"sub": "orders", "act": {"sub": "gateway"}})
    kept = await exchange(client, twice.json()["access_token"])
    assert record_of(mock, kept).token.claims["act"] == claims["act"]


async def test_scope_may_be_narrowed(mock: MockAS, client: httpx.AsyncClient) -> None:
    """A client may ask for less scope, and never gets more than it may have itself."""
    subject = mock.token("alice", scope="read write").value
    assert (await exchange(client, subject, scope="read")).json()["scope"] == "read"
    listed = mock.token("alice", scope="read write", claims={"scope": ["read", "write"]}).value
    assert (await exchange(client, listed, scope="write")).json()["scope"] == "write"


async def test_scope_of_the_client() -> None:
    """What the client may not have is left out, although the subject has it."""
    narrow = Client(id="narrow", secret="s", grants=(TOKEN_EXCHANGE,), scopes=("read",))
    mock = MockAS(clients=[narrow])
    async with httpx.AsyncClient(transport=mock.transport(), base_url=mock.issuer) as client:
        subject = mock.token("alice", scope="read write").value
        assert (await exchange(client, subject, ("narrow", "s"))).json()["scope"] == "read"
        assert_refused(await exchange(client, subject, ("narrow", "s"), scope="write"), "invalid_scope")


async def test_target(mock: MockAS, client: httpx.AsyncClient) -> None:
    """A client names where the token is to be used, by URI or by name, once or several times."""
    subject = mock.token("alice").value
    one = await exchange(client, subject, resource="https://a.test")
    assert record_of(mock, one).token.claims["aud"] == "https://a.test"
    several = await exchange(client, subject, resource=["https://a.test", "https://b.test"], audience=["c", "d"])
    assert record_of(mock, several).token.claims["aud"] == ["https://a.test", "https://b.test", "c", "d"]


async def test_details(mock: MockAS, client: httpx.AsyncClient) -> None:
    """The details of the subject stay, or some of them: RFC 9396 section 6."""
    details = [{"type": "account"}, {"type": "payment"}]
    subject = mock.token("alice", claims={"authorization_details": details}).value
    assert (await exchange(client, subject)).json()["authorization_details"] == details
    some = await exchange(client, subject, authorization_details='[{"type":"payment"}]')
    assert record_of(mock, some).token.claims["authorization_details"] == [{"type": "payment"}]
    more = await exchange(client, subject, authorization_details='[{"type":"transfer"}]')
    assert_refused(more, "invalid_authorization_details", about="subject_token")


async def test_subject_for_several_audiences(mock: MockAS, client: httpx.AsyncClient) -> None:
    """Without a target the audience stays as it was, in either shape of the claim."""
    subject = mock.token("alice", aud=["https://a.test", "https://b.test"]).value
    assert record_of(mock, await exchange(client, subject)).token.claims["aud"] == ["https://a.test", "https://b.test"]
    nobody = mock.token("alice", claims={"aud": None}).value
    assert record_of(mock, await exchange(client, nobody)).token.claims["aud"] == "https://api.example.test"


async def test_type_that_is_asked_for(mock: MockAS, client: httpx.AsyncClient) -> None:
    """Whoever asks for a JWT gets one, whatever format its tokens have otherwise."""
    mock.configure(token_format="opaque")
    subject = mock.token("alice").value
    asked = await exchange(client, subject, requested_token_type=JWT)
    assert (record_of(mock, asked).token.format, asked.json()["issued_token_type"]) == ("jwt", JWT)
    usual = await exchange(client, subject, requested_token_type=ACCESS_TOKEN)
    assert (record_of(mock, usual).token.format, usual.json()["issued_token_type"]) == ("opaque", ACCESS_TOKEN)


async def test_token_may_be_bound(mock: MockAS, client: httpx.AsyncClient) -> None:
    """The new token is bound to the key of the client that has exchanged it."""
    prover = Prover(generate_key("ES256"), mock.clock.now)
    response = await exchange(client, mock.token("alice").value, headers={"DPoP": prover.proof("POST", mock.url.token)})
    assert record_of(mock, response).token.claims["cnf"] == {"jkt": prover.thumbprint}
    assert response.json()["token_type"] == "DPoP"


async def test_actor_must_be_allowed(mock: MockAS, client: httpx.AsyncClient) -> None:
    """Where the subject says who may act, nobody else may: RFC 8693 section 4.4."""
    subject = mock.token("alice", claims={"may_act": {"sub": "gateway"}}).value
    good, bad = mock.token("gateway").value, mock.token("orders").value
    assert (await exchange(client, subject, actor_token=good, actor_token_type=ACCESS_TOKEN)).status_code == 200
    refused = await exchange(client, subject, actor_token=bad, actor_token_type=ACCESS_TOKEN)
    assert_refused(refused, "invalid_request", about="not allowed")
    assert_refused(await exchange(client, subject), "invalid_request", about="not allowed")
    itself = mock.token("alice", claims={"may_act": {"sub": "svc"}}).value
    assert (await exchange(client, itself)).status_code == 200
    odd = mock.token("alice", claims={"may_act": "everybody"}).value
    assert_refused(await exchange(client, odd), "invalid_request", about="not allowed")


@pytest.mark.parametrize(
    ("form", "error", "about"),
    [
        ({"subject_token": ""}, "invalid_request", "subject_token"),
        ({"subject_token_type": ""}, "invalid_request", "subject_token_type is missing"),
        ({"subject_token": "unknown"}, "invalid_request", "not an active"),
        ({"subject_token_type": "urn:ietf:params:oauth:token-type:saml2"}, "invalid_request", "subject_token_type"),
        ({"requested_token_type": "urn:ietf:params:oauth:token-type:saml2"}, "invalid_request", "requested_token_type"),
        ({"actor_token": "unknown", "actor_token_type": ACCESS_TOKEN}, "invalid_request", "actor_token"),
        ({"actor_token": "unknown"}, "invalid_request", "actor_token_type is missing"),
        ({"actor_token_type": ACCESS_TOKEN}, "invalid_request", "without an actor_token"),
        ({"scope": "write"}, "invalid_scope", "subject_token"),
        ({"scope": "unheard-of"}, "invalid_scope", "client"),
        ({"resource": "relative"}, "invalid_target", "absolute"),
        ({"scope": ["read", "read"]}, "invalid_request", "more than once"),
    ],
)
async def test_wrong_request(
    mock: MockAS, client: httpx.AsyncClient, form: dict[str, Any], error: str, about: str
) -> None:
    """What is missing, unknown or too much is refused: RFC 8693 section 2.2.2."""
    request = {
        "grant_type": TOKEN_EXCHANGE,
        "subject_token": mock.token("alice").value,
        "subject_token_type": ACCESS_TOKEN,
        **form,
    }
    assert_refused(await ask(client, request, SVC), error, about=about)


async def test_tokens_that_are_no_good(mock: MockAS, client: httpx.AsyncClient) -> None:
    """A token that has expired, was revoked, was never issued here, or is of another kind is not taken."""
    revoked = mock.token("alice")
    mock.revoke(revoked)
    granted = Granted(client_id="svc", grant_type="authorization_code", sub="alice")
    refresh_token = issue(mock, granted, refresh=True)["refresh_token"]
    texts = [
        revoked.value,
        mock.token("alice", expires_in=-1).value,
        mock.token("alice", nbf_in=60).value,
        mock.token("alice", defect="bad_signature").value,
        MockAS().token("alice").value,
        refresh_token,
    ]
    for text in texts:
        assert_refused(await exchange(client, text), "invalid_request", about="not an active")
    opaque = mock.token("alice", format="opaque").value
    assert_refused(await exchange(client, opaque, subject_token_type=JWT), "invalid_request", about="not an active")


async def test_token_in_nobodys_name(mock: MockAS, client: httpx.AsyncClient) -> None:
    """A token without a subject is for nobody to act as."""
    nobody = mock.token(claims={"sub": None}).value
    assert_refused(await exchange(client, nobody), "invalid_request", about="nobody")
    form: dict[str, Any] = {"actor_token": nobody, "actor_token_type": ACCESS_TOKEN}
    assert_refused(await exchange(client, mock.token("alice").value, **form), "invalid_request", about="nobody")


@pytest.mark.parametrize("claim", ["authorization_details", "act", "scope", "aud", "may_act"])
@pytest.mark.parametrize("value", [7, "text", [7], {"a": 1}, [[]], True])
async def test_odd_claims(mock: MockAS, client: httpx.AsyncClient, claim: str, value: Any) -> None:
    """A test may have minted a token that says anything: it is exchanged or refused, without an accident."""
    response = await exchange(client, mock.token("alice", claims={claim: value}).value)
    assert response.status_code in {200, 400}


async def test_client_must_be_allowed(mock: MockAS, client: httpx.AsyncClient) -> None:
    """A client must authenticate, and be registered for the grant."""
    subject = mock.token("alice").value
    readonly = ("svc.readonly", "svc.readonly-secret")
    assert_refused(await exchange(client, subject, readonly), "unauthorized_client")
    assert_refused(await exchange(client, subject, ("svc", "wrong")), "invalid_client", 401)
    assert_refused(await exchange(client, subject, None), "invalid_client", 401)
