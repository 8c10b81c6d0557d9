"""FastAPI: ``install(app, server)`` once, ``require("scope")`` wherever a route needs a token.

FastAPI reads and parses a request's body before it runs a dependency, so a dependency alone would let a caller without
a token upload a file, or probe for validation errors. ``install`` puts a middleware next to the router that judges the
credentials once: before a route begins, at the first read of the body, or when a dependency asks, whichever is first.
"""

from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, ClassVar, Unpack, cast

from fastapi import FastAPI, HTTPException, Request, Security, WebSocket
from fastapi.openapi.models import HTTPBearer as HTTPBearerModel
from fastapi.routing import APIRoute
from fastapi.security.base import SecurityBase
from starlette.middleware import Middleware
from starlette.requests import HTTPConnection
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from resource_server._asgi import (
    can_answer,
    effective_routes,
    expect_async,
    read_form,
    reply_of_itself,
    request_parts,
    send_reply,
    with_fields,
)
from resource_server._hosts import Demanded, hides, may_hold_token, refuse_proofs_for_nowhere, render
from resource_server._protocol.messages import RequestParts
from resource_server._protocol.openapi import (
    BEARER_SCHEME,
    SCHEME_NAMES,
    describe_flows,
    describe_security,
    spell_alternatives,
)
from resource_server._protocol.problem import ErrorResponse
from resource_server.asgi import unprotected_routes as unprotected_by_path
from resource_server.errors import BearerTokenError, ConfigurationError, InsufficientScope, VerificationUnavailable
from resource_server.health import Probes
from resource_server.principal import Principal
from resource_server.requirements import Demands, Requirement, Scopes
from resource_server.server import ResourceServer

__all__ = ["install", "require", "unprotected_routes"]

_KEY = "resource_server.call"
_Refused = BearerTokenError | VerificationUnavailable


def require(*scopes: str | Scopes, **demands: Unpack[Demands]) -> Any:  # noqa: ANN401 - a default value of any type
    """Demand a token, and of it these scopes; the dependency's value is the :class:`~resource_server.Principal`.

    It works as ``Annotated[Principal, require(...)]``, as a default value, and in the ``dependencies`` of a route, a
    router or the application; demands at several places add up, and a refusal names all of them.

    Args:
        scopes: scope tokens, all of which are needed, or requirements made with ``all_of`` and ``any_of``.
        demands: what else the route demands: ``audience``, ``assurance``, ``dpop``, ``mtls``, ``acr_values``,
            ``max_age`` (seconds), ``details``, ``unavailable_status`` (401 or 503), ``hide``, ``ajax_forbidden``; each
            means what it means in :class:`~resource_server.Requirement`.

    Raises:
        ConfigurationError: a scope is not a scope token, or another argument has no such value.
    """
    requirement = Requirement.of(*scopes, **demands)
    return Security(_Bearer(requirement), scopes=spell_alternatives(requirement.scopes))


