"""A whole WSGI application behind one middleware: nothing is public unless it is named."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Any
from urllib.parse import urlencode
from wsgiref.types import StartResponse, WSGIEnvironment
from wsgiref.validate import validator

import pytest

from resource_server import ConfigurationError, Event, Requirement
from resource_server.events import UnprotectedRoutes
from resource_server.wsgi import BearerTokenMiddleware, principal_of
from tests.support.answer import Answer
from tests.support.fastapi_app import ADMIN, NOBODY, READER, WRITER, ScriptedAS
from tests.support.promises import assert_refused, assert_unavailable
from tests.support.wsgi import Body, blocking, call, environment, send

FORM = "application/x-www-form-urlencoded"
PREFLIGHT = {"Origin": "https://app.example.com", "Access-Control-Request-Method": "PUT"}
RULES = {
    "/admin/*": Requirement.of("admin", hide=True),
    "GET /things": Requirement.of("read"),
    "POST /things": Requirement.of("read", "write"),
    "/ajax": Requirement.of("read", ajax_forbidden=True),
}


class App:
    """An application that says who is calling, and notes what reached it."""

    def __init__(self) -> None:
        """Have been reached by nobody."""
        self.reached: list[str] = []
        self.body = Body()
        self.status = "200 OK"
        self.headers: list[tuple[str, str]] = [("Content-Type", "text/plain")]

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer."""
        self.reached.append(environ["PATH_INFO"])
        start_response(self.status, list(self.headers))
        principal = environ.get("resource_server.principal")
        subject = "nobody" if principal is None else principal.subject
        self.body = Body(str(subject).encode(), b" ", environ["wsgi.input"].read(100))
        return self.body


class Door:
    """The application, the middleware around it, and what was told."""

    def __init__(self, authorization_server: ScriptedAS, /, options: dict[str, Any] | None = None, **how: Any) -> None:
        """Stand around it."""
        self.app = App()
        self.events: list[Event] = []
        self.server = blocking(authorization_server, observer=self.events.append, **(options or {}))
        chosen: dict[str, Any] = {"public": ["/health"], "rules": RULES} | how
        self.door = BearerTokenMiddleware(self.app, self.server, **chosen)

    def call(self, method: str = "GET", path: str = "/things", **sent: Any) -> Answer:
        """Send a request."""
        return call(self.door, method, path, **sent)


@pytest.fixture
def door(authorization_server: ScriptedAS) -> Door:
    """Give a door with the usual rules."""
    return Door(authorization_server)


def test_let_in(door: Door) -> None:
    """The application is told who is calling, and its response is passed on as it is, to be closed by the server."""
    answer = door.call(token=READER, body=b"body")
    assert (answer.status, answer.body, answer.headers) == (200, b"alice body", (("Content-Type", "text/plain"),))
    assert door.app.body.closed == 1


def test_refusals(door: Door) -> None:
    """Without a token, with an unknown one, with two, or with too little of one nobody gets in, body unread."""
    assert_refused(door.call("POST", body=b"x"), 401, scope="read write")
    assert_refused(door.call("POST", token="unknown-canary", body=b"x"), 401, "invalid_token")
    assert_refused(door.call("POST", headers={"Authorization": "Bearer a,Bearer b"}), 400, "invalid_request")
    answer = door.call("POST", token=READER, body=b"x")
    assert_refused(answer, 403, "insufficient_scope", scope="read write")
    assert answer.reads == 0
    assert door.app.reached == []
    assert door.call("POST", token=WRITER).status == 200


@pytest.mark.attack("A-R-2")
@pytest.mark.parametrize("joined", [",", ", "])
@pytest.mark.parametrize("fields", [("Bearer a", "Bearer a"), ("Bearer a", "Basic b"), ("Basic b", "Bearer a")])
def test_two_authorization_lines(fields: tuple[str, str], joined: str, door: Door) -> None:
    """Several Authorization lines, which servers join with a comma, are a 400 in whatever order."""
    answer = door.call(headers={"Authorization": joined.join(fields)})
    assert_refused(answer, 400, "invalid_request")


def test_head(door: Door) -> None:
    """A refusal of HEAD has the fields of that of GET, and no body."""
    head, get = door.call("HEAD"), door.call("GET")
    assert (head.status, head.headers, head.body) == (get.status, get.headers, b"")


def test_outage(authorization_server: ScriptedAS) -> None:
    """A token that cannot be verified is a 503 where that is configured."""
    authorization_server.outage = 500
    door = Door(authorization_server, {"unavailable_status": 503, "strategy": "introspect", "retries": 0})
    assert_unavailable(door.call(token=READER))


