"""What is asked for another service, and which refusals wait for somebody."""

from __future__ import annotations

import pytest

from resource_server._validation.exchange import Wanted, exchange
from resource_server.events import ConfigurationFault
from tests.support.play import World, answer


@pytest.mark.attack("A-S-1")
def test_no_token_is_shown() -> None:
    """The tokens that are exchanged are in no text of the wish."""
    wanted = Wanted("subject-canary-token", ("https://stock.example.com",), actor_token="actor-canary-token")
    assert "canary" not in repr(wanted)


@pytest.mark.parametrize(
    ("error", "is_ours"),
    [
        ("invalid_client", True),
        ("unauthorized_client", True),
        ("unsupported_grant_type", True),
        ("invalid_grant", False),
        ("invalid_target", False),
    ],
)
def test_refusals_about_us(error: str, is_ours: bool) -> None:  # noqa: FBT001 - a parameter of the test
    """RFC 6749 §5.2: what no token brings about waits for somebody, and is told; what a token brings about is not."""
    world = World(token_endpoint="https://as.example.com/token")
    refused = answer({"error": error}, status=400)
    world.play(exchange(world.state, Wanted("subject-token"), b"key"), ("token", refused))
    faults = [event for event in world.events if isinstance(event, ConfigurationFault)]
    assert [(fault.endpoint, fault.cause) for fault in faults] == [("token", error)] * is_ours
