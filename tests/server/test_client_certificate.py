"""A resource server that shows the authorization server a certificate, over every kind of connection.

References: RFC 8705 sections 2 and 5
"""

from __future__ import annotations

import ssl
import time
from base64 import urlsafe_b64encode
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx
import pytest
import trustme
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from mock_as import Client, MockAS, Token
from mock_as.tls import Authority
from resource_server import (
    AuthorizationServer,
    BlockingResourceServer,
    Clock,
    ConfigurationError,
    InvalidToken,
    Principal,
    ResourceServer,
)
from resource_server._protocol.messages import HTTPResponse, Unavailable
from resource_server._runtime import blocking_exchange, connections
from resource_server._runtime.connection_aiohttp import AiohttpConnection
from resource_server._runtime.connection_httpcore import HTTPCoreConnection
from resource_server.events import AuthorizationServerUnavailable, ConfigurationFault, ConfigurationReloaded
from tests.support.jwt import ISSUER, REMOVED
from tests.support.play import INTROSPECTION, JWKS, SECRET, World, answer, yes
from tests.support.stage import bearer

pytestmark = pytest.mark.anyio

NAME = "rs.example.test"
"""Whom the certificate is for."""
METHODS = ("tls_client_auth", "self_signed_tls_client_auth")
"""The authorization server knows a client of the same name for each."""
WAYS = ("aiohttp", "httpcore", "intercepted", "of the environment", "threads", "threads, intercepted", "threads, of it")
REJECTED = ("introspection", "status_401")
Ask = Callable[[Token], Awaitable[Principal]]


class Place:
    """A folder with the files of a resource server, and what was told by it.

    Args:
        folder: where.
        mock: the authorization server.
        issued: the certificate that it knows us by.
    """

    def __init__(self, folder: Path, mock: MockAS, issued: trustme.LeafCert) -> None:
        """Write the files."""
        self.mock, self.events = mock, list[object]()
        self.ca, self.certificate, self.key = folder / "ca.pem", folder / "certificate.pem", folder / "key.pem"
        mock.authority.write(self.ca)
        self.write(issued)

    def write(self, issued: trustme.LeafCert) -> None:
        """Put another certificate in its place, and its key."""
        self.write_key(issued)
        _replace(self.certificate, b"".join(pem.bytes() for pem in issued.cert_chain_pems))

    def write_key(self, issued: trustme.LeafCert) -> None:
        """Put another key in its place."""
        _replace(self.key, issued.private_key_pem.bytes())

    def options(self, **changes: Any) -> dict[str, Any]:
        """Return the options of the server, changed as asked."""
        options: dict[str, Any] = {
            "issuer": self.mock.issuer,
            "audience": self.mock.options.audience,
            "client_id": METHODS[0],
            "client_certificate_file": str(self.certificate),
            "client_certificate_key_file": str(self.key),
            "ca_file": str(self.ca),
            "strategy": "introspect",
            "retries": 0,
        }
        return {name: value for name, value in (options | changes).items() if value is not None}

    @property
    def faults(self) -> list[tuple[str, str]]:
        """What was told to be wrong with the configuration."""
        found = [event for event in self.events if isinstance(event, ConfigurationFault)]
        return [(event.endpoint, event.cause) for event in found]


def _replace(file: Path, content: bytes) -> None:
    other = file.with_suffix(".new")
    other.write_bytes(content)
    other.replace(file)


def issue(authority: Authority, name: str = NAME) -> trustme.LeafCert:
    """Have an authority issue a certificate."""
    return authority._ca.issue_cert(name, common_name=name)


@pytest.fixture(scope="module")
def mock() -> Iterator[MockAS]:
    """Serve an authorization server over TLS."""
    mock = MockAS(issuer="auto")
    with mock.serve(tls=True):
        yield mock


@pytest.fixture(scope="module")
def issued(mock: MockAS) -> trustme.LeafCert:
    """Make a certificate, and let the authorization server know us by the name in it, and by the certificate itself."""
    made = issue(mock.authority)
    der = ssl.PEM_cert_to_DER_cert(made.cert_chain_pems[0].bytes().decode())
    itself = {"kty": "EC", "x5t#S256": urlsafe_b64encode(sha256(der).digest()).rstrip(b"=").decode()}
    how: dict[str, dict[str, Any]] = {
        METHODS[0]: {"certificate": {"san_dns": NAME}},
        METHODS[1]: {"jwks": {"keys": [itself]}},
    }
    for method, known in how.items():
        mock.clients[method] = Client(id=method, auth_methods=(method,), introspect=True, **known)
    return made


