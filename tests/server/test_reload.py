"""Options that change while requests are served: no request is dropped, and nothing outlives what it rests on."""

from __future__ import annotations

import asyncio
import base64
import os
import ssl
import threading
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import httpx
import pytest

from resource_server import (
    BlockingResourceServer,
    Clock,
    ConfigurationError,
    InvalidToken,
    Principal,
    ResourceServer,
    VerificationUnavailable,
)
from resource_server._reload import _CONNECTIONS, _JUDGEMENT, _WITH_A_STORE, AT_A_RESTART, _look, compare
from resource_server.events import ConfigurationFault, ConfigurationReloaded
from resource_server.settings import Settings
from tests.support.jwt import AUDIENCE, ISSUER, NOW, REMOVED, access_token, signing_key
from tests.support.origin import Gate, Origin, publishes, says_yes, token_of
from tests.support.play import OPTIONS, Time, active_members, options
from tests.support.stage import bearer

pytestmark = pytest.mark.anyio

FIRST, SECOND = "canary-first-secret-of-many-bytes", "canary-second-secret-of-many-bytes"


def secret_of(request: httpx.Request) -> str:
    """Read with which secret a question was asked."""
    kind, _, value = request.headers["authorization"].partition(" ")
    assert kind == "Basic"
    return unquote(base64.b64decode(value).decode().partition(":")[2])


class Door:
    """An introspection endpoint that knows one client secret at a time, and answers 401 to any other."""

    def __init__(self, secret: str = FIRST) -> None:
        """Know the first secret."""
        self.secret = secret
        self.refused = 0

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """Answer who knows the secret."""
        if secret_of(request) != self.secret:
            self.refused += 1
            return httpx.Response(401, json={"error": "invalid_client"})
        return httpx.Response(200, json=active_members(sub=f"subject of {token_of(request)}"))


def toml(**members: Any) -> str:
    """Write options as TOML."""

    def value(found: Any) -> str:
        return str(found).lower() if isinstance(found, bool) else repr(found)

    return "".join(f"{name} = {value(found)}\n" for name, found in members.items())


class Place:
    """A folder with the options of a server in a TOML file, and the server.

    Args:
        folder: where.
        changes: the options, beyond or in place of the usual ones.
    """

    def __init__(self, folder: Path, **changes: Any) -> None:
        """Write the file and read it."""
        self.file, self.time, self.door = folder / "options.toml", Time(), Door()
        self.origin = Origin(introspect=self.door, jwks=publishes(signing_key()))
        self.told: list[object] = []
        self.write(**changes)
        self.server = ResourceServer.from_env(
            env_file=None,
            toml_file=self.file,
            transport=self.origin,
            clock=self.time.clock,
            observer=self.told.append,
        )

    def write(self, **changes: Any) -> None:
        """Replace the file by another."""
        other = self.file.with_suffix(".new")
        other.write_text(toml(**options(**({"client_secret": FIRST} | changes))))
        other.replace(self.file)

    async def ask(self, token: str = "token") -> Principal:  # noqa: S107 - no password
        """Send a request, a second after the one before."""
        self.time.advance(1.0)
        return await self.server.authenticate(bearer(token))

    def reloads(self) -> list[tuple[tuple[str, ...], tuple[str, ...]]]:
        """Tell what has changed, and what waits for a restart, each time."""
        found = [event for event in self.told if isinstance(event, ConfigurationReloaded)]
        return [(event.changed, event.at_a_restart) for event in found]


