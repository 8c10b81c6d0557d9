"""What ``install`` brings to a Flask application: refusals, fields, metadata, the audit, and nothing unasked."""

from __future__ import annotations

import threading
from typing import Any
from urllib.parse import urlencode

import pytest
from flask import Blueprint, Flask, Response, jsonify, make_response, request, session, stream_with_context
from werkzeug.middleware.dispatcher import DispatcherMiddleware

from resource_server import BearerTokenError, ConfigurationError, Event, InsufficientScope, Requirement
from resource_server.events import UnprotectedRoutes
from resource_server.flask import _Call, install, principal, require
from resource_server.testing import principal_override
from resource_server.wsgi import BearerTokenMiddleware
from tests.support.blocking import outcomes, run
from tests.support.fastapi_app import ADMIN, NOBODY, READER, WRITER, ScriptedAS, active
from tests.support.promises import assert_refused, assert_unavailable
from tests.support.wsgi import blocking, call, environment, send

FORM = "application/x-www-form-urlencoded"


def api(**demands: Any) -> Flask:
    """Make an application with a few routes."""
    app = Flask("api", static_folder=None)

    @app.route("/things", methods=["GET", "POST"])
    @require("read", **demands)
    def things() -> str:
        return f"{principal.subject} {request.get_data().decode()}"

    @app.get("/public")
    def public() -> str:
        return "public"

    return app


@pytest.mark.attack("A-F-2")
@pytest.mark.parametrize("token", [None, "unknown-canary", NOBODY])
def test_body_is_not_read(token: str | None, authorization_server: ScriptedAS) -> None:
    """A refusal comes before one byte of the body is read, also where another function would read it first."""
    app = api()
    app.before_request(lambda: request.get_data() and None)
    install(app, blocking(authorization_server))
    answer = call(app, "POST", token=token, body=b"x" * 100_000, content_type="application/json")
    assert (answer.status, answer.reads) == (401 if token != NOBODY else 403, 0)


def test_same_bytes_as_the_middleware(authorization_server: ScriptedAS) -> None:
    """A refusal is the same, byte for byte, behind the middleware for any WSGI application."""
    app = api()
    server = blocking(authorization_server)
    install(app, server)
    bare = BearerTokenMiddleware(Flask("bare"), server, default=Requirement.of("read"))
    requests: list[dict[str, Any]] = [
        {},
        {"token": "unknown-canary"},
        {"token": NOBODY},
        {"headers": {"Accept": "application/json"}},
        {"headers": {"Authorization": "Bearer a,Bearer b"}},
        {"method": "HEAD"},
        {"token": "x" * 20_000},
    ]
    for sent in requests:
        ours, theirs = (call(door, **{"method": "GET", **sent}).unnamed() for door in (app, bare))
        assert (ours.status, ours.headers, ours.body) == (theirs.status, theirs.headers, theirs.body)


@pytest.mark.attack("A-R-2")
def test_two_authorization_lines(authorization_server: ScriptedAS) -> None:
    """Two Authorization lines, as servers join them, are a 400."""
    app = api()
    install(app, blocking(authorization_server))
    for value in ("Bearer a,Bearer a", "Basic a, Bearer b"):
        assert_refused(call(app, headers={"Authorization": value}), 400, "invalid_request")


@pytest.mark.attack("A-R-5", "A-R-6", "A-R-9")
def test_elsewhere(authorization_server: ScriptedAS) -> None:
    """A token in the query, in a cookie or in a body is none, unless that is switched on."""
    app = api()
    install(app, blocking(authorization_server))
    form = urlencode({"access_token": READER}).encode()
    assert_refused(call(app, query=form.decode()), 401, scope="read")
    assert_refused(call(app, headers={"Cookie": form.decode()}), 401, scope="read")
    for content_type in (FORM, "multipart/form-data; boundary=x", "application/json"):
        assert_refused(call(app, "POST", body=form, content_type=content_type), 401, scope="read")


