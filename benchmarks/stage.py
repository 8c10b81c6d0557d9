"""A fleet on this machine: Valkey, the mock authorization server, a front before it, and workers; each a process.

Processes are ended by their ids when the block ends.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from itertools import islice
from pathlib import Path
from typing import Any

import aiohttp

from tests.support.valkey import Valkey

_PATIENCE = 120.0
_AUDIENCE = "https://api.example.test"


class Fleet:
    """The processes, and what can be done to them.

    Args:
        folder: where Valkey may leave files.
        workers: how many.
        options: the workers' options, beyond those that name the authorization server.
        second_level: give them the Valkey server.
    """

    def __init__(self, folder: Path, workers: int, options: dict[str, Any], *, second_level: bool = True) -> None:
        """Choose the ports."""
        self.issuer_port, self.front_port, *self.ports = _free_ports(2 + workers)
        self.valkey = Valkey(folder) if second_level else None
        self._options = options
        self._server: subprocess.Popen[bytes] | None = None
        self._front: subprocess.Popen[bytes] | None = None
        self._workers: list[subprocess.Popen[bytes]] = []

    @property
    def admin(self) -> str:
        """The admin API of the authorization server, past the front."""
        return f"http://127.0.0.1:{self.issuer_port}/_mock"

    @property
    def workers(self) -> list[str]:
        """The base URLs of the workers."""
        return [f"http://127.0.0.1:{port}" for port in self.ports]

    async def start(self) -> None:
        """Start everything, and wait until it answers."""
        if self.valkey is not None:
            await asyncio.to_thread(self.valkey.start)
        issuer = f"http://127.0.0.1:{self.front_port}"
        serve = ["mock_as", "serve", "--port", str(self.issuer_port), "--issuer", issuer]
        self._server = _spawn(*serve, "--audience", _AUDIENCE)
        await _listening(self.issuer_port)
        await self.raise_front()
        environment = os.environ | self._environment(issuer)
        for port in self.ports:
            self._workers.append(_spawn("benchmarks.worker", str(port), environment=environment))
        for port in self.ports:
            await _listening(port)

    async def raise_front(self) -> None:
        """Let the authorization server be reached."""
        ports = [str(self.front_port), str(self.issuer_port)]
        self._front = _spawn("benchmarks.front", *ports)
        await _listening(self.front_port)

    def kill_front(self) -> None:
        """Cut the authorization server off: its connections are reset, and new ones refused."""
        _kill(self._front)

    def pause(self) -> None:
        """Let the authorization server hang."""
        assert self._server is not None
        self._server.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        assert self._server is not None
        self._server.send_signal(signal.SIGCONT)

    def stop(self) -> None:
        """End every process."""
        for process in (*self._workers, self._front, self._server):
            _kill(process)
        if self.valkey is not None:
            self.valkey.stop()

    def _environment(self, issuer: str) -> dict[str, str]:
        options: dict[str, Any] = {
            "issuer": issuer,
            "audience": _AUDIENCE,
            "client_id": "rs",
            "client_secret": "rs-secret",
        }
        if self.valkey is not None:
            options |= {"cache_url": self.valkey.url, "cache_secret": "the secret of all workers of a benchmark"}
        return {f"RESOURCE_SERVER_{name.upper()}": str(value) for name, value in (options | self._options).items()}


@asynccontextmanager
async def fleet(workers: int, options: dict[str, Any], *, second_level: bool = True) -> AsyncGenerator[Fleet]:
    """Run a fleet for the length of a block.

    Args:
        workers: how many.
        options: the workers' options.
        second_level: give them a Valkey server to share.
    """
    with tempfile.TemporaryDirectory() as folder:
        started = Fleet(Path(folder), workers, options, second_level=second_level)
        try:
            await started.start()
            yield started
        finally:
            started.stop()


async def tell(session: aiohttp.ClientSession, url: str, order: dict[str, Any]) -> Any:  # noqa: ANN401 - JSON
    """Send an order to the admin API, over a connection of its own: an idle one may just be closed, or hang."""
    async with session.post(url, json=order, headers={"connection": "close"}) as response:
        told = await response.json()
        assert response.ok, told
        return told


async def mint(session: aiohttp.ClientSession, admin: str, **order: Any) -> list[str]:  # noqa: ANN401 - of any type
    """Mint tokens at the mock, as many as the order says, and return their texts."""
    made = await tell(session, f"{admin}/tokens", {"n": 1} | order)
    return [one["token"] for one in made.get("tokens", [made])]


def _spawn(*module: str, environment: dict[str, str] | None = None) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-m", *module], env=environment, stdout=subprocess.DEVNULL)


def _free_ports(count: int) -> list[int]:
    # Below those that the kernel lends to clients: one of them could take the place of a server that is down.
    return list(islice(filter(_is_free, random.sample(range(20_000, 32_000), 12_000)), count))


def _is_free(port: int) -> bool:
    with suppress(OSError), socket.create_server(("127.0.0.1", port)):
        return True
    return False


async def _listening(port: int) -> None:
    until = time.monotonic() + _PATIENCE
    while True:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            assert time.monotonic() < until, "a process does not start"
            await asyncio.sleep(0.005)
        else:
            writer.close()
            return


def _kill(process: subprocess.Popen[bytes] | None) -> None:
    if process is not None:
        process.kill()
        process.wait()
