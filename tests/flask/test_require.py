"""Where a Flask application can say ``require``, and when a request is judged for it."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Callable
from typing import Any, ClassVar

import pytest
from flask import Blueprint, Flask, Response, g, request
from flask.views import MethodView, View

from resource_server import ConfigurationError, InsufficientScope, Requirement, all_of, authorize
from resource_server.flask import install, principal, require, unprotected_routes
from tests.support.fastapi_app import ADMIN, NOBODY, READER, WRITER, ScriptedAS
from tests.support.promises import assert_refused
from tests.support.wsgi import blocking, call

PREFLIGHT = {"Origin": "https://app.example.com", "Access-Control-Request-Method": "PUT"}


def installed(authorization_server: ScriptedAS, app: Flask | None = None, **how: Any) -> Flask:
    """Make an application with the server installed."""
    app = app or Flask("api")
    install(app, blocking(authorization_server), **how)
    return app


def test_view(authorization_server: ScriptedAS) -> None:
    """A view runs for whoever has what it demands, and knows who that is."""
    app = installed(authorization_server)
    entered: Counter[str] = Counter()

    @app.get("/things/<int:number>")
    @require("read")
    def things(number: int) -> dict[str, Any]:
        entered["things"] += 1
        return {"subject": principal.subject, "number": number}

    assert things.__name__ == "things"
    assert_refused(call(app, path="/things/1"), 401, scope="read")
    assert_refused(call(app, path="/things/1", token=NOBODY), 403, "insufficient_scope", scope="read")
    assert_refused(call(app, path="/things/1", token="unknown-canary"), 401, "invalid_token")
    assert entered == {}
    answer = call(app, path="/things/1", token=READER)
    assert answer.json() == {"subject": "alice", "number": 1}
    assert (call(app, path="/things/x").status, call(app, path="/none").status) == (404, 404)
    assert call(app, "POST", "/things/1").status == 405


async def _asynchronous() -> str:
    return str(principal.subject)


def _synchronous() -> str:
    return str(principal.subject)


@pytest.mark.parametrize("view", [_asynchronous, _synchronous])
def test_kinds_of_views(view: Callable[[], Any], authorization_server: ScriptedAS) -> None:
    """A view may be asynchronous or not."""
    app = installed(authorization_server)
    app.add_url_rule("/things", view_func=require("read")(view))
    assert call(app, token=READER).body == b"alice"
    assert_refused(call(app), 401, scope="read")


class Shelf:
    """Something with views that are bound methods."""

    def show(self) -> str:
        """Show what is there."""
        return "shown"


def test_bound_method(authorization_server: ScriptedAS) -> None:
    """A method of an object can be a view."""
    app = installed(authorization_server)
    app.add_url_rule("/things", view_func=require("read")(Shelf().show))
    assert call(app, token=READER).body == b"shown"
    assert_refused(call(app), 401, scope="read")


class Listed(View):
    """A view that is a class."""

    decorators: ClassVar[list[Any]] = [require("read")]

    def dispatch_request(self) -> str:
        """Answer."""
        return "listed"


class ByMethod(MethodView):
    """A view whose methods differ."""

    init_every_request = False
    decorators: ClassVar[list[Any]] = [require("read")]

    def get(self) -> str:
        """Answer."""
        return "got"

    @require("write")
    def post(self) -> str:
        """Answer."""
        return "posted"


class Partly(MethodView):
    """A view of which a method is protected by itself."""

    @require("read")
    def get(self) -> str:
        """Answer."""
        return "got"

    def post(self) -> str:
        """Answer."""
        return "posted"


def test_classes(authorization_server: ScriptedAS) -> None:
    """A class says it for all of its methods, a method for itself, and both add up."""
    app = installed(authorization_server)
    for path, view in (("/listed", Listed), ("/both", ByMethod), ("/partly", Partly)):
        app.add_url_rule(path, view_func=view.as_view(path[1:]))
    assert_refused(call(app, path="/listed"), 401, scope="read")
    assert call(app, path="/listed", token=READER).body == b"listed"
    assert_refused(call(app, "POST", "/both"), 401, scope="read write")
    assert_refused(call(app, "GET", "/both"), 401, scope="read")
    assert_refused(call(app, "POST", "/both", token=READER), 403, "insufficient_scope", scope="read write")
    assert call(app, "POST", "/both", token=WRITER).body == b"posted"
    for method in ("GET", "HEAD", "OPTIONS"):
        assert call(app, method, "/partly").status == 401
    assert call(app, "POST", "/partly").body == b"posted"
    assert unprotected_routes(app) == ["GET /static/<path:filename>", "POST /partly"]
    assert authorization_server.introspections == 2


def test_blueprint(authorization_server: ScriptedAS) -> None:
    """A blueprint, one in it, their views and the application demand together, and are named in one refusal."""
    app = installed(authorization_server)
    outer, inner = Blueprint("outer", "outer"), Blueprint("inner", "inner")
    outer.before_request(require("read"))
    inner.before_request(require("write"))

    @outer.get("/outer")
    def of_outer() -> str:
        return "outer"

    @inner.get("/inner")
    @require("admin")
    def of_inner() -> str:
        return "inner"

    outer.register_blueprint(inner)
    app.register_blueprint(outer, url_prefix="/v1")
    assert_refused(call(app, path="/v1/outer"), 401, scope="read")
    assert_refused(call(app, path="/v1/inner"), 401, scope="read write admin")
    assert_refused(call(app, path="/v1/inner", token=WRITER), 403, "insufficient_scope", scope="read write admin")
    assert call(app, path="/v1/inner", token=ADMIN).body == b"inner"
    assert unprotected_routes(app) == ["GET /static/<path:filename>"]


def test_application(authorization_server: ScriptedAS) -> None:
    """Said for the application it holds everywhere, also where there is nothing."""
    app = installed(authorization_server)
    app.before_request(require("read"))
    assert_refused(call(app, path="/none"), 401, scope="read")
    assert call(app, path="/none", token=READER).status == 404
    assert unprotected_routes(app) == []


@pytest.mark.attack("A-F-13")
def test_judged_once(authorization_server: ScriptedAS, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many demands there are, the request is judged once for all of them, before anything else runs."""
    app = Flask("api")
    order: list[str] = []
    server = blocking(authorization_server)
    judge = server.authenticate

    def authenticate(*args: Any) -> Any:
        order.append("judged")
        return judge(*args)

    monkeypatch.setattr(server, "authenticate", authenticate)
    app.before_request(lambda: order.append(str(principal.subject)))
    install(app, server)
    blueprint = Blueprint("all", "all")
    blueprint.before_request(require("read"))

    @blueprint.get("/things")
    @require("write")
    @require("read")
    def things() -> str:
        order.append("view")
        return "things"

    app.register_blueprint(blueprint)
    assert call(app, token=WRITER).status == 200
    assert order == ["judged", "alice", "view"]