def test_form_token(authorization_server: ScriptedAS) -> None:
    """A token in a form is found where that is switched on, and the view reads the form again."""
    app = api()
    install(app, blocking(authorization_server, form_token=True))
    form = urlencode({"access_token": READER}).encode()
    assert call(app, "POST", body=form, content_type=FORM).body == b"alice " + form


def test_query_token(authorization_server: ScriptedAS) -> None:
    """No shared cache may keep what a URL with a token in it was answered with; what the view says stands."""
    app = api()
    install(app, blocking(authorization_server, query_token=True))

    @app.get("/own")
    @require("read")
    def own() -> Response:
        return Response(headers={"Cache-Control": "max-age=5"})

    query = urlencode({"access_token": READER})
    assert call(app, query=query).header("cache-control") == "private"
    assert call(app, path="/own", query=query).header("cache-control") == "max-age=5"
    assert call(app, path="/public").header("cache-control") is None


def test_outage(authorization_server: ScriptedAS) -> None:
    """A token that cannot be verified is a 503 where the route says so."""
    authorization_server.outage = 500
    app = api(unavailable_status=503)
    install(app, blocking(authorization_server, strategy="introspect", retries=0))
    assert_unavailable(call(app, token=READER))


def test_ajax(authorization_server: ScriptedAS) -> None:
    """Scripts get 403 in place of 401 where that is said for the whole application."""
    app = api()
    install(app, blocking(authorization_server), ajax_forbidden=True)
    answer = call(app, headers={"X-Requested-With": "XMLHttpRequest"})
    assert_refused(answer, 403, scope="read", forbidden=True)


@pytest.mark.parametrize("everywhere", [True, False])
def test_hidden(everywhere: bool, authorization_server: ScriptedAS) -> None:  # noqa: FBT001 - a parameter
    """A hidden 403 is the application's own 404, and can be told from no other one."""
    app = api(hide=not everywhere)
    install(app, blocking(authorization_server), hide=everywhere)
    app.register_error_handler(404, lambda _: (jsonify(missing=True), 404))
    hidden, missing = call(app, token=NOBODY), call(app, path="/none", token=NOBODY)
    assert (hidden.status, hidden.headers, hidden.body) == (404, missing.headers, missing.body)
    assert hidden.header("cache-control") == "no-store"
    assert_refused(call(app), 401, scope="read")


def test_hidden_by_default(authorization_server: ScriptedAS) -> None:
    """Without a handler of the application's it is Flask's own 404."""
    app = api(hide=True)
    install(app, blocking(authorization_server))
    assert call(app, token=NOBODY).body == call(app, path="/none").body


def test_own_handlers(authorization_server: ScriptedAS) -> None:
    """A handler that the application has for our errors stays in force, whenever it was registered."""
    app = api()

    @app.errorhandler(BearerTokenError)
    def refused(error: BearerTokenError) -> tuple[str, int]:
        return "ours", 418

    install(app, blocking(authorization_server))
    assert call(app).status == 418
    later = api()
    install(later, blocking(authorization_server))
    later.register_error_handler(InsufficientScope, lambda _: ("too little", 418))
    later.register_error_handler(Exception, lambda _: ("anything", 500))
    assert call(later, token=NOBODY).status == 418
    assert_refused(call(later), 401, scope="read")


def test_functions_after_the_request(authorization_server: ScriptedAS) -> None:
    """What the application does with each response it does with refusals too."""
    app = api()

    @app.after_request
    def allow(response: Response) -> Response:
        response.headers["Access-Control-Allow-Origin"] = "*"
        return response

    install(app, blocking(authorization_server))
    assert call(app).header("access-control-allow-origin") == "*"


