"""Tokens of the gateway's own: what they say, how long they last, and that applications verify them as any other."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from resource_server import ConfigurationError, InvalidToken, Principal, RequestParts, ResourceServer
from tests.gateway.door import Door
from tests.support.answer import Answer
from tests.support.jwt import signing_key

pytestmark = pytest.mark.anyio

ISSUER, AUDIENCE = "https://gateway.example.test", "https://inner.example.test"
REPLACING: dict[str, Any] = {"credential": "replace", "internal_issuer": ISSUER, "internal_audience": AUDIENCE}


def key_text(algorithm: str, name: str = "") -> str:
    """Write a private key: an RSA key as PEM, any other as a JWK."""
    key = signing_key(algorithm, name)
    if algorithm != "RS256":
        return json.dumps(key.private_jwk())
    pem = key.private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return pem.decode("ascii")


def replaced(answer: Answer) -> str:
    """Return the token that an application gets."""
    scheme, _, token = (answer.header("authorization") or "").partition(" ")
    assert (answer.status, scheme) == (200, "Bearer")
    return token


def application(door: Door, key_set: bytes) -> ResourceServer:
    """Make the server of an application behind the gateway, which trusts the gateway alone."""
    kind = {"content-type": "application/jwk-set+json"}
    served = httpx.MockTransport(lambda _: httpx.Response(200, content=key_set, headers=kind))
    return ResourceServer(
        issuer=ISSUER,
        audience=AUDIENCE,
        strategy="jwks",
        jwks_uri=f"{ISSUER}/jwks",
        transport=served,
        clock=door.clock,
    )


async def authenticate(server: ResourceServer, token: str) -> Principal:
    """Present a token to an application."""
    return await server.authenticate(RequestParts("GET", [(b"authorization", f"Bearer {token}".encode())]))


@pytest.mark.rfc("9068-2.1-a", "9068-2.2-a")
@pytest.mark.parametrize("algorithm", [None, "RS256", "ES256", "Ed25519"])
async def test_an_application_verifies_it(algorithm: str | None) -> None:
    """The caller's token is replaced by an access token of the gateway's that says the same of the caller."""
    keys = {} if algorithm is None else {"signing_keys": [key_text(algorithm)]}
    door = Door(REPLACING | keys)
    actor = {"sub": "the-frontend"}
    said = {"act": actor, "acr": "gold", "auth_time": int(door.clock.wall())}
    token = door.mock_as.token(sub="alice", client_id="orders-frontend", scope="b a", claims=said)
    inner = replaced(await door.ask("/auth", token))
    assert inner != token.value
    server = application(door, (await door.ask("/jwks")).body)
    principal = await authenticate(server, inner)
    assert (principal.subject, principal.client_id) == ("alice", "orders-frontend")
    assert principal.scopes == {"a", "b"}
    assert (principal.acr, principal.claims["act"]) == ("gold", actor)
    assert principal.claims["sub_id"] == {"format": "iss_sub", "iss": door.mock_as.issuer, "sub": "alice"}
    assert principal.auth_time == said["auth_time"]
    assert principal.expires_at == pytest.approx(door.clock.wall() + 300, abs=2)
    with pytest.raises(InvalidToken):
        await authenticate(server, token.value)
    assert (await door.ask("/auth", inner)).status == 401


async def test_it_lasts_no_longer() -> None:
    """It ends with the caller's token, or after five minutes; it is made anew before, and not for each request."""
    door = Door(REPLACING, cache_ttl=3600.0)
    token = door.mock_as.token(expires_in=700)
    first = replaced(await door.ask("/auth", token))
    door.mock_as.clock.advance(140)
    assert replaced(await door.ask("/auth/nginx", token)) == first
    door.mock_as.clock.advance(20)
    second = replaced(await door.ask("/auth", token))
    assert second != first
    server = application(door, (await door.ask("/jwks")).body)
    door.mock_as.clock.advance(440)
    principal = await authenticate(server, replaced(await door.ask("/auth", token)))
    assert principal.expires_at is not None
    assert principal.expires_at <= door.clock.wall() + 101


async def test_rotation() -> None:
    """All keys are published, none of them with its secret; the first one signs."""
    old, new = key_text("ES256", "old"), key_text("ES384", "new")
    before, after = Door(REPLACING | {"signing_keys": [old, new]}), Door(REPLACING | {"signing_keys": [new, old]})
    answer = await after.ask("/jwks")
    assert answer.header("content-type") == "application/jwk-set+json"
    assert answer.header("cache-control") == "public, max-age=300"
    published = answer.json()["keys"]
    assert [key["kid"] for key in published] == ["ES384-new", "ES256-old"]
    assert all(key["use"] == "sig" and not key.keys() & {"d", "p", "q", "dp", "dq", "qi", "k"} for key in published)
    server = application(after, answer.body)
    for door in (before, after):
        await authenticate(server, replaced(await door.ask("/auth", door.mock_as.token())))


async def test_nobody_gets_one() -> None:
    """Who is let in without a token gets none of ours, and a token that was sent along does not pass."""
    door = Door(REPLACING)
    fields = [(b"x-original-method", b"OPTIONS"), (b"x-original-uri", b"/"), (b"origin", b"https://app.example")]
    preflight = [*fields, (b"access-control-request-method", b"PUT")]
    assert (await door.ask("/auth/nginx", "canary-token", headers=preflight)).header("authorization") == ""


async def test_a_bad_key() -> None:
    """A key that cannot sign is refused, and none of it is in the message."""
    with pytest.raises(ConfigurationError, match="signing_keys: number 2 is neither PEM nor a JWK"):
        Door(REPLACING | {"signing_keys": [key_text("ES256"), "canary"]})


async def test_a_caller_without_a_name() -> None:
    """What the caller's token does not say, ours does not say either."""
    door = Door(REPLACING, strategy="introspect")
    door.mock_as.fault("introspect", body={"active": True, "aud": door.mock_as.options.audience, "exp": 4_000_000_000})
    inner = replaced(await door.ask("/auth", "opaque-canary-token"))
    with pytest.raises(InvalidToken):
        await authenticate(application(door, (await door.ask("/jwks")).body), inner)


async def test_a_client_by_itself() -> None:
    """Where the caller's token names a client and no subject, ours has no subject of that issuer's."""
    door = Door(REPLACING, strategy="introspect")
    said = {"active": True, "aud": door.mock_as.options.audience, "exp": 4_000_000_000, "client_id": "alice"}
    door.mock_as.fault("introspect", body=said)
    inner = replaced(await door.ask("/auth", "opaque-canary-token"))
    principal = await authenticate(application(door, (await door.ask("/jwks")).body), inner)
    assert (principal.subject, principal.client_id) == ("alice", "alice")
    assert "sub_id" not in principal.claims