def test_judged_before_anything_else(authorization_server: ScriptedAS) -> None:
    """HEAD is judged in advance as GET is, and so is a view that was put in the place of another one."""
    app = installed(authorization_server)
    ran: list[str] = []
    app.before_request(lambda: ran.append(request.method))

    class Things(MethodView):
        @require("read")
        def get(self) -> str:
            return "got"

    app.add_url_rule("/things", view_func=Things.as_view("things"))
    app.add_url_rule("/late", "late", lambda: "public")
    assert call(app, path="/late").status == 200
    app.view_functions["late"] = require("read")(lambda: "protected")
    ran.clear()
    assert_refused(call(app, "HEAD"), 401, scope="read")
    assert_refused(call(app, path="/late"), 401, scope="read")
    assert ran == []


def test_require_above_the_route(authorization_server: ScriptedAS) -> None:
    """A view that was registered before ``require`` came to it is as protected as any."""
    app = installed(authorization_server)

    @require("read")
    @app.route("/things", methods=["GET", "OPTIONS"])
    @require("write")
    def things() -> str:
        return "things"

    assert_refused(call(app), 401, scope="read write")
    assert call(app, token=WRITER).body == b"things"
    assert call(app, "OPTIONS", headers=PREFLIGHT).body == b""
    assert unprotected_routes(app) == ["GET /static/<path:filename>"]