@pytest.fixture
def place(tmp_path: Path, mock: MockAS, issued: trustme.LeafCert, monkeypatch: pytest.MonkeyPatch) -> Place:
    """Give a folder, on a machine whose environment has no proxy."""
    for name in ("HTTPS_PROXY", "ALL_PROXY", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    return Place(tmp_path, mock, issued)


@asynccontextmanager
async def opened(place: Place, **changes: Any) -> AsyncGenerator[Ask]:
    """Open a server for tasks."""
    async with ResourceServer(**place.options(**changes), observer=place.events.append) as server:
        yield lambda token: server.authenticate(bearer(token.value))


@asynccontextmanager
async def opened_for_threads(place: Place, **changes: Any) -> AsyncGenerator[Ask]:
    """Open a server for threads."""
    with BlockingResourceServer(**place.options(**changes), observer=place.events.append) as server:

        async def ask(token: Token) -> Principal:
            return server.authenticate(bearer(token.value))

        yield ask


@asynccontextmanager
async def opened_by(way: str, place: Place, **changes: Any) -> AsyncGenerator[Ask]:
    """Open a server whose connections are of a kind."""
    with pytest.MonkeyPatch.context() as patch:
        if way in ("aiohttp", "httpcore"):
            kind = AiohttpConnection if way == "aiohttp" else HTTPCoreConnection
            patch.setattr(connections, "fastest_connection", lambda: kind)
        patch.setattr(connections, "intercepted", lambda: way == "intercepted")
        patch.setattr(blocking_exchange, "_is_watched", lambda: way == "threads, intercepted")
        open_server = opened_for_threads if way.startswith("threads") else opened
        of_environment = way in ("of the environment", "threads, of it")
        async with open_server(place, trust_env=of_environment, **changes) as ask:
            yield ask


@pytest.mark.rfc("7662-2.1-c")
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("method", METHODS)
async def test_a_certificate_shows_who_we_are(way: str, method: Any, place: Place) -> None:
    """RFC 8705 §2: the certificate of the connection authenticates us, by its name or by itself."""
    token = place.mock.token(sub="alice")
    async with opened_by(way, place, client_id=method, client_auth_method=method) as ask:
        assert (await ask(token)).subject == "alice"
    request = place.mock.requests("introspect").last.request
    assert request.certificate is not None
    assert request.header("authorization") is None
    assert place.faults == []


@pytest.mark.rfc("7662-2.1-c", "7662-2.3-a")
@pytest.mark.parametrize("way", WAYS)
async def test_somebody_elses_certificate(way: str, place: Place) -> None:
    """A certificate that is not the one of this client is a fault of the configuration, and says nothing of a token."""
    place.write(issue(place.mock.authority, "other.example.test"))
    async with opened_by(way, place) as ask:
        with pytest.raises(InvalidToken) as refused:
            await ask(place.mock.token())
    assert refused.value.reason == "unavailable"
    assert REJECTED in place.faults


@pytest.mark.parametrize("way", WAYS)
async def test_a_strangers_certificate(way: str, place: Place) -> None:
    """A certificate that does not get through the handshake brings no answer, which says nothing of a token."""
    place.write(issue(Authority()))
    before = place.mock.requests("introspect").count
    async with opened_by(way, place) as ask:
        with pytest.raises(InvalidToken) as refused:
            await ask(place.mock.token())
    assert refused.value.reason == "unavailable"
    assert any(isinstance(event, AuthorizationServerUnavailable) for event in place.events)
    assert place.mock.requests("introspect").count == before


async def test_a_client_that_shows_none(place: Place) -> None:
    """Who brings a client of his own has it show the certificate; one that shows none is told so as a fault."""
    for name, faults in ((None, [REJECTED]), (NAME, [])):
        place.events.clear()
        async with httpx.AsyncClient(verify=place.mock.authority.client_context(name), trust_env=False) as mine:
            server = ResourceServer(**place.options(), client=mine, observer=place.events.append)
            with pytest.raises(InvalidToken) as refused:
                await server.authenticate(bearer("nobodys"))
        assert (refused.value.reason, place.faults) == ("unavailable" if faults else "inactive", faults)


def _toml(options: dict[str, Any]) -> str:
    return "".join(f"{name} = {value!r}\n" for name, value in options.items())


class Moved:
    """A clock that can be moved ahead."""

    def __init__(self) -> None:
        """Begin where everybody else's is."""
        self.by = 0.0

    @property
    def clock(self) -> Clock:
        """The clock as the product reads it."""
        return Clock(time.time, lambda: time.monotonic() + self.by)


async def test_another_certificate_in_the_file(place: Place, issued: trustme.LeafCert, tmp_path: Path) -> None:
    """A certificate that is renewed in its file is shown from then on; the old one until certificate and key match."""
    place.write(issue(place.mock.authority, "other.example.test"))
    (tmp_path / "options.toml").write_text(_toml(place.options()))
    moved = Moved()
    async with ResourceServer.from_env(
        env_file=None, toml_file=tmp_path / "options.toml", clock=moved.clock, observer=place.events.append
    ) as server:

        async def ask() -> Principal:
            moved.by += 1.0
            return await server.authenticate(bearer(place.mock.token(sub="alice").value))

        with pytest.raises(InvalidToken):
            await ask()
        place.write_key(issued)
        with pytest.raises(InvalidToken):
            await ask()
        with pytest.raises(ConfigurationError, match="client_certificate_file"):
            server.reload()
        place.write(issued)
        assert (await ask()).subject == "alice"
    assert ConfigurationReloaded((), (), place.mock.issuer) in place.events


def test_another_certificate_for_threads(place: Place, issued: trustme.LeafCert, tmp_path: Path) -> None:
    """In threads the same holds."""
    place.write(issue(place.mock.authority, "other.example.test"))
    (tmp_path / "options.toml").write_text(_toml(place.options()))
    with BlockingResourceServer.from_env(
        env_file=None, toml_file=tmp_path / "options.toml", observer=place.events.append
    ) as server:
        with pytest.raises(InvalidToken):
            server.authenticate(bearer(place.mock.token().value))
        place.write(issued)
        assert server.reload()
        assert server.authenticate(bearer(place.mock.token(sub="alice").value)).subject == "alice"


async def test_another_certificate_for_one_of_several(place: Place, issued: trustme.LeafCert, tmp_path: Path) -> None:
    """Each of several authorization servers may be shown another certificate, which may be renewed like any other."""
    place.write(issue(place.mock.authority, "other.example.test"))
    told = place.options()
    shared = {name: told.pop(name) for name in ("audience", "strategy", "retries")}
    (tmp_path / "options.toml").write_text(_toml(shared) + "[[authorization_servers]]\n" + _toml(told))
    async with ResourceServer.from_env(
        env_file=None, toml_file=tmp_path / "options.toml", observer=place.events.append
    ) as server:
        with pytest.raises(InvalidToken):
            await server.authenticate(bearer(place.mock.token().value))
        assert not server.reload()
        place.write(issued)
        assert server.reload()
        assert (await server.authenticate(bearer(place.mock.token(sub="alice").value))).subject == "alice"


async def test_another_certificate_where_issuers_are_resolved(place: Place, issued: trustme.LeafCert) -> None:
    """What was made for all issuers that are found by a resolver is made anew for each of them."""
    place.write(issue(place.mock.authority, "other.example.test"))
    options = {name: value for name, value in place.options().items() if name not in ("issuer", "client_id")}
    file = place.ca.with_name("options.toml")
    file.write_text(_toml(options))

    async def resolve(issuer: str) -> AuthorizationServer | None:
        return AuthorizationServer(issuer=issuer, client_id=METHODS[0])

    async with ResourceServer.from_env(
        env_file=None, toml_file=file, authorization_servers=resolve, observer=place.events.append
    ) as server:
        with pytest.raises(InvalidToken):
            await server.authenticate(bearer(place.mock.token().value))
        place.write(issued)
        assert server.reload()
        assert (await server.authenticate(bearer(place.mock.token(sub="alice").value))).subject == "alice"


def encrypted(key: bytes) -> bytes:
    """Encrypt a private key."""
    return load_pem_private_key(key, None).private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"canary")
    )


