"""Real servers, as they are installed: what reaches an application of one request, and what a client gets to see."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event
from typing import NamedTuple

import httpx
import pytest

from mock_as import MockAS
from resource_server._demo.stage import free_port
from tests.parity.front_doors import section
from tests.support.answer import Answer
from tests.support.live import PATIENCE, connection, end, exchange, request
from tests.support.promises import PRESENTED, assert_refused

ROOT = Path(__file__).parents[2]
AUDIENCE = "https://api.example.test"
ASGI, WSGI = "tests.parity.served:asgi_app", "tests.parity.served:wsgi_app"
HOST = "127.0.0.1"
SERVERS: dict[str, tuple[str, ...]] = {
    "uvicorn, httptools": ("uvicorn", "--factory", ASGI, "--http", "httptools", "--port", "PORT"),
    "uvicorn, h11": ("uvicorn", "--factory", ASGI, "--http", "h11", "--port", "PORT"),
    "hypercorn": ("hypercorn", f"{ASGI}()", "--bind", f"{HOST}:PORT"),
    "granian, ASGI": ("granian", "--interface", "asgi", "--factory", ASGI, "--port", "PORT"),
    "granian, WSGI": ("granian", "--interface", "wsgi", "--factory", WSGI, "--port", "PORT"),
    "gunicorn, gthread": (
        "gunicorn",
        f"{WSGI}()",
        "--bind",
        f"{HOST}:PORT",
        "--workers",
        "2",
        "--threads",
        "4",
        "--preload",
    ),
    "gunicorn, sync": ("gunicorn", f"{WSGI}()", "--bind", f"{HOST}:PORT", "--worker-class", "sync"),
}
CLOSED = "closed"
"""In a cell: the server closes the connection, and says nothing."""
BIG = 10_000_000


class Served(NamedTuple):
    """A server that runs, and the authorization server that it asks."""

    name: str
    port: int
    mock_as: MockAS

    @property
    def is_asgi(self) -> bool:
        """Tell the kind of its application."""
        return any(ASGI in word for word in SERVERS[self.name])

    def token(self) -> bytes:
        """Mint a good token, and write the field with it."""
        token = self.mock_as.token("alice", scope="read").value
        PRESENTED.add(token)
        return b"Authorization: Bearer " + token.encode()


@pytest.fixture(scope="module", params=SERVERS)
def served(request: pytest.FixtureRequest) -> Generator[Served]:
    """Start a server in a process of its own, for all the tests here."""
    mock_as = MockAS(audience=AUDIENCE)
    with mock_as.serve(), process(request.param, mock_as) as port:
        yield Served(request.param, port, mock_as)


@contextmanager
def process(name: str, mock_as: MockAS) -> Generator[int]:
    """Start a server, wait until it answers, and end it."""
    port = free_port()
    words = [word.replace("PORT", str(port)) for word in SERVERS[name]]
    client_id, secret = mock_as.credentials("rs")
    variables = {"ISSUER": mock_as.issuer, "AUDIENCE": AUDIENCE, "CLIENT_ID": client_id, "CLIENT_SECRET": secret}
    environment = {**os.environ, **{f"RESOURCE_SERVER_{key}": value for key, value in variables.items()}}
    command = [sys.executable, "-m", *words]
    with subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as child:
        try:
            wait_for(port, child)
            yield port
        finally:
            end(child)


def wait_for(port: int, child: subprocess.Popen[bytes]) -> None:
    """Wait until a server answers."""
    pause, turns = Event(), int(PATIENCE / 0.05)
    for _ in range(turns):
        assert child.poll() is None, "the server has ended"
        with suppress(httpx.TransportError):
            httpx.get(f"http://{HOST}:{port}/public", trust_env=False)
            return
        pause.wait(0.05)
    pytest.fail("the server does not answer")


def told(name: str) -> dict[str, str]:
    """Return the row of a server in the table of docs/front-doors.md, by the headings of its columns."""
    return section("## Real servers")[name]


def outcome(port: int, *pieces: bytes, method: str = "GET") -> str:
    """Return the status that some bytes get, as the table says it."""
    try:
        return str(exchange(port, *pieces, method=method).status)
    except (EOFError, ConnectionError):
        return CLOSED


def test_good_token(served: Served) -> None:
    """A good token is let in."""
    answer = exchange(served.port, request("GET", "/things", served.token()))
    assert answer.status == 200
    assert answer.json() == {"subject": "alice"}


@pytest.mark.parametrize("method", ["GET", "POST", "PUT"])
def test_no_token(method: str, served: Served) -> None:
    """A refusal comes out of each server as it went in."""
    assert_refused(exchange(served.port, request(method, "/things"), method=method), 401, scope="read")


@pytest.mark.attack("A-R-2")
@pytest.mark.parametrize("second", [None, b"Authorization: Basic dXNlcjpwYXNz", b"AUTHORIZATION: Bearer never-issued"])
def test_two_fields(second: bytes | None, served: Served) -> None:
    """Two fields are never read as one of them, in whatever order and spelling."""
    first = served.token()
    pairs = [(first, second or first), (second or first, first)]
    answers = [exchange(served.port, request("GET", "/things", *pair)) for pair in pairs]
    for answer in answers:
        assert_refused(answer, 400, "invalid_request")


@pytest.mark.attack("A-R-3")
def test_folded_field(served: Served) -> None:
    """A field that is folded over two lines lets nobody in who has no good token."""
    sent = request("GET", "/things", b"Authorization: Bearer\r\n never-issued-by-anybody")
    assert outcome(served.port, sent) == told(served.name)["A folded field"]


@pytest.mark.attack("A-R-8")
def test_bytes_beyond_ascii(served: Served) -> None:
    """Bytes beyond ASCII in a token are a bad token; or no token, where the server drops such a field."""
    sent = request("GET", "/things", b"Authorization: Bearer \xc3\xa9t\xc3\xa9-never-issued")
    answer = exchange(served.port, sent)
    if served.name == "granian, WSGI":
        assert_refused(answer, 401, scope="read")
    else:
        assert_refused(answer, 401, "invalid_token")


@pytest.mark.attack("A-R-8")
def test_nul(served: Served) -> None:
    """A byte that no field may have lets nobody in."""
    sent = request("GET", "/things", b"Authorization: Bearer never\x00issued")
    assert outcome(served.port, sent) in {"400", "401", CLOSED}


@pytest.mark.attack("A-J-18")
def test_huge_field(served: Served) -> None:
    """A field of 200 kB is refused by the server, or by us."""
    sent = request("GET", "/things", b"Authorization: Bearer " + b"x" * 200_000)
    assert outcome(served.port, sent) == told(served.name)["A field of 200 kB"]


@pytest.mark.attack("A-F-6")
@pytest.mark.parametrize(
    "target",
    [
        "/%74hings",
        "/public/../things",
        "/public%2f..%2fthings",
        "//things",
        "/things/",
        "/things;public",
        "/THINGS",
        "/public%00/things",
        "http://api.example.test/things",
        "http://other.example.test/public/../things",
    ],
)
def test_paths(target: str, served: Served) -> None:
    """No spelling of a path leads anybody to a protected handler without a token."""
    assert outcome(served.port, request("GET", target)) in {"301", "307", "308", "400", "401", "404", CLOSED}


def test_head(served: Served) -> None:
    """A refusal of HEAD has no body, so that the next answer on the connection is the next answer."""
    with connection(served.port) as wire:
        wire.send(request("HEAD", "/things"))
        first = wire.read("HEAD")
        if (first.header("connection") or "").lower() == "close":
            return
        wire.send(request("GET", "/public"))
        assert (first.status, wire.read().status) == (401, 200)


@pytest.mark.attack("A-F-2")
def test_body_is_not_awaited(served: Served) -> None:
    """A refusal comes before a body that never comes."""
    announced = [b"Content-Type: application/octet-stream", f"Content-Length: {BIG}".encode()]
    with connection(served.port) as wire:
        wire.send(request("PUT", "/things", *announced))
        assert_refused(wire.read("PUT"), 401, scope="read")


def test_disconnect(served: Served) -> None:
    """A client that goes away before it has its answer disturbs nobody."""
    for sent in (request("PUT", "/things", served.token(), b"Content-Length: 10"), request()[:20], request()):
        with connection(served.port) as wire:
            wire.send(sent)
    assert exchange(served.port, request("GET", "/things", served.token())).status == 200


def handshakes(served: Served) -> Iterator[Answer]:
    """Open a WebSocket without a token and with one, and return the server's first answer."""
    fields = (
        b"Upgrade: websocket",
        b"Connection: Upgrade",
        b"Sec-WebSocket-Version: 13",
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    )
    for more in ([], [served.token()]):
        yield exchange(served.port, request("GET", "/talk", *fields, *more))


def test_websocket(served: Served) -> None:
    """A refused handshake is answered with the challenge where the server can, and is a bare 403 where it cannot."""
    if not served.is_asgi:
        return
    refused, accepted = handshakes(served)
    assert accepted.status == 101
    assert str(refused.status) == told(served.name)["A refused WebSocket"]
    if refused.status != 403:
        assert_refused(refused, 401, scope="read")


def test_table() -> None:
    """The page names each server that is tried here."""
    assert list(section("## Real servers")) == list(SERVERS)