def test_ajax(door: Door) -> None:
    """Where a rule says so, scripts get 403 in place of 401."""
    answer = door.call(path="/ajax", headers={"X-Requested-With": "XMLHttpRequest"})
    assert_refused(answer, 403, scope="read", forbidden=True)


@pytest.mark.attack("A-F-6")
@pytest.mark.parametrize(
    "path",
    ["/health/", "//health", "/health/.", "/Health", "/health;a", "health", "", "/", "/health\x00", "/health\u0301"],
)
def test_public_is_exact(path: str, door: Door) -> None:
    """A public path is that path and no other spelling of it."""
    assert door.call(path="/health").body == b"nobody "
    assert_refused(door.call(path=path), 401)
    assert door.app.reached == ["/health"]


@pytest.mark.attack("A-F-6")
@pytest.mark.parametrize(
    "path", ["/admin", "/admin/x", "//admin/x", "admin/x", "/admin;a/x", "/./admin/x", "/a/../admin/x", "/ADMIN/x"]
)
def test_rules_hold_for_every_spelling(path: str, door: Door) -> None:
    """No spelling of a path that some router takes for one of a rule's escapes the rule."""
    assert door.call(path=path, token=READER).status == 404
    assert door.app.reached == []
    assert door.call(path=path, token=ADMIN).status == 200


@pytest.mark.attack("A-F-8", "A-R-10")
def test_preflight(door: Door) -> None:
    """A browser's question before a request passes; any other OPTIONS, and every other method, needs a token."""
    assert door.call("OPTIONS", headers=PREFLIGHT).status == 200
    for missing in PREFLIGHT:
        left = {name: value for name, value in PREFLIGHT.items() if name != missing}
        assert_refused(door.call("OPTIONS", headers=left), 401, scope="read")
    for method in ("HEAD", "TRACE", "CONNECT", "MADEUP", "GET"):
        assert door.call(method, headers=PREFLIGHT).status == 401
    assert door.call("OPTIONS", token=READER).status == 200


@pytest.mark.parametrize("field", ["X-HTTP-Method", "X-HTTP-Method-Override", "X-Method-Override"])
def test_method_override(field: str, door: Door) -> None:
    """What asks to be taken for another method needs what both need; and it is no preflight."""
    for value in ("POST", " post", "GET,POST"):
        answer = door.call(token=READER, headers={field: value})
        assert_refused(answer, 403, "insufficient_scope", scope="read write")
    assert door.call("POST", token=READER, headers={field: "GET"}).status == 403
    assert door.call(token=WRITER, headers={field: "POST"}).status == 200
    assert door.call("OPTIONS", headers=PREFLIGHT | {field: "DELETE"}).status == 401


@pytest.mark.attack("A-F-8")
@pytest.mark.parametrize("status", ["200 OK", "204 No Content"])
def test_preflight_has_no_body(status: str, door: Door) -> None:
    """An application whose views run whatever the method is shown no body of a preflight, and none of its is sent."""
    door.app.status = status
    door.app.headers.append(("Content-Length", "400"))
    environ = environment("OPTIONS", "/admin/users", headers=PREFLIGHT, body=b"delete=everything")
    answer = send(door.door, environ)
    assert (str(answer.status), answer.body, answer.reads) == (status[:3], b"", 0)
    assert answer.header("content-length") == (None if status.startswith("204") else "0")
    assert (door.app.reached, door.app.body.closed) == (["/admin/users"], 1)


