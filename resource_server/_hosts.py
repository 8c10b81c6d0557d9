"""What every front door does alike, whatever framework stands behind it.

A host turns what its framework knows of a request into :class:`RequestParts`, has it judged, and sends what
:func:`render` has made of a refusal. What it needs besides is here.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import reduce
from http import HTTPStatus
from operator import and_
from typing import NamedTuple, Self

from resource_server._facade import Facade
from resource_server._protocol.challenge import EXPOSED_HEADERS
from resource_server._protocol.messages import RawHeaders, RequestParts
from resource_server._protocol.problem import DPOP_NONCE_HEADER, ErrorResponse
from resource_server._protocol.protected_resource import ProtectedResource
from resource_server.errors import BearerTokenError, ConfigurationError, InsufficientScope, VerificationUnavailable
from resource_server.health import Probes
from resource_server.principal import Principal
from resource_server.requirements import Requirement

Reply = tuple[int, tuple[tuple[bytes, bytes], ...], bytes]
"""A response whose bytes are ready: status, header fields and body."""
MAX_FORM_BYTES = 65_536
"""A longer form has no token in it that is looked for."""
_OVERRIDES = frozenset({b"x-http-method", b"x-http-method-override", b"x-method-override"})
_FORM = b"application/x-www-form-urlencoded"
_EXPOSE = (b"access-control-expose-headers", EXPOSED_HEADERS.encode("ascii"))


class Demanded(NamedTuple):
    """What a route requires: everything together, and each ``require`` that said a part of it."""

    whole: Requirement
    parts: tuple[Requirement, ...]

    @classmethod
    def of(cls, base: Requirement, demands: Iterable[Requirement]) -> Self:
        """Add up what is said, to what holds everywhere."""
        parts = tuple(demands)
        return cls(reduce(and_, parts, base), parts)


def refuse_proofs_for_nowhere(server: Facade, routes: Iterable[tuple[str, Iterable[Requirement]]]) -> None:
    """Let no application start whose routes take DPoP proofs while nobody knows the URL these are for.

    Args:
        server: what judges.
        routes: the path of each, and what it demands.

    Raises:
        ConfigurationError: neither ``external_url`` nor ``resource`` is set; the message names the route.

    References: RFC 9449 section 4.3
    """
    for path, demands in routes if server.settings.base_url is None else ():
        if any(demand.dpop not in {None, "off"} for demand in demands):
            raise ConfigurationError(f"route {path!r} takes DPoP proofs, which needs external_url or resource")


def header(headers: RawHeaders, name: bytes) -> bytes:
    """Return the value of a field; that of several is a list (RFC 9110 section 5.3).

    Args:
        headers: names in lower case.
        name: in lower case.
    """
    return b",".join(value for key, value in headers if key == name)


def method_overrides(headers: RawHeaders) -> list[bytes]:
    """Return the methods that a request asks to be taken for, in whatever spelling of the fields.

    Args:
        headers: names in lower case.
    """
    return [value for name, value in headers if name.replace(b"_", b"-") in _OVERRIDES]


def is_preflight(method: str, headers: RawHeaders) -> bool:
    """Tell a browser's question before a request of another origin, which never has a token with it, from the rest.

    Any other OPTIONS is a request like GET. So is one that asks to be taken for another method, as no browser's does:
    there may be somebody further inside who grants that.

    References: Fetch Standard, section "CORS-preflight request"
    """
    if method != "OPTIONS" or method_overrides(headers):
        return False
    return bool(header(headers, b"origin") and header(headers, b"access-control-request-method"))


def may_hold_token(parts: RequestParts) -> bool:
    """Tell whether a request has a form with it (RFC 6750 section 2.2)."""
    media_type = header(parts.headers, b"content-type").partition(b";")[0].strip().lower()
    return parts.method not in ("GET", "HEAD") and media_type == _FORM


def form_length(content_length: bytes) -> int | None:
    """Return how many bytes a form has, or ``None`` of one that is long, or does not say.

    Args:
        content_length: the value of the field.
    """
    # Callers write it: Python converts no number of thousands of digits.
    if not content_length.isdigit() or len(content_length) > len(str(MAX_FORM_BYTES)):
        return None
    length = int(content_length)
    return length if length <= MAX_FORM_BYTES else None


def render(
    server: Facade,
    headers: RawHeaders,
    error: BearerTokenError | VerificationUnavailable,
    requirement: Requirement,
) -> ErrorResponse:
    """Make the response for a refusal, as this request wants it.

    Args:
        server: what judges.
        headers: the request's, names in lower case.
        error: what was raised.
        requirement: what the route demands; what it says of hiding is left to :func:`hides`.
    """
    ajax = header(headers, b"x-requested-with").strip().lower() == b"xmlhttprequest"
    return server.render(error, accept=header(headers, b"accept"), forbid=ajax if requirement.ajax_forbidden else None)


def hides(error: BearerTokenError | VerificationUnavailable, requirement: Requirement) -> bool:
    """Tell whether a refusal is to look like any other 404 of the application."""
    return requirement.hide and isinstance(error, InsufficientScope)


def metadata_at(server: Facade, *paths: str) -> ProtectedResource | None:
    """Return the server's metadata, where a request for one of these paths is for them (RFC 9728 section 3).

    Args:
        server: whose metadata.
        paths: the decoded path in each spelling that the host knows: with the prefix it is mounted at, and without.
    """
    resource = server.protected_resource
    return resource if resource is not None and resource.path in paths else None


def tell_of_itself(server: Facade, probes: Probes | None, method: str, *paths: str) -> Reply | None:
    """Answer what is asked of the server and not of the application: its metadata, or how it is.

    Args:
        server: what judges.
        probes: where it is asked how it is; ``None`` for nowhere.
        method: the request's; the caller leaves the body out for HEAD.
        paths: the decoded path in each spelling that the host knows: with the prefix it is mounted at, and without.

    Returns:
        The answer; ``None`` where the request is for the application.
    """
    resource = metadata_at(server, *paths)
    if resource is not None:
        return resource.answer(method)
    return None if probes is None else probes.answer(method, paths, server.health)


def added_fields(
    server: Facade, principal: Principal | None, status: int, names: Iterable[bytes]
) -> list[tuple[bytes, bytes]]:
    """Return what this server has to say in the response to a request that it has judged.

    No 404 may be cached, so that a hidden one looks like any other. No shared cache may keep what a URL with a token
    in it was answered with (RFC 6750 section 2.3). A client is told the nonce for its next proof (RFC 9449 section 9).
    A response with a nonce is kept by nobody, or an old nonce would come out of a cache (RFC 9449 section 8.2). Where
    the application has said itself who may keep its response, that stands.

    Args:
        server: whose request it answers.
        principal: who was let in.
        status: the response's.
        names: the names of the fields that the response has, in lower case.
    """
    private = principal is not None and server.token_methods.query
    nonce = None if principal is None else server.dpop_nonce(principal)
    unkept = status == HTTPStatus.NOT_FOUND or nonce is not None
    directive = b"no-store" if unkept else b"private" if private else None
    fields: list[tuple[bytes, bytes]] = []
    if directive is not None and b"cache-control" not in names:
        fields.append((b"cache-control", directive))
    if nonce is not None:
        fields += [(DPOP_NONCE_HEADER, nonce.encode("ascii")), _EXPOSE]
    return fields
