"""Encrypted access tokens from end to end, encrypted by hand for an API that has the key."""

from __future__ import annotations

from typing import Any

import pytest

from mock_as import MockAS
from resource_server.events import RequestRefused
from tests.support.api import API, RS
from tests.support.jwe import encrypt, encryption_key

pytestmark = pytest.mark.anyio

KEY = encryption_key("RSA")


@pytest.fixture
def mock() -> MockAS:
    """An authorization server whose tokens are encrypted on their way."""
    return MockAS(clients=[RS])


def api(mock: MockAS, **options: Any) -> API:
    """Make an API that has a key, and wants its tokens encrypted."""
    return API(mock, **({"encrypted_tokens": "required", "decryption_key": KEY.pem()} | options))


@pytest.mark.rfc("9068-4-g")
@pytest.mark.parametrize("strategy", ["jwks", "jwks_then_introspect"])
async def test_encrypted_and_not(mock: MockAS, strategy: str) -> None:
    """RFC 9068 §4: the encrypted token is let in, once and again; the same without its wrapping is refused."""
    server, token = api(mock, strategy=strategy), mock.token(sub="alice", scope="read").value
    encrypted = encrypt(token, KEY)
    for _ in range(2):
        answer = await server.send(token=encrypted)
        assert (answer.status, answer.json()["subject"]) == (200, "alice")
    assert (await server.send(token=token)).status == 401
    assert mock.requests("introspect").count == 0


async def test_a_revoked_one_encrypted_anew(mock: MockAS) -> None:
    """A token that is revoked here is refused however it is encrypted."""
    server, token = api(mock, strategy="jwks"), mock.token(scope="read").value
    assert (await server.send(token=encrypt(token, KEY))).status == 200
    server.server.revoke(token=encrypt(token, KEY))
    assert (await server.send(token=encrypt(token, KEY))).status == 401


@pytest.mark.rfc("8725-3.3-a")
@pytest.mark.attack("A-J-13")
@pytest.mark.parametrize(
    ("head", "defect"),
    [({}, "alg_none"), ({}, "bad_signature"), ({"zip": "DEF"}, None), ({"alg": "RSA1_5"}, None), ({"cty": "x"}, None)],
)
async def test_one_refusal_for_all(mock: MockAS, head: dict[str, Any], defect: Any) -> None:
    """A client learns nothing about what went wrong, at which layer: the refusals are the same to the letter."""
    server = api(mock, strategy="jwks")
    plain = await server.send(token="a.b.c.d.e")
    token = mock.token(scope="read", **({"defect": defect} if defect else {})).value
    refused = await server.send(token=encrypt(token, KEY, head=head))
    assert refused.status == 401
    assert refused.unnamed().body == plain.unnamed().body
    assert refused.all("www-authenticate") == plain.all("www-authenticate")
    assert len([event for event in server.events if isinstance(event, RequestRefused)]) == 2
