"""WSGI: ``BearerTokenMiddleware(app, server)`` around a whole application, in which nothing is public unless named.

It judges a request before the application sees it, and before a byte of its body is read.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from io import BytesIO
from typing import Any
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from resource_server._hosts import added_fields, hides, is_preflight, refuse_proofs_for_nowhere, render
from resource_server._paths import PathRules
from resource_server._wsgi import (
    PRINCIPAL,
    authenticate,
    expect_blocking,
    header_fields,
    reply_of_itself,
    routed_path,
    send,
)
from resource_server.blocking import BlockingResourceServer
from resource_server.errors import BearerTokenError, ConfigurationError, VerificationUnavailable
from resource_server.health import Probes
from resource_server.principal import Principal
from resource_server.requirements import ANY_TOKEN, Requirement

__all__ = ["BearerTokenMiddleware", "principal_of"]

_OVERRIDES = ("HTTP_X_HTTP_METHOD", "HTTP_X_HTTP_METHOD_OVERRIDE", "HTTP_X_METHOD_OVERRIDE")
"""The fields by which a request asks to be taken for one with another method."""


def principal_of(environ: WSGIEnvironment) -> Principal:
    """Return who was let in.

    Args:
        environ: the request's environment.

    Raises:
        ConfigurationError: nobody was judged: the path is public, or there is no middleware in front.
    """
    principal: Principal | None = environ.get(PRINCIPAL)
    if principal is None:
        raise ConfigurationError("nobody was judged: the path is public, or no BearerTokenMiddleware stands in front")
    return principal


class BearerTokenMiddleware:
    """Let nobody reach an application without a token, public paths and CORS preflights aside.

    Who was let in is ``environ["resource_server.principal"]``. Where the server has a ``resource``, its metadata are
    served too (RFC 9728).

    Args:
        app: the application.
        server: the resource server.
        public: the paths that need no token, exact and whole, as the application routes them: after its mount point.
        rules: what is demanded besides, by path; see the patterns in the guide.
        default: what is demanded of every request for a path that is not public.
        not_found: answers in place of a 403 that a rule hides; by default a plain 404.
        probes: answer ``/healthz`` and ``/readyz`` too, without a token, or the paths of ``health.Probes``.

    Raises:
        ConfigurationError: the server is not a blocking one, a pattern is none, a path is public and has a rule, rules
            contradict each other, or one takes DPoP proofs while nobody knows the URL these are for.
    """

    def __init__(  # noqa: PLR0913 - all but two have a default
        self,
        app: WSGIApplication,
        server: BlockingResourceServer,
        *,
        public: Iterable[str] = (),
        rules: Mapping[str, Requirement] | None = None,
        default: Requirement = ANY_TOKEN,
        not_found: WSGIApplication | None = None,
        probes: bool | Probes = False,
    ) -> None:
        """Compile the rules, and tell the observer what is public."""
        expect_blocking(server)
        self._probes = Probes.of(probes)
        self.app = app
        self.server = server
        self._default = default
        self._rules = PathRules(rules, public, default)
        demands = list(self._rules)
        refuse_proofs_for_nowhere(server, ((pattern, [requirement]) for pattern, requirement in demands))
        self._hides = any(requirement.hide for _, requirement in demands)
        self._not_found = not_found or _not_found
        server.tell_unprotected(sorted(self._rules.public))

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Judge a request, and pass it on."""
        reply = reply_of_itself(self.server, self._probes, environ)
        if reply is not None:
            return send(environ, start_response, *reply)
        plain = self._adding(start_response, None) if self._hides else start_response
        if self._rules.is_public(routed_path(environ)):
            return self.app(environ, plain)
        if environ["REQUEST_METHOD"] == "OPTIONS" and is_preflight("OPTIONS", header_fields(environ)):
            return self._ask(environ, plain)
        return self._judge(environ, start_response)

    def _ask(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Let the application answer a preflight: it is shown no body, and sends none.

        A preflight needs none, and there are views that run whatever the method.
        """

        def start(status: str, headers: list[tuple[str, str]], *exc_info: Any) -> Any:  # noqa: ANN401 - as it is
            fields = [field for field in headers if field[0].lower() != "content-length"]
            if not status.startswith("204"):
                fields.append(("Content-Length", "0"))
            start_response(status, fields, *exc_info)
            return _drop

        response = self.app({**environ, "wsgi.input": BytesIO(), "CONTENT_LENGTH": "0"}, start)
        try:
            next(iter(response), None)  # one that is generated is not begun before its first piece
        finally:
            getattr(response, "close", _drop)()
        return []

    def _judge(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        requirement, path = self._default, routed_path(environ)
        path = path if path.startswith("/") else f"/{path}"  # as there are routers that put one there
        try:
            requirement = self._requirement(environ, path)
            principal = authenticate(self.server, environ, requirement)
        except (BearerTokenError, VerificationUnavailable) as error:
            if hides(error, requirement):
                return self._not_found(environ, self._adding(start_response, None))
            return send(environ, start_response, *render(self.server, header_fields(environ), error, requirement))
        if self._hides or self.server.adds_fields:
            start_response = self._adding(start_response, principal)
        return self.app(environ, start_response)

    def _requirement(self, environ: WSGIEnvironment, path: str) -> Requirement:
        method = environ["REQUEST_METHOD"]
        others = [environ[key] for key in _OVERRIDES if key in environ] if self._rules.tell_methods else None
        if not others:
            return self._rules.requirement(method, path)
        return self._rules.requirement_of_any([method, *map(str.strip, ",".join(others).split(","))], path)

    def _adding(self, start_response: StartResponse, principal: Principal | None) -> StartResponse:
        """Have the response say what the server has to say in it."""

        def start(status: str, headers: list[tuple[str, str]], *exc_info: Any) -> Any:  # noqa: ANN401 - passed on
            names = {name.lower().encode("latin-1") for name, _ in headers}
            added = added_fields(self.server, principal, int(status[:3]), names)
            fields = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in added]
            return start_response(status, headers + fields, *exc_info)

        return start


def _drop(*_piece: bytes) -> None:
    """Send nothing."""


def _not_found(environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
    body = b"Not Found"
    fields = ((b"content-type", b"text/plain; charset=utf-8"), (b"content-length", b"%d" % len(body)))
    return send(environ, start_response, 404, fields, body)
