"""Requests to WSGI applications, as a server would hand them over."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from io import BytesIO
from typing import Any
from urllib.parse import unquote_to_bytes

from anyio import to_thread

from tests.parity.world import Sent
from tests.support.answer import Answer

App = Callable[[dict[str, Any], Any], Iterable[bytes]]


class Body(BytesIO):
    """A body that counts how often somebody reads of it."""

    reads = 0

    def read(self, *size: Any) -> bytes:
        """Note it."""
        self.reads += 1
        return super().read(*size)

    def readline(self, *size: Any) -> bytes:
        """Note it."""
        self.reads += 1
        return super().readline(*size)


class WSGIDoor:
    """A WSGI application."""

    def __init__(self, app: App) -> None:
        """Take it as it stands."""
        self.app = app

    async def send(self, sent: Sent) -> Answer:
        """Send one request, from a thread of its own."""
        return await to_thread.run_sync(self._send, sent)

    def _send(self, sent: Sent) -> Answer:
        body = Body(sent.body)
        started: list[tuple[str, list[tuple[str, str]]]] = []

        def start_response(status: str, headers: list[tuple[str, str]], _error: Any = None) -> Any:
            started.append((status, headers))
            return lambda _data: None

        result = self.app(_environ(sent, body), start_response)
        try:
            content = b"".join(result)
        finally:
            getattr(result, "close", lambda: None)()
        status, headers = started[-1]
        return Answer(int(status[:3]), tuple(headers), content, body.reads)


def _environ(sent: Sent, body: Body) -> dict[str, Any]:
    environ: dict[str, Any] = {
        "REQUEST_METHOD": sent.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(sent.path).decode("latin-1"),
        "RAW_URI": sent.path + ("?" + sent.query.decode("ascii") if sent.query else ""),
        "QUERY_STRING": sent.query.decode("ascii"),
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "443",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "HTTP_HOST": sent.host.decode("ascii"),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "https",
        "wsgi.input": body,
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    for name, value in sent.headers:
        key = name.decode("ascii").upper().replace("-", "_")
        key = key if key in {"CONTENT_TYPE", "CONTENT_LENGTH"} else f"HTTP_{key}"
        text = value.decode("latin-1")
        environ[key] = f"{environ[key]},{text}" if key in environ else text
    return environ
