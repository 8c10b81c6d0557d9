"""Look at the configuration: whether it is acceptable, and what in it is seldom meant."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from resource_server._doctor.finding import Finding, fine, odd
from resource_server._protocol.plain import plain
from resource_server._protocol.urls import is_loopback

if TYPE_CHECKING:
    from resource_server.settings import Settings

_LONG_CACHE, _LONG_LEEWAY = 900.0, 120.0
"""Seconds beyond which an option does more harm than good."""


def judge_configuration(settings: Settings) -> list[Finding]:
    """Look for what is acceptable, and seldom meant.

    Args:
        settings: the options of one authorization server.
    """
    found = list(_oddities(settings))
    whom = f"issuer {plain(settings.issuer)}, strategy {settings.strategy}"
    return found or [fine("configuration", f"{whom}: all options are acceptable together")]


def _oddities(settings: Settings) -> Iterator[Finding]:
    insecure = [url for url in _urls(settings) if _is_insecure(url)]
    if insecure:
        says = f"tokens and our credentials are sent in the clear, to {plain(urlsplit(insecure[0]).netloc)}"
        yield odd("configuration", says, "use https, and remove RESOURCE_SERVER_ALLOW_INSECURE_HTTP")
    if not settings.audience:
        says = "there is no audience: every token of this issuer is accepted, whomever it was made for"
        yield odd("configuration", says, "set RESOURCE_SERVER_AUDIENCE to what the issuer puts into aud for this API")
    elif not settings.require_audience:
        says = "tokens without aud are accepted when they are introspected"
        yield odd("configuration", says, "remove RESOURCE_SERVER_REQUIRE_AUDIENCE=false where the issuer sends aud")
    if settings.query_token:
        says = "tokens are taken from the query, so that they are in logs and in the history of browsers"
        yield odd("configuration", says, "remove RESOURCE_SERVER_QUERY_TOKEN")
    if settings.verbose_errors:
        says = "callers are told why their token is refused, and so is who tries tokens out"
        yield odd("configuration", says, "remove RESOURCE_SERVER_VERBOSE_ERRORS in production")
    if settings.leeway > _LONG_LEEWAY:
        says = f"a token is accepted for {settings.leeway:g} s after its end"
        yield odd("configuration", says, "mend the clocks instead, and set RESOURCE_SERVER_LEEWAY to 30 or less")
    if settings.strategy != "jwks" and settings.cache_ttl > _LONG_CACHE:
        says = f"a revoked token is accepted for up to {settings.cache_ttl:g} s"
        yield odd("configuration", says, "set RESOURCE_SERVER_CACHE_TTL to what a revocation may take")


def _urls(settings: Settings) -> list[str]:
    named = (settings.issuer, settings.introspection_endpoint, settings.jwks_uri, settings.token_endpoint)
    return [url for url in named if url is not None]


def _is_insecure(url: str) -> bool:
    parts = urlsplit(url)
    return parts.scheme == "http" and not is_loopback(parts.hostname or "")