@pytest.mark.rfc("9728-3-a")
def test_metadata(authorization_server: ScriptedAS) -> None:
    """RFC 9728 section 3: everybody may read what the server says of itself, whatever else is demanded."""
    app = api()
    app.before_request(require("admin"))
    install(app, blocking(authorization_server, resource="https://api.example.test", query_token=True))
    path = "/.well-known/oauth-protected-resource"
    answer = call(app, path=path)
    assert answer.json()["resource"] == "https://api.example.test"
    assert call(app, "HEAD", path).headers == answer.headers
    preflight = call(app, "OPTIONS", path)
    assert (preflight.status, preflight.header("content-type")) == (204, None)
    assert call(app, "POST", path).status == 405
    mounted = environment(path="", SCRIPT_NAME=path)
    assert send(app, mounted).status == 200


def test_audit(authorization_server: ScriptedAS) -> None:
    """The observer is told once, at the first request, which routes let everybody in."""
    app, events = api(), list[Event]()
    install(app, blocking(authorization_server, observer=events.append))
    app.add_url_rule("/later", "later", lambda: "later")
    assert events == []
    outcomes(run(lambda: call(app, path="/public")) for _ in range(8))
    told = [event.routes for event in events if isinstance(event, UnprotectedRoutes)]
    assert told == [("GET /public", "GET /later")]