@pytest.mark.attack("A-F-8")
def test_preflight_that_is_written(authorization_server: ScriptedAS) -> None:
    """What an application writes in the old way is not sent either, and one without pieces is no error."""

    def writing(_: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        start_response("200 OK", [])(b"secret")
        return []

    app = BearerTokenMiddleware(writing, blocking(authorization_server))
    assert call(app, "OPTIONS", headers=PREFLIGHT).body == b""


def test_hidden(authorization_server: ScriptedAS) -> None:
    """Where a rule hides, whoever may not is told what is told of any missing page, and no 404 is kept."""
    door = Door(authorization_server)
    hidden = door.call(path="/admin/x", token=READER)
    assert (hidden.status, hidden.body) == (404, b"Not Found")
    assert hidden.header("content-type") == "text/plain; charset=utf-8"
    assert hidden.header("cache-control") == "no-store"
    assert door.call("HEAD", "/admin/x", token=READER).body == b""
    assert_refused(door.call(path="/admin/x"), 401, scope="admin")
    door.app.status = "404 Not Found"
    for path, token in (("/other", READER), ("/health", None)):
        assert door.call(path=path, token=token).header("cache-control") == "no-store"


def test_not_found(authorization_server: ScriptedAS) -> None:
    """The application can say itself what a missing page looks like."""

    def missing(_: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
        start_response("404 Not Found", [("Cache-Control", "max-age=5")])
        return [b"gone"]

    answer = Door(authorization_server, not_found=missing).call(path="/admin/x", token=READER)
    assert (answer.body, answer.all("cache-control")) == (b"gone", ["max-age=5"])


def test_form_token(authorization_server: ScriptedAS) -> None:
    """A token in a form is found where that is switched on, and the application reads the form again."""
    door = Door(authorization_server, {"form_token": True})
    form = urlencode({"access_token": WRITER}).encode()
    assert door.call("POST", body=form, content_type=FORM).body == b"alice " + form
    answer = door.call("POST", body=form, content_type=FORM, token=WRITER)
    assert_refused(answer, 400, "invalid_request")


def test_query_token(authorization_server: ScriptedAS) -> None:
    """No shared cache may keep what a URL with a token in it was answered with."""
    door = Door(authorization_server, {"query_token": True}, rules=None)
    assert door.call(query=f"access_token={READER}").header("cache-control") == "private"


def test_start_response_again(authorization_server: ScriptedAS) -> None:
    """An application that has failed halfway starts again, with what it failed with."""
    door = Door(authorization_server)
    told: list[tuple[Any, ...]] = []

    def failing(_: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
        error = KeyError()
        start_response("500 Oops", [], (KeyError, error, error.__traceback__))  # type: ignore[arg-type] # it has none
        return []

    def start_response(*args: Any) -> Any:
        told.append(args)

    door.door.app = failing
    assert list(door.door(environment(token=READER), start_response)) == []
    assert (told[0][:2], told[0][2][0]) == (("500 Oops", []), KeyError)


@pytest.mark.rfc("9728-3-a")
def test_metadata(authorization_server: ScriptedAS) -> None:
    """RFC 9728 section 3: everybody may read what the server says of itself, mounted or not, by all its methods."""
    door = Door(authorization_server, {"resource": "https://api.example.test/orders"})
    path = "/.well-known/oauth-protected-resource/orders"
    answer = door.call(path=path)
    assert (answer.status, answer.json()["resource"]) == (200, "https://api.example.test/orders")
    assert door.call("HEAD", path).body == b""
    assert door.call("OPTIONS", path).status == 204
    assert door.call("POST", path).status == 405
    mounted = environment(path="/orders", SCRIPT_NAME="/.well-known/oauth-protected-resource")
    assert send(door.door, mounted).status == 200
    assert_refused(door.call(path="/.well-known/oauth-protected-resource"), 401)


def test_conforms(authorization_server: ScriptedAS) -> None:
    """PEP 3333, as its reference validator reads it, holds on both sides."""
    door = Door(authorization_server)

    def app(_: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b"yes"]

    door.door.app = validator(app)
    outer = validator(door.door)
    requests: list[dict[str, Any]] = [
        {"token": READER},
        {},
        {"path": "/health"},
        {"path": "/admin/x", "token": NOBODY},
    ]
    for sent in requests:
        environ = environment(**sent) | {"wsgi.errors": sys.stderr}
        del environ["CONTENT_LENGTH"], environ["CONTENT_TYPE"]
        assert send(outer, environ).status in (200, 401, 404)


def test_nested(authorization_server: ScriptedAS) -> None:
    """A middleware within another one of the same server demands more, and asks for no second proof."""
    door = Door(authorization_server, rules=None)
    inner = BearerTokenMiddleware(door.app, door.server, default=Requirement.of("read"))
    door.door.app = inner
    assert door.call(token=READER).status == 200
    assert_refused(door.call(token=NOBODY), 403, "insufficient_scope", scope="read")
    assert authorization_server.introspections == 2


def test_who_is_calling(door: Door) -> None:
    """Who was let in is found by its name; where nobody was judged that is said, and no header makes somebody up."""
    environ = environment(token=READER)
    send(door.door, environ)
    assert principal_of(environ).subject == "alice"
    forged = environment(path="/health", headers={"Resource-Server.Principal": "root"})
    send(door.door, forged)
    with pytest.raises(ConfigurationError, match="public"):
        principal_of(forged)


def test_audit(door: Door) -> None:
    """The observer is told once which paths are public."""
    told = [event.routes for event in door.events if isinstance(event, UnprotectedRoutes)]
    assert told == [("/health",)]


def test_mistakes(authorization_server: ScriptedAS) -> None:
    """A server that must be awaited, or proofs for nobody knows which URL, are told of at construction."""
    asynchronous: Any = authorization_server.server()
    with pytest.raises(ConfigurationError, match="BlockingResourceServer"):
        BearerTokenMiddleware(App(), asynchronous)
    with pytest.raises(ConfigurationError, match="external_url"):
        Door(authorization_server, rules={"/x": Requirement.of(dpop="required")})