def test_one_function_for_several_routes(authorization_server: ScriptedAS) -> None:
    """A function that is decorated anew for each route has at each route what was said there."""
    app = installed(authorization_server)
    for scope in ("read", "write"):
        app.add_url_rule(f"/{scope}", scope, require(scope)(lambda: "things"))
    shared = Shelf.show
    for scope in ("read", "write"):
        app.add_url_rule(f"/of-{scope}/<self>", f"of-{scope}", require(scope)(shared))
    assert_refused(call(app, path="/read"), 401, scope="read")
    assert_refused(call(app, path="/of-read/x"), 401, scope="read")
    assert_refused(call(app, path="/of-write/x"), 401, scope="write")


def forgetful(view: Callable[..., Any]) -> Callable[..., Any]:
    """Decorate without saying what was decorated."""

    def forgets(**kwargs: Any) -> Any:
        g.early = bool(principal)
        return view(**kwargs)

    return forgets


def test_hidden_from_sight(authorization_server: ScriptedAS) -> None:
    """What stands behind a decorator that shows nothing of it is judged where it stands, with all that is known."""
    app = installed(authorization_server)
    app.add_url_rule("/things", "things", forgetful(require("write")(require("read")(lambda: str(g.early)))))
    assert_refused(call(app), 401, scope="write")
    assert_refused(call(app, token=READER), 403, "insufficient_scope", scope="write")
    assert call(app, token=WRITER).body == b"False"
    assert unprotected_routes(app) == ["GET /static/<path:filename>", "GET /things"]


def test_seen_only_in_part(authorization_server: ScriptedAS) -> None:
    """What becomes known later is judged together with what was known before; a hidden one is a 404 then too."""
    app = installed(authorization_server)
    hiding = functools.partial(forgetful(require("admin", hide=True)(lambda: "things")))
    functools.update_wrapper(hiding, forgetful)
    app.add_url_rule("/things", "things", require("read")(hiding))
    assert call(app, token=READER).status == 404
    assert call(app, token=ADMIN).body == b"things"
    assert_refused(call(app), 401, scope="read")


def test_dispatched_by_hand(authorization_server: ScriptedAS) -> None:
    """A view that is called past the application's own way of doing that judges for itself."""
    app = installed(authorization_server)
    app.add_url_rule("/things", "things", require("read")(lambda: str(principal.subject)))
    with app.test_request_context("/things"), pytest.raises(Exception, match="access token"):
        app.dispatch_request()
    with app.test_request_context("/things", headers={"Authorization": f"Bearer {READER}"}):
        assert app.dispatch_request() == "alice"


@pytest.mark.attack("A-F-8", "A-R-10")
def test_options(authorization_server: ScriptedAS) -> None:
    """OPTIONS needs what GET needs; a preflight is answered without, and never by a view."""
    app = installed(authorization_server)
    entered: Counter[str] = Counter()

    def things() -> str:
        entered[request.method] += 1
        return "things"

    def unmarked() -> str:
        return things()

    blueprint = Blueprint("hooked", "hooked")
    blueprint.before_request(require("read"))
    app.add_url_rule("/plain", "plain", require("read")(things))
    app.add_url_rule("/own", "own", require("read")(things), methods=["GET", "OPTIONS"])
    app.add_url_rule("/open", "open", lambda: "open", methods=["GET", "OPTIONS"])
    blueprint.add_url_rule("/hooked", "hooked", unmarked, methods=["GET", "OPTIONS"])
    app.register_blueprint(blueprint)
    for path in ("/plain", "/own", "/hooked"):
        for method in ("GET", "HEAD", "OPTIONS"):
            assert call(app, method, path).status == 401
        answer = call(app, "OPTIONS", path, headers=PREFLIGHT)
        assert (answer.status, answer.body) == (200, b"")
        assert {"GET", "HEAD", "OPTIONS"} == set((answer.header("allow") or "").split(", "))
    assert call(app, "OPTIONS", "/plain", token=READER).header("allow") is not None
    assert entered == {}
    assert call(app, "OPTIONS", "/own", token=READER).body == b"things"
    assert call(app, "OPTIONS", "/open").body == b"open"
    assert call(app, "TRACE", "/plain").status == 405
    assert unprotected_routes(app)[1:] == ["GET /open", "OPTIONS /open"]


