"""A server in the test's own event loop that does with each connection what the test says, byte by byte."""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

AT_ONCE = struct.pack("ii", 1, 0)


class Conversation:
    """One connection, seen from the server.

    Args:
        server: keeps what was asked.
        reader: what the client says.
        writer: what it is told.
    """

    def __init__(self, server: WireServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._server = server
        self._reader = reader
        self._writer = writer

    async def request(self) -> bytes:
        """Read a whole request.

        Raises:
            EOFError: the client is gone.
        """
        head = await self._reader.readuntil(b"\r\n\r\n")
        lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
        body = await self._reader.readexactly(int(lengths[0].partition(b":")[2]) if lengths else 0)
        self._server.requests.append(head + body)
        return head + body

    async def say(self, content: bytes) -> None:
        """Send something."""
        self._writer.write(content)
        await self._writer.drain()

    async def left(self) -> None:
        """Wait until the client is gone."""
        while await self._reader.read(65_536):
            pass

    def reset(self) -> None:
        """Break the connection off, as a machine does on which nobody listens any more."""
        connection: socket.socket = self._writer.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, AT_ONCE)
        self._writer.transport.abort()


Script = Callable[[Conversation], Awaitable[None]]


class WireServer:
    """What has happened to the server so far.

    Args:
        script: what it does with each connection; afterwards it hangs up.
    """

    def __init__(self, script: Script) -> None:
        self.requests: list[bytes] = []
        self.connections = 0
        self.url = ""
        self._script = script
        self._tasks: set[asyncio.Task[None]] = set()
        self._open = 0
        self._changed = asyncio.Condition()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Follow the script on one connection."""
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.connections += 1
        await self._count(1)
        try:
            with suppress(EOFError, OSError):
                await self._script(Conversation(self, reader, writer))
            writer.close()
        except asyncio.CancelledError:
            writer.transport.abort()
        with suppress(OSError):
            await writer.wait_closed()
        self._tasks.discard(task)
        await self._count(-1)

    async def idle(self) -> None:
        """Wait until the connections that have come are gone."""
        async with asyncio.timeout(5), self._changed:
            await self._changed.wait_for(lambda: self.connections > 0 and self._open == 0)

    async def end(self) -> None:
        """Break off what still goes on."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _count(self, change: int) -> None:
        async with self._changed:
            self._open += change
            self._changed.notify_all()


@asynccontextmanager
async def wire_server(script: Script, tls: ssl.SSLContext | None = None) -> AsyncGenerator[WireServer]:
    """Serve for the length of a block."""
    served = WireServer(script)
    listening = await asyncio.start_server(served.serve, "127.0.0.1", 0, ssl=tls)
    port = listening.sockets[0].getsockname()[1]
    served.url = f"{'http' if tls is None else 'https'}://127.0.0.1:{port}/introspect"
    try:
        yield served
    finally:
        listening.close()
        await served.end()
        await listening.wait_closed()


def says(*answers: bytes) -> Script:
    """Answer the requests of a connection with these in turn, and hang up after the last."""

    async def script(conversation: Conversation) -> None:
        for answer in answers:
            await conversation.request()
            await conversation.say(answer)

    return script


def after(answer: bytes, script: Script) -> Script:
    """Answer the first request of a connection, and go on as that script says."""

    async def whole(conversation: Conversation) -> None:
        await says(answer)(conversation)
        await script(conversation)

    return whole


def keeps_saying(answer: bytes) -> Script:
    """Answer every request of a connection with this."""

    async def script(conversation: Conversation) -> None:
        while True:
            await conversation.request()
            await conversation.say(answer)

    return script
