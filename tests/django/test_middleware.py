"""The middleware lets nobody in without a token, unless a view is public, whatever the door."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
from django.http import HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse
from django.urls import include, path

from resource_server import BlockingResourceServer, InsufficientScope, Requirement
from resource_server.django import BearerTokenMiddleware, principal_of, public, require
from tests.support.django_project import MIDDLEWARE, Open
from tests.support.django_views import PATTERNS, PROTECTED, ran, things
from tests.support.fastapi_app import ADMIN, NOBODY, READER, WRITER, ScriptedAS
from tests.support.instance import without_instance
from tests.support.promises import PRESENTED, assert_promises, assert_refused, assert_unavailable


@pytest.fixture(autouse=True)
def nothing_ran() -> None:
    """Begin with no view that has run."""
    ran.clear()


@pytest.mark.parametrize("target", PROTECTED)
def test_without_token(target: str, open_project: Open, options: dict[str, Any]) -> None:
    """Without a token every view that is not public is a 401 that names what it needs, and does not run."""
    project = open_project(*PATTERNS, server=options)
    for method in ("GET", "HEAD", "OPTIONS", "PUT", "DELETE", "TRACE", "ODD"):
        answer = project.call(method, target)
        assert_refused(answer, 401, scope=PROTECTED[target])
        assert (answer.body == b"") == (method == "HEAD")
    assert ran == []


@pytest.mark.attack("A-R-10")
@pytest.mark.parametrize("target", sorted(PROTECTED.keys() - {"/derived-health"}))
def test_with_token(target: str, open_project: Open, options: dict[str, Any]) -> None:
    """A token that grants what the view demands lets its bearer in, and the view knows who that is."""
    project = open_project(*PATTERNS, server=options)
    answer = project.call("GET", target, token=ADMIN)
    assert (answer.status, answer.json()["subject"]) == (200, "alice")
    assert_promises(answer)
    assert_refused(project.call("GET", target, token="unknown-canary"), 401, "invalid_token")
    assert ran == ["plain"]


def test_scopes_of_methods(open_project: Open, options: dict[str, Any]) -> None:
    """What a method of a class demands adds to what the class does, and HEAD is what GET is."""
    project = open_project(*PATTERNS, server=options)
    assert_refused(project.call("POST", "/class"), 401, scope="read write")
    assert_refused(project.call("POST", "/class", token=READER), 403, "insufficient_scope", scope="read write")
    assert project.call("POST", "/class", token=WRITER).status == 200
    assert_refused(project.call("GET", "/derived", token=READER), 403, "insufficient_scope", scope="read admin")
    assert_refused(project.call("HEAD", "/class", token=NOBODY), 403, "insufficient_scope", scope="read")
    assert project.call("HEAD", "/class", token=READER).status == 200


def test_public_views(open_project: Open, options: dict[str, Any], authorization_server: ScriptedAS) -> None:
    """A public view is run for everybody, and no token is looked at."""
    project = open_project(*PATTERNS, server=options)
    for target in ("/public", "/public-async", "/health"):
        for token in (None, "unknown-canary"):
            assert project.call("GET", target, token=token).status == 200
    assert authorization_server.introspections == 0


def test_unknown_path(open_project: Open, options: dict[str, Any]) -> None:
    """A path without a view is Django's 404, for everybody, as in Django's own middleware that denies by default."""
    project = open_project(*PATTERNS, server=options)
    assert [project.call("GET", "/nowhere", token=token).status for token in (None, READER)] == [404, 404]


@pytest.mark.attack("A-F-6")
@pytest.mark.parametrize(
    "target", ["//things", "/things/", "/./things", "/things;a=b", "/THINGS", "/x/../things", "/things%2F", "/thing%73"]
)
def test_odd_paths(target: str, open_project: Open, options: dict[str, Any]) -> None:
    """However a path is spelled, it leads to a view that is judged, or to none."""
    project = open_project(*PATTERNS, server=options)
    assert project.call("GET", target).status in {401, 404}
    assert ran == []


def test_hidden_view(open_project: Open, options: dict[str, Any]) -> None:
    """A hidden view is the same 404 as a path that does not exist, and no cache keeps either."""
    project = open_project(*PATTERNS, server=options)
    answers = [project.call("GET", target, token=READER) for target in ("/hidden", "/nowhere")]
    assert answers[0] == answers[1]
    assert (answers[0].status, answers[0].header("cache-control")) == (404, "no-store")
    assert project.call("GET", "/missing", token=READER).header("cache-control") == "no-store"


def test_hidden_view_in_a_template(open_project: Open, options: dict[str, Any]) -> None:
    """A project's own page for what is not there is told the same of both."""
    loader = ("django.template.loaders.locmem.Loader", {"404.html": "{{ exception }}"})
    templates = {"BACKEND": "django.template.backends.django.DjangoTemplates", "OPTIONS": {"loaders": [loader]}}
    project = open_project(*PATTERNS, server=options, TEMPLATES=[templates])
    answers = [project.call("GET", target, token=READER) for target in ("/hidden", "/nowhere")]
    assert (answers[0], answers[0].body) == (answers[1], b"Resolver404")


