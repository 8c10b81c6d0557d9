"""Send one request to an authorization server, in an event loop. Everything an HTTP client can do to us ends here.

One total deadline per question (httpx's own timeouts start anew with every byte, so a dripping server never meets
them), a cap on the bytes read, no redirects, no cookies, no compression, no proxies from the environment unless asked.
Whatever goes wrong becomes an ``Unavailable``, and nothing a library raises gets out: its exceptions hold the request,
and with it the token and our secret.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import nullcontext
from http.cookiejar import DefaultCookiePolicy
from typing import Any, Protocol, cast

import httpx

from resource_server._protocol.messages import HTTPRequest, HTTPResponse, Unavailable
from resource_server._runtime.connections import OwnConnections
from resource_server._runtime.tls import CertificateFiles, tls_context
from resource_server._runtime.wire import outgoing_headers, read

PLACES = 64
"""How many introspections run at once, unless told otherwise; the others wait here, and in no library's queue."""
ABOUT_A_TOKEN = frozenset({"introspection", "token"})
"""The endpoints that are asked once for each token, and so need a place."""
FOR_STRANGERS = 0.75
"""The share of the places that unknown tokens can take: the others are kept for tokens that were good a moment ago."""
MAX_WAITING = 2_000
"""How many unknown tokens may wait for a place; one more is told at once that it is crowded."""
_WARM_BYTES = 65_536
_CAUSES = {
    # httpx and httpx2
    "ConnectError": "connect",
    "ConnectTimeout": "timeout",
    "TimeoutException": "timeout",
    "ReadError": "connection_lost",
    "RemoteProtocolError": "protocol",
    # aiohttp
    "ClientConnectorError": "connect",
    "ClientOSError": "connection_lost",
    "ClientPayloadError": "protocol",
    "ClientResponseError": "protocol",
    "ServerDisconnectedError": "protocol",
}


CROWDED = Unavailable("crowded", fault="crowd")
"""Our own crowd is not the other side's silence: whoever makes the crowd must not choose the fallback."""
_SHORT_WAIT = 0.05
"""The share of an attempt's time that anybody may wait for a place."""


def blame_crowd(
    outcome: HTTPResponse | Unavailable, waited: float, left: float, whole: float
) -> HTTPResponse | Unavailable:
    """Blame the crowd for a timeout, where waiting for a place took the time that the answer would have had.

    Args:
        outcome: what came of the question.
        waited: seconds until there was a place.
        left: seconds there were then.
        whole: seconds an attempt has otherwise.
    """
    late = waited > _SHORT_WAIT * whole and left < whole
    return CROWDED if late and isinstance(outcome, Unavailable) and outcome.cause == "timeout" else outcome


class Transport(Protocol):
    """The seam to a client library: send one request, and return the answer with its body still unread."""

    async def handle_async_request(self, request: Any, /) -> Any:  # noqa: ANN401 - httpx's own, or one shaped like it
        """Send a request."""

    async def aclose(self) -> None:
        """Close the connections."""


class Client(Protocol):
    """What is used of a caller's own ``AsyncClient``, of httpx or of httpx2."""

    @property
    def build_request(self) -> Callable[..., Any]:
        """Makes a request of the client's own kind."""
        ...

    @property
    def send(self) -> Callable[..., Awaitable[Any]]:
        """Sends it."""
        ...


class Places:
    """The places for questions that run at once.

    Unknown tokens have a line of their own, of bounded length, and cannot take the last quarter of the places: who
    floods us with them does not keep a token waiting that was good a moment ago.

    Args:
        count: how many there are.
    """

    def __init__(self, count: int) -> None:
        """Start with all places free."""
        self._all = asyncio.Semaphore(count)
        self._for_strangers = asyncio.Semaphore(max(1, int(count * FOR_STRANGERS)))
        self._waiting = 0

    def full(self, *, priority: bool) -> bool:
        """Tell whether one would have to wait."""
        return self._all.locked() or (not priority and self._for_strangers.locked())

    async def enter(self, *, priority: bool) -> None:
        """Wait for a place.

        Raises:
            asyncio.QueueFull: too many wait already.
        """
        if priority:
            await self._all.acquire()
            return
        if self._waiting >= MAX_WAITING:
            raise asyncio.QueueFull
        self._waiting += 1
        try:
            await self._for_strangers.acquire()
        finally:
            self._waiting -= 1
        try:
            await self._all.acquire()
        except BaseException:  # whoever goes away while he waits, for whatever reason, gives back what he has
            self._for_strangers.release()
            raise

    def leave(self, *, priority: bool) -> None:
        """Give the place back."""
        self._all.release()
        if not priority:
            self._for_strangers.release()


