"""Credentials that change while requests are served, beyond a secret: a key, and a token of our own."""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import httpx
import pytest
from joserfc.jwk import ECKey

from resource_server import InvalidToken, ResourceServer
from resource_server.events import ConfigurationFault, Event
from tests.support.jwt import REMOVED
from tests.support.origin import Origin
from tests.support.play import Time, active_members, options
from tests.support.promises import PRESENTED, logs_keep_secrets
from tests.support.stage import bearer

__all__ = ["logs_keep_secrets"]

pytestmark = pytest.mark.anyio

FIRST, SECOND = (ECKey.generate_key("P-256", {"kid": name}).as_dict(private=True) for name in ("k-1", "k-2"))


class Door:
    """An introspection endpoint that knows one key at a time, by its ``kid``."""

    def __init__(self) -> None:
        """Know the first key."""
        self.key_id = "k-1"
        self.assertions: list[str] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """Answer who signs with the key."""
        assertion = dict(parse_qsl(request.content.decode()))["client_assertion"]
        self.assertions.append(assertion)
        PRESENTED.add(assertion)
        header = assertion.partition(".")[0]
        key_id = json.loads(urlsafe_b64decode(header + "=" * (-len(header) % 4)))["kid"]
        if key_id != self.key_id:
            return httpx.Response(401, json={"error": "invalid_client"})
        return httpx.Response(200, json=active_members())


class Place:
    """A file with a key, and a server that follows it.

    Args:
        folder: where.
    """

    def __init__(self, folder: Path) -> None:
        """Write the file and read it."""
        self.file, self.time, self.door = folder / "options.toml", Time(), Door()
        self.told: list[Event] = []
        self.write(FIRST)
        self.server = ResourceServer.from_env(
            env_file=None,
            toml_file=self.file,
            transport=Origin(introspect=self.door),
            clock=self.time.clock,
            observer=self.told.append,
            **options(client_secret=REMOVED, strategy="introspect"),
        )

    def write(self, key: dict[str, Any]) -> None:
        """Write another key."""
        self.file.write_text(f"client_key = '{json.dumps(key)}'\n")


async def test_a_key_that_changes(tmp_path: Path) -> None:
    """Another key is signed with from then on."""
    place = Place(tmp_path)
    await place.server.authenticate(bearer("one"))
    place.write(SECOND)
    assert place.server.reload()
    place.door.key_id = "k-2"
    await place.server.authenticate(bearer("two"))
    assert len(place.door.assertions) == 2


async def test_a_key_that_is_refused(tmp_path: Path) -> None:
    """A 401 makes us look at once; and the old key works on where the new one is not known yet, for five minutes."""
    place = Place(tmp_path)
    await place.server.authenticate(bearer("one"))
    place.write(SECOND)
    place.door.key_id = "k-2"
    await place.server.authenticate(bearer("two"))
    assert len(place.door.assertions) == 3
    place.door.key_id = "k-1"
    await place.server.authenticate(bearer("three"))
    assert len(place.door.assertions) == 5
    assert not [event for event in place.told if isinstance(event, ConfigurationFault)]


async def test_the_same_key_again(tmp_path: Path) -> None:
    """A key that was written in another way is no other one: there is nothing to try where it is refused."""
    place = Place(tmp_path)
    place.file.write_text(f"client_key = '{json.dumps(FIRST, indent=1)}'\n".replace("\n", " ").strip() + "\n")
    assert place.server.reload()
    place.door.key_id = "k-2"
    with pytest.raises(InvalidToken):
        await place.server.authenticate(bearer("one"))
    assert len(place.door.assertions) == 1


async def test_a_key_that_is_not_acceptable(tmp_path: Path) -> None:
    """A bad key changes nothing, and is told without being shown."""
    place = Place(tmp_path)
    place.write({"kty": "EC", "d": "canary"})
    await place.server.authenticate(bearer("one"))
    place.time.advance(1.0)
    await place.server.authenticate(bearer("two"))
    assert [event for event in place.told if isinstance(event, ConfigurationFault)]
    assert "canary" not in repr(place.told)
