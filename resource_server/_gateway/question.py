"""What a proxy asks: which request it is about, who sends it, and what is demanded of it."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from resource_server._gateway.answers import MISCONFIGURED, UNKNOWN_REQUEST
from resource_server._gateway.original import (
    METHOD,
    Original,
    client_address,
    is_trusted,
    read_forwarded,
    read_itself,
    read_original,
)
from resource_server._gateway.policy import Policy
from resource_server._gateway.words import WordsError, read_query
from resource_server._hosts import header, is_preflight, method_overrides
from resource_server._protocol.messages import RawHeaders, RequestParts
from resource_server._protocol.problem import ErrorResponse
from resource_server.errors import ConfigurationError
from resource_server.requirements import ANY_TOKEN, Requirement
from resource_server.server import ResourceServer

_DECIDING = frozenset({b"dpop", b"access-control-request-method"})
"""With one of these in it, a request cannot be judged without its method and path."""
_REMEMBERED, _LONGEST_REMEMBERED = 4_096, 256
"""For how many requests what is demanded is kept, and for which: callers choose their paths."""
_SOCKET = "127.0.0.1"
_MAX_PASSED_BYTES = 1_024
"""A longer ``X-Forwarded-For`` was not written by proxies alone."""


class Endpoint(NamedTuple):
    """One of the gateway's, by the kind of proxy that asks there."""

    name: str
    folded: bool
    """Its answers are told as nginx can pass them on."""


CADDY_OR_TRAEFIK, NGINX = Endpoint("auth", folded=False), Endpoint("nginx", folded=True)
ENVOY = Endpoint("envoy", folded=False)


class Refused(Exception):  # noqa: N818 - it is the outcome, and no error of anybody
    """A request is refused before its token is looked at.

    Args:
        response: what is answered.
        cause: the fault that somebody must mend, in a fixed vocabulary; ``None`` where it is the caller's doing.
    """

    def __init__(self, response: ErrorResponse, cause: str | None = None) -> None:
        """Keep both."""
        super().__init__()
        self.response, self.cause = response, cause


class Questions:
    """Reads what proxies ask.

    Args:
        server: what will judge; its ``trusted_proxies`` are believed.
        policy: what is demanded by host, path and method.
    """

    def __init__(self, server: ResourceServer, policy: Policy | None) -> None:
        """Keep both."""
        self._server, self._policy = server, policy
        self._remembered = lru_cache(_REMEMBERED)(self._demand)

    def read(
        self, endpoint: Endpoint, asked: RequestParts, *, over_socket: bool = False
    ) -> tuple[RequestParts, Requirement | None]:
        """Return the request that a proxy asks about, and what is demanded of it: ``None`` where all are let in.

        Args:
            endpoint: where it asks.
            asked: its own request; for Envoy, without the endpoint's part of the path.
            over_socket: it came over a Unix socket, which counts as this machine: the rights of its file decide who
                may open it.

        Raises:
            Refused: it is not certain which request this is, or what is demanded of it.
        """
        proxies = self._server.settings.trusted_proxies
        peer = _SOCKET if over_socket else asked.peer
        trusted, names = is_trusted(peer, proxies), {name for name, _ in asked.headers}
        original = self._original(endpoint, asked, trusted=trusted, names=names)
        if original is not None and is_preflight(original.method, asked.headers):
            return asked, None
        requirement = self._requirement(b"" if endpoint is ENVOY else asked.query, original, asked.headers)
        client: str | None = None
        if trusted and b"x-forwarded-for" in names:
            passed = header(asked.headers, b"x-forwarded-for")
            client = client_address(passed, proxies) if len(passed) <= _MAX_PASSED_BYTES else None
        method, path, query = ("", b"", b"") if original is None else original[:3]
        return RequestParts(method, asked.headers, query, peer=peer, path=path, client=client), requirement

    def _original(
        self, endpoint: Endpoint, asked: RequestParts, *, trusted: bool, names: set[bytes]
    ) -> Original | None:
        """Read which request it is, where that matters."""
        if endpoint is ENVOY:  # its question is the request
            trusted, original = True, read_itself(asked.method, asked.path, asked.query, asked.headers)
        elif not trusted:
            original = None
        else:
            original = (read_original if endpoint is NGINX else read_forwarded)(asked.headers)
        if original is None and (self._policy is not None or not names.isdisjoint(_DECIDING)):
            raise Refused(UNKNOWN_REQUEST, None if trusted else "untrusted_proxy")
        return original

    def _requirement(self, query: bytes, original: Original | None, headers: RawHeaders) -> Requirement | None:
        """Join what is demanded of the request, and of the other one that an application may take it for."""
        if original is None or self._policy is None:
            return self._remembered(query, None)
        demand = self._remembered if len(original.path) <= _LONGEST_REMEMBERED else self._demand
        requirement = demand(query, (original.method, original.path, original.host))
        overrides = method_overrides(headers)
        if requirement is None or not overrides:
            return requirement  # a public path is one whatever the method
        method = overrides[0].strip().upper()
        if len(overrides) > 1 or METHOD.fullmatch(method) is None:
            raise Refused(UNKNOWN_REQUEST)
        other = demand(query, (method.decode("ascii"), original.path, original.host))
        try:
            return requirement & (other or ANY_TOKEN)
        except ConfigurationError:
            raise Refused(UNKNOWN_REQUEST) from None

    def _demand(self, query: bytes, target: tuple[str, bytes, str | None] | None) -> Requirement | None:
        try:
            requirement = read_query(query)
            if target is None or self._policy is None:
                return requirement
            demanded = self._policy.demand(*target)
            if demanded is None:
                return requirement if query else None
            return requirement & demanded
        except LookupError:
            raise Refused(UNKNOWN_REQUEST) from None
        except WordsError as error:
            raise Refused(MISCONFIGURED, error.cause) from None
        except ConfigurationError:
            raise Refused(MISCONFIGURED, "contradiction") from None
