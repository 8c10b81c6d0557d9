"""A real server on a real socket, and a client that sends exactly the bytes it is told to."""

from __future__ import annotations

import socket
import subprocess
import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager, suppress
from http import HTTPStatus
from typing import Any

import uvicorn

from tests.support.answer import Answer

PATIENCE = 20.0
"""Seconds after which a test gives up; no test that passes waits for anything like as long."""
STARTING = 60.0
"""Seconds for a process to start, on a machine that does much else."""


def end(process: subprocess.Popen[Any]) -> None:
    """End a process, so that none is left behind and no test hangs.

    Args:
        process: what this test run has started.

    Raises:
        TimeoutExpired: it had to be killed.
    """
    process.terminate()
    try:
        process.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        raise


def wait_for(process: subprocess.Popen[Any], is_ready: Callable[[], bool], printed: Callable[[], str]) -> None:
    """Wait until a process can be asked.

    Args:
        process: what this test run has started.
        is_ready: whether it can.
        printed: what it has printed, for whoever wonders why it cannot.
    """
    until = time.monotonic() + STARTING
    while not is_ready():
        assert process.poll() is None, printed()
        assert time.monotonic() < until, f"it does not start: {printed()}"
        time.sleep(0.01)


def listens(port: int) -> bool:
    """Tell whether somebody listens at a port of this machine."""
    with closing(socket.socket()) as trial:
        return trial.connect_ex(("127.0.0.1", port)) == 0


class _Server(uvicorn.Server):
    """A server that runs in a thread, and says when it is ready."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = threading.Event()

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        """Leave the signals to the test run."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Accept connections, and say so."""
        await super().startup(sockets)
        self.ready.set()


@contextmanager
def serve(app: Any, http_protocol: Any, **options: Any) -> Generator[int]:
    """Serve an application while the block runs.

    Args:
        app: the application.
        http_protocol: ``h11`` or ``httptools``.
        options: further options of uvicorn.

    Yields:
        The port.
    """
    listener = socket.create_server(("127.0.0.1", 0))
    server = _Server(uvicorn.Config(app, http=http_protocol, log_config=None, lifespan="on", **options))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    assert server.ready.wait(PATIENCE)
    try:
        yield listener.getsockname()[1]
    finally:
        server.should_exit = True
        thread.join(PATIENCE)
        assert not thread.is_alive()


class Wire:
    """A connection to a server on this machine."""

    def __init__(self, client: socket.socket) -> None:
        """Take over a socket."""
        self._client = client
        self._file = client.makefile("rb")

    def send(self, content: bytes) -> None:
        """Send bytes. A server may have answered and closed before it has read everything; that is no error."""
        with suppress(ConnectionError):
            self._client.sendall(content)

    def read(self, method: str = "GET") -> Answer:
        """Read one answer, exactly to its end; without a length its body is left out.

        Args:
            method: the request's; an answer to HEAD has no body.

        Raises:
            EOFError: it is cut short, or there is none.
            ConnectionError: the server closed the connection without reading what was sent.
            TimeoutError: there is none.
        """
        version, status, _ = self._line().split(" ", 2)
        assert version == "HTTP/1.1"
        headers = tuple(self._fields())
        answer = Answer(int(status), headers, b"")
        if method == "HEAD" or answer.status == HTTPStatus.NO_CONTENT:
            return answer
        length = answer.header("content-length")
        if length is None:
            return answer  # a server's own complaint, which ends with the connection
        body = self._file.read(int(length))
        if len(body) != int(length):
            raise EOFError("the body is cut short")
        return Answer(int(status), headers, body)

    def close(self) -> None:
        """Close the connection."""
        self._file.close()
        self._client.close()

    def _fields(self) -> Iterator[tuple[str, str]]:
        while line := self._line():
            name, colon, value = line.partition(":")
            assert colon
            yield name, value.strip(" ")

    def _line(self) -> str:
        line = self._file.readline()
        if not line.endswith(b"\r\n"):
            raise EOFError("the answer is cut short")
        return line[:-2].decode("latin-1")


@contextmanager
def connection(port: int) -> Generator[Wire]:
    """Connect to a server on this machine."""
    client = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    with closing(Wire(client)) as wire:
        yield wire


def request(
    method: str = "GET", path: str = "/things", *fields: bytes, host: bytes = b"api.example.test", body: bytes = b""
) -> bytes:
    """Write a request's bytes; the fields stand as they are."""
    lines = [f"{method} {path} HTTP/1.1".encode(), b"Host: " + host, *fields]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def exchange(port: int, *pieces: bytes, method: str = "GET") -> Answer:
    """Send bytes on a connection of their own, and read the answer while the connection is still open to write.

    Args:
        port: the server's.
        pieces: what to send.
        method: the request's.
    """
    with connection(port) as wire:
        for piece in pieces:
            wire.send(piece)
        return wire.read(method)
