"""Profiles: what a resource server notices of real servers."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from mock_as import Clock, MockAS, UsageError
from mock_as.profiles import PROFILES, STRICT
from mock_as.tokens import Token

pytestmark = pytest.mark.anyio

NOW = 1_700_000_000
METADATA = "/.well-known/oauth-authorization-server"


class Server:
    """A mock with a profile, and a client of it."""

    def __init__(self, profile: str) -> None:
        self.mock = MockAS(clock=Clock(lambda: NOW), profile=profile)

    async def introspect(self, token: Token | str, **credentials: Any) -> httpx.Response:
        """Ask about a token, with the right credentials unless others are given."""
        sent = credentials or {"auth": self.mock.credentials("rs")}
        text = token.value if isinstance(token, Token) else token
        return await self.request("POST", "/introspect", data={"token": text}, **sent)

    async def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Send a request."""
        async with httpx.AsyncClient(transport=self.mock.transport(), base_url=self.mock.issuer) as client:
            return await client.request(method, path, **options)

    def refresh_token(self) -> Token:
        """Mint something that introspection takes for a refresh token."""
        token = self.mock.token(sub="alice", format="opaque")
        record = self.mock.tokens.find(token)
        assert record is not None
        record.kind = "refresh_token"
        return token


async def facts(profile: str, **order: Any) -> dict[str, Any]:
    """Return what introspection says of an opaque token."""
    server = Server(profile)
    found: dict[str, Any] = (await server.introspect(server.mock.token(format="opaque", **order))).json()
    return found


def test_profiles_are_the_known_ones() -> None:
    """There is a profile for each server whose behaviour is known, each says what it is, and the first is honest."""
    assert list(PROFILES) == [
        "strict",
        "oidc-provider",
        "canaille",
        "nanoidp",
        "always-active",
        "keycloak",
        "duende",
        "okta",
        "error-instead-of-inactive",
    ]
    assert all(profile.description[-1] == "." for profile in PROFILES.values())
    assert PROFILES[STRICT].behaviours == {}


async def test_honest_unless_told_otherwise() -> None:
    """Without a profile a server is honest, and it is again after a reset."""
    mock = MockAS()
    mock.use_profile("always-active")
    assert mock.options.profile == "always-active"
    mock.reset()
    assert mock.options.profile == STRICT


@pytest.mark.parametrize("use", [lambda name: MockAS(profile=name), lambda name: MockAS().use_profile(name)])
def test_unknown_profile(use: Any) -> None:
    """A profile that there is not is an error that names the one that was meant."""
    with pytest.raises(UsageError, match="did you mean 'keycloak'") as caught:
        use("keycloack")
    assert caught.value.field == "profile"


@pytest.mark.parametrize("profile", [name for name in PROFILES if name != "always-active"])
async def test_no_profile_calls_garbage_active(profile: str) -> None:
    """But for the one that calls everything active, no server calls a token active that it does not know."""
    document = (await Server(profile).introspect("garbage")).json()
    assert document.get("active", False) is False


@pytest.mark.parametrize("profile", PROFILES)
async def test_standing_behaviour_is_no_fault(profile: str) -> None:
    """A profile leaves no fault to be met, shows none in the journal, and faults come on top of it."""
    server = Server(profile)
    await server.introspect(server.mock.token(sub="alice", format="opaque"))
    assert server.mock.requests("introspect").last.fault is None
    assert server.mock.faults_left == ()
    server.mock.fault("introspect", 503)
    assert (await server.introspect("x")).status_code == 503


async def test_oidc_provider_knows_no_jwt() -> None:
    """oidc-provider introspects and revokes opaque tokens only."""
    server = Server("oidc-provider")
    jwt, opaque = server.mock.token(sub="alice"), server.mock.token(sub="alice", format="opaque")
    refused = await server.introspect(jwt)
    assert (refused.status_code, refused.json()["error"]) == (400, "unsupported_token_type")
    document = (await server.introspect(opaque)).json()
    assert (document["active"], document["sub"]) == (True, "alice")


