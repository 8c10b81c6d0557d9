"""An authorization server that costs next to nothing, and one that means harm: ``python -m benchmarks.authority``.

What it does depends on the path. It runs in a process of its own, and prints the port it listens on.
"""

from __future__ import annotations

import asyncio
import gzip
import subprocess
import sys
from collections.abc import AsyncIterator, Generator
from contextlib import contextmanager
from functools import cache

from benchmarks.support import TOKEN, answer

HOSTILE = (
    "drip_headers",
    "drip_body",
    "gzip_bomb",
    "body_of_100_MB",
    "500_headers",
    "flood_of_headers",
    "interim_answers",
    "flood_of_interim_answers",
    "silence",
)
"""The paths of those that mean harm."""
_OK = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
_PAUSE = 0.005
_MIB = 2**20


@cache
def _bomb() -> bytes:
    return gzip.compress(bytes(100 * _MIB))


async def _hostile(attack: str) -> AsyncIterator[bytes]:
    """Say what an attack says; where it ends, the connection does."""
    if attack == "gzip_bomb":
        bomb = _bomb()
        yield _OK + b"content-encoding: gzip\r\ncontent-length: %d\r\n\r\n" % len(bomb) + bomb
    elif attack == "body_of_100_MB":
        yield _OK + b"content-length: %d\r\n\r\n" % (100 * _MIB)
        for _ in range(100):
            yield b" " * _MIB
    elif attack == "500_headers":
        yield _OK + (b"x-filler: " + b"v" * 1000 + b"\r\n") * 500 + b"content-length: 2\r\n\r\n{}"
    elif attack != "silence":
        first, more = {
            "drip_headers": (_OK, b"x: y\r\n"),
            "drip_body": (_OK + b"content-length: 60000\r\n\r\n", b" "),
            "interim_answers": (b"", b"HTTP/1.1 103 Early Hints\r\n\r\n"),
            "flood_of_interim_answers": (b"", b"HTTP/1.1 103 Early Hints\r\n\r\n" * 10_000),
            "flood_of_headers": (_OK, b"x: y\r\n" * 10_000),
        }[attack]
        yield first
        while True:
            yield more
            await asyncio.sleep(_PAUSE)
    else:
        await asyncio.Event().wait()


class Authority(asyncio.Protocol):
    """One connection: an answer for every question, or the attack that its path names."""

    def __init__(self, honest: bytes) -> None:
        """Have received nothing."""
        self._honest = honest
        self._received = b""
        self._transport: asyncio.Transport | None = None
        self._attack: asyncio.Task[None] | None = None
        self._writable = asyncio.Event()
        self._writable.set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        """End, and the attack too."""
        if self._attack is not None:
            self._attack.cancel()

    def pause_writing(self) -> None:
        """Wait for the reader."""
        self._writable.clear()

    def resume_writing(self) -> None:
        """Go on."""
        self._writable.set()

    def data_received(self, data: bytes) -> None:
        """Answer when a question is whole."""
        received = self._received = self._received + data
        end = received.find(b"\r\n\r\n")
        if end < 0:
            return
        head = received[:end].lower()
        start = head.find(b"content-length:")
        length = int(head[start + 15 :].split(b"\r\n", 1)[0]) if start >= 0 else 0
        if len(received) < end + 4 + length:
            return
        self._received = b""
        assert self._transport is not None
        attack = received.split(b" ", 2)[1].decode()[1:]
        if attack in HOSTILE:
            self._attack = asyncio.get_running_loop().create_task(self._harm(self._transport, attack))
        else:
            self._transport.write(self._honest)

    async def _harm(self, transport: asyncio.Transport, attack: str) -> None:
        async for piece in _hostile(attack):
            if transport.is_closing():
                return
            transport.write(piece)
            await self._writable.wait()
        transport.close()


async def serve() -> None:
    """Listen, say where, and serve until the process is ended."""
    _bomb()
    body = answer(TOKEN)
    honest = _OK + b"cache-control: no-store\r\ncontent-length: %d\r\n\r\n" % len(body) + body
    server = await asyncio.get_running_loop().create_server(lambda: Authority(honest), "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


@contextmanager
def authority() -> Generator[str]:
    """Run it in a process of its own; yield its base URL."""
    command = [sys.executable, "-m", "benchmarks.authority"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.kill()


if __name__ == "__main__":
    asyncio.run(serve())
