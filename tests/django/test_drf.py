"""REST framework: the same answers with the middleware and without, and its own parts go on working."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import pytest
from django.http import Http404
from django.urls import path
from django.utils.decorators import method_decorator
from rest_framework.authentication import BasicAuthentication
from rest_framework.decorators import action, api_view, permission_classes
from rest_framework.permissions import AllowAny, BasePermission, IsAuthenticated
from rest_framework.renderers import BrowsableAPIRenderer, JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.routers import SimpleRouter
from rest_framework.test import APIRequestFactory
from rest_framework.throttling import UserRateThrottle
from rest_framework.views import APIView
from rest_framework.viewsets import ViewSet

from resource_server import BlockingResourceServer, InsufficientScope, InvalidToken, Principal
from resource_server.django import principal_of
from resource_server.django import require as demand
from resource_server.drf import BearerTokenAuthentication, TokenUser, exception_handler, require
from tests.support.django_project import MIDDLEWARE, Open, Project
from tests.support.fastapi_app import ADMIN, NOBODY, READER, WRITER, ScriptedAS
from tests.support.instance import without_instance
from tests.support.promises import assert_refused, assert_unavailable

Opened = Callable[..., Project]


class Base(APIView):
    """What all views here have in common."""

    authentication_classes = (BearerTokenAuthentication,)
    renderer_classes: Any = (JSONRenderer,)

    def get_exception_handler(self) -> Any:
        """Take ours, as the setting would have it."""
        return exception_handler


def said(request: Request) -> Response:
    """Answer who is calling."""
    return Response(
        {
            "subject": principal_of(request).subject,
            "user": str(request.user),
            "data": request.data,
            "principal": cast("Any", request).principal is request.auth,
        }
    )


class Things(Base):
    """A class."""

    permission_classes: Any = (require("read"),)

    def get(self, request: Request) -> Response:
        """Answer."""
        return said(request)

    def post(self, request: Request) -> Response:
        """Answer."""
        return said(request)


class Orders(ViewSet):
    """A view set that decides by action, when it is asked."""

    authentication_classes = (BearerTokenAuthentication,)
    renderer_classes = (JSONRenderer,)

    def get_exception_handler(self) -> Any:
        """Take ours."""
        return exception_handler

    def get_permissions(self) -> list[Any]:
        """Demand more of who writes."""
        return [require("write" if self.action == "create" else "read")()]

    def list(self, request: Request) -> Response:
        """Answer."""
        return said(request)

    def create(self, request: Request) -> Response:
        """Answer."""
        return said(request)


class Actions(Orders):
    """A view set whose actions say what they need."""

    permission_classes = (require("read"),)
    get_permissions: Any = APIView.get_permissions

    @action(detail=False, methods=["get"], permission_classes=[require("admin", hide=True)])
    def secrets(self, request: Request) -> Response:
        """Answer."""
        return said(request)


@api_view(["GET"])
@permission_classes([require("read")])
def function(request: Request) -> Response:
    """Answer."""
    return said(request)


cast("Any", function).cls.authentication_classes = (BearerTokenAuthentication,)
cast("Any", function).cls.renderer_classes = (JSONRenderer,)
cast("Any", function).cls.get_exception_handler = lambda _: exception_handler

router = SimpleRouter(trailing_slash=False)
router.register("orders", Orders, "orders")
router.register("actions", Actions, "actions")


def patterns() -> tuple[Any, ...]:
    """List the routes."""
    return (path("things", Things.as_view()), path("function", function), *router.urls)


@pytest.fixture(params=["with", "without"])
def opened(request: pytest.FixtureRequest, open_project: Open) -> Opened:
    """Open projects with the middleware and without."""

    def open_one(*urls: Any, **more: Any) -> Project:
        return open_project(*urls, middleware=[MIDDLEWARE] if request.param == "with" else [], **more)

    return open_one


@pytest.mark.parametrize("target", ["/things", "/function", "/actions"])
def test_judged(target: str, opened: Opened, options: dict[str, Any], authorization_server: ScriptedAS) -> None:
    """A view is entered by who has what its permission classes demand; the principal is there, and judged once."""
    project = opened(*patterns(), server=options)
    assert_refused(project.call("GET", target), 401, scope="read")
    assert_refused(project.call("GET", target, token="unknown-canary"), 401, "invalid_token")
    assert_refused(project.call("GET", target, token=NOBODY), 403, "insufficient_scope", scope="read")
    authorization_server.introspections = 0
    answer = project.call("GET", target, token=READER)
    assert answer.status == 200
    assert [answer.json()[name] for name in ("subject", "user", "principal")] == ["alice", "alice", True]
    assert authorization_server.introspections == 1


def test_methods(opened: Opened, options: dict[str, Any]) -> None:
    """A method of a view can say with Django's decorator what it demands, and its challenge names it."""

    class Both(Base):
        @method_decorator(demand("read"))
        def get(self, request: Request) -> Response:
            return said(request)

        @method_decorator(demand("write"))
        def post(self, request: Request) -> Response:
            return said(request)

    project = opened(path("both", Both.as_view()), server=options)
    assert_refused(project.call("GET", "/both"), 401, scope="read")
    assert_refused(project.call("POST", "/both", token=READER), 403, "insufficient_scope", scope="write")
    assert project.call("POST", "/both", token=WRITER).json()["subject"] == "alice"


