"""The mock authorization server as tests use it: its state, and the ways to reach it.

What carries it, be it httpx or uvicorn, is loaded when it is asked for.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING

from mock_as.app import create_app
from mock_as.issuer import Issuer

if TYPE_CHECKING:
    import httpx
    from fastapi import FastAPI


class MockAS(Issuer):
    """A mock OAuth 2.0 authorization server; honest until it is told otherwise.

    Every argument is a keyword and has a default.

    Args:
        issuer: the issuer identifier, an http(s) URL; ``auto`` for the address it is served under. Without one it is
            that address too, and ``https://as.example.test`` while it is not served.
        audience: the audience of tokens that name no other, or several.
        clients: clients beside the ready-made ones.
        token_format: ``jwt`` or ``opaque``, for clients that say neither.
        lifetime: how long tokens live, in seconds.
        seed: make every id and opaque token reproducible; for nothing but tests.
        clock: the clock, or what tells the time in seconds since the epoch.
        refuse_jwt_introspection: answer 400 ``unsupported_token_type`` for JWTs, as some real servers do.
        jwks_max_age: how long the keys may be cached, in seconds.

    Raises:
        UsageError: an argument is not one that can be used.
    """

    @cached_property
    def app(self) -> FastAPI:
        """The ASGI application, with the control plane under ``/_mock``."""
        return create_app(self)

    def transport(self) -> httpx.AsyncBaseTransport:
        """Return a transport for ``httpx.AsyncClient`` that answers in this process, for the issuer's host only."""
        from mock_as.transport import InProcessTransport  # noqa: PLC0415 - httpx is not needed to serve

        return InProcessTransport(self.app, self.issuer)

    @contextmanager
    def serve(self, host: str = "127.0.0.1", port: int = 0) -> Generator[str]:
        """Serve over a socket, from a thread, while the block runs.

        Args:
            host: the name or the address to listen at.
            port: the port; 0 for any that is free.

        Yields:
            The URL, without a slash at its end.

        Raises:
            OSError: the address is taken.
        """
        from mock_as.server import bind, serve_in_thread, url_of  # noqa: PLC0415 - uvicorn is slow to load

        listener = bind(host, port)
        url = url_of(listener)
        with self.identity.served_at(url), serve_in_thread(self.app, listener):
            try:
                yield url
            finally:
                self.release()
