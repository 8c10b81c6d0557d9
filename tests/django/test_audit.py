"""A project tells which of its routes let everybody in: when it starts, to its tests, and to `manage.py check`."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.checks import CheckMessage, run_checks
from django.http import HttpRequest, HttpResponse
from django.urls import include, path
from django.utils.decorators import method_decorator
from django.views.generic import View
from rest_framework.routers import SimpleRouter
from rest_framework.viewsets import ViewSet

from resource_server import ConfigurationError, Event
from resource_server.django import public, require, unprotected_routes
from resource_server.drf import require as permit
from resource_server.events import UnprotectedRoutes
from tests.support.django_project import CSRF, MIDDLEWARE, Open, urlconf
from tests.support.django_views import PATTERNS
from tests.support.fastapi_app import ISSUER
from tests.support.proofs import BASE

OPEN = ["/public", "/public-async", "/health"]


def view(request: HttpRequest) -> HttpResponse:
    """Do nothing in particular."""
    return HttpResponse()


class Mixed(View):
    """Demands something of one method."""

    def get(self, request: HttpRequest) -> HttpResponse:
        """Answer."""
        return view(request)

    @method_decorator(require("write"))
    def post(self, request: HttpRequest) -> HttpResponse:
        """Answer."""
        return view(request)


class Orders(ViewSet):
    """Demands something by permission classes."""

    permission_classes = (permit("read"),)

    def list(self, request: Any) -> Any:
        """Answer."""


class Bare(ViewSet):
    """Demands nothing."""

    permission_classes = ()

    def list(self, request: Any) -> Any:
        """Answer."""


def test_told_at_the_start(open_project: Open, options: dict[str, Any]) -> None:
    """The observer is told once, when the middleware is loaded."""
    events: list[Event] = []
    project = open_project(*PATTERNS, server=options | {"observer": events.append})
    project.call("GET", "/health")
    told = [event for event in events if isinstance(event, UnprotectedRoutes)]
    assert told == [UnprotectedRoutes(tuple(OPEN), ISSUER)]


def test_with_the_middleware(open_wsgi: Open, options: dict[str, Any]) -> None:
    """With the middleware the public routes let everybody in, and no others."""
    inner = [path("open", view), path("shut", require("read")(view))]
    open_wsgi(
        *PATTERNS, path("in/<int:n>/", public(include((inner, "in")))), path("mixed", Mixed.as_view()), server=options
    )
    assert unprotected_routes() == [*OPEN, "/in/<int:n>/open"]


def test_without_the_middleware(open_wsgi: Open, options: dict[str, Any]) -> None:
    """Without it those do that demand nothing, by method where they differ."""
    router = SimpleRouter(trailing_slash=False)
    router.register("orders", Orders, "orders")
    router.register("bare", Bare, "bare")
    routes = (path("open", view), path("shut", require("read")(view)), path("mixed", Mixed.as_view()), *router.urls)
    open_wsgi(*routes, server=options, middleware=[])
    found = unprotected_routes()
    assert found[:2] == ["/open", "GET /mixed"]
    assert [route for route in found[2:] if "orders" in route] == []
    assert len([route for route in found[2:] if "bare" in route]) == 1


def test_other_urlconf(open_wsgi: Open, options: dict[str, Any]) -> None:
    """Another URLconf than the project's can be looked at."""
    open_wsgi(server=options, middleware=[])
    other: Any = urlconf(path("other", view))
    assert unprotected_routes(other) == ["/other"]


@pytest.mark.parametrize("mode", ["required", "optional"])
def test_proofs_for_nowhere(mode: Any, open_project: Open, options: dict[str, Any]) -> None:
    """A project whose views take proofs does not start without the URL that these are for."""
    routes = (path("proof", require(dpop=mode)(view)),)
    with pytest.raises(ConfigurationError, match="route '/proof' takes DPoP proofs"):
        open_project(*routes, server=options)
    open_project(*routes, server=options | {"external_url": BASE})


def checked() -> list[CheckMessage]:
    """Run the checks, and return what ours say."""
    return [message for message in run_checks(tags=["security"]) if (message.id or "").startswith("resource_server.")]


def test_checks(open_wsgi: Open, options: dict[str, Any]) -> None:
    """A project in order is told its public routes, as a matter of information."""
    open_wsgi(*PATTERNS, server=options)
    [message] = checked()
    assert (message.id, message.level) == ("resource_server.I001", 20)
    assert message.msg.endswith(", ".join(OPEN))
    open_wsgi(path("shut", require("read")(view)), server=options)
    assert checked() == []


def test_checks_of_options(open_wsgi: Open, options: dict[str, Any]) -> None:
    """A bad option is an error that names it."""
    open_wsgi(server=options | {"timeout": -1}, middleware=[])
    [message] = checked()
    assert (message.id, message.level) == ("resource_server.E001", 40)
    assert "timeout" in message.msg


@pytest.mark.attack("A-F-1")
def test_checks_of_the_order(open_wsgi: Open, options: dict[str, Any]) -> None:
    """A middleware that reads bodies before tokens are judged is warned of."""
    open_wsgi(server=options, middleware=["tests.support.django_views.nothing", CSRF, MIDDLEWARE])
    [message] = checked()
    assert (message.id, message.level) == ("resource_server.W001", 30)
    open_wsgi(server=options, middleware=[MIDDLEWARE, CSRF])
    assert checked() == []
    open_wsgi(server=options, middleware=[CSRF])
    assert checked() == []
