"""A connection by httpcore, which is what httpx itself speaks through: without its pool, and in one packet."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterable
from contextlib import suppress
from functools import lru_cache
from typing import Any, cast

import httpcore

from resource_server._protocol.messages import HTTPRequest, HTTPResponse, Unavailable
from resource_server._runtime.wire import AT_ONCE, Head, outgoing_headers, parsed, take_in

_HUNG_UP = (httpcore.ReadError, httpcore.RemoteProtocolError)
_FEW = 64


class HTTPCoreConnection:
    """A single connection.

    Args:
        context: whom to trust.
    """

    def __init__(self, context: ssl.SSLContext) -> None:
        """Open nothing yet."""
        self._context = context
        self._connection: httpcore.AsyncHTTPConnection | None = None
        self._head = Head()
        self._reused = False

    async def ask(self, request: HTTPRequest) -> HTTPResponse | Unavailable:
        """Send a question and read the answer."""
        url = _target(request.url)
        connection = await self._usable(url.origin)
        self._head.begin()
        response = await connection.handle_async_request(
            httpcore.Request(request.method, url, headers=_headers(request), content=request.body)
        )
        self._head.ended = True
        try:
            headers = ((name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in response.headers)
            chunks = cast("AsyncIterable[bytes]", response.stream)
            return await take_in(response.status, headers, chunks, request.max_bytes)
        finally:
            await response.aclose()

    def hung_up(self, error: Exception) -> bool:
        """Tell whether the other side hung up before it answered anything."""
        return self._reused and not self._head.begun and isinstance(error, _HUNG_UP)

    async def aclose(self) -> None:
        """Close it."""
        if self._connection is not None:
            await self._connection.aclose()

    async def _usable(self, origin: httpcore.Origin) -> httpcore.AsyncHTTPConnection:
        kept = self._connection
        self._reused = kept is not None and kept.is_available() and not kept.has_expired()
        if kept is not None and self._reused:
            return kept
        await self.aclose()
        self._connection = httpcore.AsyncHTTPConnection(origin, self._context, network_backend=Backend(self._head))
        return self._connection


class Backend(httpcore.AsyncNetworkBackend):
    """Makes network streams that send a request in one piece.

    Args:
        head: counts what comes in.
    """

    def __init__(self, head: Head) -> None:
        """Connect to nothing yet."""
        self._head = head

    async def connect_tcp(self, *args: Any, **options: Any) -> httpcore.AsyncNetworkStream:  # noqa: ANN401 - handed on
        """Connect."""
        backend = cast("httpcore.AsyncNetworkBackend", httpcore.AnyIOBackend())
        return _InOnePiece(await backend.connect_tcp(*args, **options), self._head)


class _InOnePiece(httpcore.AsyncNetworkStream):
    """Holds what is written until somebody reads: headers and body are one call to the system, and one packet."""

    def __init__(self, stream: httpcore.AsyncNetworkStream, head: Head) -> None:
        """Hold nothing."""
        self._stream = stream
        self._head = head
        self._held = bytearray()

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109 - httpcore's signature
        """Send what is held, and read."""
        if self._held:
            held, self._held = bytes(self._held), bytearray()
            with suppress(httpcore.WriteError):  # who answers before the end of the question is read all the same
                await self._stream.write(held, timeout)
        content = await self._stream.read(min(max_bytes, AT_ONCE), timeout)
        if not self._head.admits(content):
            raise httpcore.RemoteProtocolError
        return content

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ARG002, ASYNC109 - as above
        """Hold it."""
        self._held += buffer

    async def aclose(self) -> None:
        """Close it."""
        await self._stream.aclose()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 - as above
    ) -> httpcore.AsyncNetworkStream:
        """Speak TLS from here on."""
        return _InOnePiece(await self._stream.start_tls(ssl_context, server_hostname, timeout), self._head)

    def get_extra_info(self, info: str) -> Any:  # noqa: ANN401 - as above
        """Tell what is asked about the socket."""
        return self._stream.get_extra_info(info)


@lru_cache(_FEW)
def _target(url: str) -> httpcore.URL:
    found = parsed(url)
    return httpcore.URL(scheme=found.raw_scheme, host=found.raw_host, port=found.port, target=found.raw_path)


def _headers(request: HTTPRequest) -> list[tuple[bytes, bytes]]:
    headers = [(b"host", parsed(request.url).netloc)]
    headers += [(name.encode("ascii"), value.encode("latin-1")) for name, value in outgoing_headers(request).items()]
    if request.body or request.method == "POST":
        headers.append((b"content-length", b"%d" % len(request.body)))
    return headers
