"""Send one request to an authorization server, from a thread. Everything an HTTP client can do to us ends here.

The same rules as for tasks: one total deadline per question, a cap on the bytes read, no redirects, no cookies, no
compression, no proxies from the environment unless asked, and whatever goes wrong becomes an ``Unavailable``.

A thread cannot be stopped from outside. Through our own connections each read waits no longer than until the deadline.
A client or transport of the caller's knows only timeouts that start anew with every byte, so it is used in a thread of
its own, which is left to itself when time is up.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from http.cookiejar import DefaultCookiePolicy
from threading import Lock, Semaphore
from typing import Any, Protocol, TypeVar

import httpx

from resource_server._protocol.messages import HTTPRequest, HTTPResponse, Unavailable
from resource_server._runtime.blocking_pool import Pool
from resource_server._runtime.exchange import (
    ABOUT_A_TOKEN,
    CROWDED,
    FOR_STRANGERS,
    MAX_WAITING,
    PLACES,
    blame_crowd,
    cause_of,
)
from resource_server._runtime.tls import CertificateFiles, tls_context
from resource_server._runtime.wire import coded, is_from, outgoing_headers, parsed
from resource_server._runtime.workers import Workers

T = TypeVar("T")
Outcome = HTTPResponse | Unavailable
_WITHOUT_A_PLACE = 8
"""How many more threads there may be than places: keys and metadata are asked for beside the introspections."""


class BlockingTransport(Protocol):
    """The seam to a client library: send one request, and return the answer with its body still unread."""

    def handle_request(self, request: Any, /) -> Any:  # noqa: ANN401 - httpx's own, or one shaped like it
        """Send a request."""


class BlockingClient(Protocol):
    """What is used of a caller's own ``Client``, of httpx or of httpx2."""

    @property
    def build_request(self) -> Callable[..., Any]:
        """Make a request of the client's own kind."""
        ...

    @property
    def send(self) -> Callable[..., Any]:
        """Send it."""
        ...


class BlockingPlaces:
    """The places for questions that run at once, as :class:`resource_server._runtime.exchange.Places`, for threads.

    Args:
        count: how many there are.
    """

    def __init__(self, count: int) -> None:
        """Start with all places free."""
        self._all = Semaphore(count)
        self._for_strangers = Semaphore(max(1, int(count * FOR_STRANGERS)))
        self._lock = Lock()
        self._waiting = 0

    def enter(self, deadline: float, *, priority: bool) -> bool:
        """Wait for a place, and tell whether one was had in time."""
        if priority:
            return _acquire(self._all, deadline)
        with self._lock:
            if self._waiting >= MAX_WAITING:
                return False
            self._waiting += 1
        try:
            entered = _acquire(self._for_strangers, deadline)
        finally:
            with self._lock:
                self._waiting -= 1
        if entered and not _acquire(self._all, deadline):
            self._for_strangers.release()
            return False
        return entered

    def leave(self, *, priority: bool) -> None:
        """Give the place back."""
        self._all.release()
        if not priority:
            self._for_strangers.release()


