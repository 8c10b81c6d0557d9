"""An authorization server on real sockets that is honest until it is told to break, in one of sixty ways."""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
import warnings
from collections.abc import Callable
from contextlib import suppress
from typing import Any, NamedTuple
from urllib.parse import parse_qs

from tests.grid.faults import answer, response
from tests.support.jwt import encoded
from tests.support.sockets import Certificate


class Question(NamedTuple):
    """A request, as far as it matters here."""

    path: str
    body: bytes

    @property
    def token(self) -> str:
        """Which token it is about; none where somebody only opens a connection."""
        return parse_qs(self.body.decode()).get("token", [""])[0]


Reply = tuple[dict[str, Any], int | None, int]
"""What an honest server would say, the fault it has in saying it, and which variant of that."""
Document = Callable[[Question], Reply]
_CHUNK = bytes(65_536)
_DRIP = 0.02
SLOW = 0.35
"""Seconds that an honest answer takes where many ask at once: within an attempt, but not twice within one."""
_RESET = struct.pack("ii", 1, 0)


class Port:
    """One port that stays ours, whether or not anybody listens there.

    Args:
        document: returns what to say to a question.
    """

    def __init__(self, document: Document) -> None:
        """Take a port; nobody listens yet."""
        self._document = document
        self._held = _bound(0)
        self.number: int = self._held.getsockname()[1]
        self._server: asyncio.Server | None = None
        self._others: list[socket.socket] = []
        self.released = asyncio.Event()
        self._serving: dict[asyncio.Task[Any], asyncio.StreamWriter] = {}
        self._resets = False

    async def listen(self, tls: ssl.SSLContext | None = None, *, resets: bool = False) -> None:
        """Serve whoever comes; or reset every connection.

        Args:
            tls: the server's side of TLS.
            resets: send nothing but a reset.
        """
        await self.silence()
        self._resets = resets
        self.released = asyncio.Event()
        self._server = await asyncio.start_server(self._serve, sock=_bound(self.number), ssl=tls, backlog=1024)

    async def silence(self) -> None:
        """Refuse connections, and let go of those that are there."""
        self.released.set()
        if self._server is not None:
            self._server.close()
            self._server = None
        while self._others:
            self._others.pop().close()
        for writer in self._serving.values():
            writer.transport.abort()
        await asyncio.gather(*self._serving, return_exceptions=True)

    def fill(self) -> None:
        """Let connections neither succeed nor fail: the queue of those to be accepted is full."""
        listening = _bound(self.number)
        listening.listen(0)
        self._others.append(listening)
        for _ in range(4):
            waiting = socket.socket()
            waiting.settimeout(0)
            waiting.connect_ex(("127.0.0.1", self.number))
            self._others.append(waiting)

    async def close(self) -> None:
        """Give the port back."""
        await self.silence()
        self._held.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._serving[task] = writer
        with suppress(OSError, asyncio.IncompleteReadError):
            if not self._resets:
                await self._answer(reader, writer)
            else:
                _reset(writer)
        with suppress(OSError):
            writer.close()
            await writer.wait_closed()
        del self._serving[task]

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        length = next((x for x in head.lower().split("\r\n") if x.startswith("content-length:")), ":0")
        body = await reader.readexactly(int(length.partition(":")[2]))
        document, fault, variant = self._document(Question(head.split()[1], body))
        if fault is None:
            writer.write(response(encoded(document), headers=("cache-control: max-age=30",)))
        elif fault in _SLOW:
            await _SLOW[fault](self, writer, encoded(document))
        else:
            writer.write(answer(fault, document, variant))
        await writer.drain()


async def _hang(port: Port, writer: asyncio.StreamWriter, body: bytes) -> None:
    await port.released.wait()


async def _slowly(port: Port, writer: asyncio.StreamWriter, body: bytes) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(SLOW):
            await port.released.wait()
    writer.write(response(body))


async def _drip_head(port: Port, writer: asyncio.StreamWriter, body: bytes) -> None:
    await _drip(port, writer, response(body))


async def _drip_body(port: Port, writer: asyncio.StreamWriter, body: bytes) -> None:
    head, _, _ = response(body).partition(b"\r\n\r\n")
    writer.write(head + b"\r\n\r\n")
    await _drip(port, writer, body)


async def _drip(port: Port, writer: asyncio.StreamWriter, content: bytes) -> None:
    for byte in content:
        writer.write(bytes((byte,)))
        await writer.drain()
        with suppress(TimeoutError):
            async with asyncio.timeout(_DRIP):
                await port.released.wait()
        if port.released.is_set():
            return


async def _reset_in_body(port: Port, writer: asyncio.StreamWriter, body: bytes) -> None:
    writer.write(response(body)[:-20])
    await writer.drain()
    _reset(writer)


async def _too_short(port: Port, writer: asyncio.StreamWriter, body: bytes) -> None:
    writer.write(response(body)[:-1])


async def _cut(port: Port, writer: asyncio.StreamWriter, body: bytes) -> None:
    writer.write(b"HTTP/1.1 200 X\r\ncontent-type: application/json\r\nconnection: close\r\n\r\n" + body[:-1])


async def _huge(port: Port, writer: asyncio.StreamWriter, body: bytes) -> None:
    head = response(b"").replace(b"content-length: 0", b"content-length: 100000000")
    writer.write(head)
    for _ in range(100_000_000 // len(_CHUNK)):
        writer.write(_CHUNK)
        await writer.drain()


_SLOW: dict[int, Any] = {
    9: _hang,
    10: _drip_head,
    11: _drip_body,
    12: _reset_in_body,
    13: _too_short,
    14: _cut,
    15: _huge,
    19: _slowly,
}


def old_tls(good: Certificate) -> ssl.SSLContext:
    """Make a server that speaks nothing newer than TLS 1.1."""
    context = good.server_context()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # that it is deprecated is the point
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    return context


def _bound(port: int) -> socket.socket:
    taken = socket.socket()
    taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    taken.bind(("127.0.0.1", port))
    return taken


def _reset(writer: asyncio.StreamWriter) -> None:
    """Leave without a goodbye: what the other side has not read yet is lost."""
    raw = writer.get_extra_info("socket")
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    writer.transport.abort()
