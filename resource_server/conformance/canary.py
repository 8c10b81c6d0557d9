"""A place where nobody should ever ask."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from types import TracebackType
from typing import Self

_NOT_FOUND = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
_PATIENCE = 0.3
"""Seconds in which a request that has begun goes on."""


class Canary:
    """Listens at a port of this machine, and keeps what is said to it."""

    def __init__(self) -> None:
        self.heard: list[bytes] = []
        """What came of each request."""
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}/"
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> Self:
        """Begin to listen."""
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """End."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection, suppress(OSError):
                self.heard.append(_read(connection))
                connection.sendall(_NOT_FOUND)


def _read(connection: socket.socket) -> bytes:
    """Return what comes until nothing does for a while; whoever asks here waits for an answer."""
    connection.settimeout(_PATIENCE)
    parts: list[bytes] = []
    with suppress(TimeoutError):
        while part := connection.recv(1 << 16):
            parts.append(part)
    return b"".join(parts)
