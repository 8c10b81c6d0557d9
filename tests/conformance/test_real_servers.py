"""What real authorization servers do differently, each as a profile or a fault of the mock, and what is made of it."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from mock_as import MockAS
from mock_as.profiles import PROFILES
from resource_server.events import AuthorizationServerUnavailable
from tests.support.api import API
from tests.support.promises import assert_refused, assert_unavailable

pytestmark = pytest.mark.anyio

CALLBACK = "https://app.example.test/callback"
CHALLENGE = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
"""The pair of RFC 7636 appendix B."""
REFUSES_JWTS = "oidc-provider"
SAYS_ERROR = "error-instead-of-inactive"

PROFILE = pytest.mark.parametrize("profile", sorted(PROFILES))
FORMAT = pytest.mark.parametrize("token_format", ["jwt", "opaque"])


async def refresh_token(mock_as: MockAS) -> str:
    """Let a person log in, and return the refresh token that the client gets."""
    place = mock_as.authorize(
        client_id="web", scope="openid offline_access read", redirect_uri=CALLBACK, code_challenge=CHALLENGE
    )
    [code] = parse_qs(urlsplit(place).query)["code"]
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": CALLBACK, "code_verifier": VERIFIER}
    async with httpx.AsyncClient(transport=mock_as.transport()) as client:
        answer = await client.post(mock_as.url.token, data=form, auth=mock_as.credentials("web"))
    return str(answer.json()["refresh_token"])


@PROFILE
@FORMAT
@pytest.mark.parametrize("sub", ["alice", None])
async def test_good_token(profile: str, token_format: Any, sub: str | None, api: API, mock_as: MockAS) -> None:
    """RFC 7662 §2.2: the good token of a person or of a client is good at each of them, and no answer is an outage."""
    mock_as.use_profile(profile)
    assert (await api.send(token=mock_as.token(sub, format=token_format))).status == 200
    assert not [event for event in api.events if isinstance(event, AuthorizationServerUnavailable)]


@PROFILE
@FORMAT
async def test_revoked_token(profile: str, token_format: Any, api: API, mock_as: MockAS) -> None:
    """RFC 7662 §2.2: a revoked token is not let in, unless its server says nothing of JWTs: then its keys speak."""
    mock_as.use_profile(profile)
    token = mock_as.token("alice", format=token_format)
    mock_as.revoke(token)
    answer = await api.send(token=token)
    speaks_for_itself = profile == REFUSES_JWTS and token_format == "jwt"
    assert answer.status == (200 if speaks_for_itself else 401)


@PROFILE
async def test_refresh_token_that_is_active(profile: str, api: API, mock_as: MockAS) -> None:
    """RFC 6750 §1: a refresh token is no access token, though introspection calls it active and gives it any type."""
    mock_as.use_profile(profile)
    assert_refused(await api.send(token=await refresh_token(mock_as)), 401, "invalid_token")
    assert api.entered.total() == 0


@pytest.mark.parametrize(
    "fault",
    ["exp_float", "token_type_missing", "token_type_access_token", "aud_list", "sub_missing", "iss_missing"],
)
async def test_spellings_that_are_seen(fault: str, api: API, mock_as: MockAS) -> None:
    """RFC 7662 §2.2: times with a fraction, a list of audiences, an odd type or none, and no subject are all good."""
    mock_as.fault("introspect", fault, times=1)
    assert (await api.send(token=mock_as.token("alice", format="opaque"))).status == 200


@pytest.mark.parametrize("fault", ["exp_string", "token_type_dpop"])
async def test_spellings_that_are_refused(fault: str, api: API, mock_as: MockAS) -> None:
    """RFC 7519 §2: a time that is a text is none; and a token that says it is bound is not a bearer's."""
    mock_as.fault("introspect", fault, times=1)
    assert_refused(await api.send(token=mock_as.token("alice", format="opaque")), 401, "invalid_token")


async def test_caller_that_may_not_introspect(mock_as: MockAS) -> None:
    """RFC 7662 §2.2: whoever may not ask is told that every token is inactive, and lets nobody in."""
    client_id, secret = mock_as.credentials("rs.denied")
    api = API(mock_as, client_id=client_id, client_secret=secret)
    assert_refused(await api.send(token=mock_as.token(format="opaque")), 401, "invalid_token")


@pytest.mark.parametrize("profile", ["strict", "oidc-provider", "keycloak", "duende"])
async def test_wrong_credentials_of_ours(profile: str, mock_as: MockAS) -> None:
    """RFC 7662 §2.3: that our own credentials are not taken is not the caller's fault, however it is said."""
    mock_as.use_profile(profile)
    api = API(mock_as, client_secret="not the secret", unavailable_status=503)
    assert_unavailable(await api.send(token=mock_as.token(format="opaque")))


async def test_metadata_say_nothing_of_methods(api: API, mock_as: MockAS) -> None:
    """RFC 8414 §2: where nothing is said about methods of authentication, HTTP Basic is the one."""
    mock_as.fault("discovery", "auth_methods_absent")
    assert (await api.send(token=mock_as.token(format="opaque"))).status == 200
    fields = dict(mock_as.requests("introspect").last.headers)
    assert fields["authorization"].startswith("Basic ")


@pytest.mark.mock_as(introspection="json+jwt")
async def test_plain_json_is_asked_for(api: API, mock_as: MockAS) -> None:
    """RFC 9701 §4: a signed answer comes to whoever asks for it; who asks for JSON gets JSON, and understands it."""
    assert (await api.send(token=mock_as.token(format="opaque"))).status == 200
    assert dict(mock_as.requests("introspect").last.headers)["accept"] == "application/json"


@pytest.mark.parametrize("alg", ["EdDSA", "Ed25519"])
async def test_both_names_of_an_algorithm(alg: str, mock_as: MockAS) -> None:
    """RFC 9864 §2: `Ed25519` is the name, and `EdDSA` is what servers go on writing."""
    api = API(mock_as, strategy="jwks")
    assert (await api.send(token=mock_as.token("alice", alg=alg))).status == 200


@FORMAT
async def test_error_in_the_place_of_inactive(token_format: Any, mock_as: MockAS) -> None:
    """RFC 7662 §2.2: an error says nothing about a token, so nobody is let in, and the caller may come again."""
    mock_as.use_profile(SAYS_ERROR)
    api = API(mock_as, unavailable_status=503)
    token = mock_as.token(format=token_format)
    mock_as.expire(token)
    assert_unavailable(await api.send(token=token))
