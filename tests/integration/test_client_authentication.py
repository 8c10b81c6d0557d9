"""Every way to authenticate, against an authorization server of another make: in this process, and over sockets."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
from joserfc.jwk import ECKey, OKPKey, RSAKey

from mock_as import Client, MockAS
from resource_server import BlockingResourceServer, Clock, InvalidToken, Principal, RequestParts, ResourceServer
from resource_server.events import ConfigurationFault
from tests.support.promises import PRESENTED

pytestmark = pytest.mark.anyio

SECRET = "canary-client-secret-of-32-bytes-or-more"
KEYS: dict[str, RSAKey | ECKey | OKPKey] = {
    "RS256": RSAKey.generate_key(2048, {"kid": "k-rsa"}),
    "ES256": ECKey.generate_key("P-256", {"kid": "k-256"}),
    "ES384": ECKey.generate_key("P-384", {"kid": "k-384"}),
    "ES512": ECKey.generate_key("P-521", {"kid": "k-521"}),
    "Ed25519": OKPKey.generate_key("Ed25519", {"kid": "k-ed"}),
}
SECRET_METHODS = ("client_secret_basic", "client_secret_post", "client_secret_jwt")


@pytest.fixture
def mock_as_options() -> dict[str, Any]:
    """Let the authorization server know the resource server by a secret and by keys."""
    public = {"keys": [key.as_dict(private=False) for key in KEYS.values()]}
    methods = (*SECRET_METHODS, "private_key_jwt")
    return {"clients": [Client(id="rs", secret=SECRET, introspect=True, auth_methods=methods, jwks=public)]}


def ways() -> list[Any]:
    """List the ways to authenticate that need no certificate."""
    found: list[Any] = [
        pytest.param({"client_secret": SECRET, "client_auth_method": method}, id=method) for method in SECRET_METHODS
    ]
    for name, key in KEYS.items():
        jwk = json.dumps(key.as_dict(private=True) | {"alg": name})
        found.append(pytest.param({"client_key": jwk}, id=f"JWK {name}"))
        found.append(pytest.param({"client_key": key.as_pem(private=True).decode()}, id=f"PEM {name}"))
    return found


def options(mock_as: MockAS, **changes: Any) -> dict[str, Any]:
    """Return the options of a resource server that introspects at the mock."""
    return {
        "issuer": mock_as.issuer,
        "audience": mock_as.options.audience,
        "client_id": "rs",
        "strategy": "introspect",
        "retries": 0,
    } | changes


def bearer(mock_as: MockAS, **claims: Any) -> RequestParts:
    """Return a request with a token."""
    wanted: dict[str, Any] = {"sub": "alice", "format": "opaque"} | claims
    token = mock_as.token(**wanted).value
    PRESENTED.add(token)
    return RequestParts("GET", [(b"authorization", f"Bearer {token}".encode())])


@pytest.mark.rfc("7662-2.1-c")
@pytest.mark.attack("A-S-8")
@pytest.mark.parametrize("way", ways())
async def test_in_this_process(way: dict[str, Any], mock_as: MockAS) -> None:
    """RFC 7662 §2.1: each method is accepted, for one token after the other."""
    clock = Clock(wall=mock_as.clock.now)
    async with ResourceServer(transport=mock_as.transport(), clock=clock, **options(mock_as, **way)) as server:
        for _ in range(2):
            principal = await server.authenticate(bearer(mock_as))
            assert isinstance(principal, Principal)
    asked = list(mock_as.requests("introspect"))
    assert [entry.client_id for entry in asked] == ["rs", "rs"]
    PRESENTED.update(entry.form["client_assertion"] for entry in asked if "client_assertion" in entry.form)


@pytest.mark.rfc("7662-2.1-c")
@pytest.mark.parametrize("audience", ["issuer", "endpoint"])
def test_over_sockets(audience: str, mock_as_server: MockAS) -> None:
    """RFC 7523 §3: in threads and over HTTP as well, with either audience."""
    key = json.dumps(KEYS["ES256"].as_dict(private=True))
    way = {"client_key": key, "client_assertion_audience": audience}
    with BlockingResourceServer(**options(mock_as_server, **way)) as server:
        for _ in range(2):
            assert server.authenticate(bearer(mock_as_server)).subject == "alice"


@pytest.mark.rfc("7662-2.1-c")
@pytest.mark.parametrize(
    "way",
    [
        {"client_secret": "canary-" + "x" * 32},
        {"client_secret": "canary-" + "x" * 32, "client_auth_method": "client_secret_jwt"},
        {"client_key": json.dumps(ECKey.generate_key("P-256", {"kid": "k-256"}).as_dict(private=True))},
    ],
    ids=["secret", "secret under an assertion", "key"],
)
async def test_wrong_credentials(way: dict[str, Any], mock_as: MockAS) -> None:
    """RFC 7662 §2.3: where our credentials are refused, nobody is let in, and that is told as our fault."""
    told: list[Any] = []
    server = ResourceServer(transport=mock_as.transport(), observer=told.append, **options(mock_as, **way))
    with pytest.raises(InvalidToken) as caught:
        await server.authenticate(bearer(mock_as))
    await server.aclose()
    assert caught.value.reason == "unavailable"
    assert ConfigurationFault("introspection", "status_401", mock_as.issuer) in told


class WithBearer(httpx.AsyncBaseTransport):
    """Lets the mock introspect for who shows one of its own access tokens, as servers do that protect it so.

    Args:
        mock_as: the authorization server.
    """

    def __init__(self, mock_as: MockAS) -> None:
        """Begin with nothing asked."""
        self._inner = mock_as.transport()
        self._basic = httpx.BasicAuth(*mock_as.credentials("rs"))
        self._mock_as = mock_as
        self.shown: list[str] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Judge the token that is shown, and replace it by what the mock knows."""
        field = request.headers.get("authorization", "")
        if request.url.path.endswith("/introspect"):
            token = field.removeprefix("Bearer ")
            record = self._mock_as.tokens.get(token)
            if record is None or not record.is_active(self._mock_as.clock.now()):
                return httpx.Response(401)
            self.shown.append(token)
            request = next(self._basic.auth_flow(request))
        return await self._inner.handle_async_request(request)


@pytest.mark.rfc("7662-2.1-c")
@pytest.mark.parametrize(
    "way", [{"client_secret": SECRET}, {"client_key": json.dumps(KEYS["ES256"].as_dict(private=True))}]
)
async def test_a_token_that_is_fetched(way: dict[str, Any], mock_as: MockAS) -> None:
    """RFC 6749 §4.4: a token of our own is fetched once, and another one when it has been revoked."""
    transport = WithBearer(mock_as)
    server = ResourceServer(
        transport=transport,
        clock=Clock(mock_as.clock.now, mock_as.clock.now),
        **options(mock_as, client_auth_method="bearer", **way),
    )
    for _ in range(2):
        assert (await server.authenticate(bearer(mock_as))).subject == "alice"
    assert mock_as.requests("token").count == 1
    mock_as.revoke(transport.shown[0])
    assert (await server.authenticate(bearer(mock_as))).subject == "alice"
    assert mock_as.requests("token").count == 2
    assert len(set(transport.shown)) == 2
    await server.aclose()
