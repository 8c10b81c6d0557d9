"""Have a token inspected against a mock authorization server."""

from __future__ import annotations

from typing import Any

from mock_as import MockAS
from resource_server import Settings
from resource_server._inspect.investigate import inspect_token
from resource_server._protocol.sample import Sample
from resource_server.requirements import ANY_TOKEN, Requirement
from tests.support.examined import options


async def inspected(
    mock: MockAS, token: str | bytes, requirement: Requirement = ANY_TOKEN, *, offline: bool = False, **changes: Any
) -> dict[str, Any]:
    """Inspect a token under these options; the token is nowhere in what was found."""
    said = options(mock, **changes)
    content = token if isinstance(token, bytes) else token.encode()
    found = await inspect_token(Sample(content), lambda: Settings.build(**said), requirement, offline=offline)
    assert content.decode("latin-1") not in str(found)
    return found


def rungs(found: dict[str, Any]) -> dict[str, str]:
    """Return the outcome of each rung, in order."""
    return {rung["rung"]: rung["outcome"] for rung in found["ladder"]}
