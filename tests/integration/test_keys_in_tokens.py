"""A token that brings its own key, or says where to fetch it, with somebody listening there."""

from __future__ import annotations

from typing import Any

import pytest

from mock_as import MockAS
from resource_server import Clock
from tests.support.api import API, RS
from tests.support.jwt import access_token, encoded, jwks, signing_key
from tests.support.promises import assert_refused
from tests.support.sockets import ok, raw_server

pytestmark = pytest.mark.anyio

THEIRS = signing_key("ES256", "of an attacker")


@pytest.fixture
def mock_as_options() -> dict[str, Any]:
    """Let the authorization server know the resource server by a secret that can be looked for."""
    return {"clients": [RS]}


@pytest.mark.rfc("7515-4.1.2-a", "8725-3.10-a")
@pytest.mark.parametrize(
    ("strategy", "outage"),
    [
        ("introspect", False),
        ("introspect", True),
        ("introspect_then_jwks", False),
        ("introspect_then_jwks", True),
        ("jwks", False),
        ("jwks_then_introspect", False),
    ],
)
@pytest.mark.parametrize("key_id", ["theirs", "ours"])
async def test_keys_that_a_token_brings(
    strategy: Any,
    outage: bool,  # noqa: FBT001 - parametrized
    key_id: str,
    mock_as_server: MockAS,
) -> None:
    """RFC 8725 §3.10: an address in a header is not visited, and a key in it verifies nothing, under any strategy."""
    kid = THEIRS.kid if key_id == "theirs" else mock_as_server.keys.signing().kid
    with raw_server(ok(encoded(jwks(THEIRS.jwk(kid=kid))))) as canary:
        head = {"kid": kid, "jku": canary.url, "x5u": canary.url, "jwk": THEIRS.jwk(kid=kid)}
        audience = mock_as_server.options.audience
        now = mock_as_server.clock.now()
        token = access_token(THEIRS, head=head, now=now, iss=mock_as_server.issuer, aud=audience)
        if outage:
            mock_as_server.fault("introspect", status=503)
        api = API(mock_as_server, transport=None, clock=Clock(), strategy=strategy)
        async with api.server:
            for _ in range(2):
                assert_refused(await api.send(token=token), 401, "invalid_token")
        assert canary.requests == []
    assert api.entered.total() == 0
