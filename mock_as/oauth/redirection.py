"""The way back from the authorization endpoint to the client: which addresses are good, and how an answer travels.

References: RFC 6749 section 3.1.2, RFC 8252 section 7.3, RFC 9207, RFC 9700 section 2.1
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import SplitResult, urlencode, urlsplit

RESPONSE_MODES = ("query", "form_post")
"""How the parameters of an answer travel: in the address, or in a form that the browser posts."""

# What RFC 3986 allows in a URI, but for a fragment and for what would end a source in a content security policy.
_URI = re.compile(r"[A-Za-z0-9\-._~:/?\[\]@!$&'()*+=%]+")
_SCRIPTS = frozenset({"data", "javascript", "vbscript"})


@dataclass(frozen=True, slots=True, kw_only=True)
class WayBack:
    """Where an answer goes, once it is known that the client is registered with that address."""

    redirect_uri: str
    response_mode: str
    state: str | None

    @property
    def origin(self) -> str:
        """The scheme and the host of the address, as a content security policy names them."""
        parts = urlsplit(self.redirect_uri)
        return f"{parts.scheme}://{parts.netloc}" if parts.netloc else f"{parts.scheme}:"

    def parameters(self, issuer: str, outcome: Mapping[str, str]) -> dict[str, str]:
        """Return what the client gets: the outcome, its own state, and who answers.

        Args:
            issuer: the issuer identifier.
            outcome: a code, or an error.

        References: RFC 6749 section 4.1.2, RFC 9207 section 2
        """
        state = {} if self.state is None else {"state": self.state}
        return {**outcome, **state, "iss": issuer}

    def url(self, parameters: Mapping[str, str]) -> str:
        """Return the address with parameters added to its query.

        Args:
            parameters: what to add.
        """
        return with_query(self.redirect_uri, parameters)


def with_query(uri: str, parameters: Mapping[str, str]) -> str:
    """Add parameters to the query of an address, and leave what it has as it is.

    Args:
        uri: the address, which has no fragment.
        parameters: what to add.
    """
    if not parameters:
        return uri
    return f"{uri}{'&' if '?' in uri else '?'}{urlencode(parameters)}"


def is_registered(uri: str, registered: Iterable[str]) -> bool:
    """Tell whether an address is one of those that a client is registered with.

    Addresses are compared as text. Only the port of a loopback address may differ, because a native application learns
    its port when it starts.

    Args:
        uri: the address of a request.
        registered: the addresses of the client.

    References: RFC 8252 section 7.3, RFC 9700 section 4.1.3
    """
    return any(uri == one or _differs_in_port_only(uri, one) for one in registered)


def is_redirect_uri(uri: str) -> bool:
    """Tell whether a text can be registered as an address at all: absolute, and without a fragment.

    Args:
        uri: the text.

    References: RFC 6749 section 3.1.2
    """
    parts = _split(uri)
    if parts is None or not _URI.fullmatch(uri) or parts.scheme in _SCRIPTS:
        return False
    return bool(parts.scheme) and bool(parts.netloc or parts.path)


def _differs_in_port_only(uri: str, registered: str) -> bool:
    # What splits an address drops some control characters, which would then stand in the answer.
    asked, known = _split(uri) if _URI.fullmatch(uri) else None, _split(registered)
    if asked is None or known is None or not (_is_loopback(asked) and _is_loopback(known)):
        return False
    return _without_port(asked) == _without_port(known)


def _is_loopback(parts: SplitResult) -> bool:
    if parts.scheme != "http" or parts.username is not None or parts.password is not None:
        return False
    host = parts.hostname or ""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _without_port(parts: SplitResult) -> tuple[str | None, str, str, str]:
    return parts.hostname, parts.path, parts.query, parts.fragment


def _split(uri: str) -> SplitResult | None:
    try:
        parts = urlsplit(uri)
        parts.port  # noqa: B018 - raises for a port that is no number
    except ValueError:
        return None
    return parts