def install(
    app: FastAPI,
    server: ResourceServer,
    *,
    hide: bool = False,
    ajax_forbidden: bool = False,
    probes: bool | Probes = False,
) -> None:
    """Let an application judge access tokens wherever it says ``require``.

    Mounted sub-applications are served too, without an ``install`` of their own. Middleware added to the application,
    such as CORS, surrounds the judgement and so sees the refusals. Where the server has a ``resource``, its metadata
    are served too (RFC 9728).

    Args:
        app: the application; not yet started.
        server: the resource server; started and closed with the application's lifespan where one runs.
        hide: answer 404 in place of 403 on every route.
        ajax_forbidden: answer 403 in place of 401 to ``X-Requested-With: XMLHttpRequest`` on every route.
        probes: answer ``/healthz`` and ``/readyz`` too, without a token, or the paths of ``health.Probes``.

    Raises:
        ConfigurationError: the application has one already, or has begun to serve; or the server is a blocking one.
    """
    expect_async(server)
    if app.middleware_stack is not None or any(cast("object", entry.cls) is _Guard for entry in app.user_middleware):
        raise ConfigurationError("install(app, server) comes once per application, before its first request")
    # The last entry is the innermost: next to the router, where the matched route is known at the first read.
    base = Requirement(hide=hide, ajax_forbidden=ajax_forbidden)
    guard = Middleware(_Guard, server=server, base=base, routes=app.routes, probes=Probes.of(probes))
    app.user_middleware.append(guard)
    app.exception_handlers = _HANDLERS | app.exception_handlers
    original_lifespan, original_openapi = app.router.lifespan_context, app.openapi

    @asynccontextmanager
    async def lifespan(app: Any) -> AsyncGenerator[Any, None]:  # noqa: ANN401 - of whatever state the application has
        own = [route for route in app.routes if not isinstance(route, Mount)]
        refuse_proofs_for_nowhere(server, ((route.path, _demands(route.dependant)) for route in _api_routes(own)))
        server.tell_unprotected(unprotected_routes(app))
        async with server, original_lifespan(app) as state:
            yield state

    def openapi() -> dict[str, Any]:
        schema = original_openapi()
        describe_security(schema, server.settings.dpop)
        if server.metadata is not None:  # *Authorize* in the docs needs the authorization server's flows
            describe_flows(schema, BEARER_SCHEME, server.metadata)
        return schema

    app.router.lifespan_context = lifespan
    app.openapi = openapi  # type: ignore[method-assign]


def unprotected_routes(app: FastAPI) -> list[str]:
    """List the routes that everybody is let in to, as they say no ``require``: for a test, and told once at the start.

    Args:
        app: the application.

    Returns:
        Each as ``GET /path``, or as the path alone for a WebSocket; ``/prefix/*`` for a mounted application of another
        kind, unless it stands behind :class:`resource_server.asgi.BearerTokenMiddleware`.
    """
    return list(dict.fromkeys(_unprotected(app, "")))


def _unprotected(app: FastAPI, prefix: str) -> Iterator[str]:
    behind: Any = getattr(app.router, "_iter_low_priority_routes", tuple)  # files, served where no route is
    for route in effective_routes([*app.routes, *behind()]):
        path = prefix + (getattr(route, "path", None) or "/*")
        dependant = getattr(route, "dependant", None)
        if isinstance(route, Mount) and isinstance(route.app, FastAPI):
            yield from _unprotected(route.app, path)
        elif isinstance(route, Mount):
            lines = [line.rpartition(" ") for line in unprotected_by_path(route.app)]
            yield from (f"{method}{space}{path}{below}" for method, space, below in lines)
        elif dependant is None or not any(_demands(dependant)):
            methods = set(getattr(route, "methods", None) or ())
            yield from (f"{method} {path}" for method in sorted(methods - {"HEAD"} or methods)) if methods else (path,)


class _Bearer(SecurityBase):
    """The dependency: one callable that is security scheme, token and scope judgement at once."""

    hides_anything: ClassVar[bool] = False
    """Whether any route of this process hides: only then need one 404 be told from no other."""

    def __init__(self, requirement: Requirement) -> None:
        self.requirement = requirement
        _Bearer.hides_anything |= requirement.hide
        self.model = HTTPBearerModel(description="An OAuth 2.0 access token.")
        self.scheme_name = SCHEME_NAMES[requirement.dpop]

    async def __call__(self, connection: HTTPConnection) -> Principal:
        call: _Call | None = connection.scope.get(_KEY)
        if call is None:
            raise ConfigurationError("a route says require(...), and its application has no install(app, server)")
        # A middleware of a mounted application may have copied the scope: then only the copy knows the route.
        call.scope = connection.scope
        return await call.principal(self.requirement)


class _BodyRefused(HTTPException):
    """Carries a refusal out of the reading of a body: FastAPI lets no other kind of exception through there."""

    def __init__(self, error: _Refused) -> None:
        # No status, so that an application's handler for, say, every 401 is not taken for one of this.
        super().__init__(0, detail="")
        self.error = error


