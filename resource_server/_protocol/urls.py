"""Which URLs a resource server will talk to.

References: RFC 6750 section 5.3, RFC 7662 section 4, RFC 8414 section 2
"""

from __future__ import annotations

import ipaddress
from functools import lru_cache
from urllib.parse import SplitResult, urlsplit

_NO_URL = frozenset(' "<>\\^`{|}')
"""What stands in no URL (RFC 3986 appendix A), and some of it in no challenge either."""


def url_problem(url: object, *, allow_insecure_http: bool = False, allow_query: bool = True) -> str | None:
    """Say what is wrong with a URL of an authorization server, or ``None``.

    Args:
        url: the candidate.
        allow_insecure_http: accept ``http`` for any host; without it only for a loopback host.
        allow_query: accept a query; an issuer has none (RFC 8414 section 2).
    """
    parts = _split(url)
    if parts is None or parts.scheme not in ("https", "http") or not parts.hostname:
        return "is not an absolute https URL"
    if parts.username is not None or "#" in str(url) or (parts.query and not allow_query):
        return f"must not have user information{' or a fragment' if allow_query else ', a fragment or a query'}"
    if parts.scheme == "http" and not (allow_insecure_http or is_loopback(parts.hostname)):
        return "is not https (allow_insecure_http=True accepts http beyond the loopback interface)"
    return None


def is_loopback(host: str) -> bool:
    """Tell whether a host name or address can only be this machine."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


@lru_cache(128)
def address_of(url: str) -> tuple[str, int]:
    """Return the host and the port that a request to an acceptable URL goes to."""
    parts = urlsplit(url)
    return parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)


def _split(url: object) -> SplitResult | None:
    if not isinstance(url, str) or not url.isascii() or not url.isprintable() or not _NO_URL.isdisjoint(url):
        return None
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return None
    return parts
