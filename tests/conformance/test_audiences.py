"""A token is for whom it was asked for, and for nobody else: two APIs, and one authorization server for both.

References: RFC 8707 section 2, RFC 9700 section 2.3
"""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from mock_as import MockAS
from tests.support.api import API
from tests.support.promises import assert_refused

pytestmark = pytest.mark.anyio

ONE, TWO = "https://one.example.test", "https://two.example.test"


async def token_for(mock_as: MockAS, *resources: str) -> str:
    """Let a client ask for a token for these resources, as RFC 8707 has it."""
    form: dict[str, Any] = {"grant_type": "client_credentials", "scope": "read", "resource": list(resources)}
    async with httpx.AsyncClient(transport=mock_as.transport(), base_url=mock_as.issuer) as client:
        answer = await client.post("/token", data=form, auth=mock_as.credentials("svc"))
    token: str = answer.json()["access_token"]
    return token


@pytest.mark.rfc("8707-2-b", "9700-2.3-a", "mcp-1")
@pytest.mark.parametrize("strategy", ["introspect", "jwks"])
async def test_a_token_for_one_resource(strategy: Any, mock_as: MockAS) -> None:
    """RFC 8707 §2: a token that was asked for one resource is refused by another, the first time and the second."""
    one = API(mock_as, audience=ONE, strategy=strategy)
    two = API(mock_as, audience=TWO, strategy=strategy)
    token = await token_for(mock_as, ONE)
    for _ in range(2):
        assert (await one.send(token=token)).status == 200
        assert_refused(await two.send(token=token), 401, "invalid_token")
    assert two.entered.total() == 0


@pytest.mark.rfc("8707-2-b")
@pytest.mark.parametrize("strategy", ["introspect", "jwks"])
async def test_a_token_for_two_resources(strategy: Any, mock_as: MockAS) -> None:
    """RFC 8707 §2: a token that was asked for two resources names both, and a third one refuses it."""
    token = await token_for(mock_as, ONE, TWO)
    for audience in (ONE, TWO):
        api = API(mock_as, audience=audience, strategy=strategy)
        assert (await api.send(token=token)).status == 200
    third = API(mock_as, audience="https://three.example.test", strategy=strategy)
    assert_refused(await third.send(token=token), 401, "invalid_token")
