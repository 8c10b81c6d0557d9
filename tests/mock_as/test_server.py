"""The server in a thread: real sockets, real faults of the network, and a clean end."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

import httpx
import pytest
import uvicorn
from starlette.types import Receive, Scope, Send

from mock_as import MockAS, UsageError, server
from mock_as.messages import encode_json
from mock_as.server import bind, serve_in_thread, url_of

PATIENCE = 5.0
EVERYWHERE = "0.0.0.0"  # noqa: S104 - on a port that only this test knows


@pytest.fixture
def mock() -> MockAS:
    """Make a mock whose issuer is where it is served."""
    return MockAS(issuer="auto")


@pytest.fixture
def url(mock: MockAS) -> Iterator[str]:
    """Serve the mock."""
    with mock.serve() as url:
        yield url


def connect(url: str) -> socket.socket:
    """Open a plain connection."""
    parts = urlsplit(url)
    return socket.create_connection((str(parts.hostname), int(parts.port or 0)), timeout=PATIENCE)


def test_round_trip(mock: MockAS, url: str) -> None:
    """Over a socket everything works, from the metadata on, and the issuer is where it is served."""
    metadata = httpx.get(f"{url}/.well-known/oauth-authorization-server").json()
    assert metadata["issuer"] == mock.issuer == url
    grant = {"grant_type": "client_credentials"}
    token = httpx.post(metadata["token_endpoint"], data=grant, auth=mock.credentials("svc")).json()["access_token"]
    answer = httpx.post(metadata["introspection_endpoint"], data={"token": token}, auth=mock.credentials("rs")).json()
    assert (answer["active"], answer["iss"]) == (True, url)
    assert httpx.get(metadata["jwks_uri"]).json() == mock.keys.jwks()


def test_answer_has_a_date_and_no_name(url: str) -> None:
    """An answer says when it was made, and not by which software."""
    response = httpx.get(f"{url}/jwks")
    assert abs(parsedate_to_datetime(response.headers["date"]).timestamp() - time.time()) < 10
    assert "server" not in response.headers


def test_gone_at_the_end() -> None:
    """A server answers as soon as its block runs; nobody does when it has ended, and its thread is gone."""
    before = set(threading.enumerate())
    with MockAS().serve() as url:
        assert httpx.get(f"{url}/jwks").status_code == 200
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{url}/jwks")
    assert set(threading.enumerate()) <= before


def test_server_can_be_started_again(mock: MockAS) -> None:
    """A mock that was served can be served again, with what it knows, at the same port if that is wanted."""
    token = mock.keys.signing().kid
    with mock.serve() as url:
        port = int(urlsplit(url).port or 0)
    with mock.serve(port=port) as again:
        assert again == url
        assert [key["kid"] for key in httpx.get(f"{url}/jwks").json()["keys"]] == [token]


def test_taken_port_is_an_error(mock: MockAS, url: str) -> None:
    """A port where somebody else listens cannot be had, and nothing changes for who does."""
    with pytest.raises(OSError, match="in use"), MockAS().serve(port=int(urlsplit(url).port or 0)):
        pass
    assert httpx.get(f"{url}/jwks").status_code == 200
    assert mock.issuer == url


HOSTS: dict[str, str | None] = {"127.0.0.1": "127.0.0.1", EVERYWHERE: "127.0.0.1", "localhost": None}
with contextlib.suppress(OSError), contextlib.closing(bind("::1", 0)):
    # A machine without IPv6 has no such case.
    HOSTS.update({"::1": "[::1]", "::": "[::1]"})


@pytest.mark.parametrize("host", HOSTS)
def test_url_is_one_to_connect_to(host: str) -> None:
    """The URL of a listening socket is one that a client on the same machine can use, in both families."""
    with contextlib.closing(bind(host, 0)) as listener:
        url = url_of(listener)
        connect(url).close()
    parts = urlsplit(url)
    assert parts.port == listener_port(url)
    assert HOSTS[host] in {None, parts.netloc.rpartition(":")[0]}


@pytest.mark.parametrize("http", [None, "auto", "h11", "httptools"])
def test_implementation_of_http_can_be_chosen(mock: MockAS, http: str | None) -> None:
    """Each implementation of HTTP serves."""
    with mock.serve(http=http) as url:
        assert httpx.get(f"{url}/jwks").status_code == 200


def test_unknown_implementation_of_http(mock: MockAS, monkeypatch: pytest.MonkeyPatch) -> None:
    """An implementation that there is not, or that is not installed, is an error, and nothing is left open."""
    with pytest.raises(UsageError, match="did you mean 'httptools'"), mock.serve(http="httptool"):
        pass
    monkeypatch.setitem(server.HTTP, "h11", "no_such_module:H11Protocol")
    with pytest.raises(UsageError, match="'h11' is not installed"), mock.serve(http="h11"):
        pass


def listener_port(url: str) -> int:
    """Return the port of a URL, which is never 0."""
    port = int(urlsplit(url).port or 0)
    assert port > 0
    return port


# ---------------------------------------------------------------------------------------------- faults of the network


@pytest.mark.parametrize("action", ["reset", "refused"])
def test_connection_is_reset(mock: MockAS, url: str, action: str) -> None:
    """The connection ends without an answer; over a socket nothing can be refused that has been accepted."""
    mock.fault("jwks", action, times=1)
    with pytest.raises((httpx.ReadError, httpx.RemoteProtocolError)):
        httpx.get(f"{url}/jwks")
    assert (mock.requests("jwks").last.status, mock.requests("jwks").last.fault) == (None, action)
    assert httpx.get(f"{url}/jwks").status_code == 200


def test_reset_is_a_real_one(mock: MockAS, url: str) -> None:
    """The client's own system says that the connection was reset, not that it was closed."""
    mock.fault("jwks", "reset")
    with connect(url) as connection:
        connection.sendall(b"GET /jwks HTTP/1.1\r\nHost: localhost\r\n\r\n")
        with pytest.raises(ConnectionResetError):
            connection.recv(1)


