"""Run flows with an event loop and an HTTP client. Everything the client can do to us ends here.

One total deadline per question (httpx's own timeouts start anew with every byte, so a dripping server never meets
them), a cap on the bytes read, no redirects, no cookies, no compression, no proxies from the environment unless asked.
Whatever goes wrong becomes an ``Unavailable``, and nothing a library raises gets out: its exceptions hold the request,
and with it the token and our secret.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterable, Awaitable, Callable
from contextlib import nullcontext
from http.cookiejar import DefaultCookiePolicy
from typing import Any, Protocol, TypeVar, cast

import httpx

from resource_server._protocol.messages import HTTPRequest, HTTPResponse, Unavailable
from resource_server._runtime.flights import Flights
from resource_server._validation.flow import Effect, Flow, Join

T = TypeVar("T")

MAX_QUESTIONS = 100
"""How many introspections run at once; the others wait here. httpx's own queue must never be used: a request that is
cancelled while it waits there can take a connection with it, for good."""
_CAUSES = {
    "ConnectError": "connect",
    "ConnectTimeout": "timeout",
    "TimeoutException": "timeout",
    "ReadError": "connection_lost",
    "RemoteProtocolError": "protocol",
}


class Transport(Protocol):
    """The seam to a client library: send one request, and return the answer with its body still unread."""

    async def handle_async_request(self, request: Any, /) -> Any:  # noqa: ANN401 - httpx's own, or one shaped like it
        """Send a request."""

    async def aclose(self) -> None:
        """Close the connections."""


class Client(Protocol):
    """What is used of a caller's own ``AsyncClient``, of httpx or of httpx2."""

    def build_request(self, method: str, url: str, /, **options: Any) -> Any:  # noqa: ANN401 - httpx's own request
        """Make a request of the client's own kind."""

    async def send(self, request: Any, /, **options: Any) -> Any:  # noqa: ANN401 - httpx's own response
        """Send it."""


class Exchange:
    """Sends requests, through a transport of our own, or through a transport or client of the caller's.

    Args:
        timeout: seconds for one question, from the connection to the last byte.
        client: a caller's own client; it stays the caller's to close.
        transport: a caller's own transport; it stays the caller's to close.
        ca_file: a file of certificates to trust in place of the default ones.
        trust_env: take proxies and certificates from the environment, as httpx understands it.
    """

    def __init__(
        self,
        *,
        timeout: float,
        client: Client | None = None,
        transport: Transport | None = None,
        ca_file: str | None = None,
        trust_env: bool = False,
    ) -> None:
        """Open nothing yet: connections belong to the event loop that makes them."""
        self.timeout = timeout
        self._own: Transport | httpx.AsyncClient | None = None
        self._client = client
        self._transport = transport
        self._ca_file = ca_file
        self._trust_env = trust_env
        self._places = asyncio.Semaphore(MAX_QUESTIONS)

    async def send(self, request: HTTPRequest, deadline: float) -> HTTPResponse | Unavailable:
        """Send a request and read the answer.

        Args:
            request: the question.
            deadline: the event loop's time by which the answer must be complete.
        """
        begun = False
        try:
            # Keys and metadata are asked for once at a time, and must not wait behind a crowd of tokens.
            async with (
                asyncio.timeout_at(deadline),
                self._places if request.endpoint == "introspection" else nullcontext(),
            ):
                begun = True
                response = await self._begin(request)
                try:
                    return await _read(response, request.max_bytes)
                finally:
                    await response.aclose()
        except TimeoutError:
            # Our own crowd is not the other side's silence: whoever makes the crowd must not choose the fallback.
            return Unavailable("timeout") if begun else Unavailable("crowded", fault="crowd")
        except Exception as error:  # noqa: BLE001 - the edge: a caller's client may raise anything, and none of it may get out
            return Unavailable(_cause(error))

    async def aclose(self) -> None:
        """Close the connections that are our own."""
        if self._own is not None:
            await self._own.aclose()

    async def _begin(self, request: HTTPRequest) -> Any:  # noqa: ANN401 - httpx's own response
        headers = {"accept-encoding": "identity", "user-agent": "resource-server", **dict(request.headers)}
        if self._client is not None:
            return await _send_through(self._client, request, headers, self.timeout)
        if self._transport is not None:
            return await self._transport.handle_async_request(_httpx_request(request, headers, self.timeout))
        if self._own is None:
            self._own = self._open()
        if isinstance(self._own, httpx.AsyncClient):
            return await _send_through(cast("Client", self._own), request, headers, self.timeout)
        return await self._own.handle_async_request(_httpx_request(request, headers, self.timeout))

    def _open(self) -> Transport | httpx.AsyncClient:
        verify = True if self._ca_file is None else ssl.create_default_context(cafile=self._ca_file)
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=20)
        if not self._trust_env:
            return httpx.AsyncHTTPTransport(verify=verify, trust_env=False, limits=limits)
        client = httpx.AsyncClient(verify=verify, trust_env=True, limits=limits)
        client.cookies.jar.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        return client