class Exchange:
    """Sends requests, through a transport of our own, or through a transport or client of the caller's.

    Args:
        timeout: seconds for all questions of one flow, from the connection to the last byte.
        attempt_timeout: seconds for one question; the same, where not given.
        places: how many introspections run at once.
        client: a caller's own client; it stays the caller's to close.
        transport: a caller's own transport; it stays the caller's to close.
        ca_file: a file of certificates to trust in place of the default ones.
        certificate: what to show to servers that ask for it, over connections of our own.
        trust_env: take proxies and certificates from the environment, as httpx understands it.
    """

    def __init__(  # noqa: PLR0913 - each by name
        self,
        *,
        timeout: float,
        attempt_timeout: float | None = None,
        places: int = PLACES,
        client: Client | None = None,
        transport: Transport | None = None,
        ca_file: str | None = None,
        certificate: CertificateFiles | None = None,
        trust_env: bool = False,
    ) -> None:
        """Open nothing yet: connections belong to the event loop that makes them."""
        self.timeout = timeout
        self._attempt_timeout = timeout if attempt_timeout is None else attempt_timeout
        self._own: OwnConnections | httpx.AsyncClient | None = None
        self._client = client
        self._transport = transport
        self._ca_file = ca_file
        self._certificate = certificate
        self._trust_env = trust_env
        self._kept = places
        self._places = Places(places)

    async def send(self, request: HTTPRequest, deadline: float) -> HTTPResponse | Unavailable:
        """Send a request and read the answer.

        Args:
            request: the question.
            deadline: the event loop's time by which the answer must be complete.
        """
        if request.endpoint not in ABOUT_A_TOKEN:
            # Keys and metadata are asked for once at a time, and must not wait behind a crowd of tokens.
            return await self._attempt(request, deadline)
        clock = asyncio.get_running_loop().time
        came = clock()
        try:
            async with asyncio.timeout_at(deadline) if self._places.full(priority=request.priority) else nullcontext():
                await self._places.enter(priority=request.priority)
        except (TimeoutError, asyncio.QueueFull):
            return CROWDED
        entered = clock()
        try:
            outcome = await self._attempt(request, deadline)
        finally:
            self._places.leave(priority=request.priority)
        return blame_crowd(outcome, entered - came, deadline - entered, self._attempt_timeout)

    async def _attempt(self, request: HTTPRequest, deadline: float) -> HTTPResponse | Unavailable:
        limit = min(deadline, asyncio.get_running_loop().time() + self._attempt_timeout)
        try:
            async with asyncio.timeout_at(limit):
                return await self._ask(request)
        except TimeoutError:
            return Unavailable("timeout")
        except Exception as error:  # noqa: BLE001 - the edge: a caller's client may raise anything, and none of it may get out
            return Unavailable(cause_of(error))

    async def warm(self, url: str) -> None:
        """Open a connection of our own ahead of the first question. Optional; a failure is silent.

        Args:
            url: the endpoint that will be asked.
        """
        if self._client is not None or self._transport is not None:
            return
        try:
            async with asyncio.timeout(self._attempt_timeout):
                own = self._open()
                if isinstance(own, OwnConnections):
                    await own.warm(HTTPRequest("OPTIONS", url, "introspection", _WARM_BYTES))
        except Exception:  # noqa: BLE001, S110 - the edge, as above; whoever asks in earnest will be told
            pass

    async def aclose(self) -> None:
        """Close the connections that are our own."""
        if self._own is not None:
            await self._own.aclose()

    async def _ask(self, request: HTTPRequest) -> HTTPResponse | Unavailable:
        if self._client is not None:
            return await _ask_through(self._client, request, self.timeout)
        if self._transport is not None:
            asked = _httpx_request(request, self.timeout)
            return await read(await self._transport.handle_async_request(asked), request.max_bytes)
        own = self._open()
        if isinstance(own, httpx.AsyncClient):
            return await _ask_through(cast("Client", own), request, self.timeout)
        return await own.ask(request)

    def _open(self) -> OwnConnections | httpx.AsyncClient:
        if self._own is None:
            if self._trust_env:
                self._own = self._client_of_environment()
            else:
                self._own = OwnConnections(self._ca_file, self._kept, self._certificate)
        return self._own

    def _client_of_environment(self) -> httpx.AsyncClient:
        verify = tls_context(self._ca_file, self._certificate, trust_env=True)
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=20)
        client = httpx.AsyncClient(verify=verify, trust_env=True, limits=limits)
        client.cookies.jar.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        return client


def _httpx_request(request: HTTPRequest, timeout: float) -> httpx.Request:
    limits = dict.fromkeys(("connect", "read", "write", "pool"), timeout)
    headers = outgoing_headers(request)
    return httpx.Request(
        request.method, request.url, headers=headers, content=request.body, extensions={"timeout": limits}
    )


async def _ask_through(client: Client, request: HTTPRequest, limit: float) -> HTTPResponse | Unavailable:
    headers = outgoing_headers(request)
    ours = client.build_request(request.method, request.url, headers=headers, content=request.body, timeout=limit)
    ours.headers.pop("cookie", None)
    return await read(await client.send(ours, stream=True, auth=None, follow_redirects=False), request.max_bytes)


def cause_of(error: Exception) -> str:
    """Name a failure by its class, of whatever library; its text may hold anything."""
    return next((_CAUSES[kind.__name__] for kind in type(error).__mro__ if kind.__name__ in _CAUSES), "transport")
