"""Flask: ``install(app, server)`` once, ``@require("scope")`` on a view, and ``principal`` wherever it is asked for.

A request is judged before the first ``before_request`` function, for everything that its view and its blueprints
demand together: before its body is read, and once. What could not be seen in advance is judged where it stands.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from functools import wraps
from inspect import iscoroutinefunction
from itertools import accumulate
from typing import Any, ClassVar, TypeVar, Unpack, cast, overload
from wsgiref.types import WSGIEnvironment

from flask import Flask, Request, Response, after_this_request, current_app, has_request_context, request
from werkzeug.datastructures import Headers
from werkzeug.exceptions import NotFound
from werkzeug.local import LocalProxy
from werkzeug.routing import Rule

from resource_server._hosts import Demanded, added_fields, hides, is_preflight, refuse_proofs_for_nowhere, render
from resource_server._validation.forks import fork_safe_lock
from resource_server._wsgi import PRINCIPAL, authenticate, expect_blocking, header_fields, reply_of_itself
from resource_server.blocking import BlockingResourceServer
from resource_server.errors import BearerTokenError, ConfigurationError, InsufficientScope, VerificationUnavailable
from resource_server.health import Probes
from resource_server.principal import Principal
from resource_server.requirements import Demands, Requirement, Scopes

__all__ = ["install", "principal", "require", "unprotected_routes"]

_EXTENSION = "resource_server"
_CALL = "resource_server.flask"
_DEMANDS = "_resource_server_demands"
"""Of a view: what its own ``require`` say."""
_OUTSIDE = "_resource_server_outside"
"""Of a function: what is said where ``require`` stands above the decorator that has registered it."""
_View = TypeVar("_View", bound=Callable[..., Any])


def _principal() -> Principal:
    found: Principal | None = request.environ.get(PRINCIPAL) if has_request_context() else None
    if found is None:
        raise RuntimeError("there is a principal only while a request is served whose view says require(...)")
    return found


principal = cast("Principal", LocalProxy(_principal))
"""Who is calling: the :class:`~resource_server.Principal` of the request that is being served.