def test_hidden_view_in_debug(open_project: Open, options: dict[str, Any]) -> None:
    """While somebody debugs it is a 404 as well."""
    project = open_project(*PATTERNS, server=options, DEBUG=True)
    assert project.call("GET", "/hidden", token=READER).status == 404


@pytest.mark.parametrize("accept", ["", "application/json", "text/html"])
def test_refusals_are_as_everywhere(
    accept: str, open_project: Open, options: dict[str, Any], authorization_server: ScriptedAS
) -> None:
    """Status, fields and body of a refusal are what the server renders, byte for byte, and nothing is added."""
    project = open_project(*PATTERNS, server=options)
    expected = BlockingResourceServer(**options).render(
        InsufficientScope(scope=("read",)), accept=accept.encode("ascii")
    )
    answer = project.call("GET", "/things", token=NOBODY, headers={"accept": accept})
    assert (answer.status, answer.unnamed().body) == (expected.status, without_instance(expected.body))
    fields = {name.lower(): value for name, value in answer.headers}
    assert fields == {name.decode(): value.decode() for name, value in expected.headers}


def test_refusal_of_a_view(open_project: Open, options: dict[str, Any]) -> None:
    """What a view itself refuses is answered like any other refusal."""
    project = open_project(*PATTERNS, server=options)
    assert_refused(project.call("GET", "/picky", token=READER), 403, "insufficient_scope", scope="special")


def test_error_of_a_view(open_project: Open, options: dict[str, Any]) -> None:
    """What else a view raises is none of ours."""

    def broken(request: HttpRequest) -> HttpResponse:
        raise LookupError

    project = open_project(path("things", broken), server=options)
    answer = project.call("GET", "/things", token=READER)
    assert (answer.status, answer.header("www-authenticate")) == (500, None)


PREFLIGHT = {"origin": "https://app.example", "access-control-request-method": "GET"}


