"""Who has told what is found out about a token: an event says it, for each way there is to find out."""

from __future__ import annotations

from typing import Any

import pytest

from resource_server import Event
from resource_server.events import TokenValidated
from tests.support.jwt import access_token, signing_key
from tests.support.play import REFUSED, World, key_set, no, unsupported, yes
from tests.support.shelf import Shelf, Worker

OPAQUE = "opaque-token"
KEYS = ("jwks", key_set(signing_key()))
DOWN = ("introspection", REFUSED)


def source(world: World, token: str, *script: Any) -> str:
    """Have a token found out about, and return who has told."""
    heard: list[Event] = []
    world.server.observe(heard.append)
    verdict = world.validate(token, *script)
    world.server._core.reports.validated(b"x" * 32, verdict, 0.1)
    (validated,) = [event for event in heard if isinstance(event, TokenValidated)]
    return validated.source


@pytest.mark.parametrize(
    ("strategy", "token", "script", "told"),
    [
        ("introspect", OPAQUE, [("introspection", yes())], "introspection"),
        ("introspect", OPAQUE, [("introspection", no())], "introspection"),
        ("introspect", OPAQUE, [DOWN], "none"),
        ("jwks", access_token(), [KEYS], "jwks"),
        ("jwks", access_token(signing_key("RS256", "unknown")), [KEYS], "jwks"),
        ("jwks", OPAQUE, [], "none"),
        ("jwks_then_introspect", access_token(), [KEYS], "jwks"),
        ("jwks_then_introspect", OPAQUE, [("introspection", yes())], "introspection"),
        ("introspect_then_jwks", access_token(), [("introspection", yes())], "introspection"),
        ("introspect_then_jwks", access_token(), [("introspection", unsupported()), KEYS], "jwks"),
        ("introspect_then_jwks", access_token(), [DOWN, KEYS], "jwks"),
    ],
)
def test_who_has_told(strategy: str, token: str, script: list[Any], told: str) -> None:
    """The authorization server, the token's own signature, or nobody."""
    assert source(World(strategy=strategy, retries=0), token, *script) == told


def test_what_another_worker_was_told() -> None:
    """An answer from the store that all workers share is told as such, a yes and a no."""
    for answer in (yes(), no()):
        shelf = Shelf()
        Worker(shelf).validate(OPAQUE, ("introspection", answer))
        assert getattr(Worker(shelf).validate(OPAQUE), "source", None) == "l2"


def test_a_recent_yes_in_an_outage() -> None:
    """What bridges an outage is told as what it is."""
    world = World(strategy="introspect", stale_if_error=600.0, retries=0)
    world.validate(OPAQUE, ("introspection", yes()))
    world.time.advance(120.0)
    assert source(world, OPAQUE, DOWN) == "stale"


def test_a_revoked_token() -> None:
    """That a token is revoked is told beside who has called it good."""
    world = World(strategy="jwks")
    world.server.revoke(sub="subject-1")
    assert source(world, access_token(), KEYS) == "jwks"


def test_a_token_that_was_called_inactive() -> None:
    """What keeps a token dead in an outage is what was said of it, and its signature is what was asked."""
    world = World(retries=0)
    world.validate(access_token(), ("introspection", no()))
    world.state.cache.clear()
    assert source(world, access_token(), DOWN, KEYS) == "jwks"
