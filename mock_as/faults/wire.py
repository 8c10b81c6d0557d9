"""Let a connection fail: at once where the client is in this process, for real where there is a socket.

References: ASGI ``extensions``, by which :mod:`mock_as.server` hands over the connection
"""

from __future__ import annotations

import asyncio
import random
import socket
import struct
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from starlette.types import ASGIApp, Receive, Scope, Send

from mock_as.faults import NETWORK
from mock_as.latches import Latch
from mock_as.messages import BODILESS, Answer

CONNECTION = "mock_as.connection"
"""The name of the extension that holds the transport of a socket."""
PATIENCE = "mock_as.patience"
"""The name of the extension that holds how long a client in this process waits for bytes, in seconds."""

# On, and for no time: closing then sends a reset instead of saying goodbye.
_LINGER = struct.pack("ii", 1, 0)
_GARBAGE = b"\x15\x03\x01 this is not HTTP\r\n\r\n"
_PIECE = b" " * 65536
_MILLISECOND = 0.001


@dataclass(frozen=True, slots=True)
class Wire:
    """A request whose body has been read, and the ways to its client."""

    scope: Scope
    receive: Receive
    send: Send
    latch: Latch
    """Opens when the fault is released."""
    argument: str
    answer: Callable[[], Answer]
    """Works out what would have been answered."""

    @property
    def transport(self) -> Any:  # noqa: ANN401 - an asyncio.Transport, or None
        """The socket, if there is one."""
        return (self.scope.get("extensions") or {}).get(CONNECTION)

    @property
    def patience(self) -> float | None:
        """How long a client in this process waits for bytes, in seconds; ``None`` for ever."""
        patience: float | None = (self.scope.get("extensions") or {}).get(PATIENCE)
        return patience

    async def gone(self, within: float | None = None) -> bool:
        """Wait until the fault is released, a time is over or the client has gone; tell whether it was the last.

        Args:
            within: how long to wait at most, in seconds; ``None`` without limit.
        """
        released, end = asyncio.create_task(self.latch.wait()), asyncio.ensure_future(self.receive())
        try:
            await asyncio.wait({released, end}, timeout=within, return_when=asyncio.FIRST_COMPLETED)
            # The body has been read: all that can still come from the client is its end.
            return end.done()
        finally:
            released.cancel()
            end.cancel()


def with_patience(app: ASGIApp, seconds: float | None) -> ASGIApp:
    """Tell an application how long its client, which is in this process, waits for bytes.

    Args:
        app: the application.
        seconds: how long; ``None`` for ever.
    """

    async def told(scope: Scope, receive: Receive, send: Send) -> None:
        scope.setdefault("extensions", {})[PATIENCE] = seconds
        await app(scope, receive, send)

    return told


async def fail(action: str, wire: Wire) -> None:
    """Let a fault of the network happen to a request.

    Args:
        action: one of :data:`mock_as.faults.NETWORK`.
        wire: the request.

    Raises:
        httpx.TransportError: there is no socket; the client in this process sees it as its own.
    """
    error = NETWORK[action].error
    if wire.transport is None and error is not None:
        raise _exception(error, f"the mock authorization server was told to: {action}")
    await _WAYS[action](wire)


def _exception(name: str, message: str) -> Exception:
    import httpx  # noqa: PLC0415 - whoever sees it has it, and a process that only serves does not need it

    exception: type[httpx.TransportError] = getattr(httpx, name)
    return exception(message)


# -------------------------------------------------------------------------------------------- connections that break


async def _reset(wire: Wire) -> None:
    connection: socket.socket = wire.transport.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER)
    wire.transport.abort()
    await wire.receive()


async def _close(wire: Wire, written: bytes = b"") -> None:
    wire.transport.write(written)
    wire.transport.close()
    # The server takes an application that ends without an answer for a broken one, unless the client has gone.
    await wire.receive()


