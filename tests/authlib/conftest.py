"""The two front doors of Authlib, Flask's and Django's, each an application with one view that a test makes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from io import BytesIO
from typing import Any, Protocol, cast
from wsgiref.util import setup_testing_defaults

import pytest
from authlib.integrations import django_oauth2, flask_oauth2
from authlib.oauth2 import ResourceProtector
from django.conf import UserSettingsHolder, global_settings, settings
from django.core.handlers.wsgi import WSGIRequest
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from flask import Flask, jsonify, request

from resource_server import BlockingResourceServer
from resource_server.authlib import Token
from tests.support.answer import Answer
from tests.support.fastapi_app import ScriptedAS
from tests.support.promises import PRESENTED, logs_keep_secrets
from tests.support.wsgi import blocking

__all__ = ["Door", "logs_keep_secrets"]

Act = Callable[[Token | None], Any]
Environ = dict[str, Any]


class Door(Protocol):
    """A framework, as far as a test needs it."""

    protector: Any

    def protect(self, *args: Any, act: Act | None = None, **demands: Any) -> None:
        """Put ``@require_oauth(...)`` around the application's view."""
        ...

    def answer(self, environ: Environ) -> Answer:
        """Answer a request."""
        ...


def who(token: Token | None) -> Any:
    """Say what a view knows of its caller."""
    return {"anonymous": True} if token is None else {"sub": token["sub"], "scope": token.get_scope()}


class FlaskDoor:
    """Authlib in Flask."""

    def __init__(self) -> None:
        """Have no view yet."""
        self.app = Flask(__name__)
        self.protector: Any = flask_oauth2.ResourceProtector()

    def protect(self, *args: Any, act: Act | None = None, **demands: Any) -> None:
        """Add the view."""

        def view() -> Any:
            request.get_data()
            token = cast("Token | None", flask_oauth2.current_token._get_current_object())
            return jsonify((act or who)(token))

        methods = ["GET", "POST", "PUT"]
        self.app.add_url_rule("/things", view_func=self.protector(*args, **demands)(view), methods=methods)

    def answer(self, environ: Environ) -> Answer:
        """Run the application."""
        told: list[Any] = []

        def start_response(status: str, headers: list[tuple[str, str]], _: Any = None) -> Any:
            told.extend((int(status[:3]), tuple(headers)))

        body = b"".join(self.app(environ, start_response))
        return Answer(told[0], told[1], body)


class DjangoDoor:
    """Authlib in Django: the view alone, as nothing else there has to do with it."""

    def __init__(self) -> None:
        """Have no view yet."""
        self.protector: Any = django_oauth2.ResourceProtector()
        self._view: Callable[[HttpRequest], HttpResponse] = HttpResponse

    def protect(self, *args: Any, act: Act | None = None, **demands: Any) -> None:
        """Make the view."""

        def view(request: HttpRequest) -> HttpResponse:
            _ = request.body
            return JsonResponse((act or who)(cast("Any", request).oauth_token), safe=False)

        self._view = self.protector(*args, **demands)(view)

    def answer(self, environ: Environ) -> Answer:
        """Run the view."""
        return self.answer_to(WSGIRequest(environ))

    def answer_to(self, request: HttpRequest) -> Answer:
        """Run the view for a request of any kind."""
        try:
            response = self._view(request)
        except Http404:
            return Answer(404, (), b"")
        return Answer(response.status_code, tuple(response.headers.items()), response.content)


@pytest.fixture(autouse=True)
def django_settings() -> Iterator[None]:
    """Give Django the settings that it has by itself, for one test alone."""
    lazy: Any = settings
    mine: Any = UserSettingsHolder(global_settings)
    mine.ALLOWED_HOSTS = ["*"]
    previous, lazy._wrapped = lazy._wrapped, mine
    yield
    lazy._wrapped = previous


@pytest.fixture(params=[FlaskDoor, DjangoDoor])
def door(request: pytest.FixtureRequest) -> Door:
    """Open one of the doors."""
    made: Door = request.param()
    return made


@pytest.fixture
def authorization_server() -> ScriptedAS:
    """Give an authorization server that knows a few tokens."""
    return ScriptedAS()


@pytest.fixture
def make_server(authorization_server: ScriptedAS) -> Iterator[Callable[..., BlockingResourceServer]]:
    """Make servers that ask it, and close them in the end."""
    made: list[BlockingResourceServer] = []

    def make(**options: Any) -> BlockingResourceServer:
        made.append(blocking(authorization_server, **({"retries": 0} | options)))
        return made[-1]

    yield make
    for server in made:
        server.close()


def ask(door: Door, token: str | None = None, *, method: str = "GET", body: bytes = b"", **environ: Any) -> Answer:
    """Send one request.

    Args:
        door: where to.
        token: sent as ``Authorization: Bearer``.
        method: the method.
        body: the body.
        environ: what else the server knows of the request.
    """
    sent: Environ = {"REQUEST_METHOD": method, "PATH_INFO": "/things", "REMOTE_ADDR": "127.0.0.1"}
    setup_testing_defaults(sent)
    if token is not None:
        PRESENTED.add(token)
        sent["HTTP_AUTHORIZATION"] = f"Bearer {token}"
    sent |= {"wsgi.input": BytesIO(body), "CONTENT_LENGTH": str(len(body))} | environ
    return door.answer(sent)


def refusal(server: BlockingResourceServer, error: Any, **named: Any) -> Answer:
    """Write what the server answers to a refusal, whatever stands before it."""
    status, headers, body = server.render(error, **named)
    return Answer(status, tuple((name.decode(), value.decode()) for name, value in headers), body)


def same(found: Answer, wanted: Answer) -> bool:
    """Compare status, fields and body, byte for byte but for its name; names of fields are in any case."""
    found, wanted = found.unnamed(), wanted.unnamed()
    return (found.status, _fields(found), found.body) == (wanted.status, _fields(wanted), wanted.body)


def _fields(answer: Answer) -> list[tuple[str, str]]:
    return sorted((name.lower(), value) for name, value in answer.headers)


def members(answer: Answer) -> Any:
    """Read a body."""
    return json.loads(answer.body)


def installed(protector: ResourceProtector) -> bool:
    """Tell whether a protector judges as the server does."""
    return "validate_request" in vars(protector)