def test_preflight_for_nothing(authorization_server: ScriptedAS) -> None:
    """A preflight for a path that does not exist is a 404 where a token is demanded everywhere."""
    app = installed(authorization_server)
    app.before_request(require("read"))
    assert call(app, "OPTIONS", "/none", headers=PREFLIGHT).status == 404
    assert_refused(call(app, "OPTIONS", "/none"), 401, scope="read")


def test_cross_origin_decorator(authorization_server: ScriptedAS) -> None:
    """A decorator that answers preflights itself does, where it stands outside."""

    def cross_origin(view: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(view)
        def answers(**kwargs: Any) -> Any:
            if request.method == "OPTIONS":
                return Response(headers={"Access-Control-Allow-Origin": "*"})
            return view(**kwargs)

        return answers

    app = installed(authorization_server)
    view = cross_origin(require("read")(lambda: "things"))
    app.add_url_rule("/things", "things", view, methods=["GET", "OPTIONS"])
    assert call(app, "OPTIONS", headers=PREFLIGHT).header("access-control-allow-origin") == "*"
    assert_refused(call(app, "OPTIONS"), 401, scope="read")


def test_view_that_judges_itself(authorization_server: ScriptedAS) -> None:
    """A refusal that a view raises is answered like any other; where the route hides, as a 404."""
    app = installed(authorization_server)

    def mine() -> str:
        authorize(principal, Requirement(scopes=all_of("owner")))
        return "mine"

    def public() -> str:
        raise InsufficientScope(scope=("owner",))

    app.add_url_rule("/things", "mine", require("read")(mine))
    app.add_url_rule("/hidden", "hidden", require("read", hide=True)(mine))
    app.add_url_rule("/public", "public", public)
    assert_refused(call(app, token=READER), 403, "insufficient_scope", scope="owner")
    assert_refused(call(app, path="/public"), 403, "insufficient_scope", scope="owner")
    assert call(app, path="/hidden", token=READER).status == 404


def test_nobody_is_calling(authorization_server: ScriptedAS) -> None:
    """Outside of a request that was judged nobody is calling, and to ask who says so."""
    app = installed(authorization_server)
    app.add_url_rule("/things", "things", lambda: str(bool(principal)))
    assert call(app, token=READER).body == b"False"
    assert bool(principal) is False
    with pytest.raises(RuntimeError, match="while a request is served"):
        _ = principal.subject
    with app.test_request_context("/things"), pytest.raises(RuntimeError, match="while a request is served"):
        _ = principal.subject


def test_not_installed() -> None:
    """Without ``install`` nobody gets in: whoever runs the application is told why."""
    app = Flask("api")
    app.add_url_rule("/things", "things", require("read")(lambda: "things"))
    with app.test_request_context("/things"), pytest.raises(ConfigurationError, match="install"):
        app.dispatch_request()
    assert call(app, token=READER).status == 500


def test_mistakes() -> None:
    """What cannot be demanded is refused where it is said, and ``require`` without brackets is one of these things."""
    with pytest.raises(ConfigurationError):
        require("two words")
    view: Any = lambda: "things"  # noqa: E731 - what a decorator is given
    with pytest.raises(ConfigurationError, match="scope token"):
        require(view)
