"""What a view demands: said with decorators, and read by who judges before the view runs.

What is demanded is inherited, and adds up. That a view is public is not inherited, and is true of that view only.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache, partial, update_wrapper, wraps
from typing import Any, TypeVar, Unpack, cast

from asgiref.sync import markcoroutinefunction
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import URLPattern, URLResolver
from django.views.generic import View

from resource_server.django._call import Demanded, add_fields, call_of, judge, judge_in_loop
from resource_server.django._servers import is_async
from resource_server.errors import ConfigurationError
from resource_server.requirements import Demands, Requirement, Scopes

V = TypeVar("V")
DEMANDS = "resource_server_demands"
PUBLIC = "resource_server_public"
_REMEMBERED = 1024


def require(*scopes: str | Scopes, **demands: Unpack[Demands]) -> Callable[[V], V]:
    """Demand a token of a view's requests, and of it these scopes; who is calling is ``request.principal``.

    It decorates a function, async or not, a class-based view, or with ``method_decorator`` a method of one. What is
    demanded at several places adds up. Without the middleware such a view is judged all the same, and no other is.

    Args:
        scopes: scope tokens, all of which are needed, or requirements made with ``all_of`` and ``any_of``.
        demands: what else the view demands: ``audience``, ``assurance``, ``dpop``, ``mtls``, ``acr_values``,
            ``max_age`` (seconds), ``details``, ``unavailable_status`` (401 or 503), ``hide``, ``ajax_forbidden``; each
            means what it means in :class:`~resource_server.Requirement`.

    Raises:
        ConfigurationError: a scope is not a scope token, or another argument has no such value.
    """
    requirement = Requirement.of(*scopes, **demands)

    def decorate(view: V) -> V:
        if is_marked_public(view):
            raise ConfigurationError("a view is public, or it says require(...), and not both")
        if isinstance(view, type) and issubclass(view, View):
            cast("Any", view).dispatch = _dispatch(view, requirement)
            return cast("V", view)
        return cast("V", _protected(cast("Any", view), requirement))

    return decorate


def public(target: V) -> V:
    """Let everybody in, with a token or without.

    Args:
        target: a view, a class-based view, what ``include`` returns, or a list of URL patterns. In the latter two,
            views that say ``require`` go on demanding it.

    Returns:
        The same, for the URLconf. A function or a pattern is a new one: used elsewhere, it is not public there.

    Raises:
        ConfigurationError: the view says ``require``.
    """
    if isinstance(target, tuple):
        return cast("V", (_public_patterns(target[0]), *target[1:]))
    if isinstance(target, list):
        return cast("V", _public_patterns(cast("Any", target)))
    if demands_of(cast("Any", target), None):
        raise ConfigurationError("a view is public, or it says require(...), and not both")
    if isinstance(target, type):
        setattr(target, PUBLIC, target)
        return cast("V", target)
    return cast("V", _public_view(cast("Any", target)))


def is_public(callback: Any) -> bool:  # noqa: ANN401 - a view is anything that can be called
    """Tell whether a routed view was made public, itself or as the class that it is of."""
    return is_marked_public(callback) or is_marked_public(view_class(callback))


def is_marked_public(view: object) -> bool:
    """Tell whether somebody said so of this view, and not of a class that it inherits from."""
    mark = getattr(view, PUBLIC, None)
    return mark is True or (mark is not None and mark is view)


def view_class(callback: Any) -> Any:  # noqa: ANN401 - as above
    """Return the class of a routed view, where it has one: Django's or REST framework's."""
    return getattr(callback, "view_class", None) or getattr(callback, "cls", None)


@lru_cache(_REMEMBERED)
def demands_of(callback: Any, method: str | None) -> Demanded:  # noqa: ANN401 - as above
    """Say what a routed view demands of requests with a method, as far as it can be known before it runs.

    Args:
        callback: what a request was routed to, or a class-based view.
        method: the request's; ``None`` leaves out what is said of single methods.
    """
    cls = callback if isinstance(callback, type) else view_class(callback)
    found = list(_said(callback))
    if cls is not None:
        found += _said(getattr(cls, "dispatch", None))
        found += _said(_handler(callback, cls, method))
        found += _permissions(callback, cls)
    return tuple(dict.fromkeys(found))


def _said(view: object) -> Demanded:
    said: Demanded = getattr(view, DEMANDS, ())
    return said


def _handler(callback: object, cls: type, method: str | None) -> object:
    """Return the method of a class that answers requests with a method."""
    if method is None or method.lower() not in getattr(cls, "http_method_names", ()):
        return None
    actions: dict[str, str] = getattr(callback, "actions", None) or {}
    names = [method.lower()] + (["get"] if method == "HEAD" else [])
    return next((found for name in names if (found := getattr(cls, actions.get(name, name), None)) is not None), None)


def _permissions(callback: object, cls: Any) -> Iterator[Requirement]:  # noqa: ANN401 - REST framework need not be there
    """Read what a view of REST framework demands of everybody; what it decides later it asks for itself."""
    rest = sys.modules.get("rest_framework.views")
    if rest is None or getattr(cls, "get_permissions", None) is not rest.APIView.get_permissions:
        return
    replaced: dict[str, Any] = getattr(callback, "initkwargs", {})
    for permission in replaced.get("permission_classes", cls.permission_classes):
        yield from _said(permission)


def _note(wrapper: Any, requirement: Requirement) -> None:  # noqa: ANN401 - as above
    setattr(wrapper, DEMANDS, (*_said(wrapper), requirement))


def _protected(view: Callable[..., Any], requirement: Requirement) -> Callable[..., Any]:
    # Of what method_decorator has bound, the instance knows.
    bound = getattr(getattr(view, "func", None), "__self__", None)
    awaits = is_async(view) or getattr(bound, "view_is_async", False)

    @wraps(view)
    def wrapper(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - as the view's
        return _enter(request, requirement, partial(view, request, *args, **kwargs), in_loop=awaits)

    _note(wrapper, requirement)
    cast("Any", wrapper).csrf_exempt = True  # no cookie lets anybody in
    return markcoroutinefunction(wrapper) if is_async(view) else wrapper


def _dispatch(cls: type[View], requirement: Requirement) -> Callable[..., Any]:
    inner = cast("Any", cls).dispatch

    def dispatch(self: View, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - as the view's
        return _enter(request, requirement, partial(inner, self, request, *args, **kwargs), in_loop=self.view_is_async)

    update_wrapper(dispatch, inner)
    _note(dispatch, requirement)
    cast("Any", dispatch).csrf_exempt = True
    return dispatch


def _enter(request: HttpRequest, requirement: Requirement, view: Callable[[], Any], *, in_loop: bool) -> Any:  # noqa: ANN401 - as the view's
    """Run a view for who is let in. Most requests were judged before, and nothing is left to ask."""
    request = getattr(request, "_request", request)  # in a view of REST framework's it is one around Django's
    demands = (requirement,)
    if call_of(request).covers(demands):
        return view()
    if in_loop:
        return _enter_in_loop(request, demands, view)
    refusal = judge(request, demands)
    return _finish(request, view()) if refusal is None else refusal


async def _enter_in_loop(request: HttpRequest, demands: Demanded, view: Callable[[], Any]) -> Any:  # noqa: ANN401 - as the view's
    refusal = await judge_in_loop(request, demands)
    return _finish(request, await view()) if refusal is None else refusal


def _finish(request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
    return response if call_of(request).surrounded else add_fields(request, response)


def _public_view(view: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(view)
    def wrapper(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - as the view's
        return view(*args, **kwargs)

    setattr(wrapper, PUBLIC, True)
    return markcoroutinefunction(wrapper) if is_async(view) else wrapper


def _public_patterns(urlconf: Any) -> list[URLPattern | URLResolver]:  # noqa: ANN401 - a module or a list
    patterns: Sequence[URLPattern | URLResolver] = getattr(urlconf, "urlpatterns", urlconf)
    return [_public_pattern(pattern) for pattern in patterns]


def _public_pattern(entry: URLPattern | URLResolver) -> URLPattern | URLResolver:
    if isinstance(entry, URLResolver):
        inner = cast("Any", _public_patterns(entry.url_patterns))
        return URLResolver(entry.pattern, inner, entry.default_kwargs, entry.app_name, entry.namespace)
    view = entry.callback if has_demands(entry.callback) else _public_view(entry.callback)
    return URLPattern(entry.pattern, view, entry.default_args, entry.name)


def has_demands(callback: Any) -> bool:  # noqa: ANN401 - as above
    """Tell whether a routed view demands anything, of whatever method."""
    return any(demands_of(callback, method) for method in methods_of(callback))


def methods_of(callback: Any) -> list[str | None]:  # noqa: ANN401 - as above
    """Return the methods that a routed view tells apart: ``None`` alone where it is for all of them."""
    cls, actions = view_class(callback), getattr(callback, "actions", None)
    offered: Sequence[str] = getattr(cls, "http_method_names", ())
    names = list(actions) if actions else [name for name in offered if hasattr(cls, name)]
    found: list[str | None] = [name.upper() for name in names if name not in ("options", "head")]
    return found or [None]
