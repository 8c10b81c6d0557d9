"""Signature, introspection answer and what is kept secret in an inspection."""

from __future__ import annotations

from typing import Any

import pytest

from mock_as import MockAS
from resource_server import AuthorizationServer, ConfigurationError, Settings
from resource_server._inspect.investigate import inspect_token
from resource_server._protocol.sample import Sample
from tests.support.examined import options
from tests.support.inspected import inspected, rungs

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("minted", "changes", "verdict"),
    [
        ({}, {}, "verified"),
        ({"defect": "bad_signature"}, {}, "wrong"),
        ({"key": "unpublished"}, {}, "unknown key"),
        ({}, {"strategy": "introspect"}, "not looked at"),
        ({"alg": "RS256"}, {"algorithms": ("ES256",)}, "not looked at"),
        ({"header": {"kid": None}}, {"strategy": "jwks"}, "verified"),
    ],
)
async def test_a_signature(
    minted: dict[str, Any], changes: dict[str, Any], verdict: str, mock_as_server: MockAS
) -> None:
    """The signature is judged by itself, with the key that has made it."""
    found = await inspected(mock_as_server, mock_as_server.token(**minted).value, **changes)
    assert found["signature"]["verdict"] == verdict
    assert (found["signature"]["key_id"] is not None) == (verdict == "verified")


async def test_the_answer(mock_as_server: MockAS) -> None:
    """The answer of the authorization server is shown whole, the moments in it for people."""
    found = await inspected(mock_as_server, mock_as_server.token(sub="alice", format="opaque").value)
    assert found["signature"] is None
    assert found["introspection"]["status"] == 200
    assert found["introspection"]["answer"]["sub"] == "alice"
    assert found["introspection"]["times"]["exp"].endswith("(in 59 min 59 s)") or "in 1 h" in str(found)
    assert found["decision"]["assurance"] == "introspected"


@pytest.mark.mock_as(introspection="json+jwt")
async def test_a_signed_answer(mock_as_server: MockAS) -> None:
    """An answer that is a JWT is read, too."""
    found = await inspected(mock_as_server, mock_as_server.token(sub="alice").value, signed_introspection="required")
    assert found["introspection"]["answer"]["token_introspection"]["sub"] == "alice"


async def test_an_answer_that_cannot_be_read(mock_as_server: MockAS) -> None:
    """What is no JSON has no members."""
    mock_as_server.fault("introspect", 200, body="<html>")
    found = await inspected(mock_as_server, mock_as_server.token(format="opaque").value)
    assert found["introspection"]["answer"] is None
    assert "cannot be relied on" in found["introspection"]["says"]


@pytest.mark.attack("A-H-2")
async def test_a_server_that_says_everything_back(mock_as_server: MockAS) -> None:
    """Neither the token nor our secret comes back in what a hostile server answers."""
    token, secret = mock_as_server.token(format="opaque").value, mock_as_server.credentials("rs")[1]
    said = {"active": True, "sub": token, secret: [token, f"{secret}!"]}
    mock_as_server.fault("introspect", 200, body=said)
    found = await inspected(mock_as_server, token)
    assert secret not in str(found)
    assert found["introspection"]["answer"]["sub"] == "[redacted]"


@pytest.mark.parametrize("expires_in", [3600, -60])
async def test_offline(expires_in: int, mock_as_server: MockAS) -> None:
    """Offline nobody is asked, and what a JWT says of itself is held against our rules all the same."""
    found = await inspected(mock_as_server, mock_as_server.token(expires_in=expires_in).value, offline=True)
    assert found["decision"] is None
    assert rungs(found) == {"verify": "passed" if expires_in > 0 else "refused"}
    assert found["signature"]["verdict"] == "not looked at"
    assert mock_as_server.requests().count == 0


async def test_offline_with_an_opaque_token(mock_as_server: MockAS) -> None:
    """Of an opaque token there is nothing to say then."""
    found = await inspected(mock_as_server, "opaque-token", offline=True)
    assert (found["ladder"], found["signature"]) == ([], None)


async def test_without_a_configuration(mock_as_server: MockAS) -> None:
    """Offline a token is read without a configuration, too; else there is nobody to ask."""
    token = mock_as_server.token().value
    found = await inspected(mock_as_server, token, offline=True, issuer="ftp://as")
    assert found["token"]["claims"]["iss"] == mock_as_server.issuer
    assert "ftp://as" in found["note"]
    with pytest.raises(ConfigurationError, match="ftp://as"):
        await inspected(mock_as_server, "opaque-token", issuer="ftp://as")


async def test_several_authorization_servers(mock_as_server: MockAS) -> None:
    """The one whose token it is judges it; a token of a stranger is nobody's."""
    said = options(mock_as_server)
    audience = said.pop("audience")
    servers = [
        AuthorizationServer(**said),
        AuthorizationServer(issuer="https://other.example", strategy="jwks", token_format="jwt"),
    ]

    def read() -> Settings:
        return Settings.build(authorization_servers=servers, audience=audience)

    found = await inspect_token(Sample(mock_as_server.token().value.encode()), read)
    assert found["decision"]["status"] == 200
    found = await inspect_token(Sample(mock_as_server.token(defect="wrong_iss").value.encode()), read)
    assert found["decision"]["reason"] == "wrong_issuer"
    assert "of none of the issuers that are trusted here" in found["note"]


@pytest.mark.attack("A-H-2")
async def test_the_secret_of_one_of_several(mock_as_server: MockAS) -> None:
    """The secret that we have with one authorization server of several does not come back in its answer either."""
    said = options(mock_as_server)
    audience, secret = said.pop("audience"), mock_as_server.credentials("rs")[1]
    other = AuthorizationServer(issuer="https://other.example", strategy="jwks", token_format="jwt")
    mock_as_server.fault("introspect", 200, body={"active": True, "sub": secret})
    found = await inspect_token(
        Sample(mock_as_server.token().value.encode()),
        lambda: Settings.build(
            authorization_servers=[AuthorizationServer(**said), other], audience=audience, strategy="introspect"
        ),
    )
    assert found["introspection"]["answer"]["sub"] == "[redacted]"
    assert secret not in str(found)


async def test_a_fixed_token_of_ours(mock_as_server: MockAS) -> None:
    """Where we authenticate with a token, that is kept secret too."""
    mock_as_server.fault("introspect", 200, body={"active": True, "sub": "our-own-bearer-token"})
    said: dict[str, Any] = {"client_id": None, "client_secret": None, "bearer_token": "our-own-bearer-token"}
    found = await inspected(mock_as_server, mock_as_server.token(format="opaque").value, **said)
    assert "our-own-bearer-token" not in str(found)
