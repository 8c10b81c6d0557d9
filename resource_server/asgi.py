"""Any ASGI application behind one middleware: nobody gets in without a token, unless a path is said to be public.

``BearerTokenMiddleware(app, server)`` stands around a whole application, of whatever framework: Starlette, Litestar,
Quart, Django or none. It judges each request and each WebSocket's handshake before the application sees it, and before
one byte of a body is read.

References: ASGI HTTP and WebSocket specification 2.5, ASGI Lifespan specification 2.0
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Iterator, Mapping
from http import HTTPStatus
from typing import Any, cast

from resource_server._asgi import (
    Message,
    Receive,
    Scope,
    Send,
    expect_async,
    read_form,
    reply_of_itself,
    request_parts,
    routed_paths,
    send_refusal,
    send_reply,
    with_fields,
)
from resource_server._hosts import (
    hides,
    is_preflight,
    may_hold_token,
    method_overrides,
    refuse_proofs_for_nowhere,
    render,
)
from resource_server._paths import PathRules
from resource_server.errors import BearerTokenError, ConfigurationError, VerificationUnavailable
from resource_server.health import Probes
from resource_server.principal import Principal
from resource_server.requirements import ANY_TOKEN, Requirement
from resource_server.server import ResourceServer

__all__ = ["BearerTokenMiddleware", "principal_of", "unprotected_routes"]

ASGIApp = Callable[[Any, Any, Any], Awaitable[None]]
_KEY = "resource_server.principal"
_NORMAL_CLOSURE = 1000
"""RFC 6455 section 7.4.1; what a server turns into a bare 403 where the handshake is not over."""
_IMPLIED = frozenset({"HEAD", "OPTIONS"})


class BearerTokenMiddleware:
    """Let nobody into an application without a token that is good for the path.

    A refusal comes before whatever the application would have said of the path: 404, 405 or a redirect. The browser's
    question before a request of another origin passes, and so do requests for the server's own metadata (RFC 9728).
    Who was let in is ``scope["user"]``, which Starlette and Litestar call ``request.user``; :func:`principal_of` tells
    it everywhere.

    Args:
        app: the application, or the next middleware.
        server: what judges; started and closed with the application's lifespan where one runs.
        public: the paths that need no token: exact, decoded, and as the application routes them, without the prefix
            that it is mounted at.
        rules: what is demanded beyond ``default``, by path: ``/orders/{id}`` with any one segment in place of the
            braces, ``/admin/*`` for ``/admin`` and everything below, or either with a method and a space before it. Of
            several that fit, all hold, and so does one that fits only in another spelling of the path.
        default: what is demanded of every path that is not public.
        not_found: an application that answers as yours does where there is nothing, for what is hidden
            (``Requirement(hide=True)``). By default it says what Starlette says.
        probes: answer ``/healthz`` and ``/readyz`` too, without a token, or the paths of ``health.Probes``.

    Raises:
        ConfigurationError: the server is a blocking one; a path is no path, is public and has a rule, or has rules that
            contradict each other; or a rule takes DPoP proofs, and neither ``external_url`` nor ``resource`` is set.

    References: RFC 6750 section 3, RFC 9110 section 11
    """

    def __init__(  # noqa: PLR0913 - the application, the server, and what each path needs
        self,
        app: ASGIApp,
        server: ResourceServer,
        *,
        public: Iterable[str] = (),
        rules: Mapping[str, Requirement] | None = None,
        default: Requirement = ANY_TOKEN,
        not_found: ASGIApp | None = None,
        probes: bool | Probes = False,
    ) -> None:
        """Read the rules; nothing is asked yet."""
        expect_async(server)
        self._probes = Probes.of(probes)
        self.app = app
        self.server = server
        self.rules = PathRules(rules, public, default)
        self._default = default
        self._root = _root_of(app)
        self._not_found = not_found or _not_found
        self._hides = any(requirement.hide for _, requirement in self.rules)
        refuse_proofs_for_nowhere(server, ((pattern, (demand,)) for pattern, demand in self.rules))

    # Each framework has types of its own for these three.
    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401 - see above
        """Judge a request or a handshake, and pass it on; live and end with the application."""
        if scope["type"] not in ("http", "websocket"):
            await self._live(scope, receive, send)
            return
        reply = reply_of_itself(self.server, self._probes, scope)
        if reply is not None:
            await send_reply(reply, scope, send)
            return
        paths = self._paths(scope)
        if self.rules.public and self.rules.is_public(*paths):
            await self.app(scope, receive, self._plain_send(send))
        elif scope.get("method") == "OPTIONS" and is_preflight("OPTIONS", scope["headers"]):
            question = _Preflight(receive, self._plain_send(send))
            await self.app(scope, question.receive, question.send)
        else:
            await self._judge(scope, receive, send, paths)

    def _requirement(self, scope: Scope, paths: tuple[str, ...]) -> Requirement:
        method = scope.get("method", "GET")
        if paths != (scope["path"],):
            paths = (scope["path"], *paths)
        others = method_overrides(scope["headers"]) if self.rules.tell_methods else None
        if not others:
            return self.rules.requirement(method, *paths)
        return self.rules.requirement_of_any([method, *(other.strip().decode("latin-1") for other in others)], *paths)

    def _paths(self, scope: Scope) -> tuple[str, ...]:
        paths = routed_paths(scope)
        return (*paths, *routed_paths({**scope, "root_path": self._root})) if self._root else paths

    def _plain_send(self, send: Send) -> Send:
        """Return how to answer a request that is not judged."""
        return _Sender(self.server, send, None).send if self._hides else send

    async def _judge(self, scope: Scope, receive: Receive, send: Send, paths: tuple[str, ...]) -> None:
        server, requirement = self.server, self._default
        try:
            requirement = self._requirement(scope, paths)
            parts = request_parts(scope)
            if server.token_methods.form and may_hold_token(parts):
                ahead = _ReadAhead(receive)
                parts = parts._replace(form=await read_form(receive, ahead.messages))
                receive = ahead.receive
            principal = await server.authenticate(parts, requirement)
        except (BearerTokenError, VerificationUnavailable) as error:
            await self._refuse(error, requirement, scope, receive, send)
            return
        scope["user"] = scope[_KEY] = principal
        if self._hides or server.adds_fields:
            send = _Sender(server, send, principal).send
        await self.app(scope, receive, send)

    async def _refuse(
        self,
        error: BearerTokenError | VerificationUnavailable,
        requirement: Requirement,
        scope: Scope,
        receive: Receive,
        send: Send,
    ) -> None:
        if hides(error, requirement):
            await self._not_found(scope, receive, _Sender(self.server, send, None).send)
        else:
            await send_refusal(render(self.server, scope["headers"], error, requirement), scope, send)

    async def _live(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Start and close the server around the application's own lifespan, which it need not have."""
        if scope["type"] != "lifespan":
            raise ConfigurationError(f"ASGI scope type {scope['type']!r} is none that can be judged")
        lifespan = _Lifespan(await receive(), receive, send)
        self.server.tell_unprotected(unprotected_routes(self))
        async with self.server:
            outcome = await lifespan.run(self.app, scope)
        await lifespan.end()
        if outcome is not None:
            raise outcome


def principal_of(connection: Any) -> Principal:  # noqa: ANN401 - a request of any framework
    """Return who was let in.

    Args:
        connection: the request or the WebSocket, of whatever framework, or its ASGI scope.

    Raises:
        ConfigurationError: nobody was judged: the path is public, or there is no middleware in front.
    """
    scope = cast("Mapping[str, Any]", getattr(connection, "scope", connection))
    principal: Principal | None = scope.get(_KEY)
    if principal is None:
        raise ConfigurationError("nobody was judged: the path is public, or no BearerTokenMiddleware stands in front")
    return principal


def unprotected_routes(app: Any) -> list[str]:  # noqa: ANN401 - an application of any framework
    """List what an application lets everybody see: for a test, and told once when it starts.

    Args:
        app: the :class:`BearerTokenMiddleware` itself, or an application that has it among its own middleware.

    Returns:
        The public paths, each as ``GET /path``, or as the path alone where the application's routes do not tell its
        methods; ``/*`` where there is no middleware at all.
    """
    guard = _find_guard(app)
    if guard is None:
        return ["/*"]
    routes = list(_routes(guard.app))
    return [line for path in sorted(guard.rules.public) for line in _lines(path, routes)]


def _find_guard(app: Any) -> BearerTokenMiddleware | None:  # noqa: ANN401 - as above
    """Find the middleware: under another one, in Quart's ``asgi_app``, or among Starlette's ``user_middleware``."""
    while app is not None:
        for inner in (app, getattr(app, "asgi_app", None)):
            if isinstance(inner, BearerTokenMiddleware):
                return inner
        for entry in getattr(app, "user_middleware", ()):
            if entry.cls is BearerTokenMiddleware:
                return BearerTokenMiddleware(app, *entry.args, **entry.kwargs)
        app = getattr(app, "app", None)
    return None


def _root_of(app: Any) -> str:  # noqa: ANN401 - as above
    """Return the prefix that an application takes off paths by itself, as one of FastAPI's with a ``root_path``."""
    while app is not None:
        root = getattr(app, "root_path", None)
        if root and isinstance(root, str):
            return root
        app = getattr(app, "app", None)
    return ""


def _routes(app: Any) -> Iterator[tuple[str, frozenset[str]]]:  # noqa: ANN401 - as above
    """Tell the path and the methods of each route, as far as an application under other middleware has such."""
    while not hasattr(app, "routes") and hasattr(app, "app"):
        app = app.app
    routes = getattr(app, "routes", ())
    for route in routes if isinstance(routes, list) else ():
        path, methods = getattr(route, "path", None), getattr(route, "methods", None)
        if isinstance(path, str) and methods:
            yield path, frozenset(map(str, methods))


def _lines(path: str, routes: list[tuple[str, frozenset[str]]]) -> list[str]:
    methods = frozenset[str]().union(*(methods for known, methods in routes if known == path))
    return [f"{method} {path}" for method in sorted(methods - _IMPLIED)] or [path]


class _Sender:
    """Sends a response, with what the server has to say in it."""

    __slots__ = ("_principal", "_send", "_server")

    def __init__(self, server: ResourceServer, send: Send, principal: Principal | None) -> None:
        self._server = server
        self._send = send
        self._principal = principal

    async def send(self, message: Message) -> None:
        """Send a part."""
        await self._send(with_fields(message, self._server, self._principal))


class _Preflight:
    """Shows an application no body, and sends none: a preflight needs none, and some views run whatever the method."""

    __slots__ = ("_asked", "_receive", "_send")

    def __init__(self, receive: Receive, send: Send) -> None:
        self._asked = False
        self._receive = receive
        self._send = send

    async def receive(self) -> Message:
        """Receive a body that is empty, and then word of the end."""
        if self._asked:
            message = await self._receive()
            while message["type"] == "http.request":
                message = await self._receive()
            return message
        self._asked = True
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(self, message: Message) -> None:
        """Send the head, and at once the end."""
        if message["type"] == "http.response.start":
            headers = [field for field in message.get("headers", ()) if field[0].lower() != b"content-length"]
            if message["status"] != HTTPStatus.NO_CONTENT:
                headers.append((b"content-length", b"0"))
            await self._send({"type": "http.response.start", "status": message["status"], "headers": headers})
            await self._send({"type": "http.response.body", "body": b""})


class _ReadAhead:
    """Gives an application the part of a body that was read before it, and then the rest."""

    __slots__ = ("_receive", "messages")

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self.messages: list[Message] = []

    async def receive(self) -> Message:
        """Receive a part."""
        return self.messages.pop(0) if self.messages else await self._receive()


class _Lifespan:
    """An application's lifespan, whose last word is kept until the server is closed."""

    def __init__(self, startup: Message, receive: Receive, send: Send) -> None:
        self.answered = False
        self._startup: list[Message] = [startup]
        self._receive = receive
        self._send = send
        self._last: Message | None = None

    async def receive(self) -> Message:
        """Receive what the application is told."""
        return self._startup.pop() if self._startup else await self._receive()

    async def send(self, message: Message) -> None:
        """Send what it answers."""
        self.answered = True
        if message["type"].startswith("lifespan.shutdown."):
            self._last = message
        else:
            await self._send(message)

    async def run(self, app: ASGIApp, scope: Scope) -> BaseException | None:
        """Run the application's own one to its end, and return what went wrong.

        One that knows no lifespan says so by an error, or by nothing: then the server is answered for it.
        """
        task = asyncio.ensure_future(cast("Coroutine[Any, Any, None]", app(scope, self.receive, self.send)))
        (outcome,) = await asyncio.gather(task, return_exceptions=True)
        if self.answered or isinstance(outcome, ConfigurationError):
            return outcome
        await self._send({"type": "lifespan.startup.complete"})
        await self._receive()
        self._last = {"type": "lifespan.shutdown.complete"}
        return None

    async def end(self) -> None:
        """Send the last word, where there is one."""
        if self._last is not None:
            await self._send(self._last)


async def _not_found(scope: Scope, _receive: Receive, send: Send) -> None:
    """Answer as Starlette does where there is nothing."""
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": _NORMAL_CLOSURE, "reason": ""})
        return
    headers = [(b"content-length", b"9"), (b"content-type", b"text/plain; charset=utf-8")]
    await send({"type": "http.response.start", "status": HTTPStatus.NOT_FOUND.value, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else b"Not Found"})