def cors(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Answer preflights, and let the application's own origin read every response."""

    def middleware(request: HttpRequest) -> HttpResponse:
        response = HttpResponse() if "Access-Control-Request-Method" in request.headers else get_response(request)
        response["Access-Control-Allow-Origin"] = "https://app.example"
        return response

    return middleware


@pytest.mark.attack("A-F-8", "A-R-10")
@pytest.mark.parametrize("outermost", [True, False])
def test_preflight(*, outermost: bool, open_project: Open, options: dict[str, Any]) -> None:
    """The middleware for preflights answers them wherever it stands, and refusals are readable to their origin."""
    order = [f"{__name__}.cors", MIDDLEWARE]
    project = open_project(*PATTERNS, server=options, middleware=order if outermost else reversed(order))
    assert project.call("OPTIONS", "/things", headers=PREFLIGHT).status == 200
    refused = project.call("GET", "/things", headers={"origin": "https://app.example"})
    assert_refused(refused, 401, scope="read")
    assert refused.header("access-control-allow-origin") == "https://app.example"


@pytest.mark.attack("A-F-8", "A-R-10")
def test_forged_preflight(open_project: Open, options: dict[str, Any]) -> None:
    """What only looks like a preflight reaches no view: most views answer every method alike."""
    project = open_project(*PATTERNS, server=options)
    for target in ("/things", "/plain", "/class"):
        assert_refused(project.call("OPTIONS", target, headers=PREFLIGHT), 401, scope=PROTECTED[target])
    assert ran == []


def test_subclass_demands_more(open_project: Open, options: dict[str, Any]) -> None:
    """A subclass of the middleware can demand something of every request."""
    project = open_project(*PATTERNS, server=options, middleware=[f"{__name__}.Strict"])
    assert_refused(project.call("GET", "/plain", token=READER), 403, "insufficient_scope", scope="write")
    ajax = project.call("GET", "/plain", headers={"x-requested-with": "XMLHttpRequest"})
    assert_refused(ajax, 403, scope="write", forbidden=True)
    assert_refused(project.call("GET", "/things", token=NOBODY), 403, "insufficient_scope", scope="write read")


class Strict(BearerTokenMiddleware):
    """Demands a scope everywhere."""

    default = Requirement.of("write", ajax_forbidden=True)


def test_outage(open_project: Open, options: dict[str, Any], authorization_server: ScriptedAS) -> None:
    """An outage is a 503 where it is configured to be."""
    authorization_server.outage = 500
    project = open_project(*PATTERNS, server=options | {"unavailable_status": 503, "retries": 0})
    assert_unavailable(project.call("GET", "/things", token=READER))


@pytest.mark.rfc("9728-3-a", "9728-3.2-a")
def test_metadata(open_project: Open, options: dict[str, Any]) -> None:
    """The metadata are there for everybody, and say what challenges point to."""
    project = open_project(*PATTERNS, server=options | {"resource": "https://api.example.com/v1"})
    target = "/.well-known/oauth-protected-resource/v1"
    answer = project.call("GET", target)
    assert (answer.status, answer.json()["resource"]) == (200, "https://api.example.com/v1")
    assert answer.header("content-type") == "application/json"
    assert project.call("HEAD", target).body == b""
    asked = project.call("OPTIONS", target)
    assert (asked.status, asked.body, asked.header("content-type")) == (204, b"", None)
    params = assert_refused(project.call("GET", "/things"), 401, scope="read")
    assert params["resource_metadata"] == f"https://api.example.com{target}"


@pytest.mark.rfc("9728-3-a")
def test_metadata_below_a_prefix(open_project: Open, options: dict[str, Any]) -> None:
    """A project that is mounted at a prefix serves them too, where a proxy passes on what comes without it."""
    options |= {"resource": "https://api.example.com/v1"}
    project = open_project(*PATTERNS, server=options, FORCE_SCRIPT_NAME="/prefix")
    assert project.call("GET", "/.well-known/oauth-protected-resource/v1").status == 200
    assert project.call("GET", "/.well-known/oauth-protected-resource").status == 404


@pytest.mark.rfc("6750-2.2-a", "6750-2.3-a", "6750-2.3-b")
def test_token_in_form_and_query(open_project: Open, options: dict[str, Any]) -> None:
    """Where it is allowed a token may be in a form or in the query, and the view still has its form."""

    @require("read")
    def echo(request: HttpRequest) -> HttpResponse:
        return JsonResponse(request.POST.dict())

    project = open_project(path("echo", echo), server=options | {"form_token": True, "query_token": True})
    form = "application/x-www-form-urlencoded"
    sent = project.call("POST", "/echo", body=f"access_token={READER}&n=4".encode(), content_type=form)
    assert (sent.status, sent.json()["n"]) == (200, "4")
    queried = project.call("GET", "/echo", query=f"access_token={READER}")
    assert (queried.status, queried.header("cache-control")) == (200, "private")
    long = project.call("POST", "/echo", body=f"access_token={READER}&n=".encode() + b"4" * 70_000, content_type=form)
    assert_refused(long, 401, scope="read")


@pytest.mark.attack("A-R-5", "A-R-9")
def test_tokens_elsewhere(open_project: Open, options: dict[str, Any]) -> None:
    """A token is looked for where it is allowed to be, and nowhere else."""
    project = open_project(*PATTERNS, server=options)
    json_body = json.dumps({"access_token": READER}).encode()
    sent: dict[str, Any]
    for sent in (
        {"headers": {"cookie": f"access_token={READER}"}},
        {"query": f"access_token={READER}"},
        {"body": json_body, "content_type": "application/json"},
        {"body": f"access_token={READER}".encode(), "content_type": "application/x-www-form-urlencoded"},
    ):
        assert_refused(project.call("POST", "/things", **sent), 401, scope="read")


@pytest.mark.attack("A-R-2", "A-R-8")
@pytest.mark.parametrize("value", [f"Bearer {READER}, Bearer {WRITER}", f"Bearer {READER} {WRITER}"])
def test_several_tokens(value: str, open_project: Open, options: dict[str, Any]) -> None:
    """More than one token in the field is no token, and a bad request."""
    project = open_project(*PATTERNS, server=options)
    answer = project.call("GET", "/things", headers={"authorization": value})
    assert_refused(answer, 400, "invalid_request")
    assert ran == []


def test_csrf(open_project: Open, options: dict[str, Any]) -> None:
    """Who brings a token in Authorization needs no CSRF token; a public view is guarded as ever."""
    project = open_project(*PATTERNS, server=options)
    for target in ("/plain", "/things", "/things-async"):
        assert project.call("POST", target, token=READER, body=b"n=4").status == 200
    assert project.call("POST", "/public", body=b"n=4").status == 403


def test_csrf_with_a_password(open_project: Open, options: dict[str, Any]) -> None:
    """A browser sends a password by itself, also for another site that has put a token of its own into the form."""
    form, basic = "application/x-www-form-urlencoded", {"Authorization": "Basic dXNlcjpwYXNzd29yZA=="}
    project = open_project(*PATTERNS, server=options | {"form_token": True})
    sent = project.call("POST", "/plain", body=f"access_token={READER}".encode(), content_type=form, headers=basic)
    assert sent.status == 403
    assert project.call("POST", "/plain", token=READER, body=b"n=4", content_type=form).status == 200
    by_query = open_project(*PATTERNS, server=options | {"query_token": True})
    PRESENTED.add(READER)
    assert by_query.call("GET", "/plain", query=f"access_token={READER}").status == 200
    assert by_query.call("POST", "/plain", query=f"access_token={READER}", body=b"n=4").status == 403


def test_included_urls(open_project: Open, options: dict[str, Any]) -> None:
    """What somebody else's URLconf leads to can be made public, save for what demands a token, and only there."""
    inner: list[Any] = [
        path("open", everybody_else),
        path("deep/", include([path("open", everybody_else)])),
        path("shut", things),
    ]
    project = open_project(
        path("a/", public(include((inner, "a")))), path("b/", include((inner, "b"))), *public(inner), server=options
    )
    assert [project.call("GET", target).status for target in ("/a/open", "/a/deep/open", "/open")] == [200] * 3
    for target in ("/a/shut", "/shut", "/b/open", "/b/deep/open", "/b/shut"):
        assert project.call("GET", target).status == 401


def everybody_else(request: HttpRequest) -> HttpResponse:
    """Be a view of somebody else's."""
    return HttpResponse("open")


def test_streaming(open_project: Open, options: dict[str, Any]) -> None:
    """A stream goes on for who was let in."""

    @require("read")
    def stream(request: HttpRequest) -> StreamingHttpResponse:
        def lines() -> Iterator[str]:
            for _ in range(3):
                yield f"{principal_of(request).subject}\n"

        async def lines_in_loop() -> AsyncIterator[str]:
            for line in lines():
                yield line

        return StreamingHttpResponse(lines() if project.door == "wsgi" else lines_in_loop())

    project = open_project(path("stream", stream), server=options)
    assert project.call("GET", "/stream", token=READER).body == b"alice\n" * 3
    assert_refused(project.call("GET", "/stream"), 401, scope="read")


@pytest.mark.attack("A-F-1", "A-F-2")
@pytest.mark.parametrize("token", [None, "unknown-canary", READER])
def test_body_is_not_read(token: str | None, open_wsgi: Open, options: dict[str, Any]) -> None:
    """A refusal does not wait for the body, nor does anything parse it."""

    @require("write")
    def parse(request: HttpRequest) -> HttpResponse:
        return JsonResponse(json.loads(request.body))

    project = open_wsgi(
        path("parse", parse),
        server=options,
    )
    answer = project.call("POST", "/parse", token=token, body=b'{"n": ', content_type="application/json")
    assert answer.status in {401, 403}
    assert answer.reads == 0


@pytest.mark.attack("A-F-7")
def test_host_decides_nothing(open_project: Open, options: dict[str, Any]) -> None:
    """No host name of the request's is in a refusal."""
    project = open_project(*PATTERNS, server=options | {"resource": "https://api.example.com"})
    answer = project.call("GET", "/things", headers={"x-forwarded-host": "evil.example"})
    assert "evil" not in repr(answer.headers) + answer.body.decode()