@pytest.mark.parametrize("action", ["timeout", "hang"])
def test_connection_hangs_until_released(mock: MockAS, url: str, action: str) -> None:
    """A connection that hangs is answered when the faults are cleared, and is in the journal before."""
    mock.fault("jwks", action)
    with connect(url) as connection:
        connection.sendall(b"GET /jwks HTTP/1.1\r\nHost: localhost\r\n\r\n")
        wait_until(lambda: mock.requests("jwks").count == 1)
        assert mock.requests("jwks").last.status is None
        mock.clear_faults()
        response = http.client.HTTPResponse(connection)
        response.begin()
        assert response.status == 200


@pytest.mark.parametrize("action", ["slow(60000)", "drip(60000)", "hold"])
def test_whoever_waits_is_released(mock: MockAS, url: str, action: str) -> None:
    """An answer that takes its time comes at once when the fault is released."""
    fault = mock.fault("jwks", action)
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(httpx.get, f"{url}/jwks", timeout=PATIENCE)
        wait_until(lambda: fault.applied == 1)
        fault.release()
        assert asked.result().json() == mock.keys.jwks()


@pytest.mark.parametrize("action", ["slow(60000)", "drip(60000)"])
def test_client_gives_up_a_slow_answer(mock: MockAS, url: str, action: str) -> None:
    """A client that does not wait for a slow answer is forgotten, and the next one is served."""
    mock.fault("jwks", action, times=1)
    with pytest.raises(httpx.ReadTimeout):
        httpx.get(f"{url}/jwks", timeout=0.05)
    assert httpx.get(f"{url}/jwks").status_code == 200


@pytest.mark.parametrize("http", ["h11", "httptools"])
def test_drip_comes_byte_by_byte(mock: MockAS, http: str) -> None:
    """The head of a dripping answer comes at once, and its body in pieces of one byte."""
    mock.fault("jwks", "drip(0.1)", times=1)
    mock.fault("jwks", "drip(0)", status=204, times=1)
    mock.fault("jwks", "huge", status=204, times=1)
    with mock.serve(http=http) as url:
        with httpx.stream("GET", f"{url}/jwks") as response:
            pieces = list(response.iter_raw())
        assert [httpx.get(f"{url}/jwks").status_code for _ in range(3)] == [204, 204, 200]
    assert b"".join(pieces) == mock_body(mock)
    assert len(pieces) > 10


def mock_body(mock: MockAS) -> bytes:
    """Return the bytes of the key set."""
    return encode_json(mock.keys.jwks())