Outside of one, and where nothing is demanded, its use is a ``RuntimeError``, and ``bool(principal)`` is false.
"""


def require(*scopes: str | Scopes, **demands: Unpack[Demands]) -> _Require:
    """Demand a token, and of it these scopes.

    It decorates a view, and is a ``before_request`` function of a blueprint or of the application. Demands at several
    places add up, and a refusal names all of them.

    Args:
        scopes: scope tokens, all of which are needed, or requirements made with ``all_of`` and ``any_of``.
        demands: what else is demanded: ``audience``, ``assurance``, ``dpop``, ``mtls``, ``acr_values``, ``max_age``
            (seconds), ``details``, ``unavailable_status`` (401 or 503), ``hide``, ``ajax_forbidden``; each means what
            it means in :class:`~resource_server.Requirement`.

    Raises:
        ConfigurationError: a scope is not a scope token, or another argument has no such value.
    """
    return _Require(Requirement.of(*scopes, **demands))


def install(
    app: Flask,
    server: BlockingResourceServer,
    *,
    hide: bool = False,
    ajax_forbidden: bool = False,
    probes: bool | Probes = False,
) -> None:
    """Let an application judge access tokens wherever it says ``require``.

    Where the server has a ``resource``, its metadata are served too (RFC 9728). Handlers that the application has for
    our errors, or for 404, stay in force. At the first request the observer is told which routes are public.

    Args:
        app: the application; it has served no request yet.
        server: the resource server; it stays yours to close.
        hide: answer 404 in place of 403 on every route.
        ajax_forbidden: answer 403 in place of 401 to ``X-Requested-With: XMLHttpRequest`` on every route.
        probes: answer ``/healthz`` and ``/readyz`` too, without a token, or the paths of ``health.Probes``.

    Raises:
        ConfigurationError: the application has one already, or the server is not a blocking one.
    """
    expect_blocking(server)
    if _EXTENSION in app.extensions:
        raise ConfigurationError("install(app, server) comes once per application")
    base = Requirement(hide=hide, ajax_forbidden=ajax_forbidden)
    guard = app.extensions[_EXTENSION] = _Guard(app, server, base, Probes.of(probes))
    app.before_request_funcs.setdefault(None, []).insert(0, guard.begin)  # the others may read the body
    handlers: dict[Any, Any] = app.error_handler_spec[None][None]
    for kind in (BearerTokenError, VerificationUnavailable):
        handlers.setdefault(kind, guard.render)


def unprotected_routes(app: Flask) -> list[str]:
    """List the routes that let everybody in, for a test of your own.

    Args:
        app: the application.

    Returns:
        Each as ``GET /path``. The answers to OPTIONS and HEAD that Flask makes itself are not among them.
    """
    return [route for route, demands in _routes(app) if not demands]


class _Require:
    """What :func:`require` returns: a decorator for views, and a ``before_request`` function."""

    hides_anything: ClassVar[bool] = False
    """Whether any route of this process hides: only then need one 404 be told from no other."""

    def __init__(self, requirement: Requirement) -> None:
        self.requirement = requirement
        _Require.hides_anything |= requirement.hide

    @overload
    def __call__(self, /) -> Response | None: ...

    @overload
    def __call__(self, view: _View, /) -> _View: ...

    def __call__(self, view: _View | None = None, /) -> _View | Response | None:
        """Decorate a view; without one, judge the request that is being served."""
        return _judge(self.requirement) if view is None else self._decorate(view)

    def _decorate(self, view: _View) -> _View:
        requirement, is_async = self.requirement, iscoroutinefunction(view)

        @wraps(view)
        def judged(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - whatever the view returns
            response = _judge(requirement)
            if response is not None:
                return response
            return current_app.ensure_sync(view)(*args, **kwargs) if is_async else view(*args, **kwargs)

        vars(judged).pop(_OUTSIDE, None)
        setattr(judged, _DEMANDS, (*getattr(view, _DEMANDS, ()), self.requirement))
        with suppress(AttributeError):  # a bound method takes none
            # Where the view was registered before it came here, it must not be public.
            setattr(view, _OUTSIDE, (*getattr(view, _OUTSIDE, ()), self.requirement))
        return cast("_View", judged)


def _judge(requirement: Requirement) -> Response | None:
    """Judge the request that is being served, unless it was judged for this; return what answers a preflight."""
    environ, rule = _served()
    call: _Call | None = environ.get(_CALL)
    if call is not None and call.has_judged(requirement):
        return None
    guard: _Guard | None = current_app.extensions.get(_EXTENSION)
    if guard is None:
        raise ConfigurationError("a view says require(...), and its application has no install(app, server)")
    if call is None or call.guard is not guard:
        call = environ[_CALL] = _Call(guard)
    if _is_preflight(environ):
        return None if rule is None else current_app.make_default_options_response()
    call.judge(environ, Demanded(call.requirement & requirement, (requirement,)))
    return None


class _Guard:
    """What an application knows of its server, and of what its views demand."""

    def __init__(self, app: Flask, server: BlockingResourceServer, base: Requirement, probes: Probes | None) -> None:
        self.app = app
        self.server = server
        self.base = base
        self._probes = probes
        self._known: dict[tuple[str | None, str], tuple[object, Demanded]] = {}
        self._is_told = False
        self._telling = fork_safe_lock()

    def begin(self) -> Response | None:
        """Answer who asks about the server, and judge a request for which anything is demanded."""
        if not self._is_told:
            self._tell()
        environ, rule = _served()
        reply = reply_of_itself(self.server, self._probes, environ)
        if reply is not None:
            return _response(*reply)
        call = environ[_CALL] = _Call(self)
        if self.base.hide or _Require.hides_anything or self.server.adds_fields:
            after_this_request(call.finish)
        demands = self._demands(None, "") if rule is None else self._demands(rule.endpoint, environ["REQUEST_METHOD"])
        if not demands.parts:
            return None
        if not _is_preflight(environ):
            call.judge(environ, demands)
        elif rule is not None and hasattr(self.app.view_functions[rule.endpoint], _OUTSIDE):
            return self.app.make_default_options_response()  # in place of a view that nothing stands before
        return None

    def render(self, error: BearerTokenError | VerificationUnavailable) -> Any:  # noqa: ANN401 - what Flask takes
        """Answer a refusal, also one that a view has raised itself."""
        call: _Call | None = request.environ.get(_CALL)
        requirement = self.base if call is None else call.requirement
        if hides(error, requirement):
            return self.app.handle_http_exception(NotFound())
        return _response(*render(self.server, header_fields(request.environ), error, requirement))

    def _demands(self, endpoint: str | None, method: str) -> Demanded:
        view = self.app.view_functions.get(endpoint or "")
        known = self._known.get((endpoint, method))
        if known is None or known[0] is not view:
            known = (view, Demanded.of(self.base, _demands(self.app, endpoint, method)))
            self._known[endpoint, method] = known
        return known[1]

    def _tell(self) -> None:
        """Look at all routes, once they are there: Flask says nothing when it starts."""
        with self._telling:
            if self._is_told:
                return
            found = _routes(self.app)
            refuse_proofs_for_nowhere(self.server, found)
            self.server.tell_unprotected(route for route, demands in found if not demands)
            self._is_told = True


class _Call:
    """One request: judged once, for everything that is known to be demanded, and again for what is not."""

    __slots__ = ("_judged", "_principal", "guard", "requirement")

    def __init__(self, guard: _Guard) -> None:
        self.guard = guard
        self.requirement = guard.base
        self._principal: Principal | None = None
        self._judged: tuple[Requirement, ...] = ()

    def has_judged(self, demand: Requirement) -> bool:
        """Tell whether it was judged for exactly this demand, and not for one of another application that is alike."""
        for known in self._judged:  # noqa: SIM110 - this is run for every request, and any() costs as much again
            if known is demand:
                return True
        return False

    def judge(self, environ: WSGIEnvironment, demands: Demanded) -> None:
        """Judge it for all of these, among which is what it was judged for before."""
        self.requirement, self._principal = demands.whole, None
        try:
            self._principal = authenticate(self.guard.server, environ, self.requirement)
        except InsufficientScope:
            if self.requirement.hide:
                raise NotFound from None
            raise
        self._judged += demands.parts

    def finish(self, response: Response) -> Response:
        """Add to the response what the server has to say in it."""
        names = {name.lower().encode("latin-1") for name, _ in response.headers}
        for name, value in added_fields(self.guard.server, self._principal, response.status_code, names):
            response.headers.add(name.decode("ascii"), value.decode("ascii"))
        return response


def _served() -> tuple[WSGIEnvironment, Rule | None]:
    """Return what is known of the request that is being served, with one look through the proxy: each of them costs."""
    served: Request = cast("Any", request)._get_current_object()  # noqa: SLF001 - the documented way
    return served.environ, served.url_rule


def _is_preflight(environ: WSGIEnvironment) -> bool:
    return environ["REQUEST_METHOD"] == "OPTIONS" and is_preflight("OPTIONS", header_fields(environ))


def _demands(app: Flask, endpoint: str | None, method: str) -> Iterator[Requirement]:
    """Find what is demanded of requests for an endpoint: of the application, of its blueprints and of its view."""
    for name in (None, *_blueprints(endpoint or "")):
        for function in app.before_request_funcs.get(name, ()):
            if isinstance(function, _Require):
                yield function.requirement
    view = app.view_functions.get(endpoint or "")
    yield from _demands_of(view)
    methods = getattr(view, "view_class", None)
    names = (method.lower(), "get") if method in ("HEAD", "OPTIONS") else (method.lower(),)
    yield from _demands_of(next((found for name in names if (found := getattr(methods, name, None))), None))


def _demands_of(view: object) -> tuple[Requirement, ...]:
    return (*getattr(view, _DEMANDS, ()), *getattr(view, _OUTSIDE, ()))


def _blueprints(endpoint: str) -> Iterator[str]:
    """Name the blueprints of an endpoint, outermost first."""
    *names, _ = endpoint.split(".")
    return accumulate(names, "{}.{}".format)


def _routes(app: Flask) -> list[tuple[str, tuple[Requirement, ...]]]:
    return [
        (f"{method} {rule.rule}", tuple(_demands(app, rule.endpoint, method)))
        for rule in app.url_map.iter_rules()
        for method in sorted(rule.methods or ())
        if not (method == "HEAD" or (method == "OPTIONS" and getattr(rule, "provide_automatic_options", False)))
    ]


def _response(status: int, headers: Iterable[tuple[bytes, bytes]], body: bytes) -> Response:
    """Make a response whose bytes are ready, without what Flask would put there besides."""
    response = Response(status=int(status))
    response.headers = Headers([(name.decode("latin-1"), value.decode("latin-1")) for name, value in headers])
    response.response = [body]
    return response
