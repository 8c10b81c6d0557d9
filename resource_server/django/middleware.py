"""The middleware: no view runs for a request without a token, unless it was made public."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, ClassVar, cast

from asgiref.sync import markcoroutinefunction
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from resource_server._hosts import tell_of_itself
from resource_server.django._audit import audit
from resource_server.django._call import (
    Demanded,
    add_fields,
    call_of,
    judge,
    judge_in_loop,
    refusal_in,
    refuse,
    respond,
)
from resource_server.django._demands import demands_of, is_public
from resource_server.django._servers import asked_probes, blocking_server, is_async, server_in_loop
from resource_server.errors import BearerTokenError, VerificationUnavailable
from resource_server.requirements import ANY_TOKEN, Requirement

Answer = HttpResponseBase | Awaitable[HttpResponseBase]


class BearerTokenMiddleware:
    """Judge every request whose view is not public, before the view runs and before its body is read.

    Put it before ``CsrfViewMiddleware``, which reads bodies. A request that brings a token in ``Authorization`` needs
    no CSRF token. Where the server has a ``resource``, its metadata are served too (RFC 9728), and so are ``/healthz``
    and ``/readyz`` where the setting ``RESOURCE_SERVER_PROBES`` says so.

    Args:
        get_response: the rest of the application.

    Raises:
        ConfigurationError: the setting ``RESOURCE_SERVER`` or ``RESOURCE_SERVER_PROBES`` is not acceptable, or a view
            takes DPoP proofs and nobody knows the URL that these are for.
    """

    sync_capable = True
    async_capable = True
    default: ClassVar[Requirement] = ANY_TOKEN
    """What is demanded of every request, besides what its view does: for a subclass to say."""

    def __init__(self, get_response: Callable[[HttpRequest], Answer]) -> None:
        """Make the server that fits: one that blocks, or one for the event loop."""
        self.get_response = get_response
        self._in_loop = is_async(get_response)
        self.process_view: Callable[..., Any] = self._judge_in_loop if self._in_loop else self._judge
        self._server = server_in_loop() if self._in_loop else blocking_server()
        self._probes = asked_probes()
        if self._in_loop:
            markcoroutinefunction(cast("Any", self))
        audit(self._server)

    def __call__(self, request: HttpRequest) -> Answer:
        """Answer a request: about the server, or as the application does."""
        cast("Any", request).principal = None
        call = call_of(request)
        call.server, call.surrounded = self._server, True
        if self._in_loop:
            return self._answer_in_loop(request)
        return self._tell_of_itself(request) or self._finish(
            request, cast("HttpResponseBase", self.get_response(request))
        )

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        """Answer what a view itself refuses."""
        if isinstance(exception, BearerTokenError | VerificationUnavailable):
            return refuse(request, exception, (self.default,))
        return None

    async def _answer_in_loop(self, request: HttpRequest) -> HttpResponseBase:
        known = self._tell_of_itself(request)
        return known or self._finish(request, await cast("Awaitable[HttpResponseBase]", self.get_response(request)))

    def _judge(self, request: HttpRequest, view: Any, _args: object, _named: Mapping[str, object]) -> Any:  # noqa: ANN401 - what Django's middleware passes on
        demands = self._demands(request, view)
        return judge(request, demands) if demands else None

    async def _judge_in_loop(
        self,
        request: HttpRequest,
        view: Any,  # noqa: ANN401 - a view is anything that can be called
        _args: object,
        _named: Mapping[str, object],
    ) -> HttpResponse | None:
        demands = self._demands(request, view)
        return await judge_in_loop(request, demands) if demands else None

    def _demands(self, request: HttpRequest, view: Any) -> Demanded:  # noqa: ANN401 - as above
        """Return what is demanded; nothing of a view that is public."""
        said = demands_of(view, request.method)
        if not said and is_public(view):
            return ()
        return said if said and self.default is ANY_TOKEN else (self.default, *said)

    def _tell_of_itself(self, request: HttpRequest) -> HttpResponse | None:
        method = request.method or ""
        reply = tell_of_itself(self._server, self._probes, method, request.path, request.path_info)
        if reply is None:
            return None
        status, headers, body = reply
        return respond(status, headers, b"" if method == "HEAD" else body)

    def _finish(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        code = refusal_in(response)
        if code is not None:
            response = refuse(request, code.error, code.demands)
        return add_fields(request, response)
