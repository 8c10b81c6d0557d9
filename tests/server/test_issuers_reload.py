"""Authorization servers that are added, changed and taken away while requests are served."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import x25519

from resource_server import ConfigurationError, Event, InvalidToken, ResourceServer
from resource_server.events import ConfigurationFault, ConfigurationReloaded
from tests.support.jwe import EncryptionKey
from tests.support.jwt import AUDIENCE, signing_key
from tests.support.origin import Origin, publishes
from tests.support.play import Time
from tests.support.stage import bearer
from tests.support.two import ONE, OTHER, ByHost, issued, unit

pytestmark = pytest.mark.anyio

KEY, OTHER_KEY = signing_key("ES256"), signing_key("ES256", "other")


def table(issuer: str, **options: Any) -> str:
    """Write one authorization server."""
    known = {"issuer": issuer, "jwks_uri": f"{issuer}/jwks"} | options
    lines = [f"{name} = {value if isinstance(value, float | int) else repr(value)}" for name, value in known.items()]
    return "\n".join(["[[authorization_servers]]", *lines, ""])


def document(*tables: str, **options: Any) -> str:
    """Write a configuration."""
    known = {"audience": AUDIENCE, "strategy": "jwks", "retries": 0} | options
    lines = [f"{name} = {value if isinstance(value, float | int) else repr(value)}" for name, value in known.items()]
    return "\n".join([*lines, *tables])


class Place:
    """A resource server that reads its options from a file."""

    def __init__(self, tmp_path: Path, *tables: str, **options: Any) -> None:
        """Write the file, and read it."""
        self.file = tmp_path / "options.toml"
        self.file.write_text(document(*tables, **options))
        self.time = Time()
        self.events: list[Event] = []
        self.one, self.other = Origin(jwks=publishes(KEY)), Origin(jwks=publishes(OTHER_KEY))
        self.server = ResourceServer.from_env(
            env_file=None,
            toml_file=self.file,
            transport=ByHost({"one.example.com": self.one, "other.example.com": self.other}),
            clock=self.time.clock,
            observer=self.events.append,
        )

    def write(self, *tables: str, **options: Any) -> bool:
        """Change the file, and have it read."""
        self.file.write_text(document(*tables, **options))
        return self.server.reload()

    async def reason(self, token: str) -> str | None:
        """Present a token, and return why it is refused."""
        try:
            await self.server.authenticate(bearer(token))
        except InvalidToken as refused:
            return refused.reason
        return None


async def test_added_and_taken_away(tmp_path: Path) -> None:
    """A new one's tokens are accepted from then on, and those of one that is gone are refused, cached or not."""
    place = Place(tmp_path, table(ONE))
    one, other = issued(ONE, KEY), issued(OTHER, OTHER_KEY)
    assert (await place.reason(one), await place.reason(other)) == (None, "wrong_issuer")
    assert place.write(table(ONE), table(OTHER))
    assert (await place.reason(one), await place.reason(other)) == (None, None)
    assert place.one.count("jwks") == 1  # what was known of it still is
    assert place.write(table(OTHER))
    assert (await place.reason(one), await place.reason(other)) == ("wrong_issuer", None)
    reloads = [event for event in place.events if isinstance(event, ConfigurationReloaded)]
    assert reloads == [ConfigurationReloaded(("authorization_servers",), (), "")] * 2
    await place.server.aclose()


async def test_changed(tmp_path: Path) -> None:
    """An option of one takes effect for that one; what waits for a restart is named."""
    place = Place(tmp_path, table(ONE), table(OTHER))
    await place.reason(issued(ONE, KEY))
    await place.reason(issued(OTHER, OTHER_KEY))
    assert place.write(table(ONE, algorithms=["ES384"]), table(OTHER, cache_size=7))
    assert await place.reason(issued(ONE, KEY)) == "algorithm_not_allowed"
    assert await place.reason(issued(OTHER, OTHER_KEY)) is None
    assert ConfigurationReloaded(("authorization_servers",), ("cache_size",), "") in place.events
    assert not place.server.reload()
    await place.server.aclose()


