"""What type checkers make of the public face; both run over this file, and it runs as a test too.

An application is written against these types: one that becomes ``Any``, or another one, is a change for its author.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, assert_type

from resource_server import (
    BlockingResourceServer,
    Challenge,
    Health,
    InsufficientScope,
    InvalidToken,
    Lease,
    Principal,
    RequestParts,
    Requirement,
    ResourceServer,
    Settings,
    VerificationUnavailable,
    all_of,
    any_of,
    parse_challenges,
)
from resource_server.asgi import BearerTokenMiddleware
from resource_server.requirements import Scopes
from resource_server.wsgi import BearerTokenMiddleware as WSGIMiddleware


async def with_tasks(server: ResourceServer, request: RequestParts) -> None:
    """Use the verbs of tasks."""
    assert_type(await server.authenticate(request), Principal)
    assert_type(server.health(), Health)
    assert_type(server.settings, Settings)
    async with server as entered:
        assert_type(entered, ResourceServer)


def with_threads(server: BlockingResourceServer, request: RequestParts) -> None:
    """Use the verbs of threads."""
    assert_type(server.authenticate(request), Principal)
    with server as entered:
        assert_type(entered, BlockingResourceServer)


def about_principals(principal: Principal) -> None:
    """Read who is calling."""
    assert_type(principal.subject, str | None)
    assert_type(principal.client_id, str | None)
    assert_type(principal.scopes, frozenset[str])
    assert_type(principal.issuer, str | None)
    assert_type(principal.audience, tuple[str, ...])
    assert_type(principal.expires_at, float | None)
    assert_type(principal.claims, Mapping[str, Any])
    assert_type(principal.lease(), Lease)


def about_demands() -> None:
    """Make demands."""
    assert_type(Requirement.of("read", "write"), Requirement)
    assert_type(Requirement.of(any_of("a", "b")) & Requirement.of("c"), Requirement)
    assert_type(all_of("a") | any_of("b"), Scopes)


def about_refusals(error: InvalidToken | InsufficientScope, outage: VerificationUnavailable) -> None:
    """Read refusals."""
    assert_type(error.status, int)
    assert_type(error.scope, tuple[str, ...])
    assert_type(outage.retry_after, float)
    assert_type(parse_challenges("Bearer"), list[Challenge])


def about_settings() -> None:
    """Make settings and servers."""
    settings = Settings(issuer="https://as.example.com", audience=("https://api.example.com",), strategy="jwks")
    assert_type(settings.issuer, str)
    assert_type(settings.audience, tuple[str, ...])
    assert_type(settings.cache_ttl, float)


def about_doors(server: ResourceServer, blocking: BlockingResourceServer) -> None:
    """Put servers in front of applications."""
    assert_type(BearerTokenMiddleware(asgi_application, server, public=["/healthz"]), BearerTokenMiddleware)
    assert_type(WSGIMiddleware(wsgi_application, blocking), WSGIMiddleware)


async def asgi_application(scope: Any, receive: Any, send: Any) -> None:
    """Stand for an application."""


def wsgi_application(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    """Stand for an application."""
    return []
