"""Spoil a connection: at once where the client is in this process, for real where there is a socket.

References: ASGI ``extensions``, by which :mod:`mock_as.server` hands over the connection
"""

from __future__ import annotations

import asyncio
import socket
import struct

from starlette.types import Receive, Scope

from mock_as.fault_book import Fault

CONNECTION = "mock_as.connection"
"""The name of the extension that holds the transport of a socket."""

# On, and for no time: closing then sends a reset instead of saying goodbye.
_LINGER = struct.pack("ii", 1, 0)


async def suffer(fault: Fault, error: str, scope: Scope, receive: Receive) -> bool:
    """Let a fault of the network happen to a request whose body has been read.

    Args:
        fault: the fault, which can release the connections that it leaves hanging.
        error: the exception of httpx that it is.
        scope: the ASGI scope.
        receive: the ASGI channel.

    Returns:
        Whether the connection is there again, to be answered; otherwise it is gone.

    Raises:
        httpx.TransportError: there is no socket; the client in this process sees it as its own.
    """
    transport = (scope.get("extensions") or {}).get(CONNECTION)
    if transport is None:
        raise _exception(error, f"the mock authorization server was told to: {fault.plan.name}")
    if fault.plan.action in {"timeout", "hang"}:
        return await _released(fault, receive)
    _reset(transport)
    await receive()
    return False


def _exception(name: str, message: str) -> Exception:
    import httpx  # noqa: PLC0415 - whoever sees it has it, and a process that only serves does not need it

    exception: type[httpx.TransportError] = getattr(httpx, name)
    return exception(message)


def _reset(transport: asyncio.Transport) -> None:
    connection: socket.socket = transport.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER)
    transport.abort()


async def _released(fault: Fault, receive: Receive) -> bool:
    """Wait until the fault is cleared or the client has gone; tell whether it was the former."""
    released, gone = asyncio.create_task(fault.latch.wait()), asyncio.ensure_future(receive())
    await asyncio.wait({released, gone}, return_when=asyncio.FIRST_COMPLETED)
    released.cancel()
    # The body has been read: all that can still come from the client is its end.
    return gone.cancel()
