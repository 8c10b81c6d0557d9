"""Call other services on behalf of whoever has called this one.

The token that a request has brought is meant for this service, and is sent to no other. At the authorization server it
is exchanged for one that the other service accepts::

    auth = server.exchange(request, audience="https://stock.example.com")
    async with httpx.AsyncClient() as client:
        await client.get("https://stock.example.com/items", auth=auth)

References: RFC 8693, RFC 9700 section 2.3
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Generator, Iterable
from functools import cache, partial
from http import HTTPStatus
from importlib.util import find_spec
from inspect import iscoroutinefunction
from typing import TYPE_CHECKING, Any, Protocol, cast

import httpx

from resource_server._protocol.bearer import TokenMethods, extract_credential
from resource_server._protocol.messages import RequestParts
from resource_server._protocol.token_request import TokenRefused
from resource_server._protocol.urls import url_problem
from resource_server._validation.admit import DEFAULT_RETRY_AFTER
from resource_server._validation.exchange import Exchanged, Wanted, exchange
from resource_server.errors import MissingToken, TokenExchangeRefused, TokenExchangeUnavailable

if TYPE_CHECKING:
    from resource_server._core import Core, Way

__all__ = ["TokenExchange"]

Texts = str | Iterable[str]


class _Headers(Protocol):
    def get(self, key: str, /) -> str | None: ...


class IncomingRequest(Protocol):
    """A request of a framework's, such as Starlette's, Flask's or Django's."""

    @property
    def headers(self) -> _Headers:
        """Its header fields; their names are found in any case."""
        ...


class TokenExchange(httpx.Auth):
    """Sends requests to one other service, with a token for it in the place of the one that was exchanged.

    It is the ``auth`` of a client of httpx or httpx2: of an ``AsyncClient`` where a ``ResourceServer`` has made it, of
    a ``Client`` where a ``BlockingResourceServer`` has. The token goes to one origin only: that of the first request.
    Where the other service answers 401, the token is exchanged anew, once.

    Args:
        core: judges the tokens of the authorization server that is asked.
        wanted: what is exchanged, and for what.
    """

    def __init__(self, core: Core, wanted: Wanted) -> None:
        """Ask nobody yet."""
        self._core, self._wanted = core, wanted
        self._share = cast("Way", core.line).share
        self._key = core.digest(wanted.name)
        self._origin: tuple[str, str, int | None] | None = None

    def __repr__(self) -> str:
        """Say for whom the token is; nothing secret."""
        return f"{type(self).__name__}(audience={self._wanted.audience!r}, resource={self._wanted.resource!r})"

    async def async_auth_flow(self, request: Any) -> AsyncGenerator[Any, Any]:  # noqa: ANN401 - of httpx or httpx2
        """Send a request of an ``AsyncClient``.

        Raises:
            TokenExchangeRefused: the authorization server gives no token for it.
            TokenExchangeUnavailable: it could not be asked.
            ValueError: the request is for another service than the first one was, or not encrypted.
            TypeError: a ``BlockingResourceServer`` has made this.
        """
        if not iscoroutinefunction(self._share):
            raise TypeError("a BlockingResourceServer exchanges tokens for a Client, not for an AsyncClient")
        self._keep_to_origin(request)
        response = yield _signed(request, _granted(await self._exchange()))
        if self._is_refused(request, response):
            newer = _granted(await self._exchange(_sent(request)))
            if newer != _sent(request):
                yield _signed(request, newer)

    def sync_auth_flow(self, request: Any) -> Generator[Any, Any]:  # noqa: ANN401 - as above
        """Send a request of a ``Client``.

        Raises:
            TokenExchangeRefused: as above.
            TokenExchangeUnavailable: as above.
            ValueError: as above.
            TypeError: a ``ResourceServer`` has made this.
        """
        if iscoroutinefunction(self._share):
            raise TypeError("a ResourceServer exchanges tokens for an AsyncClient, not for a Client")
        self._keep_to_origin(request)
        response = yield _signed(request, _granted(self._exchange()))
        if self._is_refused(request, response):
            newer = _granted(self._exchange(_sent(request)))
            if newer != _sent(request):
                yield _signed(request, newer)

    def _exchange(self, refused: str | None = None) -> Any:  # noqa: ANN401 - or what waits for it
        flow = partial(exchange, self._core.state, self._wanted, self._key, refused)
        return self._share(("exchange", self._key, refused is not None), flow)

    def _keep_to_origin(self, request: Any) -> None:  # noqa: ANN401 - as above
        problem = url_problem(str(request.url), allow_insecure_http=self._core.settings.allow_insecure_http)
        if problem is not None:
            raise ValueError(f"the URL of the other service {problem}")
        origin = _origin(request.url)
        self._origin = self._origin or origin
        if origin != self._origin:
            raise ValueError("the token is for the service of the first request: exchange one for each service")

    def _is_refused(self, request: Any, response: Any) -> bool:  # noqa: ANN401 - as above
        """Tell whether it was this service that did not accept the token, and the request can be sent again."""
        refused = response.status_code == HTTPStatus.UNAUTHORIZED and _origin(response.request.url) == self._origin
        return refused and "_content" in vars(request)


def open_exchange(  # noqa: PLR0913 - what is asked for, each by name
    core_of: Callable[[bytes], Core],
    methods: TokenMethods,
    source: RequestParts | IncomingRequest | str | bytes,
    *,
    audience: Texts = (),
    resource: Texts = (),
    scope: Texts = (),
    actor_token: str | None = None,
) -> TokenExchange:
    """Begin an exchange; the arguments are those of :meth:`resource_server.ResourceServer.exchange`.

    Args:
        core_of: finds who judges a token.
        methods: where a token may be in a request.
        source: the token, or the request that has brought it.
        audience: as there.
        resource: as there.
        scope: as there.
        actor_token: as there.

    Raises:
        MissingToken: the request has no token.
    """
    token = _token_of(source, methods)
    scopes = (part for text in _texts(scope) for part in text.split())
    wanted = Wanted(token.decode("ascii"), _texts(audience), _texts(resource), tuple(scopes), actor_token)
    return _for_every_library()(core_of(token), wanted)


@cache
def _for_every_library() -> type[TokenExchange]:
    """Return the class that clients take for one of their own library."""
    if find_spec("httpx2") is None:
        return TokenExchange
    import httpx2  # noqa: PLC0415 - where it is installed

    return type(TokenExchange.__name__, (TokenExchange, httpx2.Auth), {"__module__": TokenExchange.__module__})


def _token_of(source: RequestParts | IncomingRequest | str | bytes, methods: TokenMethods) -> bytes:
    if isinstance(source, str | bytes):
        value = source.encode() if isinstance(source, str) else source
        source = RequestParts("", [(b"authorization", b"Bearer " + value)])
    elif not isinstance(source, RequestParts):
        field = source.headers.get("authorization")
        source = RequestParts("", [] if field is None else [(b"authorization", field.encode("latin-1"))])
    credential = extract_credential(source, methods)
    if credential is None:
        raise MissingToken
    return credential.token


def _texts(value: Texts) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value)


def _granted(found: Exchanged) -> str:
    if isinstance(found, str):
        return found
    if isinstance(found, TokenRefused):
        raise TokenExchangeRefused(found.error)
    raise TokenExchangeUnavailable(DEFAULT_RETRY_AFTER if found.retry_after is None else found.retry_after)


def _signed(request: Any, token: str) -> Any:  # noqa: ANN401 - of httpx or httpx2
    request.headers["Authorization"] = f"Bearer {token}"
    return request


def _sent(request: Any) -> str:  # noqa: ANN401 - as above
    """Return the token that a request holds: a variable would show it in the traceback of what is raised later."""
    value: str = request.headers["Authorization"]
    return value.removeprefix("Bearer ")


def _origin(url: Any) -> tuple[str, str, int | None]:  # noqa: ANN401 - as above
    return url.scheme, url.host, url.port
