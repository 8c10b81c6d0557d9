"""One question from a thread: how long it takes, who waits for a place, and what becomes of the connections.

What is sent and what is made of an answer is in tests/runtime/test_transports.py, for all ways to ask.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Thread
from typing import Any

import httpx
import httpx2
import pytest
import respx

from resource_server._protocol.messages import HTTPRequest, HTTPResponse, Unavailable
from resource_server._runtime import blocking_exchange as module
from resource_server._runtime.blocking_exchange import BlockingExchange, BlockingPlaces
from tests.support.blocking import PATIENCE, BlockingBody, BlockingGate, BlockingOrigin, outcomes, run, until
from tests.support.play import INTROSPECTION, JWKS
from tests.support.question import asked_by_rs
from tests.support.sockets import certificate, ok, raw_server, read_request

TOKEN = "canary-access-token"
QUESTION = asked_by_rs(INTROSPECTION, TOKEN.encode(), "canary-s3cret")
PROXY_VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "all_proxy")
Make = Callable[..., BlockingExchange]


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take away what the machine's own environment says."""
    for name in (*PROXY_VARIABLES, "no_proxy", "SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)


def wrapped(original: Callable[..., Any]) -> Callable[..., Any]:
    """Stand between httpx and the network, as something that traces requests does."""

    def handle_request(self: httpx.HTTPTransport, request: httpx.Request) -> httpx.Response:
        response: httpx.Response = original(self, request)
        return response

    return handle_request


@contextmanager
def making(kind: str, monkeypatch: pytest.MonkeyPatch) -> Generator[Make]:
    """Make exchanges of one kind, and close what they were given."""
    with contextlib.ExitStack() as opened:

        def make(timeout: float = 5.0, **options: Any) -> BlockingExchange:
            verify: Any = True
            if "ca_file" in options and kind in {"client", "client of httpx2", "transport"}:
                verify = ssl.create_default_context(cafile=options.pop("ca_file"))
            if kind == "client":
                options["client"] = opened.enter_context(httpx.Client(verify=verify, follow_redirects=True))
            elif kind == "client of httpx2":
                options["client"] = opened.enter_context(httpx2.Client(verify=verify, follow_redirects=True))
            elif kind == "transport":
                options["transport"] = opened.enter_context(httpx.HTTPTransport(verify=verify))
            elif kind == "watched":
                monkeypatch.setattr(httpx.HTTPTransport, "handle_request", wrapped(httpx.HTTPTransport.handle_request))
            exchange = BlockingExchange(timeout=timeout, trust_env=kind == "of the environment", **options)
            opened.callback(exchange.close)
            return exchange

        yield make


KINDS = ["own", "of the environment", "watched", "transport", "client", "client of httpx2"]


@pytest.fixture(params=KINDS)
def make(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Generator[Make]:
    """Make exchanges of every kind, for what must hold for all of them."""
    with making(request.param, monkeypatch) as made:
        yield made


def question(url: str) -> HTTPRequest:
    """Ask about a token at this server."""
    return asked_by_rs(url, TOKEN.encode(), "canary-s3cret")


def send(exchange: BlockingExchange, request: HTTPRequest = QUESTION, timeout: float = 5.0) -> object:
    """Ask one question with this much time."""
    return exchange.send(request, time.monotonic() + timeout)


class Dripping:
    """A server that sends one more byte every now and then, for as long as somebody reads.

    Args:
        start: what it sends at once.
        drop: what it sends again and again.
    """

    def __init__(self, start: bytes, drop: bytes) -> None:
        """Listen."""
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._start, self._drop = start, drop
        self._over = Event()
        self._thread = Thread(target=self._serve, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """Its base URL."""
        return f"http://127.0.0.1:{self._listening.getsockname()[1]}"

    def stop(self) -> None:
        """End."""
        self._over.set()
        self._listening.close()
        self._thread.join(PATIENCE)

    def _serve(self) -> None:
        with contextlib.suppress(OSError), self._listening.accept()[0] as connection:
            connection.sendall(self._start)
            while not self._over.wait(0.005):
                connection.sendall(self._drop)


@pytest.mark.attack("A-I-6")
@pytest.mark.parametrize(
    ("start", "drop"),
    [
        (b"", b""),
        (b"HTTP/1.1 200 OK\r\nx: ", b"y"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n", b"x"),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
        (b"", b"HTTP/1.1 103 Early Hints\r\n\r\n"),
    ],
    ids=["silence", "headers", "body", "chunks", "interim answers"],
)
def test_one_deadline_from_the_connection_to_the_last_byte(make: Make, start: bytes, drop: bytes) -> None:
    """A server that drips meets no timeout of a socket, and the deadline all the same."""
    server = Dripping(start, drop)
    began = time.monotonic()
    try:
        assert send(make(), question(server.url), timeout=0.1) == Unavailable("timeout")
        assert time.monotonic() - began < 1.0
    finally:
        server.stop()


@pytest.mark.attack("A-I-6")
def test_one_attempt_has_its_own_time(make: Make) -> None:
    """Where there can be a second attempt, the first one leaves time for it."""
    with raw_server(None) as server:
        began = time.monotonic()
        assert send(make(attempt_timeout=0.05), question(server.url)) == Unavailable("timeout")
        assert time.monotonic() - began < 1.0


def test_a_deadline_in_the_past(make: Make) -> None:
    """A question for which no time is left is not answered, however quick the server is."""
    with raw_server(ok()) as server:
        assert send(make(), question(server.url), timeout=-1.0) in (
            Unavailable("timeout"),
            Unavailable("crowded", fault="crowd"),
        )
        assert send(make(), HTTPRequest("GET", server.url, "jwks", 1000), timeout=-1.0) == Unavailable("timeout")


class TestTLS:
    """RFC 7662 §4 and RFC 8414 §6.1: TLS, or no answer."""

    def test_a_server_that_does_not_shake_hands(self, tmp_path: Path) -> None:
        """The handshake has no more time than the rest."""
        made, server = certificate(tmp_path), Dripping(b"", b"\x16")
        try:
            exchange = BlockingExchange(timeout=5.0, ca_file=str(made.certificate))
            url = server.url.replace("http:", "https:")
            assert send(exchange, question(url), timeout=0.1) in (Unavailable("timeout"), Unavailable("connect"))
            exchange.close()
        finally:
            server.stop()


@pytest.mark.attack("A-S-4")
@pytest.mark.parametrize("trust_env", [False, True])
def test_the_environments_proxy(monkeypatch: pytest.MonkeyPatch, trust_env: bool) -> None:  # noqa: FBT001 - a parameter
    """A proxy from the environment sees our secret and every token, so it is used only where the operator says so."""
    with raw_server(ok(b"by itself")) as server, raw_server(ok(b"by the proxy")) as proxy:
        for name in ("HTTP_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        exchange = BlockingExchange(timeout=5.0, trust_env=trust_env)
        answer = send(exchange, question(server.url))
        exchange.close()
    assert isinstance(answer, HTTPResponse)
    assert answer.body == (b"by the proxy" if trust_env else b"by itself")


def test_mocks_of_httpcore_see_our_questions(respx_mock: respx.MockRouter) -> None:
    """Where respx is at work it answers, whatever we ask through."""
    route = respx_mock.post(INTROSPECTION).respond(200, json={"active": False})
    exchange = BlockingExchange(timeout=5.0)
    answer = send(exchange)
    exchange.close()
    assert isinstance(answer, HTTPResponse)
    assert answer.body == b'{"active":false}'
    assert route.calls.last.request.content.startswith(b"token=")


def test_mocks_of_httpx_see_our_questions(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where somebody stands between httpx and the network he sees what we ask, and is gone again afterwards."""

    def answered(_: httpx.HTTPTransport, request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, content=request.url.path)

    exchange = BlockingExchange(timeout=5.0)
    with monkeypatch.context() as patch:
        patch.setattr(httpx.HTTPTransport, "handle_request", answered)
        answers = [send(exchange) for _ in range(2)]
    assert [getattr(answer, "body", None) for answer in answers] == [b"/introspect"] * 2
    with raw_server(ok()) as server:
        assert isinstance(send(exchange, question(server.url)), HTTPResponse)
    exchange.close()


@dataclass
class KeepAlive:
    """A server that keeps connections, and hangs up without a word after so many answers.

    Args:
        answers: how many answers each connection gets.
    """

    answers: int
    connections: list[socket.socket] = field(default_factory=list[socket.socket])
    questions: int = 0
    hung_up: int = 0
    """How many connections the client has closed."""
    go: Event = field(default_factory=Event)
    """Answers wait for it."""

    def __post_init__(self) -> None:
        """Listen."""
        self.go.set()
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}"
        Thread(target=self._serve, daemon=True).start()

    def stop(self) -> None:
        """End."""
        self._listening.close()
        for connection in self.connections:
            connection.close()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listening.accept()
                self.connections.append(connection)
                Thread(target=self._converse, args=(connection,), daemon=True).start()

    def _converse(self, connection: socket.socket) -> None:
        connection.settimeout(PATIENCE)
        with contextlib.suppress(OSError), connection:
            for _ in range(self.answers):
                if not read_request(connection):
                    self.hung_up += 1
                    return
                self.questions += 1
                assert self.go.wait(PATIENCE)
                connection.sendall(ok())
            read_request(connection)  # the next question, which is not answered


@pytest.mark.parametrize(("answers", "connections"), [(100, 1), (1, 4)], ids=["kept", "closed by the server"])
def test_connections_are_kept_between_questions(answers: int, connections: int) -> None:
    """A connection serves many questions; one that the server closes meanwhile costs no question its answer."""
    server = KeepAlive(answers)
    exchange = BlockingExchange(timeout=5.0)
    try:
        found = [send(exchange, question(server.url)) for _ in range(4)]
        assert [type(answer) for answer in found] == [HTTPResponse] * 4
        assert (len(server.connections), server.questions) == (connections, 4)
    finally:
        exchange.close()
        server.stop()


def test_closing_opens_anew_afterwards() -> None:
    """After closing there is no connection left, and the next question opens one."""
    server = KeepAlive(100)
    exchange = BlockingExchange(timeout=5.0)
    try:
        for _ in range(2):
            assert isinstance(send(exchange, question(server.url)), HTTPResponse)
            exchange.close()
        exchange.close()
        assert len(server.connections) == 2
    finally:
        server.stop()


def test_closing_while_a_question_is_under_way() -> None:
    """A question that is under way is answered, and then its connection is closed too."""
    server = KeepAlive(100)
    server.go.clear()
    exchange = BlockingExchange(timeout=PATIENCE)
    try:
        asking = run(lambda: send(exchange, question(server.url), timeout=PATIENCE))
        until(lambda: server.questions == 1)
        exchange.close()
        server.go.set()
        assert isinstance(asking.outcome(), HTTPResponse)
        until(lambda: server.hung_up == 1)
    finally:
        server.stop()


@pytest.mark.attack("A-C-14")
def test_connections_of_another_process_are_left_alone() -> None:
    """What was open when a process was forked off is used no more."""
    server = KeepAlive(100)
    exchange = BlockingExchange(timeout=5.0)
    try:
        exchange.abandon()
        assert isinstance(send(exchange, question(server.url)), HTTPResponse)
        exchange.abandon()
        assert isinstance(send(exchange, question(server.url)), HTTPResponse)
        assert len(server.connections) == 2
    finally:
        exchange.close()
        server.stop()


class TestNames:
    """A host may have several addresses, and to look them up may take for ever."""

    def resolve(self, monkeypatch: pytest.MonkeyPatch, *addresses: str, error: OSError | None = None) -> None:
        """Have every name stand for these addresses."""
        original = socket.getaddrinfo

        def getaddrinfo(host: str, port: int, *args: Any, **options: Any) -> Any:
            if host[0].isdigit():
                return original(host, port, *args, **options)
            if error is not None or options.get("flags"):
                raise error or socket.gaierror
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in addresses]

        monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)

    def test_the_next_address_is_tried(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Where one address does not answer, another may."""
        with raw_server(ok()) as server:
            self.resolve(monkeypatch, "127.0.0.2", "127.0.0.1")
            exchange = BlockingExchange(timeout=5.0)
            answer = send(exchange, question(f"http://as.example.com:{server.port}/"))
            exchange.close()
        assert isinstance(answer, HTTPResponse)

    def test_a_name_that_nobody_knows(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A name without an address is a connection that cannot be made."""
        self.resolve(monkeypatch, error=socket.gaierror(socket.EAI_NONAME, "canary"))
        assert send(BlockingExchange(timeout=5.0)) == Unavailable("connect")

    @pytest.mark.attack("A-I-6")
    def test_a_look_up_that_does_not_end(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """The system's resolver knows no deadline; we do."""
        go = Event()

        def hangs(*_: Any, **options: Any) -> Any:
            if not options.get("flags"):
                go.wait(PATIENCE)
            raise socket.gaierror

        monkeypatch.setattr(socket, "getaddrinfo", hangs)
        began = time.monotonic()
        assert send(BlockingExchange(timeout=5.0), timeout=0.05) == Unavailable("timeout")
        assert time.monotonic() - began < 1.0
        go.set()


class TestWriting:
    """A server that does not read."""

    def test_a_question_that_nobody_reads(self) -> None:
        """To send a long question has no more time than the rest."""
        with socket.create_server(("127.0.0.1", 0)) as deaf:
            url = f"http://127.0.0.1:{deaf.getsockname()[1]}"
            request = HTTPRequest("POST", url, "introspection", 1000, body=bytes(30_000_000))
            exchange = BlockingExchange(timeout=5.0)
            assert send(exchange, request, timeout=0.1) == Unavailable("timeout")
            exchange.close()

    def test_a_server_that_hangs_up_meanwhile(self) -> None:
        """A connection that breaks while we write is lost."""
        with socket.create_server(("127.0.0.1", 0)) as rude:
            url = f"http://127.0.0.1:{rude.getsockname()[1]}"
            asking = run(lambda: send(BlockingExchange(timeout=5.0), HTTPRequest("POST", url, "jwks", 1, (), big)))
            connection, _ = rude.accept()
            connection.recv(1)
            connection.close()
            found = asking.outcome()
        assert isinstance(found, Unavailable)
        assert found.cause in {"transport", "connection_lost", "protocol"}


big = bytes(30_000_000)


class TestPlaces:
    """How many questions run at once, who waits, and what is said of those who waited in vain."""

    def crowd(self, exchange: BlockingExchange, count: int, timeout: float = PATIENCE) -> list[Any]:
        """Ask about many tokens at the same moment."""
        return [run(lambda: send(exchange, QUESTION, timeout)) for _ in range(count)]

    @pytest.mark.attack("A-S-7")
    def test_so_many_and_no_more(self) -> None:
        """However many tokens are new at once, a bounded number of questions is asked at a time."""
        gate = BlockingGate(lambda _: httpx.Response(200, json={"active": False}))
        exchange = BlockingExchange(timeout=PATIENCE, places=8, transport=BlockingOrigin(introspect=gate))
        asking = self.crowd(exchange, 30)
        gate.arrived(6)
        until(lambda: exchange._places._waiting == 24)
        assert gate.waiting == 6
        gate.open()
        assert all(isinstance(answer, HTTPResponse) for answer in outcomes(asking))

    @pytest.mark.attack("A-S-7")
    def test_known_tokens_and_keys_pass_the_line(self) -> None:
        """The last places are kept for tokens that were good a moment ago; keys need none."""
        gate = BlockingGate(lambda _: httpx.Response(200, json={"active": False}))
        origin = BlockingOrigin(introspect=gate, jwks=lambda _: httpx.Response(200, json={}))
        exchange = BlockingExchange(timeout=PATIENCE, places=4, transport=origin)
        asking = self.crowd(exchange, 10)
        gate.arrived(3)
        known = asked_by_rs(INTROSPECTION, b"known", "s3cret", priority=True)
        asking.append(run(lambda: send(exchange, known)))
        gate.arrived(4)
        assert isinstance(send(exchange, HTTPRequest("GET", JWKS, "jwks", 1000)), HTTPResponse)
        gate.open()
        assert all(isinstance(answer, HTTPResponse) for answer in outcomes(asking))

    @pytest.mark.attack("A-K-12", "A-S-7")
    def test_our_own_crowd_is_no_outage(self) -> None:
        """Who waited in our own line in vain says nothing of the server."""
        gate = BlockingGate(lambda _: httpx.Response(200, json={"active": False}))
        exchange = BlockingExchange(timeout=PATIENCE, places=1, transport=BlockingOrigin(introspect=gate))
        first = run(lambda: send(exchange))
        gate.arrived()
        assert send(exchange, timeout=0.01) == Unavailable("crowded", fault="crowd")
        gate.open()
        assert isinstance(first.outcome(), HTTPResponse)

    def test_the_line_is_bounded(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """One more than may wait is told at once."""
        monkeypatch.setattr(module, "MAX_WAITING", 0)
        assert not BlockingPlaces(1).enter(time.monotonic() + PATIENCE, priority=False)

    def test_a_stranger_that_finds_all_places_taken_leaves_its_own(self) -> None:
        """Who has passed one door and finds the next one shut leaks nothing."""
        places = BlockingPlaces(2)
        now = time.monotonic()
        assert places.enter(now, priority=True)
        assert places.enter(now, priority=True)
        assert not places.enter(now, priority=False)
        places.leave(priority=True)
        assert places.enter(now, priority=False)


@pytest.mark.parametrize("library", [httpx, httpx2], ids=["httpx", "httpx2"])
def test_the_clients_own_credentials_are_not_sent(library: Any) -> None:
    """Whom the client authenticates as elsewhere, and what it has in its jar, is nobody's business here."""
    seen: list[Any] = []

    def handler(request: Any) -> Any:
        seen.append(request)
        return library.Response(200, json={})

    transport = library.MockTransport(handler)
    with library.Client(transport=transport, auth=("somebody", "else"), cookies={"a": "b"}) as client:
        exchange = BlockingExchange(timeout=5.0, client=client)
        assert isinstance(send(exchange), HTTPResponse)
        exchange.close()
        assert not client.is_closed
    assert seen[0].headers.get_list("authorization") == [dict(QUESTION.headers)["authorization"]]
    assert "cookie" not in seen[0].headers


@pytest.mark.attack("A-S-1", "A-S-2")
@pytest.mark.parametrize(
    "error", [ValueError(TOKEN), httpx.ConnectError(TOKEN), httpx2.ReadError(TOKEN), OSError(TOKEN)]
)
def test_whatever_is_raised_becomes_a_value(error: Exception) -> None:
    """No exception of a client library gets past the edge; what it was is told by one word."""

    def raises(_: object) -> object:
        raise error

    causes = {"ConnectError": "connect", "ReadError": "connection_lost"}
    found = send(BlockingExchange(timeout=5.0, transport=BlockingOrigin(introspect=raises)))
    assert found == Unavailable(causes.get(type(error).__name__, "transport"))


def test_a_body_that_is_given_up_is_closed() -> None:
    """Whatever ends the reading, the response is closed."""
    body = BlockingBody([b"x" * 100_000], hang=True)
    origin = BlockingOrigin(introspect=lambda _: httpx.Response(200, stream=body))
    assert send(BlockingExchange(timeout=5.0, transport=origin)) == Unavailable("too_large")
    assert body.closed.is_set()
