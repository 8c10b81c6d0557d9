"""Ask one thing again and again over a few connections, and count: ``python -m benchmarks.load PORT SECONDS``.

What is asked stands on standard input, byte for byte. It runs in a process of its own, so that it takes nothing from
the server's, and does nothing but count: it must not be the slower of the two.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections import Counter

CONNECTIONS = 8


class Asker(asyncio.Protocol):
    """One connection: the next question follows the answer.

    Args:
        question: the bytes of a request.
        statuses: counts the answers.
    """

    def __init__(self, question: bytes, statuses: Counter[str]) -> None:
        self._question = question
        self._statuses = statuses
        self._received = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for the first time."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.write(self._question)

    def data_received(self, data: bytes) -> None:
        """Count an answer when it is whole, and ask again."""
        received = self._received = self._received + data
        end = received.find(b"\r\n\r\n")
        if end < 0:
            return
        head = received[:end].lower()
        start = head.find(b"content-length:")
        assert start >= 0, "an answer has no length"
        length = int(head[start + 15 :].split(b"\r\n", 1)[0])
        if len(received) < end + 4 + length:
            return
        self._statuses[received[9:12].decode()] += 1
        self._received = b""
        assert self._transport is not None
        self._transport.write(self._question)


async def load(question: bytes, port: int, seconds: float) -> dict[str, object]:
    """Ask for a while, after a tenth of it that does not count.

    Args:
        question: the bytes of a request.
        port: where on this machine.
        seconds: how long.

    Returns:
        The answers per second, and how often each status came.
    """
    loop = asyncio.get_running_loop()
    statuses: Counter[str] = Counter()
    connections = [
        await loop.create_connection(lambda: Asker(question, statuses), "127.0.0.1", port) for _ in range(CONNECTIONS)
    ]
    await asyncio.sleep(seconds / 10)
    before, started = statuses.total(), time.perf_counter()
    await asyncio.sleep(seconds)
    rate = (statuses.total() - before) / (time.perf_counter() - started)
    for transport, _ in connections:
        transport.abort()
    return {"rate": rate, "statuses": dict(statuses)}


if __name__ == "__main__":
    result = asyncio.run(load(sys.stdin.buffer.read(), int(sys.argv[1]), float(sys.argv[2])))
    print(json.dumps(result))
