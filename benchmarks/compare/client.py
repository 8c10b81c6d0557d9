"""Ask over kept connections, and remember of each answer its status, when it was asked for and how long it took."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

_PATIENCE = 60.0
LOST = 0
"""The status of a request that was not answered."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What one request came to."""

    status: int
    asked: float
    """By :func:`time.time`."""
    seconds: float


def question(port: int, path: str, token: str | None = None) -> bytes:
    """Write a request.

    Args:
        port: where it goes.
        path: what it asks for.
        token: what it presents.
    """
    said = "" if token is None else f"Authorization: Bearer {token}\r\n"
    return f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAccept: */*\r\n{said}\r\n".encode()


class _Asker(asyncio.Protocol):
    """One connection: the next question follows the answer."""

    def __init__(self, questions: Iterator[bytes], answers: list[Answer], again: bytes | None) -> None:
        self._questions = questions
        self._answers = answers
        self._again = again
        self._answered = False
        self._received = b""
        self._asked: float | None = None
        self._began = 0.0
        self._transport: asyncio.Transport | None = None
        self._open: bytes | None = None
        self.unanswered: bytes | None = None
        """What was asked when a kept connection was just being closed; whoever asks once more is answered."""
        self.over: asyncio.Future[bool] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        if self._answered and not self._received:  # any client tries that once more
            self.unanswered, self._asked = self._open, None
        self._note(LOST)
        if not self.over.done():
            self.over.set_result(False)

    def ask(self) -> None:
        """Ask the next question, or be over."""
        asked, self._again = self._again or next(self._questions, None), None
        assert self._transport is not None
        if asked is None:
            self.over.set_result(True)
            self._transport.abort()
            return
        self._open, self._asked, self._began = asked, time.time(), time.perf_counter()
        self._transport.write(asked)

    def data_received(self, data: bytes) -> None:
        received = self._received = self._received + data
        end = received.find(b"\r\n\r\n")
        if end < 0:
            return
        head = received[:end].lower()
        start = head.find(b"content-length:")
        assert start >= 0, "an answer has no length"
        if len(received) < end + 4 + int(head[start + 15 :].split(b"\r\n", 1)[0]):
            return
        self._received = b""
        self._note(int(received[9:12]))
        self._answered, self._open = True, None
        if b"connection: close" not in head:
            self.ask()
        elif self._transport is not None:
            self._transport.close()

    def _note(self, status: int) -> None:
        if self._asked is not None:
            self._answers.append(Answer(status, self._asked, time.perf_counter() - self._began))
            self._asked = None


async def ask(port: int, questions: Iterable[bytes], connections: int) -> list[Answer]:
    """Ask all questions, over so many connections at once, which are open before the first of them is asked.

    Args:
        port: where on this machine.
        questions: requests, as bytes; whoever has nothing to do takes the next one.
        connections: how many.
    """
    answers: list[Answer] = []
    left = iter(questions)
    askers = [await _connect(port, left, answers) for _ in range(connections)]
    async with asyncio.timeout(_PATIENCE):
        await asyncio.gather(*(_go_on(asker, port, left, answers) for asker in askers))
    return answers


async def _go_on(asker: _Asker, port: int, left: Iterator[bytes], answers: list[Answer]) -> None:
    asker.ask()
    while not await asker.over:
        asker = await _connect(port, left, answers, asker.unanswered)
        asker.ask()


async def _connect(port: int, left: Iterator[bytes], answers: list[Answer], again: bytes | None = None) -> _Asker:
    loop = asyncio.get_running_loop()
    _, asker = await loop.create_connection(lambda: _Asker(left, answers, again), "127.0.0.1", port)
    return asker


def until(end: float, questions: Iterator[bytes]) -> Iterator[bytes]:
    """Yield questions until a moment.

    Args:
        end: by :func:`time.perf_counter`.
        questions: an endless supply.
    """
    while time.perf_counter() < end:
        yield next(questions)