async def _garbage(wire: Wire) -> None:
    await _close(wire, _GARBAGE)


async def _truncated(wire: Wire) -> None:
    answer = wire.answer()
    body = answer.body or b"nothing"
    await _close(wire, _head(answer, {"content-length": str(len(body))}) + body[: len(body) // 2])


async def _bad_chunk(wire: Wire) -> None:
    answer = wire.answer()
    chunk = b"%x\r\n%s\r\n" % (len(answer.body), answer.body) if answer.body else b""
    await _close(wire, _head(answer, {"transfer-encoding": "chunked"}) + chunk + b"zz\r\n\r\n")


def _head(answer: Answer, fields: dict[str, str]) -> bytes:
    """Write the part of a response before its body, as a server does that will not keep its word."""
    status = 200 if answer.status in BODILESS else answer.status
    lines = [f"HTTP/1.1 {status} ", *(f"{name}: {value}" for name, value in answer.with_headers(fields).headers)]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


# --------------------------------------------------------------------------------------------- answers that take time


async def _hang(wire: Wire) -> None:
    if not await wire.gone():
        await _send(wire, wire.answer())


async def _slow(wire: Wire) -> None:
    low, _, high = wire.argument.partition("-")
    wait = random.uniform(float(low), float(high or low)) * _MILLISECOND  # noqa: S311 - it decides about nothing
    answer = wire.answer()
    if wire.transport is None:
        _lose_patience(wire, wait)
    elif await wire.gone(wait):
        return
    await _send(wire, answer)


async def _drip(wire: Wire) -> None:
    answer, wait = wire.answer(), float(wire.argument) * _MILLISECOND
    if wire.transport is None:
        _lose_patience(wire, wait)
    if wire.transport is None or answer.status in BODILESS:
        await _send(wire, answer)
        return
    await _start(wire, answer, len(answer.body))
    for byte in answer.body:
        if await wire.gone(wait):
            return
        await wire.send({"type": "http.response.body", "body": bytes([byte]), "more_body": True})
    await wire.send({"type": "http.response.body", "body": b""})


def _lose_patience(wire: Wire, wait: float) -> None:
    """Tell a client in this process at once what it would see after it has waited.

    Raises:
        httpx.ReadTimeout: it does not wait that long.
    """
    if wire.patience is not None and wire.patience < wait:
        raise _exception("ReadTimeout", f"the mock authorization server was told to take {wait:g} s")


async def _huge(wire: Wire) -> None:
    answer, left = wire.answer(), int(wire.argument)
    if answer.status in BODILESS:
        await _send(wire, answer)
        return
    await _start(wire, answer, len(answer.body) + left)
    await wire.send({"type": "http.response.body", "body": answer.body, "more_body": True})
    while left > 0:
        piece = _PIECE[:left]
        left -= len(piece)
        await wire.send({"type": "http.response.body", "body": piece, "more_body": True})
    await wire.send({"type": "http.response.body", "body": b""})


async def _send(wire: Wire, answer: Answer) -> None:
    bodiless = answer.status in BODILESS
    await _start(wire, answer, None if bodiless else len(answer.body))
    await wire.send({"type": "http.response.body", "body": b"" if bodiless else answer.body})


async def _start(wire: Wire, answer: Answer, length: int | None) -> None:
    fields = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in answer.headers]
    if length is not None:
        fields.append((b"content-length", b"%d" % length))
    await wire.send({"type": "http.response.start", "status": answer.status, "headers": fields})


_WAYS: dict[str, Callable[[Wire], Awaitable[None]]] = {
    "refused": _reset,
    "reset": _reset,
    "empty": _close,
    "garbage": _garbage,
    "truncated": _truncated,
    "bad_chunk": _bad_chunk,
    "hang": _hang,
    "timeout": _hang,
    "hold": _hang,
    "slow": _slow,
    "drip": _drip,
    "huge": _huge,
}
