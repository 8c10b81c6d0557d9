"""Serve an application over a socket: in a thread for tests, in the main thread for the command line.

uvicorn is loaded when something is served, not before.
"""

from __future__ import annotations

import asyncio
import signal
import socket
import ssl
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from functools import partial
from importlib import import_module
from typing import Any

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

from mock_as.errors import UsageError, unknown
from mock_as.faults.wire import CONNECTION
from mock_as.latches import Latch

HTTP = {
    "auto": "uvicorn.protocols.http.auto:AutoHTTPProtocol",
    "h11": "uvicorn.protocols.http.h11_impl:H11Protocol",
    "httptools": "uvicorn.protocols.http.httptools_impl:HttpToolsProtocol",
}
"""The implementations of HTTP to choose from; ``auto`` is httptools where it is installed."""

_BACKLOG = 2048
_TICK = 1.0
_GRACE = 1.0


def bind(host: str, port: int) -> socket.socket:
    """Listen at an address.

    Args:
        host: a name or an address.
        port: the port; 0 for any that is free.

    Raises:
        OSError: somebody else does, or may not.
    """
    # The protocol is named because asyncio sets TCP_NODELAY only where it is: without, every answer takes 40 ms.
    family, kind, protocol, _, address = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP, flags=socket.AI_PASSIVE
    )[0]
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(_BACKLOG)
    except OSError:
        listener.close()
        raise
    return listener


def url_of(listener: socket.socket, scheme: str = "http") -> str:
    """Return the URL of a listening socket, as a client on the same machine would use it.

    Args:
        listener: the socket.
        scheme: ``https`` where TLS is served.
    """
    address, port = listener.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(address, str(address))  # noqa: S104 - recognized, not bound
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"


@contextmanager
def serve_in_thread(
    app: ASGIApp, listener: socket.socket, *, http: str | None = None, tls: ssl.SSLContext | None = None
) -> Generator[None]:
    """Serve an application in a thread while the block runs.

    Args:
        app: the application.
        listener: where; it is closed at the end.
        http: one of :data:`HTTP`.
        tls: the settings of TLS; without any it is not used.

    Raises:
        UsageError: there is no such implementation of HTTP, or it is not installed.
    """
    ready = threading.Event()
    failures: list[BaseException] = []
    try:
        server = _Server(app, ready.set, http, tls)
    except UsageError:
        listener.close()
        raise

    def run() -> None:
        try:
            server.run(sockets=[listener])
        except BaseException as error:  # noqa: BLE001 - it belongs to the thread that waits for this one
            failures.append(error)
        finally:
            ready.set()

    thread = threading.Thread(target=run, name="mock-as", daemon=True)
    thread.start()
    ready.wait()
    if failures:
        raise failures[0]
    try:
        yield
    finally:
        server.stop()
        thread.join()


def serve_until_signal(  # noqa: PLR0913 - the last two are options
    app: ASGIApp,
    listener: socket.socket,
    on_ready: Callable[[], None],
    on_stop: Callable[[], None],
    *,
    http: str | None = None,
    tls: ssl.SSLContext | None = None,
) -> None:
    """Serve an application in this thread until SIGINT or SIGTERM.

    Args:
        app: the application.
        listener: where; it is closed at the end.
        on_ready: called once connections are accepted.
        on_stop: called when it is to end, before the requests under way are waited for.
        http: one of :data:`HTTP`.
        tls: the settings of TLS; without any it is not used.

    Raises:
        UsageError: there is no such implementation of HTTP, or it is not installed.
    """
    server = _Server(app, on_ready, http, tls)

    def stop(*_: object) -> None:
        on_stop()
        server.stop()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    server.run(sockets=[listener])


class _Server(uvicorn.Server):
    """A server that tells when it is ready, and stops at once."""

    def __init__(
        self, app: ASGIApp, on_ready: Callable[[], None], http: str | None, tls: ssl.SSLContext | None
    ) -> None:
        # uvicorn takes a protocol of its own kind only by its class, whatever the annotation says.
        protocol: Any = _protocol(http or "auto")
        super().__init__(
            uvicorn.Config(
                app,
                http=protocol,
                loop="asyncio",
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                date_header=False,  # the application tells the time of its issuer's clock
            )
        )
        self._on_ready = on_ready
        self._tls = tls
        self._stop = Latch()

    def stop(self) -> None:
        """Stop, from any thread or from a signal handler."""
        self.should_exit = True
        self._stop.open()

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        """Leave the signals to the caller: uvicorn would raise them again after the end."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Accept connections, and say so."""
        # The settings have been loaded by now, and would read files.
        self.config.ssl = self._tls
        await super().startup(sockets)
        self._on_ready()

    async def main_loop(self) -> None:
        """Keep house until the end, which is noticed at once."""
        stop = asyncio.ensure_future(self._stop.wait())
        while not stop.done():
            await self.on_tick(0)
            await asyncio.wait({stop}, timeout=_TICK)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Finish the requests that are under way, and close every connection."""
        for server in self.servers:
            server.close()
        for listener in sockets or []:
            listener.close()
        if self.server_state.tasks:
            await asyncio.wait(self.server_state.tasks, timeout=_GRACE)
        for task in tuple(self.server_state.tasks):
            task.cancel()
        for connection in tuple(self.server_state.connections):
            connection.transport.abort()
        # What was cancelled and closed here ends in the next turn of the loop.
        await asyncio.gather(*self.server_state.tasks, asyncio.sleep(0), return_exceptions=True)


def _protocol(http: str) -> type[asyncio.Protocol]:
    """Make uvicorn's protocol hand over its connection, for faults of the network to spoil.

    Raises:
        UsageError: there is no such implementation of HTTP, or it is not installed.
    """
    if http not in HTTP:
        raise unknown("http", http, HTTP)
    module, _, name = HTTP[http].partition(":")
    try:
        base: Any = getattr(import_module(module), name)
    except ImportError as error:
        raise UsageError("http", f"{http!r} is not installed") from error

    def initialize(self: Any, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - uvicorn's business
        base.__init__(self, *args, **kwargs)
        self.app = partial(_with_connection, self.app, self)

    return type("_Protocol", (base,), {"__init__": initialize})


async def _with_connection(app: ASGIApp, protocol: Any, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ANN401
    scope.setdefault("extensions", {})[CONNECTION] = protocol.transport
    await app(scope, receive, send)
