"""A connection through a transport of httpx's, for whoever has put himself between httpx and the network."""

from __future__ import annotations

import ssl

import httpx

from resource_server._protocol.messages import HTTPRequest, HTTPResponse, Unavailable
from resource_server._runtime.wire import outgoing_headers, parsed, read

_HUNG_UP = (httpx.ReadError, httpx.WriteError, httpx.RemoteProtocolError)


class HTTPXConnection:
    """A connection through a transport that holds no other.

    Args:
        context: whom to trust.
    """

    def __init__(self, context: ssl.SSLContext) -> None:
        """Open nothing yet."""
        only_one = httpx.Limits(max_connections=1, max_keepalive_connections=1, keepalive_expiry=None)
        self._transport = httpx.AsyncHTTPTransport(verify=context, trust_env=False, limits=only_one)
        self._answered = False

    async def ask(self, request: HTTPRequest) -> HTTPResponse | Unavailable:
        """Send a question and read the answer."""
        self._answered = False
        # It has no time limits of its own, each of which costs something: the deadline ends it, wherever it is.
        asked = httpx.Request(
            request.method, parsed(request.url), headers=outgoing_headers(request), content=request.body
        )
        response = await self._transport.handle_async_request(asked)
        self._answered = True
        return await read(response, request.max_bytes)

    def hung_up(self, error: Exception) -> bool:
        """Tell whether the other side hung up before it answered anything."""
        return not self._answered and isinstance(error, _HUNG_UP)

    async def aclose(self) -> None:
        """Close it."""
        await self._transport.aclose()
