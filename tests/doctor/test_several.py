"""With several authorization servers each is looked at by itself, and named."""

from __future__ import annotations

from typing import Any

import pytest

from mock_as import MockAS
from resource_server import AuthorizationServer, Settings
from tests.support.examined import first_red, options, report_on

pytestmark = pytest.mark.anyio


def settings(*mocks: MockAS, **changes: Any) -> Settings:
    """Trust them all; the changes are the last one's."""
    servers: list[dict[str, Any]] = [
        options(mock) | ({"token_format": "jwt"} if number else {}) for number, mock in enumerate(mocks)
    ]
    servers[-1] |= changes
    shared = {name: servers[0].pop(name) for name in ("audience",)}
    for server in servers:
        server.pop("audience", None)
    return Settings.build(authorization_servers=[AuthorizationServer(**server) for server in servers], **shared)


@pytest.mark.parametrize("known", [True, False])
async def test_one_of_two_is_broken(known: bool) -> None:  # noqa: FBT001 - the parameter of the test
    """The broken one is named, and the token goes to the one whose it is, or else to the first."""
    one, other = MockAS(), MockAS()
    with one.serve(), other.serve():
        token = other.token().value if known else "{}"
        report = await report_on(lambda: settings(one, other, client_secret="wrong-secret"), token=token)
        red = first_red(report)
        assert red.check == "introspection"
        assert red.says.startswith(f"{other.issuer}: ")
        tokens = [found for found in report.findings if found.check == "token"]
        assert len(tokens) == 2
        assert sum("no token was given" in found.says for found in tokens) == 1