class _Guard:
    """The middleware: gives each request a :class:`_Call`, and knows what each route requires."""

    def __init__(
        self,
        app: ASGIApp,
        server: ResourceServer,
        base: Requirement,
        routes: Sequence[BaseRoute],
        probes: Probes | None,
    ) -> None:
        self.app = app
        self._probes = probes
        self.server = server
        self.base = base
        self._known: dict[int, tuple[object, Demanded]] = {}
        for route in _api_routes(routes):
            _judge_at_entry(route)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        outer: _Call | None = scope.get(_KEY)
        if outer is not None:
            outer.public = True  # this mounted application has an install of its own, and judges for itself
        reply = reply_of_itself(self.server, self._probes, scope)
        if reply is not None:
            await send_reply(reply, scope, send)
            return
        call = scope[_KEY] = _Call(self, scope, receive, send)
        adds_fields = self.base.hide or _Bearer.hides_anything or self.server.adds_fields
        try:
            await self.app(scope, call.receive, call.send if adds_fields else send)
        finally:
            # Scope and call know each other: left so, each request would wait for the garbage collector.
            scope[_KEY] = outer

    def demands(self, scope: Scope) -> Demanded:
        """Return what the matched route requires: no parts where it is public, or not known yet."""
        dependant = _dependant(scope)
        if dependant is None:
            return Demanded(self.base, ())
        known = self._known.get(id(dependant))
        if known is None:
            # The dependant is kept beside what is known of it: as long as it lives, no other has its id.
            known = self._known[id(dependant)] = (dependant, Demanded.of(self.base, _demands(dependant)))
        return known[1]


def _dependant(scope: Scope) -> Any:  # noqa: ANN401 - FastAPI's own, not public
    """Find the matched route's tree of dependencies; an included router's own are kept beside the route."""
    route = scope.get("route")
    included = scope.get("fastapi")
    if included:
        context = included.get("effective_route_context")
        if getattr(context, "original_route", None) is route:
            route = context
    return getattr(route, "dependant", None)


def _demands(dependant: Any) -> Iterator[Requirement]:  # noqa: ANN401 - FastAPI's own, not public
    if isinstance(dependant.call, _Bearer):
        yield dependant.call.requirement
    for inner in dependant.dependencies:
        yield from _demands(inner)


def _api_routes(routes: Sequence[BaseRoute]) -> Iterator[APIRoute]:
    # A mounted application of another framework may mean something else by its routes.
    for route in routes if isinstance(routes, list) else ():
        if isinstance(route, APIRoute):
            yield route
        yield from _api_routes(getattr(getattr(route, "original_router", route), "routes", ()))


def _judge_at_entry(route: APIRoute) -> None:
    """Judge requests to a route before FastAPI begins its work on them: a refusal then costs a third.

    Nothing rests on this: a route that is added later is judged where :class:`_Call` says, with the same outcome.
    """
    if "handle" in vars(route):
        return
    handle_unjudged = route.handle

    async def handle(scope: Scope, receive: Receive, send: Send) -> None:
        call: _Call | None = scope.get(_KEY)
        # A route that is included twice can be public in one place.
        if call is not None and scope["method"] in (route.methods or ()) and call.guard.demands(scope).parts:
            call.scope = scope
            await call.principal()
        await handle_unjudged(scope, receive, send)

    route.handle = handle  # type: ignore[method-assign]


