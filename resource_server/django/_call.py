"""One request: judged once by what its view demands, and again only where more comes to light.

Django runs middleware and views in threads or in an event loop: each verb that waits is there twice, and the rest once.
"""

from __future__ import annotations

from functools import reduce
from http import HTTPStatus
from operator import and_
from typing import Any, cast

from django.core.handlers.asgi import ASGIRequest
from django.core.handlers.wsgi import WSGIRequest
from django.http import HttpRequest, HttpResponse
from django.http.request import RawPostDataException
from django.http.response import HttpResponseBase
from django.urls import Resolver404

from resource_server import _asgi, _wsgi
from resource_server._hosts import (
    MAX_FORM_BYTES,
    added_fields,
    form_length,
    header,
    hides,
    may_hold_token,
    render,
)
from resource_server._protocol.bearer import TokenMethods
from resource_server._protocol.messages import RequestParts
from resource_server.django._servers import (
    AnyServer,
    authenticate,
    authenticate_in_loop,
    blocking_server,
    server_in_loop,
)
from resource_server.errors import BearerTokenError, ConfigurationError, VerificationUnavailable
from resource_server.principal import Principal
from resource_server.requirements import ANY_TOKEN, Requirement

Refused = BearerTokenError | VerificationUnavailable
Demanded = tuple[Requirement, ...]
_KEY = "_resource_server_call"


class RefusalCode(str):
    """The code of a refusal in what REST framework answers, by which the middleware knows it."""

    __slots__ = ("demands", "error")
    error: Refused
    demands: Demanded


class Call:
    """What is known of one request."""

    __slots__ = ("_parts", "judged", "principal", "server", "surrounded")

    def __init__(self) -> None:
        """Know nothing yet."""
        self._parts: RequestParts | None = None
        self.judged: Demanded = ()
        """What was demanded of the request, and found."""
        self.principal: Principal | None = None
        self.server: AnyServer | None = None
        """What judges it: the same, whoever asks."""
        self.surrounded = False
        """Whether the middleware is there, and adds to the response what is to be added."""

    def covers(self, demands: Demanded) -> bool:
        """Tell whether all of this was found already."""
        return self.principal is not None and all(demand is ANY_TOKEN or demand in self.judged for demand in demands)

    def whole(self, demands: Demanded) -> Requirement:
        """Return everything that is demanded together, for a challenge names all of it."""
        return reduce(and_, (*self.judged, *demands) or (ANY_TOKEN,))

    def parts(self, request: HttpRequest, methods: TokenMethods) -> RequestParts:
        """Return what is judged. A proof is good once, and may have been used for this very request."""
        if self._parts is None:
            self._parts = read_parts(request, methods)
        return self._parts._replace(proven=True) if self.judged else self._parts

    def let_in(self, request: HttpRequest, principal: Principal, demands: Demanded) -> None:
        """Note who is calling.

        Another site can have a browser send its user's cookies, and no ``Authorization`` field: what has one needs no
        other sign that its sender means it.
        """
        self.judged += demands
        self.principal = principal
        told = cast("Any", request)
        told.principal = principal
        # A browser adds one by itself where it knows a password: then the token was somewhere else.
        if request.META.get("HTTP_AUTHORIZATION", "").lstrip().lower().startswith(("bearer ", "dpop ")):
            told.csrf_processing_done = True


def call_of(request: HttpRequest) -> Call:
    """Return what is known of a request."""
    known: Call | None = vars(request).get(_KEY)
    if known is None:
        known = vars(request)[_KEY] = Call()
    return known


def principal_of(request: object) -> Principal:
    """Return who is calling: the same as ``request.principal``, with its type.

    Args:
        request: Django's, or REST framework's.

    Raises:
        ConfigurationError: nobody was let in: the view is public, and demands nothing.
    """
    call: Call | None = getattr(getattr(request, "_request", request), _KEY, None)
    if call is None or call.principal is None:
        raise ConfigurationError("there is no principal: the view is public, or demands nothing")
    return call.principal


def admit(request: HttpRequest, demands: Demanded) -> Principal:
    """Judge a request, in a thread.

    Args:
        request: Django's.
        demands: what is demanded of it.

    Raises:
        BearerTokenError: it is refused.
        VerificationUnavailable: its token cannot be verified, and that is configured to be a 503.
    """
    call = call_of(request)
    if call.principal is None or not call.covers(demands):
        server = call.server = call.server or blocking_server()
        principal = authenticate(server, call.parts(request, server.token_methods), call.whole(demands))
        call.let_in(request, principal, demands)
        return principal
    return call.principal