def test_audit_waits(authorization_server: ScriptedAS, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever comes while the first request looks at the routes waits, and need not look again."""
    app = api()
    server = blocking(authorization_server)
    install(app, server)
    guard, looking, go_on = app.extensions["resource_server"], threading.Event(), threading.Event()

    def tell(routes: Any) -> None:
        looking.set()
        assert go_on.wait(20)

    monkeypatch.setattr(server, "tell_unprotected", tell)
    first = run(guard._tell)
    assert looking.wait(20)
    second = run(guard._tell)
    go_on.set()
    assert outcomes([first, second]) == [None, None]


def test_proofs_for_nowhere(authorization_server: ScriptedAS) -> None:
    """Where routes take DPoP proofs while nobody knows the URL these are for, nothing is served."""
    app = api(dpop="required")
    install(app, blocking(authorization_server))
    app.testing = True
    with pytest.raises(ConfigurationError, match="external_url"):
        call(app, path="/public")


def test_twice(authorization_server: ScriptedAS) -> None:
    """An application has one server, and that is a blocking one."""
    app = api()
    asynchronous: Any = authorization_server.server()
    with pytest.raises(ConfigurationError, match="BlockingResourceServer"):
        install(app, asynchronous)
    install(app, blocking(authorization_server))
    with pytest.raises(ConfigurationError, match="once"):
        install(app, blocking(authorization_server))


@pytest.mark.attack("A-C-2", "A-F-11")
def test_isolation(authorization_server: ScriptedAS) -> None:
    """In threads that serve one request after another each of these has its own principal, or none."""
    users = 20
    for number in range(users):
        authorization_server.tokens[f"user-{number}-canary"] = active("read", sub=f"user-{number}")
    app = api()
    app.add_url_rule("/nobody", "nobody", lambda: str(bool(principal)))
    install(app, blocking(authorization_server, cache_size=users // 2))

    def work() -> list[bytes]:
        found: list[bytes] = []
        for number in range(200):
            found.append(call(app, token=f"user-{number % users}-canary").body)
            found.append(call(app, path="/nobody").body)
            assert call(app).status == 401
        return found

    expected = [body for number in range(200) for body in (b"user-%d " % (number % users), b"False")]
    assert outcomes([run(work) for _ in range(4)]) == [expected] * 4


def test_stream(authorization_server: ScriptedAS) -> None:
    """A response that is streamed knows who is calling as long as it keeps the request, as Flask calls it."""
    app = api()

    @app.get("/stream")
    @require("read")
    def stream() -> Response:
        return Response(stream_with_context(f"{principal.subject}\n" for _ in range(2)))

    install(app, blocking(authorization_server))
    assert call(app, path="/stream", token=READER).body == b"alice\nalice\n"


def test_application_in_an_application(authorization_server: ScriptedAS) -> None:
    """An application that is called with the environment of another one's request judges for itself."""
    outer, inner = api(), api()
    inner_server = blocking(authorization_server)
    install(outer, blocking(authorization_server))
    install(inner, inner_server)

    @outer.get("/inner")
    @require("read")
    def delegated() -> Any:
        return make_response(inner.wsgi_app(request.environ | {"PATH_INFO": "/things"}, lambda *_: lambda _: None))

    bare = Flask("bare")
    bare.add_url_rule("/things", "things", require("read")(lambda: "things"))

    @outer.get("/bare")
    @require("read")
    def bared() -> Any:
        return make_response(bare.wsgi_app(request.environ | {"PATH_INFO": "/things"}, lambda *_: lambda _: None))

    assert call(outer, path="/inner", token=READER).body == b"alice "
    assert b"things" not in call(outer, path="/bare", token=READER).body
    stranger = api()
    install(stranger, blocking(ScriptedAS({"another-canary": active("read")})))
    with inner.test_request_context("/things", environ_overrides=environment(token=READER)):
        request.environ["resource_server.flask"] = _Call(stranger.extensions["resource_server"])
        assert inner.dispatch_request() == "alice "


def test_mounted(authorization_server: ScriptedAS) -> None:
    """Below a prefix everything is as it is without one."""
    app = api()
    install(app, blocking(authorization_server))
    mounted = DispatcherMiddleware(Flask("root"), {"/v1": app})
    assert call(mounted, path="/v1/things", token=READER).body == b"alice "
    assert_refused(call(mounted, path="/v1/things"), 401, scope="read")


def test_behind_the_middleware(authorization_server: ScriptedAS) -> None:
    """An application can stand behind the middleware for WSGI, which denies by default, and demand more itself."""
    app = api()
    server = blocking(authorization_server)
    install(app, server)
    app.add_url_rule("/who", "who", lambda: str(principal.subject))
    guarded = BearerTokenMiddleware(app, server, public=["/public"])
    assert call(guarded, path="/public").body == b"public"
    assert_refused(call(guarded, path="/who"), 401)
    assert call(guarded, path="/who", token=NOBODY).body == b"alice"
    assert_refused(call(guarded, token=NOBODY), 403, "insufficient_scope", scope="read")
    assert call(guarded, token=READER).body == b"alice "


def test_session(authorization_server: ScriptedAS) -> None:
    """A session lives on beside it, and says nothing of who is calling."""
    app = Flask("api")
    app.secret_key = "key"
    install(app, blocking(authorization_server))

    @app.get("/things")
    @require("read")
    def things() -> str:
        session["seen"] = True
        return "seen"

    answer = app.test_client().get("/things", headers={"Authorization": f"Bearer {WRITER}"})
    assert "session=" in answer.headers["Set-Cookie"]


def test_override(authorization_server: ScriptedAS) -> None:
    """In the tests of an application a principal can be made up, and its scopes still count."""
    app = api()
    server = blocking(authorization_server)
    install(app, server)
    with principal_override(server, subject="bob", scopes="read"):
        assert app.test_client().get("/things").text == "bob "
    with principal_override(server, scopes="other"):
        assert app.test_client().get("/things").status_code == 403


def test_blueprint_handler(authorization_server: ScriptedAS) -> None:
    """A blueprint's handler for every exception comes before ours, as Flask has it; nobody gets in by that."""
    app = Flask("api")
    blueprint = Blueprint("all", "all")
    blueprint.register_error_handler(Exception, lambda _: ("sorry", 500))
    blueprint.add_url_rule("/things", "things", require("admin")(lambda: "things"))
    app.register_blueprint(blueprint)
    install(app, blocking(authorization_server))
    assert call(app).body == b"sorry"
    assert call(app, token=ADMIN).body == b"things"
