"""Paths that are spelled to be read in two ways: by no spelling does anybody get where they may not."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from urllib.parse import unquote_to_bytes
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

import pytest
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st

from resource_server import Requirement
from resource_server.flask import install, require
from resource_server.wsgi import BearerTokenMiddleware
from tests.support.fastapi_app import READER, ScriptedAS
from tests.support.wsgi import blocking, call, environment, send

PIECES = [
    *("/", "//", "\\", ".", "..", ";", ";a=b", "%2f", "%5c", "%2e", "%00", "%0a", "%252f", "%c0%af", "%ef%bc%8f"),
    *("admin", "Admin", "%61dmin", "\uff41dmin", "admin.json", "health", "x", "?", "#", "http://evil.example", " "),
]
PATHS = st.lists(st.sampled_from(PIECES), min_size=1, max_size=7).map("".join)
CORPUS = [
    *("/admin/x", "//admin/x", "/%61dmin/x", "/admin%2fx", "/admin/./x", "/admin;a/x", "/x/../admin/x", "admin/x"),
    *("/health/../admin/x", "/health/..;/admin/x", "/health%2f..%2fadmin/x", "/health/%2e%2e/admin/x", "\\admin\\x"),
    *("http://evil.example/admin/x", "/admin/x/", "/ADMIN/X", "/admin/x%00", "/admin/x%20", "/health;/../admin/x"),
]


class Reached:
    """A Flask application that demands nothing itself, and notes who has reached what."""

    def __init__(self) -> None:
        """Have been reached by nobody."""
        self.app = Flask("bare", static_folder=None)
        self.views: list[str] = []
        for path in ("/", "/health", "/<path:rest>", "/admin", "/admin/<path:rest>"):
            self.app.add_url_rule(path, path, self._view(path))

    def _view(self, path: str) -> Callable[..., str]:
        def view(**_: str) -> str:
            self.views.append(path)
            return "reached"

        return view


def sent_as(path: str) -> str:
    """Decode a path as servers do, to what stands in an environment."""
    return unquote_to_bytes(path.partition("?")[0]).decode("latin-1")


def ask(door: WSGIApplication, path: str, token: str | None = None) -> int:
    """Send a request for a path as it is."""
    environ = environment(token=token) | {"PATH_INFO": sent_as(path), "RAW_URI": path}
    return send(door, environ).status


@pytest.mark.attack("A-F-6")
@given(PATHS)
def test_no_path_gets_past_the_middleware(path: str) -> None:
    """Without a token only the public path is reached, and without the scope nothing that a rule is for."""
    assert_closed(path)


@pytest.mark.attack("A-F-6")
@pytest.mark.parametrize("path", CORPUS)
def test_known_tricks(path: str) -> None:
    """The same for spellings that have worked elsewhere."""
    assert_closed(path)


RULES = {"/admin/*": Requirement.of("admin")}
BEHIND = Reached()
DOOR = BearerTokenMiddleware(BEHIND.app, blocking(ScriptedAS()), public=["/health"], rules=RULES)
"""One for all of them: what is reached is emptied before each."""


def assert_closed(path: str) -> None:
    """Ask for a path without a token, and with one that grants too little for a rule."""
    BEHIND.views.clear()
    status = ask(DOOR, path)
    assert (status, BEHIND.views) == (200, ["/health"]) if sent_as(path) == "/health" else status in (400, 401)
    BEHIND.views.clear()
    ask(DOOR, path, READER)
    assert not {"/admin", "/admin/<path:rest>"}.intersection(BEHIND.views)


@pytest.mark.attack("A-F-6")
@given(PATHS)
def test_no_path_gets_past_a_view(path: str) -> None:
    """A view's demands hang on the view: by whatever path it is reached, it is judged."""
    assert ask(GUARDED, path) in (308, 400, 401, 404)


def guarded() -> Flask:
    """Make an application all of whose views demand something."""
    app = Flask("guarded", static_folder=None)
    for path in ("/", "/health/", "/<path:rest>", "/admin", "/admin/<path:rest>"):
        app.add_url_rule(path, path, require("admin")(lambda **_: "reached"))
    install(app, blocking(ScriptedAS()))
    return app


GUARDED = guarded()


@pytest.mark.attack("A-F-7")
@pytest.mark.parametrize("host", ["evil.example", "localhost", "", "a b", "api.example.test:99999"])
def test_host(host: str) -> None:
    """What a request says of the host decides nothing, and stands in no answer."""
    answer = call(DOOR, path="/x", HTTP_HOST=host, headers={"X-Forwarded-Host": "evil.example"})
    assert answer.status == 401
    assert "evil" not in str(answer.headers) + answer.body.decode()


def test_application_of_any_kind() -> None:
    """An application that is told an empty path is reached no more than any other."""

    def app(_: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        start_response("200 OK", [])
        return []

    door = BearerTokenMiddleware(app, blocking(ScriptedAS()), public=["/"])
    assert ask(door, "") == 401
    assert ask(door, "/") == 200
