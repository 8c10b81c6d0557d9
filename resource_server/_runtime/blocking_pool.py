"""Connections of our own for threads: httpcore's, over sockets that know the deadline of the question they serve.

A timeout of a socket starts anew with every byte, so a server that drips would never meet one. Here each step waits
for what is left of the whole.

References: RFC 9112 section 9.3.1
"""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Generator, Iterable
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, cast

import httpcore
import httpx

from resource_server._runtime.wire import AT_ONCE, Head
from resource_server._runtime.workers import Workers

KEPT = 30.0
"""Seconds for which a connection is kept that nobody uses."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer whose body is still unread. Header names are lower case."""

    status: int
    headers: list[tuple[str, str]]
    chunks: Iterable[bytes]


class _Attempt(threading.local):
    """The question that this thread is asking."""

    deadline: float = 0.0
    fresh: bool = False
    """It has opened a connection of its own."""

    def __init__(self) -> None:
        self.head = Head()

    def left(self, error: type[Exception]) -> float:
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise error
        return left


class _Stream(httpcore.NetworkStream):
    """A socket that is read and written within the time of the question at hand."""

    def __init__(self, stream: httpcore.NetworkStream, attempt: _Attempt) -> None:
        self._stream = stream
        self._attempt = attempt

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ARG002 - the deadline counts
        content = self._stream.read(min(max_bytes, AT_ONCE), self._attempt.left(httpcore.ReadTimeout))
        if not self._attempt.head.admits(content):
            raise httpcore.RemoteProtocolError
        return content

    def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ARG002 - as above
        if not buffer:
            return  # even to send nothing would use up the error that says the connection is lost
        connection: socket.socket = self._stream.get_extra_info("socket")
        connection.settimeout(self._attempt.left(httpcore.WriteTimeout))
        try:
            connection.sendall(buffer)  # whose timeout is one for all of it
        except TimeoutError:
            raise httpcore.WriteTimeout from None
        except OSError:
            raise httpcore.WriteError from None

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ARG002 - as above
    ) -> httpcore.NetworkStream:
        left = self._attempt.left(httpcore.ConnectTimeout)
        return _Stream(self._stream.start_tls(ssl_context, server_hostname, left), self._attempt)

    def get_extra_info(self, info: str) -> Any:  # noqa: ANN401 - httpcore's own
        return self._stream.get_extra_info(info)


class _Network(httpcore.NetworkBackend):
    """Opens sockets; each of a host's addresses is given its share of the time that is left."""

    def __init__(self, attempt: _Attempt, workers: Workers) -> None:
        self._sockets = httpcore.SyncBackend()
        self._attempt = attempt
        self._workers = workers

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ARG002 - the deadline counts
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        self._attempt.fresh = True
        *others, last = self._addresses(host, port)
        for tried, address in enumerate(others):
            share = self._attempt.left(httpcore.ConnectTimeout) / (len(others) - tried + 1)
            with suppress(httpcore.ConnectError, httpcore.ConnectTimeout):
                return _Stream(
                    self._sockets.connect_tcp(address, port, share, local_address, socket_options), self._attempt
                )
        left = self._attempt.left(httpcore.ConnectTimeout)
        return _Stream(self._sockets.connect_tcp(last, port, left, local_address, socket_options), self._attempt)

    def _addresses(self, host: str, port: int) -> list[str]:
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
        except OSError:
            # A name: to look it up knows no timeout at all.
            try:
                found = self._workers.call(
                    lambda: socket.getaddrinfo(host, port, type=socket.SOCK_STREAM), self._attempt.deadline
                )
            except TimeoutError:
                raise httpcore.ConnectTimeout from None
            except OSError:
                raise httpcore.ConnectError from None
        return list(dict.fromkeys(str(address[4][0]) for address in found))


class Pool:
    """Connections to authorization servers, kept between questions.

    Args:
        context: whom to trust.
        workers: threads in which names are looked up.
    """

    def __init__(self, context: ssl.SSLContext, workers: Workers) -> None:
        """Open nothing yet."""
        self._attempt = _Attempt()
        # No queue of its own: how much runs at once is decided before.
        self._pool = httpcore.ConnectionPool(
            ssl_context=context,
            max_connections=None,
            keepalive_expiry=KEPT,
            network_backend=_Network(self._attempt, workers),
        )

    @contextmanager
    def sending(self, request: httpx.Request, deadline: float) -> Generator[Answer]:
        """Send a request, and hold the connection for the length of the block.

        Args:
            request: what to send.
            deadline: monotonic seconds by which everything must be done.
        """
        response = self._send(request, deadline)
        try:
            headers = [(name.lower(), value) for name, value in httpx.Headers(response.headers).multi_items()]
            yield Answer(response.status, headers, cast("Iterable[bytes]", response.stream))
        finally:
            response.close()

    def close(self) -> None:
        """Close the connections that nobody uses at the moment."""
        for connection in self._pool.connections:
            if connection.is_idle():
                connection.close()

    def abandon(self) -> None:
        """Close what this process has of connections that another one goes on using; take no lock of its threads."""
        for connection in self._pool.connections:
            connection.close()

    def _send(self, request: httpx.Request, deadline: float) -> httpcore.Response:
        attempt = self._attempt
        attempt.deadline = deadline
        while True:
            attempt.fresh = False
            attempt.head.begin()
            try:
                response = self._pool.handle_request(_message(request))
            except (httpcore.ReadError, httpcore.WriteError, httpcore.RemoteProtocolError):
                # A connection that was kept, and that the server has closed without having seen the question: it is
                # gone now, and the next one is another, or a new one.
                if attempt.fresh or attempt.head.begun:
                    raise
            else:
                attempt.head.ended = True
                return response


def _message(request: httpx.Request) -> httpcore.Request:
    url = request.url
    return httpcore.Request(
        request.method,
        httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path),
        headers=request.headers.raw,
        content=request.stream,
    )
