"""A connection by aiohttp, whose parser is written in C: a question costs a quarter of what it costs by httpx.

Nothing of aiohttp's own is used that remembers or decides: no cookies, redirects, decoding, proxies or time limits.
"""

from __future__ import annotations

import asyncio
import ssl
from functools import lru_cache
from inspect import signature

import aiohttp
from yarl import URL

from resource_server._protocol.messages import HTTPRequest, HTTPResponse, Unavailable
from resource_server._runtime.wire import outgoing_headers, parsed, take_in

BOUNDS_HEADERS = "max_headers" in signature(aiohttp.ClientSession.__init__).parameters
"""Whether this version bounds the number of headers: older ones read as many as a server likes to send."""
_NO_LIMIT = aiohttp.ClientTimeout(total=None, connect=None, sock_connect=None, sock_read=None)
_NOT_ADDED = ("accept", "accept-encoding", "content-type", "user-agent")
_LONG = 3600.0
"""Seconds; who keeps the connection closes it long before."""
_FEW = 64


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
    """A connector that does not complain when its event loop has ended before it."""

    def __del__(self, _warnings: object = None) -> None:
        """Leave it to the sockets to close themselves."""


@lru_cache(_FEW)
def _target(url: str) -> URL:
    return URL(str(parsed(url)), encoded=True)