@pytest.mark.parametrize(
    ("key", "certificate"),
    [
        pytest.param(encrypted, None, id="an encrypted key"),
        pytest.param(lambda _: b"canary", None, id="no key"),
        pytest.param(lambda _: b"", None, id="an empty key"),
        pytest.param(lambda _: issue(Authority()).private_key_pem.bytes(), None, id="the key of another"),
        pytest.param(None, lambda _: b"canary", id="no certificate"),
        pytest.param(None, lambda pem: pem.replace(b"CERTIFICATE", b"CANARY"), id="another PEM"),
    ],
)
def test_files_that_are_of_no_use(
    key: Callable[[bytes], bytes] | None, certificate: Callable[[bytes], bytes] | None, place: Place
) -> None:
    """Files that cannot be used are found out at construction, which asks nobody; they are named, and not shown."""
    if key is not None:
        place.key.write_bytes(key(place.key.read_bytes()))
    if certificate is not None:
        place.certificate.write_bytes(certificate(place.certificate.read_bytes()))
    with pytest.raises(ConfigurationError) as refused:
        ResourceServer(**place.options())
    message = str(refused.value)
    assert f"client_certificate_file '{place.certificate}'" in message
    assert f"client_certificate_key_file '{place.key}'" in message
    assert "canary" not in message.lower()
    assert "BEGIN" not in message