@pytest.mark.parametrize("http", ["h11", "httptools"])
@pytest.mark.parametrize("action", ["truncated", "bad_chunk"])
def test_answer_without_a_body_fails_too(mock: MockAS, http: str, action: str) -> None:
    """An answer that has no body to cut off is cut off all the same."""
    mock.fault("jwks", action, status=204, times=1)
    with mock.serve(http=http) as url, pytest.raises(httpx.RemoteProtocolError):
        httpx.get(f"{url}/jwks")


def test_client_gives_up(mock: MockAS, url: str) -> None:
    """A client that does not wait is forgotten, and the next one is served."""
    mock.fault("jwks", "timeout", times=1)
    with pytest.raises(httpx.ReadTimeout):
        httpx.get(f"{url}/jwks", timeout=0.05)
    assert httpx.get(f"{url}/jwks").status_code == 200


def test_end_releases_whoever_hangs() -> None:
    """The end of the server does not wait for a connection that a fault left hanging, nor for one that is held."""
    mock = MockAS()
    with ThreadPoolExecutor(2) as pool:
        with mock.serve() as url, mock.hold("introspect") as gate:
            mock.fault("jwks", "hang")
            hanging = pool.submit(httpx.get, f"{url}/jwks", timeout=PATIENCE)
            held = pool.submit(httpx.get, f"{url}/introspect", timeout=PATIENCE)
            wait_until(lambda: mock.requests("jwks").count == 1)
            gate.wait_for(1)
        assert (hanging.result().status_code, held.result().status_code) == (200, 405)
    assert [fault.applied for fault in mock.faults] == [1]


def test_end_does_not_wait_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """An application that never answers is ended with the server, when its time is over."""
    arrived = threading.Event()

    async def endless(_scope: Scope, _receive: Receive, _send: Send) -> None:
        arrived.set()
        await asyncio.get_running_loop().create_future()

    monkeypatch.setattr(server, "_GRACE", 0.01)
    listener = bind("127.0.0.1", 0)
    with contextlib.closing(listener), serve_in_thread(endless, listener):
        connection = connect(url_of(listener))
        connection.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert arrived.wait(PATIENCE)
    with contextlib.closing(connection), contextlib.suppress(ConnectionResetError):
        assert b"200" not in connection.recv(64)


def test_start_that_fails_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that cannot start says why to whoever waits for it."""

    async def fail(*_: object) -> None:
        raise OSError("no more files")

    monkeypatch.setattr(uvicorn.Server, "startup", fail)
    with contextlib.closing(bind("127.0.0.1", 0)) as listener:
        app = MockAS().app
        with pytest.raises(OSError, match="no more files"), serve_in_thread(app, listener):
            pass


def test_spoilt_answers_cross_the_wire(mock: MockAS, url: str) -> None:
    """An answer that is spoilt arrives as it was spoilt, and the connection goes on."""
    with httpx.Client() as client:
        mock.fault("jwks", "gzip_bomb", times=1)
        assert len(client.get(f"{url}/jwks").content) > 2**25
        mock.fault("jwks", 204, times=1)
        assert (client.get(f"{url}/jwks").status_code, client.get(f"{url}/jwks").status_code) == (204, 200)


def wait_until(condition: object) -> None:
    """Look until something is so; the server is in another thread."""
    assert callable(condition)
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline


def test_stampede(mock: MockAS, url: str) -> None:
    """A test can see fifty requests under way at once, from threads, and release them together."""
    with ThreadPoolExecutor(50) as pool, mock.hold("jwks") as gate:
        asked = [pool.submit(httpx.get, f"{url}/jwks") for _ in range(50)]
        gate.wait_for(50)
        assert mock.requests("jwks").count == 0
        gate.release()
        assert {future.result().status_code for future in asked} == {200}
    mock.assert_called("jwks", times=50)


def test_limit_holds_on_the_wire(url: str) -> None:
    """A body that is too long is refused over a socket too, and the server goes on."""
    with contextlib.suppress(httpx.WriteError, httpx.ReadError):
        assert httpx.post(f"{url}/token", content=b"x" * (2**20 + 1)).status_code == 413
    assert httpx.get(f"{url}/jwks").status_code == 200


def test_garbage_is_answered(url: str) -> None:
    """What is not HTTP does not disturb the server."""
    with connect(url) as connection:
        connection.sendall(b"\x16\x03\x01garbage\r\n\r\n")
        assert connection.recv(64).startswith(b"HTTP/1.1 400 ")
    assert httpx.get(f"{url}/jwks").status_code == 200