class _Call:
    """One request: judged once, at the first read of its body or by the first dependency that asks."""

    __slots__ = (
        "_judged",
        "_parts",
        "_principal",
        "_receive",
        "_replay",
        "_send",
        "guard",
        "public",
        "requirement",
        "scope",
    )

    def __init__(self, guard: _Guard, scope: Scope, receive: Receive, send: Send) -> None:
        self.guard = guard
        self.scope = scope
        self.public = False
        self.requirement = guard.base
        self._receive = receive
        self._send = send
        self._parts: RequestParts | None = None
        self._principal: Principal | None = None
        self._judged: tuple[Requirement, ...] = ()
        self._replay: list[Message] = []

    async def principal(self, demand: Requirement | None = None) -> Principal:
        """Judge the request, or return the judgement; `demand` is what the dependency that asks requires.

        It is one of the route's, unless FastAPI did not show it in advance, as where one dependency overrides another.
        """
        if self._principal is not None and (demand is None or demand in self._judged):
            return self._principal
        requirement, judged = self.guard.demands(self.scope)
        if demand is not None and demand not in judged:
            requirement, judged = requirement & demand, (*judged, demand)
        self.requirement, self._principal = requirement, None
        handlers = self.scope["starlette.exception_handlers"][0]
        if _BodyRefused not in handlers:  # a mounted application without an install of its own: teach it
            handlers.update(_HANDLERS | handlers)
        try:
            if self._parts is None:
                self._parts = await self._read_parts()
            else:  # a proof is good once, and may have been used for this very request
                self._parts = self._parts._replace(proven=bool(self._judged))
            self._principal = await self.guard.server.authenticate(self._parts, requirement)
        except InsufficientScope:
            if requirement.hide and can_answer(self.scope):
                raise HTTPException(404) from None
            raise
        self._judged = judged
        return self._principal

    async def receive(self) -> Message:
        """Pass on a part of the body, once the credentials are judged."""
        if self._principal is None and not self.public and self.scope["type"] == "http":
            await self._judge_before_body()
        if self._replay:
            return self._replay.pop(0)
        return await self._receive()

    async def _judge_before_body(self) -> None:
        if self.guard.demands(self.scope).parts:
            try:
                await self.principal()
            except (BearerTokenError, VerificationUnavailable) as error:
                raise _BodyRefused(error) from None
        else:
            self.public = "route" in self.scope  # or not known yet: an outer reader comes before the router

    async def send(self, message: Message) -> None:
        """Pass on a part of the response, with what the server has to say in it."""
        await self._send(with_fields(message, self.guard.server, self._principal))

    async def _read_parts(self) -> RequestParts:
        """Collect what is judged: no body, but a short form where a token may be in it, kept for the application."""
        parts = request_parts(self.scope)
        if not (self.guard.server.token_methods.form and may_hold_token(parts)):
            return parts
        return parts._replace(form=await read_form(self._receive, self._replay))


async def _render(connection: Request | WebSocket, error: Exception) -> Response | None:
    """Answer a refusal, of a request or of a WebSocket handshake."""
    refusal, call = cast("_Refused", error), cast("_Call", connection.scope[_KEY])
    answerable = can_answer(connection.scope)
    if hides(refusal, call.requirement) and answerable:
        raise HTTPException(404) from None  # raised by the endpoint itself; the application answers it as any other 404
    rendered = render(call.guard.server, connection.scope["headers"], refusal, call.requirement)
    if isinstance(connection, WebSocket):
        denied = _RenderedResponse(rendered, head=False)
        # Where the server can send no response, closing is a bare 403 on the wire.
        await (connection.send_denial_response(denied) if answerable else connection.close())
        return None
    return _RenderedResponse(rendered, head=connection.method == "HEAD")


async def _unwrap(_: Request, error: Exception) -> Response:
    """Go on with the refusal itself: an application may have a handler of its own for it."""
    raise cast("_BodyRefused", error).error from None


_HANDLERS: dict[Any, Any] = {BearerTokenError: _render, VerificationUnavailable: _render, _BodyRefused: _unwrap}


class _RenderedResponse(Response):
    """A response whose bytes are ready."""

    def __init__(self, rendered: ErrorResponse, *, head: bool) -> None:
        self.status_code = rendered.status
        self.raw_headers = list(rendered.headers)
        self.body = b"" if head else rendered.body
        self.background = None