def test_judged_by_action(opened: Opened, options: dict[str, Any]) -> None:
    """What a view set decides when it is asked holds as well, and its refusal looks like every other."""
    project = opened(*patterns(), server=options)
    assert project.call("GET", "/orders", token=READER).status == 200
    refused = project.call("POST", "/orders", token=READER)
    assert_refused(refused, 403, "insufficient_scope", scope="write")
    expected = BlockingResourceServer(**options).render(InsufficientScope(scope=("write",)))
    assert without_instance(refused.body) == without_instance(expected.body)
    assert project.call("POST", "/orders", token=WRITER).status == 200
    assert project.call("GET", "/orders").status == 401


def test_hidden_action(opened: Opened, options: dict[str, Any]) -> None:
    """A hidden action is a 404 for who may not use it."""
    project = opened(*patterns(), server=options)
    assert project.call("GET", "/actions/secrets", token=READER).status == 404
    assert project.call("GET", "/actions/secrets", token=ADMIN).status == 200


def test_hidden_action_alone(open_project: Open, options: dict[str, Any]) -> None:
    """Without the middleware it is the 404 that REST framework gives for what a view does not find."""

    class Nothing(Base):
        def get(self, _request: Request) -> Response:
            raise Http404

    project = open_project(*patterns(), path("nothing", Nothing.as_view()), server=options, middleware=[])
    hidden, nothing = [project.call("GET", target, token=READER) for target in ("/actions/secrets", "/nothing")]
    assert (hidden.status, hidden.body, hidden.header("content-type")) == (404, nothing.body, "application/json")


def test_outage(opened: Opened, options: dict[str, Any], authorization_server: ScriptedAS) -> None:
    """An outage is a 503 with Retry-After where it is configured to be."""
    authorization_server.outage = 500
    project = opened(*patterns(), server=options | {"unavailable_status": 503, "retries": 0})
    assert_unavailable(project.call("GET", "/things", token=READER))


@pytest.mark.attack("A-F-1")
def test_token_before_body(opened: Opened, options: dict[str, Any]) -> None:
    """A body is parsed for nobody but who is let in."""
    project = opened(*patterns(), server=options)
    for token, status in ((None, 401), ("unknown-canary", 401), (NOBODY, 403)):
        answer = project.call("POST", "/things", token=token, body=b'{"n": ', content_type="application/json")
        assert answer.status == status
        assert project.door == "asgi" or answer.reads == 0
    let_in = project.call("POST", "/things", token=READER, body=b'{"n": 4}', content_type="application/json")
    assert (let_in.status, let_in.json()["data"]) == (200, {"n": 4})
    assert project.call("POST", "/things", token=READER, body=b'{"n": ', content_type="application/json").status == 400


def test_default_handler(open_project: Open, options: dict[str, Any]) -> None:
    """Even where REST framework answers in its own way, status, challenge and Retry-After are right."""

    class Plain(Things):
        def get_exception_handler(self) -> Any:
            return APIView.get_exception_handler(self)

    project = open_project(path("things", Plain.as_view()), server=options, middleware=[])
    answer = project.call("GET", "/things", token=NOBODY)
    assert (answer.status, answer.json()) == (403, {"detail": "Forbidden"})
    assert 'scope="read"' in (answer.header("www-authenticate") or "")
    late = open_project(path("orders", Late.as_view({"get": "list"})), server=options, middleware=[MIDDLEWARE])
    assert_refused(late.call("GET", "/orders", token=NOBODY), 403, "insufficient_scope", scope="read")


class Late(Orders):
    """Leaves refusals to REST framework, from which the middleware takes them."""

    get_exception_handler = APIView.get_exception_handler


@pytest.mark.parametrize("hide", [False, True], ids=["shown", "hidden"])
def test_browsable_api(open_project: Open, options: dict[str, Any], *, hide: bool) -> None:
    """The pages for browsers come as ever, without the forms for what one may not do, hidden or not."""

    class Page(Things):
        renderer_classes = (BrowsableAPIRenderer,)
        permission_classes = ()

        def get_permissions(self) -> list[Any]:
            return [(require("read") if self.request.method == "GET" else require("write", hide=hide))()]

    project = open_project(path("things", Page.as_view()), server=options)
    pages = [project.call("GET", "/things", token=token, headers={"accept": "text/html"}) for token in (READER, WRITER)]
    assert [page.status for page in pages] == [200, 200]
    assert [b'method="POST"' in page.body for page in pages] == [False, True]
    assert all(b"alice" in page.body for page in pages)


