"""A connection by aiohttp, whose parser is written in C: a question costs a quarter of what it costs by httpx.

Nothing of aiohttp's own is used that remembers or decides: no cookies, redirects, decoding, proxies or time limits.
"""

from __future__ import annotations

import asyncio
import ssl
from functools import lru_cache, partial
from inspect import signature
from typing import Any, cast

import aiohttp
from aiohttp.client_proto import ResponseHandler
from yarl import URL

from resource_server._protocol.messages import HTTPRequest, HTTPResponse, Unavailable
from resource_server._runtime.wire import MAX_HEAD, outgoing_headers, parsed, take_in

BOUNDS_HEADERS = (
    "max_headers" in signature(aiohttp.ClientSession.__init__).parameters
    and "_factory" in aiohttp.BaseConnector.__init__.__code__.co_names
)
"""Whether this version bounds the number of headers, and lets us bound what comes before them.

Others read as much as a server likes to send.
"""
_NO_LIMIT = aiohttp.ClientTimeout(total=None, connect=None, sock_connect=None, sock_read=None)
_NOT_ADDED = ("accept", "accept-encoding", "content-type", "user-agent")
_LONG = 3600.0
"""Seconds; who keeps the connection closes it long before."""
_FEW = 64
_FINAL = 200
"""The first status that is not an interim one's."""


class AiohttpConnection:
    """A connection through a session that holds no other.

    Args:
        context: whom to trust.
    """

    def __init__(self, context: ssl.SSLContext) -> None:
        """Open nothing yet."""
        self._answered = False
        self._loop = asyncio.get_running_loop()
        self._session = aiohttp.ClientSession(
            connector=_Connector(
                ssl=context,
                limit=1,
                keepalive_timeout=_LONG,
                use_dns_cache=False,
                resolver=aiohttp.ThreadedResolver(),
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            timeout=_NO_LIMIT,
            skip_auto_headers=_NOT_ADDED,
        )

    def __del__(self) -> None:
        """Close it where nobody has, and say nothing of that in the log: httpx does not either."""
        if self._loop.is_closed():
            self._session.detach()
        elif not self._session.closed:
            asyncio.run_coroutine_threadsafe(self._session.close(), self._loop)

    async def ask(self, request: HTTPRequest) -> HTTPResponse | Unavailable:
        """Send a question and read the answer."""
        self._answered = False
        response = await self._session.request(
            request.method,
            _target(request.url),
            data=request.body or None,
            headers=outgoing_headers(request),
            allow_redirects=False,
        )
        self._answered = True
        try:
            raw = response.raw_headers
            headers = ((name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in raw)
            return await take_in(response.status, headers, response.content.iter_any(), request.max_bytes)
        finally:
            response.close()

    def hung_up(self, error: Exception) -> bool:
        """Tell whether the other side hung up before it answered anything."""
        lost = isinstance(error, aiohttp.ServerDisconnectedError | aiohttp.ClientOSError)
        return lost and not self._answered and not isinstance(error, aiohttp.ClientConnectorError)

    async def aclose(self) -> None:
        """Close it."""
        await self._session.close()


class _Connector(aiohttp.TCPConnector):
    """A connector that bounds what is read, and does not complain when its event loop has ended before it."""

    def __init__(self, **options: Any) -> None:  # noqa: ANN401 - handed on
        """Connect to nothing yet."""
        super().__init__(**options)
        self._factory = cast("partial[ResponseHandler]", partial(_Handler, loop=self._loop))

    def __del__(self, _warnings: object = None) -> None:
        """Leave it to the sockets to close themselves."""


class _Handler(ResponseHandler):
    """Reads one answer for each question, and of what comes before its headers end no more than allowed.

    The parser gets up to 256 kB in one go: thousands of interim answers, during which nothing else runs. And it goes on
    when nobody asks: what a server then sends would be kept until somebody does.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        """Expect an answer: there are servers that do not wait for the question."""
        super().__init__(loop)
        self._left: int | None = MAX_HEAD
        """Bytes that may come before the headers end; nothing, where they have."""

    def set_response_params(self, **options: Any) -> None:  # noqa: ANN401 - handed on
        """Expect an answer."""
        self._left = MAX_HEAD
        super().set_response_params(**options)

    def data_received(self, data: bytes) -> None:
        """Parse what may come, and hang up on who says more."""
        now, rest = self._admitted(data)
        if rest and not now:
            self._refuse()
            return
        super().data_received(now)
        if rest:
            self.data_received(rest)

    def feed_data(self, data: tuple[Any, aiohttp.StreamReader], size: int = 0) -> None:
        """Tell the answer from interim ones, and when it has come whole."""
        super().feed_data(data, size)
        message, payload = data
        if message.code >= _FINAL:
            self._left = None
            payload.on_eof(self._expect_nothing)

    def _admitted(self, data: bytes) -> tuple[bytes, bytes]:
        if self._left is None:
            return data, b""
        now, rest = data[: self._left], data[self._left :]
        self._left -= len(now)
        return now, rest

    def _expect_nothing(self) -> None:
        self._left = 0

    def _refuse(self) -> None:
        self.abort()
        self.set_exception(aiohttp.ClientPayloadError())


@lru_cache(_FEW)
def _target(url: str) -> URL:
    return URL(str(parsed(url)), encoded=True)
