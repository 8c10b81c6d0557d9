"""A connection through a transport of httpx's, for whoever has put himself between httpx and the network."""

from __future__ import annotations

import ssl

import httpcore
import httpx

from resource_server._protocol.messages import HTTPRequest, HTTPResponse, Unavailable
from resource_server._runtime.connection_httpcore import Backend
from resource_server._runtime.wire import Head, outgoing_headers, parsed, read

_HUNG_UP = (httpx.ReadError, httpx.WriteError, httpx.RemoteProtocolError)


class HTTPXConnection:
    """A connection through a transport that holds no other.

    Args:
        context: whom to trust.
    """

    def __init__(self, context: ssl.SSLContext) -> None:
        """Open nothing yet."""
        self._head = Head()
        self._transport = _Transport(context, self._head)

    async def ask(self, request: HTTPRequest) -> HTTPResponse | Unavailable:
        """Send a question and read the answer."""
        self._head.begin()
        # It has no time limits of its own, each of which costs something: the deadline ends it, wherever it is.
        asked = httpx.Request(
            request.method, parsed(request.url), headers=outgoing_headers(request), content=request.body
        )
        response = await self._transport.handle_async_request(asked)
        self._head.ended = True
        return await read(response, request.max_bytes)

    def hung_up(self, error: Exception) -> bool:
        """Tell whether the other side hung up before it answered anything."""
        return not self._head.begun and isinstance(error, _HUNG_UP)

    async def aclose(self) -> None:
        """Close it."""
        await self._transport.aclose()


class _Transport(httpx.AsyncHTTPTransport):
    """A transport of httpx's over a network of ours, for which it has no option."""

    def __init__(self, context: ssl.SSLContext, head: Head) -> None:
        super().__init__(verify=context, trust_env=False)
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=context, max_connections=1, max_keepalive_connections=1, network_backend=Backend(head)
        )