async def test_oidc_provider_and_its_callers() -> None:
    """oidc-provider calls a request without credentials invalid, and refuses wrong ones."""
    server = Server("oidc-provider")
    refused = await server.introspect("x", auth=None)
    assert (refused.status_code, refused.json()["error"]) == (400, "invalid_request")
    wrong = await server.introspect("x", auth=("rs", "wrong"))
    assert (wrong.status_code, wrong.json()["error"]) == (401, "invalid_client")
    metadata = (await server.request("GET", METADATA)).json()
    assert "introspection_endpoint_auth_methods_supported" not in metadata
    assert "introspection_endpoint" in metadata


async def test_oidc_provider_has_no_subject_for_clients() -> None:
    """oidc-provider names no subject in the token of a client."""
    assert "sub" not in await facts("oidc-provider")
    assert (await facts("oidc-provider", sub="alice"))["sub"] == "alice"


async def test_refresh_tokens_are_active() -> None:
    """Where refresh tokens can be introspected, only their type tells them apart, if anything does."""
    seen: dict[str, Any] = {}
    for profile in ("oidc-provider", "canaille", "keycloak", "duende"):
        server = Server(profile)
        document = (await server.introspect(server.refresh_token())).json()
        assert document["active"] is True
        seen[profile] = document.get("token_type")
    assert seen == {"oidc-provider": None, "canaille": "access_token", "keycloak": "Refresh", "duende": None}


async def test_canaille_has_fractions_and_lists() -> None:
    """Canaille's times have a fraction, its audiences are lists, and its token type is its own."""
    document = await facts("canaille", sub="alice")
    assert document["exp"] == NOW + 3600.352869
    assert document["iat"] == NOW + 0.352869
    assert document["aud"] == ["https://api.example.test"]
    assert document["token_type"] == "access_token"
    several = await facts("canaille", aud=["https://a.example.test", "https://b.example.test"])
    assert several["aud"] == ["https://a.example.test", "https://b.example.test"]


async def test_nanoidp_says_who_a_client_is() -> None:
    """The subject of a client's token at nanoidp is the client, and there is no scope where none was granted."""
    document = await facts("nanoidp", scope=None, claims={"sub": None})
    assert document["sub"] == "svc"
    assert "scope" not in document
    assert (await facts("nanoidp", sub="alice"))["sub"] == "alice"


async def test_always_active_is_what_it_says() -> None:
    """Everything is active, whoever asks about it; what is known of a token is still said."""
    server = Server("always-active")
    for answer in (await server.introspect("garbage"), await server.introspect("garbage", auth=("rs", "wrong"))):
        assert (answer.status_code, answer.json()["active"], answer.json()["exp"]) == (200, True, NOW + 3600)
    assert (await server.introspect(server.mock.token(sub="alice"))).json()["sub"] == "alice"


async def test_keycloak_says_more() -> None:
    """Keycloak's answers have members of its own, and its refusals are not those of the specification."""
    document = await facts("keycloak", sub="alice")
    assert (document["typ"], document["azp"], document["token_type"]) == ("Bearer", "svc", "Bearer")
    refused = await Server("keycloak").introspect("x", auth=("rs", "wrong"))
    assert (refused.status_code, refused.json()["error"]) == (401, "invalid_request")


async def test_duende_says_less() -> None:
    """Duende's answers have no token type, and its refusals no body."""
    assert "token_type" not in await facts("duende", sub="alice")
    refused = await Server("duende").introspect("x", auth=("rs", "wrong"))
    assert (refused.status_code, refused.content) == (401, b"")


async def test_okta_numbers_people() -> None:
    """Okta's answers have the id of a person, and none for a client."""
    assert (await facts("okta", sub="alice"))["uid"] == "00ualice"
    assert "uid" not in await facts("okta")


async def test_error_instead_of_inactive() -> None:
    """A token that is not active is an error, and one that is active is not."""
    server = Server("error-instead-of-inactive")
    refused = await server.introspect("garbage")
    assert (refused.status_code, refused.json()["error"]) == (403, "access_denied")
    assert (await server.introspect(server.mock.token(sub="alice"))).json()["active"] is True


async def test_tenant_has_the_profile_of_its_landlord() -> None:
    """A tenant begins with the profile of the server, and goes its own way from there."""
    mock = MockAS(profile="okta")
    tenant = mock.tenant("one")
    assert tenant.options.profile == "okta"
    tenant.use_profile("duende")
    assert mock.options.profile == "okta"
