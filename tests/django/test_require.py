"""`require` judges by itself where the middleware is not there, and `public` is no contradiction to it."""

from __future__ import annotations

from typing import Any, cast

import pytest
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.test import RequestFactory
from django.urls import path
from django.utils.decorators import method_decorator
from django.views.generic import View

from resource_server import Clock, ConfigurationError
from resource_server.django import principal_of, public, require
from resource_server.django._call import request_parts
from tests.support.django_project import CSRF, MIDDLEWARE, Open
from tests.support.django_views import PATTERNS, PROTECTED, ran
from tests.support.fastapi_app import NOBODY, READER, ScriptedAS, active
from tests.support.jwt import NOW, thumbprint
from tests.support.promises import PRESENTED, assert_refused
from tests.support.proofs import BASE, client_key, proof

DECORATED = sorted(PROTECTED.keys() - {"/plain", "/derived-health"})
FORM = "application/x-www-form-urlencoded"


@pytest.fixture(autouse=True)
def nothing_ran() -> None:
    """Begin with no view that has run."""
    ran.clear()


@pytest.mark.parametrize("target", DECORATED)
def test_alone(target: str, open_project: Open, options: dict[str, Any]) -> None:
    """A view that says what it demands is judged without the middleware too."""
    project = open_project(*PATTERNS, server=options, middleware=[])
    refused = project.call("GET", target)
    assert (refused.status, ran) == (401, [])
    assert_refused(project.call("POST", target, token="unknown-canary"), 401, "invalid_token")
    if target not in {"/hidden", "/derived"}:
        assert project.call("GET", target, token=READER).json()["subject"] == "alice"
    assert project.call("GET", "/hidden", token=READER).status == 404


@pytest.mark.attack("A-F-1")
def test_alone_before_csrf(open_wsgi: Open, options: dict[str, Any]) -> None:
    """Nobody reads the body of such a request before it is judged, and nobody asks for a CSRF token after."""
    project = open_wsgi(*PATTERNS, server=options, middleware=[CSRF])
    refused = project.call("POST", "/things", body=b"n=4", content_type=FORM)
    assert_refused(refused, 401, scope="read")
    assert refused.reads == 0
    assert project.call("POST", "/things", token=READER, body=b"n=4", content_type=FORM).status == 200


@pytest.mark.attack("A-F-13")
def test_added_up(open_project: Open, options: dict[str, Any], authorization_server: ScriptedAS) -> None:
    """Decorators that nothing told of in advance are judged when they are met, with what was found before."""
    late = unmarked(require("read")(require("write")(answer)))
    project = open_project(path("late", late), server=options)
    assert_refused(project.call("GET", "/late"), 401)
    assert_refused(project.call("GET", "/late", token=NOBODY), 403, "insufficient_scope", scope="read")
    assert_refused(project.call("GET", "/late", token=READER), 403, "insufficient_scope", scope="read write")
    assert authorization_server.introspections == 2


def unmarked(view: Any) -> Any:
    """Decorate a view so that nobody sees what it demands."""

    def wrapper(request: HttpRequest) -> Any:
        return view(request)

    return wrapper


def answer(request: HttpRequest) -> HttpResponse:
    """Answer who is calling."""
    return JsonResponse({"subject": principal_of(request).subject})


def test_method_decorators_of_methods(open_project: Open, options: dict[str, Any]) -> None:
    """A method of a class can be the only part of it that demands anything."""

    class Mixed(View):
        def get(self, _request: HttpRequest) -> HttpResponse:
            return HttpResponse("open")

        @method_decorator(require("write"))
        def post(self, request: HttpRequest) -> HttpResponse:
            return answer(request)

    project = open_project(path("mixed", Mixed.as_view()), server=options, middleware=[])
    assert project.call("GET", "/mixed").body == b"open"
    assert_refused(project.call("POST", "/mixed", token=READER), 403, "insufficient_scope", scope="write")


@pytest.mark.parametrize("middleware", [[MIDDLEWARE], []], ids=["with", "without"])
@pytest.mark.rfc("9449-9-a")
def test_proofs(
    middleware: list[str], open_project: Open, options: dict[str, Any], authorization_server: ScriptedAS
) -> None:
    """A proof is asked for once per request, however often that is judged, and the nonce for the next one is told."""
    authorization_server.tokens["bound-canary"] = active("read write", cnf={"jkt": thumbprint(client_key())})
    more = {"dpop": "required", "dpop_nonce": True, "external_url": BASE, "clock": Clock(lambda: NOW)}

    views = (require("read")(answer), require("read")(unmarked(require("write")(answer))))
    project = open_project(
        *(path(f"things{n}", view) for n, view in enumerate(views)), server=options | more, middleware=middleware
    )
    for target in ("/things0", "/things1"):
        nonce = project.call("GET", target, headers=fields(target)).header("dpop-nonce")
        accepted = project.call("GET", target, headers=fields(target, nonce=nonce))
        assert accepted.status == 200
        assert accepted.header("dpop-nonce")
        assert accepted.header("cache-control") == "no-store"
        assert "DPoP-Nonce" in (accepted.header("access-control-expose-headers") or "")


def fields(target: str, **claims: Any) -> dict[str, str]:
    """Write the fields that a token and its proof come in."""
    PRESENTED.add("bound-canary")
    return {
        "authorization": "DPoP bound-canary",
        "dpop": proof(client_key(), uri=f"{BASE}{target}", token="bound-canary", **claims),
    }


def test_contradictions() -> None:
    """A view cannot be public and demand something, in whatever order that is said."""
    for first, second in ((public, require("read")), (require("read"), public)):
        for view in (answer, View):
            target: Any = type("Derived", (View,), {}) if view is View else view
            with pytest.raises(ConfigurationError, match="public"):
                second(first(target))


def test_bad_demands() -> None:
    """A demand that makes no sense is refused where it is said."""
    for wrong in ({"max_age": -1}, {"dpop": "yes"}):
        with pytest.raises(ConfigurationError, match=next(iter(wrong))):
            require(**wrong)  # pyright: ignore[reportArgumentType] - the point


def test_read_already(open_wsgi: Open, options: dict[str, Any]) -> None:
    """Where a body was read before, no token is found in it, and nothing breaks."""
    middleware = [f"{__name__}.reader", MIDDLEWARE]
    project = open_wsgi(*PATTERNS, server=options | {"form_token": True}, middleware=middleware)
    refused = project.call("POST", "/things", body=f"access_token={READER}".encode(), content_type=FORM)
    assert_refused(refused, 401, scope="read")


def reader(get_response: Any) -> Any:
    """Read bodies as a stream."""

    def middleware(request: HttpRequest) -> HttpResponse:
        request.read(1)
        response: HttpResponse = get_response(request)
        return response

    return middleware


def test_principal_of(open_project: Open, options: dict[str, Any]) -> None:
    """A view that everybody may enter has no principal to ask for."""

    def curious(request: HttpRequest) -> HttpResponse:
        principals = [cast("Any", request).principal]
        with pytest.raises(ConfigurationError, match="no principal"):
            principal_of(request)
        return JsonResponse(principals, safe=False)

    project = open_project(path("curious", public(curious)), server=options)
    assert project.call("GET", "/curious", token=READER).json() == [None]
    with pytest.raises(ConfigurationError, match="no principal"):
        principal_of(HttpRequest())


def test_odd_requests() -> None:
    """A request that came through neither door has nothing to judge."""
    assert request_parts(RequestFactory().get("/things?n=4"))[:1] == ("GET",)
    with pytest.raises(ConfigurationError, match="WSGI or ASGI"):
        request_parts(HttpRequest())
