"""The doctor asks about a token that nobody has issued."""

from __future__ import annotations

from typing import Any

import pytest

from mock_as import MockAS
from tests.support.examined import examined, first_red, of

pytestmark = pytest.mark.anyio


async def test_a_server_that_lets_everybody_in(mock_as_server: MockAS) -> None:
    """A yes about a made-up token is the alarm of all alarms."""
    body = {"active": True, "iss": mock_as_server.issuer, "aud": mock_as_server.options.audience, "sub": "anybody"}
    mock_as_server.fault("introspect", 200, body=body)
    found = first_red(await examined(mock_as_server))
    assert found.check == "introspection"
    assert "a made-up token is called active" in found.says


@pytest.mark.parametrize(
    ("answer", "word"),
    [
        ({"action": 403}, "status_403"),
        ({"action": 500}, "status_500"),
        ({"action": 404}, "status_404"),
        ({"action": 200, "body": {"active": "true"}}, "active_not_boolean"),
        ({"action": 200, "body": "<html>", "headers": {"content-type": "text/html"}}, "content_type"),
    ],
)
async def test_no_verdict(answer: dict[str, Any], word: str, mock_as_server: MockAS) -> None:
    """Whatever is no verdict is named."""
    mock_as_server.fault("introspect", **answer)
    found = first_red(await examined(mock_as_server))
    assert found.check == "introspection"
    assert word in found.says


async def test_a_method_that_is_not_offered(mock_as_server: MockAS) -> None:
    """Where the metadata offer other ways to authenticate, they are named."""
    issuer = mock_as_server.issuer
    metadata = {
        "issuer": issuer,
        "introspection_endpoint": f"{issuer}/introspect",
        "jwks_uri": f"{issuer}/jwks",
        "introspection_endpoint_auth_methods_supported": ["private_key_jwt", "\x1b[2J"],
    }
    mock_as_server.fault("discovery", 200, body=metadata)
    found = first_red(await examined(mock_as_server, client_secret="wrong-secret"))
    assert r"its metadata offer \x1b[2J, private_key_jwt" in found.says
    assert "RESOURCE_SERVER_CLIENT_AUTH_METHOD" in (found.mend or "")


async def test_only_jwts_are_known_here(mock_as_server: MockAS) -> None:
    """A server that introspects no opaque tokens is odd, and not broken."""
    mock_as_server.fault("introspect", 400, body={"error": "unsupported_token_type"})
    found = of(await examined(mock_as_server), "introspection")
    assert found.verdict == "warning"
    assert "jwks_then_introspect" in (found.mend or "")


async def test_signatures_alone_ask_nothing(mock_as_server: MockAS) -> None:
    """With the strategy `jwks` nothing is introspected, and no credentials are needed."""
    report = await examined(mock_as_server, strategy="jwks", client_id=None, client_secret=None)
    assert of(report, "introspection").verdict == "skipped"
    assert mock_as_server.requests("introspect").count == 0


async def test_a_token_of_our_own_that_is_refused(mock_as_server: MockAS) -> None:
    """Where we authenticate with a token that cannot be got, the token endpoint is the one that refuses us."""
    report = await examined(mock_as_server, client_auth_method="bearer", client_secret="wrong-secret")
    found = first_red(report)
    assert found.check == "introspection"
    assert "the token endpoint refuses our credentials, sent by bearer" in found.says


async def test_a_fixed_token_that_is_refused(mock_as_server: MockAS) -> None:
    """A fixed token of ours needs no client, and none is named."""
    said: dict[str, Any] = {"client_id": None, "client_secret": None, "bearer_token": "made-up-bearer-token"}
    found = first_red(await examined(mock_as_server, **said))
    assert "as client" not in found.says
    assert "RESOURCE_SERVER_BEARER_TOKEN" in (found.mend or "")


@pytest.mark.attack("A-H-2")
async def test_a_server_that_says_our_secret_back(mock_as_server: MockAS) -> None:
    """What a hostile server puts into its answers is harmless, and holds no secret of ours."""
    secret = "kept-by-us-alone-4711"
    issuer = mock_as_server.issuer
    metadata = {
        "issuer": issuer,
        "introspection_endpoint": f"{issuer}/introspect",
        "jwks_uri": f"{issuer}/jwks",
        "introspection_endpoint_auth_methods_supported": [secret, "\r\nok token accepted"],
    }
    mock_as_server.fault("discovery", 200, body=metadata)
    report = await examined(mock_as_server, client_secret=secret)
    assert secret not in str(report.as_json())
    assert "[redacted]" in first_red(report).says
