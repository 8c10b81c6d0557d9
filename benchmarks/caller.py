"""Ask one server over kept connections, as cheaply as Python can: who makes the load must not be the slowest part."""

from __future__ import annotations

import asyncio
import json
from typing import Any

_Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]
_LOST = (OSError, asyncio.IncompleteReadError)


class Caller:
    """A client of one server on this machine.

    Args:
        port: where it listens.
    """

    def __init__(self, port: int) -> None:
        """Open nothing yet."""
        self._port = port
        self._idle: list[_Connection] = []

    async def get(self, path: str, token: str) -> tuple[int, dict[str, Any]]:
        """Ask with a token; return the status and the JSON that came, or 0 and nothing."""
        head = f"GET {path} HTTP/1.1\r\nhost: 127.0.0.1:{self._port}\r\nauthorization: Bearer {token}\r\n\r\n"
        while self._idle:
            try:
                return await self._ask(self._idle.pop(), head.encode())
            except _LOST:
                continue  # it was closed while nobody used it
        try:
            return await self._ask(await asyncio.open_connection("127.0.0.1", self._port), head.encode())
        except _LOST:
            return 0, {}

    def close(self) -> None:
        """Close the connections."""
        for _, writer in self._idle:
            writer.close()
        self._idle.clear()

    async def _ask(self, connection: _Connection, head: bytes) -> tuple[int, dict[str, Any]]:
        reader, writer = connection
        writer.write(head)
        try:
            answer = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            lengths = [x.partition(":")[2] for x in answer.lower().split("\r\n") if x.startswith("content-length:")]
            body = await reader.readexactly(int(lengths[0]))
        except BaseException:
            writer.close()  # nobody reads the rest of it
            raise
        self._idle.append(connection)
        return int(answer[9:12]), json.loads(body)
