"""Django by each of its two ways in, with REST framework, and with Authlib's ``ResourceProtector``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from django.http import HttpRequest, JsonResponse
from django.urls import path as url

from resource_server.django import principal_of, public, require
from tests.parity.doors.asgi_call import ASGIDoor
from tests.parity.doors.wsgi_call import WSGIDoor
from tests.parity.world import METHODS, PUBLIC, ROUTES, World, said_of
from tests.support.django_project import Project, configure, projects

_REST_FRAMEWORK = {"EXCEPTION_HANDLER": "resource_server.drf.exception_handler", "UNAUTHENTICATED_USER": None}


@public
def _everybody(_request: HttpRequest) -> JsonResponse:
    return JsonResponse("public", safe=False)


def _protected(request: HttpRequest) -> JsonResponse:
    return JsonResponse(said_of(principal_of(request)))


async def _protected_async(request: HttpRequest) -> JsonResponse:
    return JsonResponse(said_of(principal_of(request)))


def _pattern(path: str, view: Callable[..., Any]) -> Any:
    return url(path.removeprefix("/"), view)


def _project(world: World, door: str, server: Any, views: dict[str, Any], **settings: Any) -> Project:
    opened = world.stack.enter_context(projects(door))
    patterns = [_pattern(path, view) for path, view in {PUBLIC: _everybody, **views}.items()]
    return opened(*patterns, server=server, **settings)


def open_wsgi(world: World, **options: Any) -> WSGIDoor:
    """Make a project for threads, with the middleware."""
    views = {path: require(*route.scopes, **route.demands)(_protected) for path, route in ROUTES.items()}
    project = _project(world, "wsgi", world.blocking(**options), views)
    return WSGIDoor(cast("Any", project.wsgi))


def open_asgi(world: World, **options: Any) -> ASGIDoor:
    """Make a project for coroutines, with the middleware."""
    views = {path: require(*route.scopes, **route.demands)(_protected_async) for path, route in ROUTES.items()}
    project = _project(world, "asgi", world.server(**options), views)
    return ASGIDoor(cast("Any", project.asgi))


def open_drf(world: World, **options: Any) -> WSGIDoor:
    """Make a project with REST framework, behind the middleware."""
    return WSGIDoor(cast("Any", _project(world, "wsgi", world.blocking(**options), _drf_views()).wsgi))


def open_drf_alone(world: World, **options: Any) -> WSGIDoor:
    """Make a project with REST framework, and without the middleware."""
    settings = {"middleware": [], "REST_FRAMEWORK": _REST_FRAMEWORK}
    return WSGIDoor(cast("Any", _project(world, "wsgi", world.blocking(**options), _drf_views(), **settings).wsgi))


def _drf_views() -> dict[str, Any]:
    configure()
    from rest_framework.response import Response  # noqa: PLC0415 - when Django is configured
    from rest_framework.views import APIView  # noqa: PLC0415 - when Django is configured

    from resource_server import drf  # noqa: PLC0415 - when Django is configured

    def answer(_self: Any, request: Any) -> Response:
        return Response(said_of(request.auth))

    handlers = {method.lower(): answer for method in METHODS}
    facts = {**handlers, "http_method_names": list(handlers), "authentication_classes": [drf.BearerTokenAuthentication]}
    views: dict[str, type[APIView]] = {
        path: type("View", (APIView,), {**facts, "permission_classes": [drf.require(*route.scopes, **route.demands)]})
        for path, route in ROUTES.items()
    }
    return {path: view.as_view() for path, view in views.items()}


def open_authlib(world: World, **options: Any) -> WSGIDoor:
    """Make a project with Authlib."""
    configure()
    from authlib.integrations.django_oauth2 import ResourceProtector  # noqa: PLC0415 - as above

    from resource_server.authlib import install  # noqa: PLC0415 - as above

    require_oauth, server = ResourceProtector(), world.blocking(**options)
    install(require_oauth, server)

    def protected(request: Any) -> JsonResponse:
        return JsonResponse(said_of(request.oauth_token.principal))

    views = {path: require_oauth(" ".join(route.scopes), **route.demands)(protected) for path, route in ROUTES.items()}
    return WSGIDoor(cast("Any", _project(world, "wsgi", server, views, middleware=[]).wsgi))
