"""Answer httpx in this process, without a socket."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any

import httpx
from starlette.types import ASGIApp

from mock_as.faults.wire import with_patience

if TYPE_CHECKING:
    import respx


class InProcessTransport(httpx.AsyncBaseTransport):
    """Hands the requests for some hosts to an application; no other host can be reached.

    Args:
        app: what answers.
        urls: a URL of each host.
    """

    def __init__(self, app: ASGIApp, *urls: str) -> None:
        self._hosts = {_host(httpx.URL(url)): None for url in urls}
        self._app = app

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Answer a request.

        Raises:
            httpx.ConnectError: it is for another host.
        """
        host = _host(request.url)
        if host not in self._hosts:
            known = " or ".join(map(_shown, self._hosts))
            raise httpx.ConnectError(f"the mock authorization server is {known}, not {_shown(host)}")
        patience = request.extensions.get("timeout", {}).get("read")
        return await httpx.ASGITransport(with_patience(self._app, patience)).handle_async_request(request)

    def mount(self, router: respx.Router) -> respx.Route:
        """Answer what a router of respx is asked for these hosts, for asynchronous clients and for blocking ones.

        Args:
            router: the router.

        Returns:
            The route, which counts the calls.
        """
        names = tuple(sorted({host for _, host, _ in self._hosts}))
        return router.route(host__in=names).mock(side_effect=self._answer)

    def _answer(self, request: httpx.Request) -> httpx.Response | Coroutine[Any, Any, httpx.Response]:
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            # Who asks without an event loop waits for the answer, so that one can be run for it here.
            return asyncio.run(self._whole(request))
        return self.handle_async_request(request)

    async def _whole(self, request: httpx.Request) -> httpx.Response:
        response = await self.handle_async_request(request)
        body = httpx.ByteStream(await response.aread())
        return httpx.Response(response.status_code, headers=response.headers, stream=body)


_Host = tuple[str, str, int | None]


def _host(url: httpx.URL) -> _Host:
    return url.scheme, url.host, url.port


def _shown(host: _Host) -> str:
    scheme, name, port = host
    return f"{scheme}://{name}" + ("" if port is None else f":{port}")
