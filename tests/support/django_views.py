"""Views of every kind that Django has, and what each demands."""

from __future__ import annotations

from typing import Any

from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.urls import path
from django.utils.decorators import method_decorator
from django.views.generic import View

from resource_server import InsufficientScope
from resource_server.django import principal_of, public, require

ran: list[str] = []
"""The views that have run, in order."""


def plain(request: HttpRequest) -> JsonResponse:
    """Answer who is calling, and demand nothing in particular."""
    ran.append("plain")
    return JsonResponse({"subject": principal_of(request).subject, "scopes": sorted(principal_of(request).scopes)})


@require("read")
def things(request: HttpRequest) -> JsonResponse:
    """Demand a scope."""
    return plain(request)


@require("read")
async def things_async(request: HttpRequest) -> JsonResponse:
    """Demand a scope, in an event loop."""
    return plain(request)


@public
def everybody(request: HttpRequest) -> HttpResponse:
    """Let everybody in."""
    ran.append("public")
    return JsonResponse(request.POST.dict() | request.GET.dict())


@public
async def everybody_async(request: HttpRequest) -> HttpResponse:
    """Let everybody in, in an event loop."""
    return everybody(request)


@require("admin", hide=True)
def hidden(request: HttpRequest) -> JsonResponse:
    """Exist for administrators only."""
    return plain(request)


@require("read")
class Things(View):
    """Demand one scope of everybody, and another one of who writes."""

    def get(self, request: HttpRequest) -> HttpResponse:
        """Answer who is calling."""
        return plain(request)

    @method_decorator(require("write"))
    def post(self, request: HttpRequest) -> HttpResponse:
        """Demand more."""
        return plain(request)


class Derived(Things):
    """Inherits what is demanded, and demands more."""


require("admin")(Derived)


@require("read")
class ThingsAsync(View):
    """The same, in an event loop."""

    async def get(self, request: HttpRequest) -> HttpResponse:
        """Answer who is calling."""
        return plain(request)


@method_decorator(require("read"), name="dispatch")
class Decorated(View):
    """Demands a scope in the way of Django's own decorators."""

    def get(self, request: HttpRequest) -> HttpResponse:
        """Answer who is calling."""
        return plain(request)


@public
class Health(View):
    """Lets everybody in."""

    def get(self, request: HttpRequest) -> HttpResponse:  # noqa: ARG002 - Django's signature
        """Be well."""
        ran.append("health")
        return HttpResponse("ok")


class DerivedHealth(Health):
    """Says nothing of its own, and is not public."""


@require()
def missing(request: HttpRequest) -> HttpResponse:
    """Not find what is asked for."""
    raise Http404


def picky(request: HttpRequest) -> HttpResponse:
    """Refuse by itself."""
    raise InsufficientScope(scope=("special",))


PATTERNS = (
    path("plain", plain),
    path("things", things),
    path("things-async", things_async),
    path("public", everybody),
    path("public-async", everybody_async),
    path("hidden", hidden),
    path("class", Things.as_view()),
    path("derived", Derived.as_view()),
    path("class-async", ThingsAsync.as_view()),
    path("decorated", Decorated.as_view()),
    path("health", Health.as_view()),
    path("derived-health", DerivedHealth.as_view()),
    path("missing", missing),
    path("picky", picky),
)
PROTECTED = {
    "/plain": "",
    "/things": "read",
    "/things-async": "read",
    "/class": "read",
    "/derived": "read admin",
    "/class-async": "read",
    "/decorated": "read",
    "/derived-health": "",
    "/hidden": "admin",
}


def nothing(get_response: Any) -> Any:
    """Be a middleware that does nothing."""
    return get_response