class BlockingExchange:
    """Sends requests, through connections of our own, or through a transport or client of the caller's.

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
        client: BlockingClient | None = None,
        transport: BlockingTransport | None = None,
        ca_file: str | None = None,
        certificate: CertificateFiles | None = None,
        trust_env: bool = False,
    ) -> None:
        """Open nothing yet."""
        self.timeout = timeout
        self._attempt_timeout = timeout if attempt_timeout is None else attempt_timeout
        self._client = client
        self._transport = transport
        self._ca_file = ca_file
        self._certificate = certificate
        self._trust_env = trust_env
        self._places = BlockingPlaces(places)
        self._workers = Workers(places + _WITHOUT_A_PLACE)
        self._opening = Lock()
        self._closed = False
        self._own: Pool | httpx.Client | None = None
        self._watched: httpx.HTTPTransport | None = None

    def send(self, request: HTTPRequest, deadline: float) -> Outcome:
        """Send a request and read the answer.

        Args:
            request: the question.
            deadline: monotonic seconds by which the answer must be complete.
        """
        if request.endpoint not in ABOUT_A_TOKEN:
            # Keys and metadata are asked for once at a time, and must not wait behind a crowd of tokens.
            return self._attempt(request, deadline)
        came = time.monotonic()
        if not self._places.enter(deadline, priority=request.priority):
            return CROWDED
        entered = time.monotonic()
        try:
            outcome = self._attempt(request, deadline)
        finally:
            self._places.leave(priority=request.priority)
        return blame_crowd(outcome, entered - came, deadline - entered, self._attempt_timeout)

    def close(self) -> None:
        """Close the connections that are our own; one that is in use at the moment is closed after that."""
        self._closed = True
        self._close()

    def abandon(self) -> None:
        """Leave the connections to the process that this one was forked off from."""
        if isinstance(self._own, Pool):
            self._own.abandon()

    def _attempt(self, request: HTTPRequest, deadline: float) -> Outcome:
        limit = min(deadline, time.monotonic() + self._attempt_timeout)
        try:
            return self._exchange(request, limit)
        except TimeoutError:
            return Unavailable("timeout")
        except Exception as error:  # noqa: BLE001 - the edge: a caller's client may raise anything, and none of it may get out
            return Unavailable(cause_of(error))
        finally:
            if self._closed:
                self._close()

    def _close(self) -> None:
        with self._opening:
            opened = [thing for thing in (self._own, self._watched) if thing is not None]
            self._own, self._watched = self._own if isinstance(self._own, Pool) else None, None
        for thing in opened:
            thing.close()

    def _exchange(self, request: HTTPRequest, limit: float) -> Outcome:
        if self._client is not None:
            return self._through_client(self._client, request, limit)
        if self._transport is not None:
            return self._through_transport(self._transport, request, limit)
        if _is_watched() and not self._trust_env:
            return self._through_transport(self._watched_transport(), request, limit)
        own = self._open()
        if isinstance(own, httpx.Client):
            return self._through_client(own, request, limit)
        with own.sending(_httpx_request(request), limit) as answer:
            return _read(answer.headers, answer.status, answer.chunks, request.max_bytes, limit)

    def _through_client(self, client: BlockingClient, request: HTTPRequest, limit: float) -> Outcome:
        def work() -> Outcome:
            headers, left = outgoing_headers(request), _left(limit)
            ours = client.build_request(
                request.method, request.url, headers=headers, content=request.body, timeout=left
            )
            ours.headers.pop("cookie", None)
            return _read_httpx(client.send(ours, stream=True, auth=None, follow_redirects=False), request, limit)

        return self._workers.call(work, limit)

    def _through_transport(self, transport: BlockingTransport, request: HTTPRequest, limit: float) -> Outcome:
        def work() -> Outcome:
            limits = dict.fromkeys(("connect", "read", "write", "pool"), _left(limit))
            return _read_httpx(transport.handle_request(_httpx_request(request, {"timeout": limits})), request, limit)

        return self._workers.call(work, limit)

    def _open(self) -> Pool | httpx.Client:
        with self._opening:
            if self._own is None:
                self._own = self._make()
            return self._own

    def _make(self) -> Pool | httpx.Client:
        if not self._trust_env:
            return Pool(tls_context(self._ca_file, self._certificate), self._workers)
        verify = tls_context(self._ca_file, self._certificate, trust_env=True)
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=None)
        client = httpx.Client(verify=verify, trust_env=True, limits=limits)
        client.cookies.jar.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        return client

    def _watched_transport(self) -> BlockingTransport:
        with self._opening:
            if self._watched is None:
                limits = httpx.Limits(max_connections=None, max_keepalive_connections=None)
                verify = tls_context(self._ca_file, self._certificate)
                self._watched = httpx.HTTPTransport(verify=verify, trust_env=False, limits=limits)
            return self._watched


def _acquire(places: Semaphore, deadline: float) -> bool:
    return places.acquire(timeout=max(0.0, deadline - time.monotonic()))


def _left(limit: float) -> float:
    left = limit - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


def _is_watched() -> bool:
    """Tell whether somebody has put himself before httpx's transport: to mock the network, or to trace it."""
    return not is_from(httpx.HTTPTransport.handle_request, "httpx")


def _httpx_request(request: HTTPRequest, extensions: dict[str, Any] | None = None) -> httpx.Request:
    return httpx.Request(
        request.method,
        parsed(request.url),
        headers=outgoing_headers(request),
        content=request.body,
        extensions=extensions,
    )


def _read_httpx(response: Any, request: HTTPRequest, limit: float) -> Outcome:  # noqa: ANN401 - httpx's own response
    try:
        headers = [(name.lower(), value) for name, value in response.headers.multi_items()]
        return _read(headers, response.status_code, response.stream, request.max_bytes, limit)
    finally:
        response.close()


def _read(
    headers: list[tuple[str, str]], status: int, chunks: Iterable[bytes], max_bytes: int, limit: float
) -> Outcome:
    if coded(headers):
        return Unavailable("content_encoding")
    body = bytearray()
    for chunk in chunks:
        body += chunk
        if len(body) > max_bytes:
            return Unavailable("too_large")
        _left(limit)
    return HTTPResponse(status, tuple(headers), bytes(body))