def test_certificate_and_key_in_one_file(place: Place) -> None:
    """The key may stand in the certificate's file; where it is not there either, only that file is named."""
    one: dict[str, Any] = {"client_certificate_key_file": None}
    with pytest.raises(ConfigurationError, match=r"client_certificate_file '[^']+' must be PEM"):
        ResourceServer(**place.options(**one))
    place.certificate.write_bytes(place.key.read_bytes() + place.certificate.read_bytes())
    assert ResourceServer(**place.options(**one)).settings.certificate_files == (str(place.certificate), None)


def test_a_key_without_a_certificate(place: Place) -> None:
    """A key alone shows nobody anything."""
    with pytest.raises(ConfigurationError, match="client_certificate_key_file needs client_certificate_file"):
        ResourceServer(**place.options(client_certificate_file=None, client_id=None))


ALIAS = "https://mtls.example.com/introspect"


def aliases(**changes: Any) -> HTTPResponse:
    """Answer with metadata that name other endpoints for who shows a certificate."""
    document = {
        "issuer": ISSUER,
        "introspection_endpoint": INTROSPECTION,
        "jwks_uri": JWKS,
        "mtls_endpoint_aliases": {"introspection_endpoint": ALIAS, "device_authorization_endpoint": "no URL"},
    }
    return answer(document | changes)


def world(place: Place, **changes: Any) -> World:
    """Make a server that authenticates by its certificate and knows no endpoint."""
    ours = {"client_secret": REMOVED, "client_certificate_file": place.certificate}
    ours |= {"client_certificate_key_file": place.key, "introspection_endpoint": REMOVED, "jwks_uri": REMOVED}
    return World(**(ours | changes))


@pytest.mark.rfc("8705-5-a")
def test_the_alias_is_asked(place: Place) -> None:
    """RFC 8705 §5: who shows a certificate asks the endpoint that is named for that; the keys are where they are."""
    ours = world(place)
    ours.validate("opaque", ("metadata", aliases()), ("introspection", yes()))
    assert ours.requests[-1].url == ALIAS


@pytest.mark.rfc("8705-5-a")
def test_without_a_certificate_no_alias(place: Place) -> None:
    """RFC 8705 §5: who shows none asks the ordinary endpoint."""
    files = {"client_certificate_file": REMOVED, "client_certificate_key_file": REMOVED, "client_secret": SECRET}
    ours = world(place, **files)
    ours.validate("opaque", ("metadata", aliases()), ("introspection", yes()))
    assert ours.requests[-1].url == INTROSPECTION


@pytest.mark.rfc("8705-5-a")
@pytest.mark.parametrize("said", [None, {}, [ALIAS], "https://mtls.example.com", {"introspection_endpoint": None}])
def test_no_alias(said: object, place: Place) -> None:
    """RFC 8705 §5: an endpoint that has no alias is asked where it is."""
    ours = world(place)
    ours.validate("opaque", ("metadata", aliases(mtls_endpoint_aliases=said)), ("introspection", yes()))
    assert ours.requests[-1].url == INTROSPECTION


@pytest.mark.rfc("8705-5-a")
def test_a_configured_endpoint_wins(place: Place) -> None:
    """An endpoint that is configured is asked, whatever its aliases."""
    ours = world(place, introspection_endpoint=INTROSPECTION)
    ours.validate("opaque", ("introspection", yes()))
    assert ours.requests[-1].url == INTROSPECTION


@pytest.mark.rfc("8705-5-a", "8414-2-a")
@pytest.mark.parametrize("url", ["http://mtls.example.com/introspect", "/introspect", 1, ""])
def test_an_insecure_alias(url: object, place: Place) -> None:
    """An alias that is not an https URL spoils the document, and nothing is sent to it."""
    ours = world(place)
    spoilt = aliases(mtls_endpoint_aliases={"introspection_endpoint": url})
    assert isinstance(ours.validate("opaque", ("metadata", spoilt)), Unavailable)
    assert ConfigurationFault("metadata", "insecure_endpoint", ISSUER) in ours.events