def test_other_permissions(opened: Opened, options: dict[str, Any]) -> None:
    """A caller is authenticated for other permission classes, and no member of the staff."""

    class Mine(Things):
        permission_classes: Any = (IsAuthenticated,)

    class Either(Things):
        permission_classes: Any = (require("read") & IsAuthenticated,)

    project = opened(path("mine", Mine.as_view()), path("either", Either.as_view()), server=options)
    assert project.call("GET", "/mine", token=NOBODY).status == 200
    unknown = project.call("GET", "/mine")
    assert unknown.status == 401
    assert (unknown.header("www-authenticate") or "").startswith("Bearer ")
    assert project.call("GET", "/either", token=READER).status == 200
    assert project.call("GET", "/either", token=NOBODY).status == 403


def test_other_authentication(open_project: Open, options: dict[str, Any]) -> None:
    """A request without a token is left to other classes; what needs one says so."""

    class Open_(Things):  # noqa: N801 - open is taken
        authentication_classes: Any = (BearerTokenAuthentication, BasicAuthentication)
        permission_classes: Any = (AllowAny,)

        def get(self, request: Request) -> Response:
            return Response({"token": request.auth is not None})

    class Refusing(Things):
        permission_classes: Any = (Never,)

    class Raising(Things):
        def get(self, request: Request) -> Response:  # noqa: ARG002 - REST framework's signature
            raise InvalidToken("revoked")

    class Missing(Things):
        def get(self, request: Request) -> Response:  # noqa: ARG002 - REST framework's signature
            raise Http404

    views = {"open": Open_, "refusing": Refusing, "raising": Raising, "missing": Missing}
    project = open_project(*(path(name, view.as_view()) for name, view in views.items()), server=options, middleware=[])
    assert [project.call("GET", "/open", token=token).json() for token in (None, READER)] == [
        {"token": False},
        {"token": True},
    ]
    assert_refused(project.call("GET", "/open", token="unknown-canary"), 401, "invalid_token")
    assert project.call("GET", "/refusing", token=READER).status == 403
    assert_refused(project.call("GET", "/raising", token=READER), 401, "invalid_token")
    assert project.call("GET", "/missing", token=READER).status == 404


class Never(BasePermission):
    """Lets nobody in."""

    def has_permission(self, request: Request, view: APIView) -> bool:  # noqa: ARG002 - REST framework's signature
        """Say no."""
        return False


def test_refusal_of_others_is_no_challenge(open_wsgi: Open, options: dict[str, Any]) -> None:
    """Who has shown a good token is not challenged to show one, whatever else is refused."""
    open_wsgi(server=options)
    factory = APIRequestFactory()
    authentication = BearerTokenAuthentication()
    good = Request(factory.get("/", HTTP_AUTHORIZATION=f"Bearer {READER}"))
    assert authentication.authenticate_header(good) is None
    assert (authentication.authenticate_header(Request(factory.get("/"))) or "").startswith("Bearer ")


def test_throttle(opened: Opened, options: dict[str, Any]) -> None:
    """REST framework's throttles tell callers apart, and count no request twice."""
    history: dict[str, list[float]] = {}

    class Memory:
        def get(self, key: str, default: Any) -> Any:
            return history.get(key, default)

        def set(self, key: str, value: list[float], _duration: float) -> None:
            history[key] = value

    class Once(UserRateThrottle):
        rate = "1/day"
        cache: Any = Memory()

    class Limited(Things):
        throttle_classes = (Once,)

    project = opened(path("things", Limited.as_view()), server=options)
    assert [project.call("GET", "/things", token=READER).status for _ in range(2)] == [200, 429]
    assert all(key.isascii() and key.isprintable() for key in history)


def test_token_user() -> None:
    """The user behind a token is told from others, has a name, and nothing that Django grants."""
    alice, same = (TokenUser(Principal(subject="alice", issuer="https://as")) for _ in range(2))
    others = [Principal(subject="alice", issuer="https://b"), Principal(client_id="alice"), Principal()]
    assert alice == same
    assert hash(alice) == hash(same)
    assert all(alice != TokenUser(other) for other in others)
    assert alice != "alice"
    assert [str(TokenUser(other)) for other in others] == ["alice", "alice", ""]
    assert (alice.is_authenticated, alice.is_active) == (True, True)
    assert (alice.is_anonymous, alice.is_staff, alice.is_superuser) == (False, False, False)
    assert not alice.has_perm("auth.add_user")
    assert (alice.has_perms(["auth.add_user"]), alice.has_perms([])) == (False, True)