async def test_what_is_shared(tmp_path: Path) -> None:
    """An option of the resource server takes effect for all who do not say otherwise, and for what clients see."""
    place = Place(tmp_path, table(ONE, cache_ttl=5.0), table(OTHER))
    assert place.write(table(ONE, cache_ttl=5.0), table(OTHER), cache_ttl=9.0, realm="orders")
    assert [core.settings.cache_ttl for core in place.server._cores()] == [5.0, 9.0]
    assert place.server.settings.realm == "orders"
    assert place.server._intake.error_style.realm == "orders"


async def test_a_mistake(tmp_path: Path) -> None:
    """A list that could not work leaves the old one in force, and is told of in nobody's name."""
    place = Place(tmp_path, table(ONE))
    place.file.write_text(document(table(ONE), table(ONE)))
    assert await place.reason(issued(ONE, KEY)) is None
    assert ConfigurationFault("configuration", "unacceptable", "") in place.events
    with pytest.raises(ConfigurationError, match="more than once"):
        place.server.reload()
    await place.server.aclose()


async def test_one_in_place_of_several(tmp_path: Path) -> None:
    """Whether there is one or several is decided at the start; until then everything stays as it was."""
    place = Place(tmp_path, table(ONE))
    assert place.write(issuer=ONE)
    [event] = place.events
    assert isinstance(event, ConfigurationReloaded)
    assert event.changed == ()
    assert set(event.at_a_restart) == {"authorization_servers", "issuer"}
    assert await place.reason(issued(ONE, KEY)) is None
    await place.server.aclose()


async def test_with_a_resolver(tmp_path: Path) -> None:
    """What is shared changes for those that are resolved already and for those to come."""

    async def resolve(issuer: str) -> Any:
        return unit(issuer, **({"cache_ttl": 3.0} if issuer == OTHER else {}))

    file = tmp_path / "options.toml"
    file.write_text(document(cache_ttl=5.0))
    origins = {"one.example.com": Origin(jwks=publishes(KEY)), "other.example.com": Origin(jwks=publishes(OTHER_KEY))}
    server = ResourceServer.from_env(
        env_file=None,
        toml_file=file,
        authorization_servers=resolve,
        transport=ByHost(origins),
        clock=Time().clock,
    )
    await server.authenticate(bearer(issued(ONE, KEY)))
    await server.authenticate(bearer(issued(OTHER, OTHER_KEY)))
    file.write_text(document(cache_ttl=9.0))
    assert server.reload()
    assert [core.settings.cache_ttl for core in server._cores()] == [9.0, 3.0]
    file.write_text(document(cache_ttl=9.0, cache_size=7))
    assert server.reload()
    assert {core.settings.cache_size for core in server._cores()} == {50_000}
    assert not server.reload()
    await server.aclose()


async def test_a_mistake_with_a_resolver(tmp_path: Path) -> None:
    """What is not acceptable together with what the resolver has said of one changes nothing for any, and is told."""

    async def resolve(issuer: str) -> Any:
        return unit(issuer, **({"encrypted_tokens": "optional"} if issuer == OTHER else {}))

    file = tmp_path / "options.toml"
    key = EncryptionKey(x25519.X25519PrivateKey.generate(), "1").text()
    file.write_text(document(decryption_key=key))
    origins = {"one.example.com": Origin(jwks=publishes(KEY)), "other.example.com": Origin(jwks=publishes(OTHER_KEY))}
    server = ResourceServer.from_env(
        env_file=None,
        toml_file=file,
        authorization_servers=resolve,
        transport=ByHost(origins),
        clock=Time().clock,
    )
    await server.authenticate(bearer(issued(ONE, KEY)))
    await server.authenticate(bearer(issued(OTHER, OTHER_KEY)))
    file.write_text(document(cache_ttl=9.0))
    for _ in range(2):
        with pytest.raises(ConfigurationError, match="needs decryption_key"):
            server.reload()
    assert [core.settings.cache_ttl for core in server._cores()] == [60.0, 60.0]
    file.write_text(document(cache_ttl=8.0, decryption_key=key))
    assert server.reload()
    assert [core.settings.cache_ttl for core in server._cores()] == [8.0, 8.0]
    await server.aclose()
