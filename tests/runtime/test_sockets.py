"""Our own connections over real sockets: what a network and its certificates can do."""

from __future__ import annotations

import asyncio
import socket
import ssl
from pathlib import Path
from typing import Any

import pytest

from resource_server import InvalidToken, ResourceServer
from resource_server._protocol.messages import HTTPRequest, HTTPResponse, Unavailable
from resource_server._runtime.exchange import Exchange
from tests.support.play import options
from tests.support.sockets import Certificate, certificate, ok, raw_server
from tests.support.stage import bearer

pytestmark = pytest.mark.anyio

PROXY_VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "all_proxy")


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take away what the machine's own environment says."""
    for name in (*PROXY_VARIABLES, "no_proxy", "SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)


async def ask(url: str, *, timeout: float = 5.0, **options: Any) -> HTTPResponse | Unavailable:  # noqa: ASYNC109 - handed on as a deadline
    """Ask one introspection question over a connection of our own."""
    exchange = Exchange(timeout=timeout, **options)
    request = HTTPRequest("POST", url, "introspection", 65_536, body=b"token=canary")
    try:
        return await exchange.send(request, asyncio.get_running_loop().time() + timeout)
    finally:
        await exchange.aclose()


async def test_an_answer() -> None:
    """A whole answer arrives as it was sent."""
    with raw_server(ok()) as server:
        answer = await ask(server.url)
    assert isinstance(answer, HTTPResponse)
    assert (answer.status, answer.body) == (200, b'{"active":true}')
    assert server.requests[0].endswith(b"\r\n\r\ntoken=canary")


async def test_nobody_listens() -> None:
    """A refused connection is an outage."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    assert await ask(f"http://127.0.0.1:{port}/") == Unavailable("connect")


@pytest.mark.attack("A-I-6", "A-I-7")
@pytest.mark.parametrize(
    ("answer", "cause"),
    [
        (None, "timeout"),
        (b"", "protocol"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{", "protocol"),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\n{", "protocol"),
        (b"HTTP/1.1 200 OK\r\n" + b"x: " + b"v" * 1000 + b"\r\n", "protocol"),
        (b"SSH-2.0-OpenSSH\r\n\r\n", "protocol"),
        (b"HTTP/1.1 200 OK\r\n" + (b"x: " + b"v" * 1000 + b"\r\n") * 500 + b"\r\n", "protocol"),
    ],
    ids=["silence", "closed", "cut off", "chunk cut off", "headers cut off", "not HTTP", "500 headers of 1 kB"],
)
async def test_what_is_no_answer(answer: bytes | None, cause: str) -> None:
    """Silence, and whatever is not a whole answer of HTTP, is an outage."""
    with raw_server(answer) as server:
        assert await ask(server.url, timeout=0.05 if answer is None else 5.0) == Unavailable(cause)


@pytest.mark.attack("A-I-7")
async def test_a_storm_of_interim_answers() -> None:
    """RFC 9110 §15.2: interim answers are passed over, and the deadline counts for them too."""
    with raw_server(b"HTTP/1.1 103 Early Hints\r\n\r\n" * 200 + ok()) as server:
        answer = await ask(server.url)
    assert isinstance(answer, HTTPResponse)
    assert answer.status == 200


@pytest.mark.rfc("7662-4-c", "8414-6.1-a")
class TestTLS:
    """RFC 7662 §4 and RFC 8414 §6.1: TLS with a certificate that is checked, or no answer."""

    async def answer(self, made: Certificate, tls: ssl.SSLContext | None = None, **options: Any) -> object:
        """Ask a server that shows this certificate."""
        with raw_server(ok(), tls=tls or made.server_context()) as server:
            found = await ask(f"https://127.0.0.1:{server.port}/", **options)
            # Whoever is not trusted has not been told anything.
            assert isinstance(found, HTTPResponse) == bool(server.requests)
            return found

    async def test_a_certificate_of_ca_file_is_trusted(self, tmp_path: Path) -> None:
        """A private authority is trusted where it is configured."""
        made = certificate(tmp_path)
        assert isinstance(await self.answer(made, ca_file=str(made.certificate)), HTTPResponse)

    async def test_a_self_signed_certificate_is_not_trusted(self, tmp_path: Path) -> None:
        """Anybody can sign a certificate for anything."""
        assert await self.answer(certificate(tmp_path)) == Unavailable("connect")

    async def test_a_certificate_for_another_host(self, tmp_path: Path) -> None:
        """A trusted certificate of somebody else is not this server's."""
        made = certificate(tmp_path, host="as.example.com")
        assert await self.answer(made, ca_file=str(made.certificate)) == Unavailable("connect")

    async def test_an_expired_certificate(self, tmp_path: Path) -> None:
        """A certificate is trusted for its time."""
        made = certificate(tmp_path, days=-1)
        assert await self.answer(made, ca_file=str(made.certificate)) == Unavailable("connect")

    @pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
    async def test_an_old_version(self, tmp_path: Path) -> None:
        """TLS 1.1 is not spoken, whoever speaks it."""
        made = certificate(tmp_path)
        tls = made.server_context()
        tls.minimum_version = tls.maximum_version = ssl.TLSVersion.TLSv1_1
        tls.set_ciphers("ALL:@SECLEVEL=0")
        assert await self.answer(made, tls, ca_file=str(made.certificate)) == Unavailable("connect")

    @pytest.mark.attack("A-S-4")
    @pytest.mark.parametrize("trust_env", [False, True])
    async def test_the_environments_certificates(
        self,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        trust_env: bool,  # noqa: FBT001 - a parameter
    ) -> None:
        """Whoever can set a variable decides whom we trust only where the operator has said so."""
        made = certificate(tmp_path)
        monkeypatch.setenv("SSL_CERT_FILE", str(made.certificate))
        found = await self.answer(made, trust_env=trust_env)
        assert isinstance(found, HTTPResponse) == trust_env

    async def test_a_ca_file_that_holds_no_certificate(self, tmp_path: Path) -> None:
        """A file that holds no certificate makes nobody trusted."""
        made = certificate(tmp_path)
        nonsense = tmp_path / "nonsense.pem"
        nonsense.write_text("nothing")
        assert await self.answer(made, ca_file=str(nonsense)) == Unavailable("transport")


@pytest.mark.attack("A-S-4")
@pytest.mark.parametrize("trust_env", [False, True])
async def test_the_environments_proxy(monkeypatch: pytest.MonkeyPatch, trust_env: bool) -> None:  # noqa: FBT001 - a parameter
    """A proxy from the environment sees our secret and every token, so it is used only where the operator says so."""
    with raw_server(ok(b"by itself")) as server, raw_server(ok(b"by the proxy")) as proxy:
        for name in ("HTTP_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        answer = await ask(server.url, trust_env=trust_env)
    assert isinstance(answer, HTTPResponse)
    assert answer.body == (b"by the proxy" if trust_env else b"by itself")
    assert (len(server.requests), len(proxy.requests)) == ((0, 1) if trust_env else (1, 0))


@pytest.mark.attack("A-S-4")
@pytest.mark.parametrize("trust_env", [False, True])
async def test_the_servers_options_reach_the_socket(monkeypatch: pytest.MonkeyPatch, trust_env: bool) -> None:  # noqa: FBT001 - a parameter
    """What the operator says of the environment's proxies holds for a resource server's own questions."""
    with raw_server(ok(b'{"active": false}')) as server, raw_server(ok(b'{"active": false}')) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        chosen = options(introspection_endpoint=server.url, strategy="introspect", trust_env=trust_env)
        async with ResourceServer(**chosen, observer=lambda _: None) as judge:
            with pytest.raises(InvalidToken):
                await judge.authenticate(bearer("token"))
    asked = [sum(request.startswith(b"POST ") for request in each.requests) for each in (server, proxy)]
    assert asked == ([0, 1] if trust_env else [1, 0])


@pytest.mark.rfc("7662-4-c")
@pytest.mark.parametrize(("trusted", "reason"), [(False, "unavailable"), (True, "inactive")])
async def test_the_servers_certificates_reach_the_socket(tmp_path: Path, trusted: bool, reason: str) -> None:  # noqa: FBT001 - a parameter
    """RFC 7662 §4: an authorization server is believed on the word of the certificates the operator has named."""
    mine = certificate(tmp_path)
    chosen: dict[str, Any] = {"ca_file": mine.certificate} if trusted else {}
    with raw_server(ok(b'{"active": false}'), tls=mine.server_context()) as server:
        chosen |= options(introspection_endpoint=f"https://127.0.0.1:{server.port}", strategy="introspect")
        async with ResourceServer(**chosen, observer=lambda _: None) as judge:
            with pytest.raises(InvalidToken) as caught:
                await judge.authenticate(bearer("token"))
    assert caught.value.reason == reason


@pytest.mark.attack("A-S-4")
@pytest.mark.parametrize("trust_env", [False, True])
async def test_netrc_is_not_read(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    trust_env: bool,  # noqa: FBT001 - a parameter
) -> None:
    """Credentials for the host that lie about on the machine are not ours to send."""
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password canary-password\n")
    monkeypatch.setenv("NETRC", str(netrc))
    with raw_server(ok()) as server:
        assert isinstance(await ask(server.url, trust_env=trust_env), HTTPResponse)
    assert b"authorization" not in server.requests[0].lower()
