"""Stand before a server and forward bytes: ``python -m benchmarks.front PORT BEHIND``.

To kill it is, for whoever is connected, what a killed server looks like; and what the server has issued survives.
"""

from __future__ import annotations

import asyncio
import sys
from contextlib import suppress

_CHUNK = 65_536


async def stand_before(port: int, behind: int) -> None:
    """Forward connections from one port to another."""

    async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", behind)
            await asyncio.gather(_pour(reader, far_writer), _pour(far_reader, writer))

    server = await asyncio.start_server(forward, "127.0.0.1", port, backlog=1024)
    async with server:
        await server.serve_forever()


async def _pour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while chunk := await reader.read(_CHUNK):
            writer.write(chunk)
            await writer.drain()
    with suppress(OSError):
        writer.close()


if __name__ == "__main__":
    asyncio.run(stand_before(int(sys.argv[1]), int(sys.argv[2])))