def judge(request: HttpRequest, demands: Demanded) -> HttpResponse | None:
    """Judge a request, and return the refusal where it is refused.

    A browser's question before a request of another origin is no exception here: what answers such questions is a
    middleware, which has done so before any view is found. A view that is run for one may not look at the method.

    Raises:
        Http404: it is refused, and nobody is to know.
    """
    try:
        admit(request, demands)
    except (BearerTokenError, VerificationUnavailable) as error:
        return refuse(request, error, demands)
    return None


async def judge_in_loop(request: HttpRequest, demands: Demanded) -> HttpResponse | None:
    """Do the same in an event loop."""
    call = call_of(request)
    server = call.server = call.server or server_in_loop()
    parts = call.parts(request, server.token_methods)
    try:
        principal = await authenticate_in_loop(server, parts, call.whole(demands))
    except (BearerTokenError, VerificationUnavailable) as error:
        return refuse(request, error, demands)
    call.let_in(request, principal, demands)
    return None


def refuse(request: HttpRequest, error: Refused, demands: Demanded) -> HttpResponse:
    """Make the response for a refusal.

    Raises:
        Http404: nobody is to know; it is what an unknown path raises.
    """
    call = call_of(request)
    requirement = call.whole(demands)
    if hides(error, requirement):
        tried = getattr(request.resolver_match, "tried", None)
        raise Resolver404({"path": request.path_info[1:], "tried": tried or [[]]})
    rendered = render(call.server or blocking_server(), request_parts(request).headers, error, requirement)
    body = b"" if request.method == "HEAD" else rendered.body
    return respond(rendered.status, rendered.headers, body)


def refusal_in(response: HttpResponseBase) -> RefusalCode | None:
    """Return the refusal that REST framework has made a response of in its own way."""
    data = getattr(response, "data", None)
    code = getattr(data.get("detail"), "code", None) if isinstance(data, dict) else None
    return code if isinstance(code, RefusalCode) else None


def respond(status: int, headers: tuple[tuple[bytes, bytes], ...], body: bytes) -> HttpResponse:
    """Make a response whose bytes are ready."""
    fields = {name.decode("ascii"): value.decode("ascii") for name, value in headers}
    response = HttpResponse(body, status=status, headers=fields)
    if "content-type" not in fields:
        del response.headers["Content-Type"]
    return response


def add_fields(request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
    """Add to a response what the server that has judged its request has to say in it, and return it."""
    call = call_of(request)
    server = call.server or blocking_server()
    if response.status_code != HTTPStatus.NOT_FOUND and not server.adds_fields:
        return response
    names = [name.lower().encode("ascii") for name in response.headers]
    for raw_name, raw_value in added_fields(server, call.principal, response.status_code, names):
        name, value = raw_name.decode("ascii"), raw_value.decode("ascii")
        said = response.headers.get(name)
        response.headers[name] = value if said is None else f"{said}, {value}"
    return response


def request_parts(request: HttpRequest) -> RequestParts:
    """Collect what of a request decides about it; the body is not among it."""
    if isinstance(request, ASGIRequest):
        return _asgi.request_parts(cast("_asgi.Scope", request.scope))
    if isinstance(request, WSGIRequest):
        return _wsgi.request_parts(request.environ)
    raise ConfigurationError(f"a request comes through WSGI or ASGI, or has nothing to judge (got {type(request)})")


def read_parts(request: HttpRequest, methods: TokenMethods) -> RequestParts:
    """Collect what is judged: no body, but a short form where a token may be in it, kept for the view."""
    parts = request_parts(request)
    return parts._replace(form=_read_form(request, parts)) if methods.form and may_hold_token(parts) else parts


def _read_form(request: HttpRequest, parts: RequestParts) -> bytes | None:
    """Read a form, or nothing of one that is long, or does not say so; somebody may have read it already."""
    if form_length(header(parts.headers, b"content-length")) is None:
        return None
    try:
        body = request.body
    except RawPostDataException:
        return None
    return body if len(body) <= MAX_FORM_BYTES and body.isascii() else None
