"""Answer httpx in this process, without a socket."""

from __future__ import annotations

import httpx
from starlette.types import ASGIApp


class InProcessTransport(httpx.AsyncBaseTransport):
    """Hands the requests for one host to an application; no other host can be reached.

    Args:
        app: what answers.
        url: a URL of the host.
    """

    def __init__(self, app: ASGIApp, url: str) -> None:
        self._host = _host(httpx.URL(url))
        self._asgi = httpx.ASGITransport(app)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Answer a request.

        Raises:
            httpx.ConnectError: it is for another host.
        """
        host = _host(request.url)
        if host != self._host:
            raise httpx.ConnectError(f"the mock authorization server is {_shown(self._host)}, not {_shown(host)}")
        return await self._asgi.handle_async_request(request)


_Host = tuple[str, str, int | None]


def _host(url: httpx.URL) -> _Host:
    return url.scheme, url.host, url.port


def _shown(host: _Host) -> str:
    scheme, name, port = host
    return f"{scheme}://{name}" + ("" if port is None else f":{port}")