def _httpx_request(request: HTTPRequest, headers: dict[str, str], timeout: float) -> httpx.Request:
    limits = dict.fromkeys(("connect", "read", "write", "pool"), timeout)
    return httpx.Request(
        request.method, request.url, headers=headers, content=request.body, extensions={"timeout": limits}
    )


async def _send_through(client: Client, request: HTTPRequest, headers: dict[str, str], limit: float) -> Any:  # noqa: ANN401 - httpx's own
    ours = client.build_request(request.method, request.url, headers=headers, content=request.body, timeout=limit)
    ours.headers.pop("cookie", None)
    return await client.send(ours, stream=True, auth=None, follow_redirects=False)


async def _read(response: Any, max_bytes: int) -> HTTPResponse | Unavailable:  # noqa: ANN401 - httpx's own response
    headers = tuple((name.lower(), value) for name, value in response.headers.multi_items())
    if any(name == "content-encoding" and value.strip().lower() != "identity" for name, value in headers):
        return Unavailable("content_encoding")
    body = bytearray()
    async for chunk in cast("AsyncIterable[bytes]", response.stream):
        body += chunk
        if len(body) > max_bytes:
            return Unavailable("too_large")
    return HTTPResponse(response.status_code, headers, bytes(body))


def _cause(error: Exception) -> str:
    """Name a failure by its class, of httpx or of httpx2; its text may hold anything."""
    return next((_CAUSES[kind.__name__] for kind in type(error).__mro__ if kind.__name__ in _CAUSES), "transport")


class Driver:
    """Runs the flows of one resource server in one event loop.

    Args:
        exchange: sends the requests.
    """

    def __init__(self, exchange: Exchange) -> None:
        """Start with nothing in flight."""
        self._exchange = exchange
        self._flights = Flights()

    async def share(self, key: object, flow: Callable[[], Flow[T]]) -> T:
        """Run a flow once for everybody who asks for it under this key at the same time.

        A flow that has nothing to ask ends here at once, without a task.
        """
        if not self._flights.has(key):
            begun = flow()
            try:
                effect = begun.send(None)
            except StopIteration as done:
                return cast("T", done.value)
            self._flights.start(key, self._drive(begun, effect))
        return cast("T", await self._flights.wait(key))

    async def aclose(self) -> None:
        """Stop what is in flight and close the connections."""
        await self._flights.aclose()
        await self._exchange.aclose()

    async def _drive(self, flow: Flow[T], effect: Effect) -> T:
        deadline = asyncio.get_running_loop().time() + self._exchange.timeout
        while True:
            if isinstance(effect, Join):
                outcome = await self._join(effect, deadline)
            else:
                outcome = await self._exchange.send(effect, deadline)
            try:
                effect = flow.send(outcome)
            except StopIteration as done:
                return cast("T", done.value)

    async def _join(self, effect: Join, deadline: float) -> object:
        if effect.wait:
            return await _within(self.share(effect.key, effect.flow), deadline)
        background = ("background", effect.key)
        if not self._flights.has(background):
            self._flights.start(background, self.share(effect.key, effect.flow))
        return None


async def _within(waiting: Awaitable[T], deadline: float) -> T | Unavailable:
    try:
        async with asyncio.timeout_at(deadline):
            return await waiting
    except TimeoutError:
        return Unavailable("timeout")
