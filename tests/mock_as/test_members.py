"""Dataclasses that are given as tables, as a configuration has them."""

from __future__ import annotations

import httpx
import pytest

from mock_as import MockAS, UsageError
from mock_as.clients import Client
from mock_as.users import User

pytestmark = pytest.mark.anyio


def test_tables_are_what_they_describe() -> None:
    """A client that is given as a table is the same as one that was made, with tuples where it has lists."""
    table = {
        "id": "orders",
        "secret": "s",
        "scopes": ["read", "write"],
        "claims": {"tenant": "acme"},
        "format": "opaque",
    }
    made = Client(id="orders", secret="s", scopes=("read", "write"), claims={"tenant": "acme"}, format="opaque")
    assert MockAS(clients=[table]).clients["orders"] == made == MockAS(clients=[made]).clients["orders"]


async def test_everything_can_be_a_table() -> None:
    """Users, resources, rules and faults can be given as tables too."""
    mock = MockAS(
        users=[{"sub": "dora", "scopes": ["read"]}],
        resources=[{"uri": "https://a.test", "format": "opaque"}],
        rules=[{"when": {"scope": "admin*"}, "claims": {"roles": ["admin"]}}],
        faults=[{"endpoint": "jwks", "action": "503"}],
    )
    assert mock.users["dora"] == User(sub="dora", scopes=("read",))
    token = mock.token(scope="admin:all", aud="https://a.test")
    assert (token.format, token.claims["roles"]) == ("opaque", ["admin"])
    async with httpx.AsyncClient(transport=mock.transport()) as client:
        assert (await client.get(mock.url.jwks)).status_code == 503


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"id": "a", "secret": "s", "scope": "read"}, r"^clients\[0\]: 'scope' is unknown; did you mean 'scopes'"),
        ({"secret": "s"}, r"^clients\[0\]\.id: is missing"),
        ({"id": "a", "secret": "s", "format": "jwe"}, r"^clients\[0\]\.format: 'jwe' is unknown"),
    ],
)
def test_wrong_tables_are_named(table: dict[str, object], message: str) -> None:
    """A name that there is not, one that is missing and a value that cannot be are named with their place."""
    with pytest.raises(UsageError, match=message):
        MockAS(clients=[table])