def spy(place: Place, name: str, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Note each call of a method of what follows the files."""
    calls: list[str] = []
    found = place.server._files
    assert found is not None
    method = getattr(found, name)

    def spied(*args: Any, **named: Any) -> Any:
        calls.append(name)
        return method(*args, **named)

    monkeypatch.setattr(found, name, spied)
    return calls


async def test_a_file_that_changes(tmp_path: Path) -> None:
    """A second after a file has changed the next request that has to ask does so under the new options."""
    place = Place(tmp_path)
    await place.ask("one")
    place.write(client_secret=SECOND)
    place.door.secret = SECOND
    await place.ask("two")
    assert [secret_of(request) for request in place.origin.requests] == [FIRST, SECOND]
    assert place.reloads() == [(("client_secret",), ())]


@pytest.mark.parametrize("kind", ["env_file", "secrets_dir", "toml_file"])
async def test_every_kind_of_file(tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A ``.env`` file, a folder of secret files and a TOML file are followed alike, also by a relative path."""
    monkeypatch.chdir(tmp_path)
    door, time = Door(), Time()

    def write(secret: str) -> None:
        if kind == "secrets_dir":
            (tmp_path / "secrets").mkdir(exist_ok=True)
            (tmp_path / "secrets" / "resource_server_client_secret").write_text(secret)
        else:
            name = "RESOURCE_SERVER_CLIENT_SECRET" if kind == "env_file" else "client_secret"
            (tmp_path / "file").write_text(f"{name} = '{secret}'\n")

    write(FIRST)
    named: dict[str, Any] = {"env_file": None, kind: "secrets" if kind == "secrets_dir" else "file"}
    server = ResourceServer.from_env(
        **named,
        transport=Origin(introspect=door),
        clock=time.clock,
        **options(client_secret=REMOVED, strategy="introspect"),
    )
    monkeypatch.chdir("/")
    await server.authenticate(bearer("one"))
    write(SECOND)
    door.secret = SECOND
    time.advance(1.0)
    await server.authenticate(bearer("two"))
    assert door.refused == 0


async def test_secrets_behind_a_symbolic_link(tmp_path: Path) -> None:
    """The secrets of Kubernetes: files that lead through a link to a folder, and the link is led elsewhere."""
    for name, secret in (("..one", FIRST), ("..two", SECOND)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "resource_server_client_secret").write_text(secret)
    (tmp_path / "..data").symlink_to("..one")
    (tmp_path / "resource_server_client_secret").symlink_to(Path("..data") / "resource_server_client_secret")
    door, time = Door(), Time()
    server = ResourceServer.from_env(
        env_file=None,
        secrets_dir=tmp_path,
        transport=Origin(introspect=door),
        clock=time.clock,
        **options(client_secret=REMOVED),
    )
    await server.authenticate(bearer("one"))
    (tmp_path / "..new").symlink_to("..two")
    (tmp_path / "..new").replace(tmp_path / "..data")
    door.secret = SECOND
    time.advance(1.0)
    await server.authenticate(bearer("two"))
    assert door.refused == 0


async def test_when_files_are_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """At most once a second, and only where a request has to wait anyway: a token that is known costs no look."""
    place = Place(tmp_path)
    looks = spy(place, "renew", monkeypatch)
    for token in ("one", "two", "three"):
        await place.server.authenticate(bearer(token))
    assert len(looks) == 1
    for _ in range(3):
        await place.ask("one")
    assert len(looks) == 1
    await place.ask("four")
    assert len(looks) == 2
    place.time.advance(59.0)
    await place.server.authenticate(bearer("four"))  # due for renewal
    assert len(looks) == 3
    await place.server.aclose()


async def test_content_that_is_not_acceptable(tmp_path: Path) -> None:
    """Bad content is told once, without showing it, and the old options stay in force until there is good content."""
    place = Place(tmp_path)
    place.file.write_text("client_secret = 'canary")
    for token in ("one", "two"):
        await place.ask(token)
    faults = [event for event in place.told if isinstance(event, ConfigurationFault)]
    assert faults == [ConfigurationFault("configuration", "unacceptable", ISSUER)]
    place.write(cache_ttl=7.0)
    await place.ask("three")
    assert place.server.settings.cache_ttl == 7.0


async def test_a_file_that_is_gone(tmp_path: Path) -> None:
    """A file that is not there any more is bad content; one that comes back is read."""
    place = Place(tmp_path)
    place.file.unlink()
    await place.ask("one")
    assert place.told[0] == ConfigurationFault("configuration", "unacceptable", ISSUER)
    place.write(cache_ttl=7.0)
    await place.ask("two")
    assert place.server.settings.cache_ttl == 7.0


async def test_a_file_that_says_the_same(tmp_path: Path) -> None:
    """A file that was written again with the same content changes nothing, and is no event."""
    place = Place(tmp_path)
    place.write()
    await place.ask()
    assert place.reloads() == []


async def test_what_is_known_stays(tmp_path: Path) -> None:
    """The same issuer and the same rules: what was found out holds, and nobody is asked again."""
    place = Place(tmp_path, jwks_uri="https://as.example.com/jwks")
    await place.server.start()
    await place.ask("one")
    keys = place.server._core.state.keys
    place.write(jwks_uri="https://as.example.com/jwks", client_secret=SECOND, cache_ttl=7.0, unavailable_status=503)
    place.door.secret = SECOND
    assert place.server.reload()
    before = len(place.origin.requests)
    assert (await place.ask("one")).subject == "subject of one"
    assert len(place.origin.requests) == before
    assert place.server._core.state.keys is keys
    assert place.server.settings.unavailable_status == 503


async def test_a_time_to_live_that_changes(tmp_path: Path) -> None:
    """Another time to live holds for what is found out from then on."""
    place = Place(tmp_path)
    await place.ask("old")
    place.write(cache_ttl=2.0)
    await place.ask("new")
    place.time.advance(3.0)
    for token in ("old", "new"):
        await place.server.authenticate(bearer(token))
    assert [token_of(request) for request in place.origin.requests] == ["old", "new", "new"]


@pytest.mark.attack("A-C-3")
async def test_other_rules_are_applied_to_what_is_known(tmp_path: Path) -> None:
    """A verdict made under other rules is forgotten: a token that was good for one audience is asked about again."""
    place = Place(tmp_path)
    await place.ask("one")
    place.write(audience="https://another.example.com")
    assert place.server.reload()
    with pytest.raises(InvalidToken):
        await place.ask("one")


async def test_a_revocation_outlives_a_reload(tmp_path: Path) -> None:
    """What was revoked stays revoked under whatever rules, and by whatever name."""
    place = Place(tmp_path)
    token = access_token()
    place.origin.replies["introspect"] = says_yes(sub=REMOVED, jti=REMOVED)
    await place.ask(token)
    place.server.revoke(token=token)
    place.write(require_audience=False, jwt_profile="lenient", rate_limit=5.0)
    assert place.server.reload()
    with pytest.raises(InvalidToken) as refused:
        await place.ask(token)
    assert refused.value.reason == "revoked"


@pytest.mark.attack("A-K-5", "A-C-1")
async def test_another_issuer_starts_anew(tmp_path: Path) -> None:
    """Nothing that one issuer has said is believed of another: not a verdict, not a key, not an endpoint."""
    place = Place(tmp_path)
    await place.server.start()
    await place.ask("one")
    state = place.server._core.state
    elsewhere = "https://other.example.com"
    place.write(issuer=elsewhere, introspection_endpoint=f"{elsewhere}/introspect", jwks_uri=f"{elsewhere}/jwks")
    await place.ask("two")
    assert place.server._core.state is not state
    assert place.server._core.state.keys is not state.keys
    await place.ask("one")
    assert [request.url.host for request in place.origin.requests if request.url.path == "/introspect"] == [
        "as.example.com",
        "other.example.com",
        "other.example.com",
    ]
    assert place.server._core.state.host is place.server


async def test_another_place_for_the_keys(tmp_path: Path) -> None:
    """Keys from another place replace the ones at hand: those are not trusted any longer than they are meant to be."""
    place = Place(tmp_path, strategy="jwks")
    assert (await place.ask(access_token())).subject == "subject-1"
    place.write(strategy="jwks", jwks_uri="https://as.example.com/elsewhere/jwks")
    assert place.server.reload()
    await place.ask(access_token(jti="another"))
    assert [request.url.path for request in place.origin.requests] == ["/jwks", "/elsewhere/jwks"]


async def test_requests_under_way_finish_as_they_began(tmp_path: Path) -> None:
    """A request that waits for an answer while the options change is judged by the ones it came under."""
    place = Place(tmp_path)
    gate = Gate(says_yes(aud=AUDIENCE))
    place.origin.replies["introspect"] = gate
    under_way = asyncio.create_task(place.ask("one"))
    await gate.arrived()
    place.write(audience="https://another.example.com")
    assert place.server.reload()
    gate.open()
    assert isinstance(await under_way, Principal)
    with pytest.raises(InvalidToken):
        await place.ask("one")


async def test_a_secret_that_is_refused_is_looked_up_again(tmp_path: Path) -> None:
    """A 401 to us makes us look at once: where there is another secret, nobody learns that the old one was refused."""
    place = Place(tmp_path)
    await place.ask("one")
    place.write(client_secret=SECOND)
    place.door.secret = SECOND
    principal = await place.server.authenticate(bearer("two"))  # in the same second
    assert principal.subject == "subject of two"
    assert place.door.refused == 1
    assert not [event for event in place.told if isinstance(event, ConfigurationFault)]
    assert place.server.health().status == "ready"


async def test_a_secret_that_is_not_known_yet(tmp_path: Path) -> None:
    """Where the authorization server does not know the new secret yet, the old one still works, for five minutes."""
    place = Place(tmp_path, strategy="introspect")
    place.write(strategy="introspect", client_secret=SECOND)
    assert place.server.reload()
    assert (await place.ask("one")).subject == "subject of one"
    assert not [event for event in place.told if isinstance(event, ConfigurationFault)]
    place.time.advance(300.0)
    with pytest.raises(InvalidToken):
        await place.ask("two")
    place.door.secret = SECOND
    assert (await place.ask("three")).subject == "subject of three"


async def test_a_file_that_looks_the_same(tmp_path: Path) -> None:
    """A 401 makes us read the file even where it looks as before, once a second at most."""
    place = Place(tmp_path, strategy="introspect")
    seen = place.file.stat()
    place.write(strategy="introspect", client_secret=SECOND[: len(FIRST)])
    found = place.server._files
    assert found is not None
    found._seen = _look([place.file])
    place.door.secret = SECOND[: len(FIRST)]
    assert (await place.ask("one")).subject == "subject of one"
    assert place.file.stat().st_size == seen.st_size


async def test_a_secret_that_is_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is no other secret the refusal is told, and the files are not read for every token."""
    place = Place(tmp_path, strategy="introspect")
    place.door.secret = SECOND
    reads = spy(place, "read", monkeypatch)
    for number in range(10):
        with pytest.raises(InvalidToken):
            await place.server.authenticate(bearer(f"token-{number}"))
    assert len(reads) == 1
    assert ConfigurationFault("introspection", "status_401", ISSUER) in place.told
    assert place.server.health().status == "down"


async def test_credentials_are_not_sent_elsewhere(tmp_path: Path) -> None:
    """New credentials that belong to another issuer are not sent to the one that has refused the old ones."""
    place = Place(tmp_path, strategy="introspect")
    elsewhere = "https://other.example.com"
    place.door.secret = "another"
    under_way = Gate(place.door)
    place.origin.replies["introspect"] = under_way
    asked = asyncio.create_task(place.ask("one"))
    await under_way.arrived()
    place.write(
        strategy="introspect",
        issuer=elsewhere,
        introspection_endpoint=f"{elsewhere}/introspect",
        client_secret=SECOND,
    )
    under_way.open()
    with pytest.raises(InvalidToken):
        await asked
    assert [(request.url.host, secret_of(request)) for request in place.origin.requests] == [("as.example.com", FIRST)]
    with pytest.raises(InvalidToken):
        await place.ask("two")  # and the other way round
    assert secret_of(place.origin.requests[-1]) == SECOND
    assert len(place.origin.requests) == 2


async def test_a_secret_that_changes_under_load(tmp_path: Path) -> None:
    """The secret is changed while many tokens are asked about: not one request is refused."""
    place = Place(tmp_path, strategy="introspect", max_concurrent_calls=8)
    gate = Gate(place.door)
    place.origin.replies["introspect"] = gate
    requests = [asyncio.create_task(place.server.authenticate(bearer(f"token-{n}"))) for n in range(200)]
    await gate.arrived(6)
    place.write(strategy="introspect", max_concurrent_calls=8, client_secret=SECOND)
    place.door.secret = SECOND
    gate.open()
    found = await asyncio.gather(*requests)
    assert [principal.subject for principal in found] == [f"subject of token-{n}" for n in range(200)]
    assert place.door.refused > 0
    assert not [event for event in place.told if isinstance(event, ConfigurationFault)]


def certificate(folder: Path, more: str = "") -> str:
    """Write a file of certificates: any that this machine trusts, and something more."""
    found = ssl.get_default_verify_paths().cafile
    assert found is not None
    (folder / "ca.pem").write_text(Path(found).read_text() + more)
    return str(folder / "ca.pem")


async def test_certificates_that_change(tmp_path: Path) -> None:
    """Another file of certificates, or another content of it: connections are made anew; the old ones end later."""
    place = Place(tmp_path)
    await place.ask("one")
    driver = place.server._lines()[0].driver()
    before = driver._exchange
    place.write(ca_file=certificate(tmp_path))
    await place.ask("two")
    second = place.server._lines()[0].driver()._exchange
    assert second is not before
    certificate(tmp_path, "\n")
    await place.ask("three")
    assert place.server._lines()[0].driver() is driver
    assert place.server._lines()[0].driver()._exchange is not second
    assert place.reloads() == [(("ca_file",), ()), ((), ())]
    await place.server.aclose()


async def test_retired_connections_are_closed(tmp_path: Path) -> None:
    """What waits for the old connections has its time, then they are closed."""
    place = Place(tmp_path)
    await place.ask("one")
    driver = place.server._lines()[0].driver()
    closed = asyncio.Event()
    driver._exchange.timeout = 0.02  # too short to ask in, on a busy machine

    async def close() -> None:
        closed.set()

    driver._exchange.aclose = close  # type: ignore[method-assign] # a spy
    place.write(timeout=3.0)
    assert place.server.reload()
    await place.ask("two")
    await asyncio.wait_for(closed.wait(), 5)
    await place.server.aclose()


async def test_what_waits_for_a_restart_is_told_once(tmp_path: Path) -> None:
    """Options that take effect at a restart are news when they change, and none when they are read once more."""
    place = Place(tmp_path)
    place.write(leeway=3.0)
    assert place.server.reload()
    assert not place.server.reload()
    assert place.reloads() == [((), ("leeway",))]


async def test_reload_by_hand(tmp_path: Path) -> None:
    """``reload`` reads at once, tells whether anything has changed, and raises where that is not acceptable."""
    place = Place(tmp_path)
    assert not place.server.reload()
    place.write(cache_ttl=7.0)
    assert place.server.reload()
    assert not place.server.reload()
    place.write(cache_ttl=-1.0)
    with pytest.raises(ConfigurationError, match="cache_ttl"):
        place.server.reload()
    assert place.server.settings.cache_ttl == 7.0
    assert place.told == [ConfigurationReloaded(("cache_ttl",), (), ISSUER)]


def test_options_of_a_constructor_call() -> None:
    """A server that was given its options as keywords has nothing to read again."""
    assert not ResourceServer(**OPTIONS).reload()


def test_what_waits_for_a_restart(tmp_path: Path) -> None:
    """What memory was laid out for stays as it is, which is told by name."""
    place = Place(tmp_path)
    place.write(cache_size=7, leeway=3.0, timeout=2.0)
    assert place.server.reload()
    assert place.reloads() == [(("timeout",), ("cache_size", "leeway"))]
    assert place.server.settings.cache_size == 50_000
    assert place.server.settings.timeout == 2.0


def test_what_is_taken_back(tmp_path: Path) -> None:
    """An option that waits for a restart and is taken back before it is no change."""
    place = Place(tmp_path)
    place.write(cache_size=7)
    assert place.server.reload()
    place.write()
    assert not place.server.reload()
    assert len(place.told) == 1


STORE = {"cache_url": "redis://127.0.0.1:1"}


@pytest.mark.parametrize(
    ("before", "after", "changed", "at_a_restart"),
    [
        ({}, STORE, (), ("cache_url",)),
        (STORE, {"client_secret": SECOND}, ("client_secret",), ("cache_secret",)),
        (STORE | {"cache_secret": 32 * "x"}, {"client_secret": SECOND}, ("client_secret",), ()),
        (STORE, {"issuer": "https://other.example.com", "timeout": 2.0}, (), ("issuer", "timeout")),
        (STORE, {"timeout": 2.0}, ("timeout",), ()),
    ],
    ids=["a store", "what seals it", "what does not", "what names are made of", "nothing of it"],
)
def test_with_a_store(
    before: dict[str, Any], after: dict[str, Any], changed: tuple[str, ...], at_a_restart: tuple[str, ...]
) -> None:
    """What the workers share cannot be changed in one of them: that waits for a restart, whole where it must."""
    current = Settings.build(**options(**before))
    change = compare(current, Settings.build(**options(**before | after)))
    assert change is not None
    assert (change.changed, change.at_a_restart) == (changed, at_a_restart)
    assert change.settings.issuer == ISSUER


async def test_an_observer_may_reload(tmp_path: Path) -> None:
    """Whoever is told of a reload may ask for another one."""
    place = Place(tmp_path)
    found: list[bool] = []

    def tell(event: object) -> None:
        if isinstance(event, ConfigurationReloaded):
            found.append(place.server.reload())

    place.server._core.reports.observer = tell
    place.write(cache_ttl=7.0)
    assert place.server.reload()
    assert found == [False]


def test_threads(tmp_path: Path) -> None:
    """In threads the same holds: a secret that is changed while many ask refuses nobody."""
    file, door = tmp_path / "options.toml", Door()

    def write(secret: str) -> None:
        other = file.with_suffix(".new")
        other.write_text(toml(**options(client_secret=secret, strategy="introspect")))
        os.replace(other, file)  # noqa: PTH105 - either does

    write(FIRST)
    told: list[object] = []
    half = threading.Barrier(4)
    server = BlockingResourceServer.from_env(
        env_file=None,
        toml_file=file,
        transport=httpx.MockTransport(door),
        clock=Clock(lambda: NOW),
        observer=told.append,
    )
    refused: list[Exception] = []

    def work(name: int) -> None:
        try:
            for number in range(40):
                if number == 20 and half.wait(10) == 0:
                    write(SECOND)
                    door.secret = SECOND
                server.authenticate(bearer(f"token-{name}-{number}"))
        except (InvalidToken, VerificationUnavailable) as error:
            refused.append(error)

    threads = [threading.Thread(target=work, args=(name,)) for name in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert refused == []
    assert not [event for event in told if isinstance(event, ConfigurationFault)]
    server.close()


def test_threads_with_other_connections(tmp_path: Path) -> None:
    """Connections are made anew for threads too, once, and the old ones are closed when their time is over."""
    file = tmp_path / "options.toml"
    file.write_text(toml(**options(timeout=2.0, strategy="introspect", client_secret=FIRST)))
    transport = httpx.MockTransport(Door())
    server = BlockingResourceServer.from_env(
        env_file=None, toml_file=file, transport=transport, clock=Clock(lambda: NOW)
    )
    server.authenticate(bearer("one"))
    driver = server._lines()[0].driver()
    before, closed = driver._exchange, threading.Event()
    before.timeout = 0.02  # too short to ask in, on a busy machine
    before.close = closed.set  # type: ignore[method-assign] # a spy
    file.write_text(toml(**options(timeout=3.0, strategy="introspect", client_secret=FIRST)))
    assert server.reload()
    server.authenticate(bearer("two"))
    assert driver._exchange is not before
    assert closed.wait(5)
    after = driver._exchange
    server._lines()[0]._reconnect(driver)  # as a thread does that comes second
    assert server._lines()[0].driver() is driver
    assert driver._exchange is after
    server.close()


def test_every_name_is_an_option() -> None:
    """What a change of an option brings about is written beside options that there are."""
    named = AT_A_RESTART | _CONNECTIONS | _JUDGEMENT | _WITH_A_STORE
    assert named <= Settings.model_fields.keys()
    assert AT_A_RESTART.isdisjoint(_CONNECTIONS | _JUDGEMENT)
