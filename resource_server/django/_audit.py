"""Which routes of a project let everybody in."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.urls import URLPattern, get_resolver
from django.utils.module_loading import import_string

from resource_server._facade import Facade
from resource_server._hosts import refuse_proofs_for_nowhere
from resource_server.django._demands import demands_of, is_public, methods_of

MIDDLEWARE = "resource_server.django.BearerTokenMiddleware"


def unprotected_routes(urlconf: str | None = None) -> list[str]:
    """Return the routes that let everybody in: the public ones, or without the middleware those that demand nothing.

    Args:
        urlconf: the module that lists the routes; by default the project's.

    Returns:
        Each as ``GET /path``, or the path alone where every method is meant; a path as the URLconf writes it.
    """
    return [route for path, callback in routes(urlconf) for route in _open_routes(path, callback)]


def routes(urlconf: str | None = None) -> Iterator[tuple[str, Any]]:
    """Return every route, and what it leads to."""
    yield from _walk("/", get_resolver(urlconf).url_patterns)


def audit(server: Facade) -> None:
    """Tell the observer which routes let everybody in.

    Raises:
        ConfigurationError: a route takes DPoP proofs, and nobody knows the URL that these are for.
    """
    demanded = [(path, demands_of(callback, method)) for path, callback in routes() for method in methods_of(callback)]
    refuse_proofs_for_nowhere(server, demanded)
    server.tell_unprotected(unprotected_routes())


def has_middleware() -> bool:
    """Tell whether everything that is not public is judged."""
    return middleware_position() is not None


def middleware_position() -> int | None:
    """Return where in ``MIDDLEWARE`` ours stands, or what was derived from it."""
    ours = import_string(MIDDLEWARE)
    for position, path in enumerate(settings.MIDDLEWARE):
        entry = import_string(path)
        if isinstance(entry, type) and issubclass(entry, ours):
            return position
    return None


def _walk(prefix: str, patterns: Any) -> Iterator[tuple[str, Any]]:  # noqa: ANN401 - patterns and resolvers
    for entry in patterns:
        path = prefix + str(entry.pattern)
        if isinstance(entry, URLPattern):
            yield path, entry.callback
        else:
            yield from _walk(path, entry.url_patterns)


def _open_routes(path: str, callback: Any) -> list[str]:  # noqa: ANN401 - a view is anything that can be called
    if has_middleware() and not is_public(callback):
        return []
    methods = methods_of(callback)
    opened = [method for method in methods if not demands_of(callback, method)]
    return [path] if opened == methods else [f"{method} {path}" for method in opened]
