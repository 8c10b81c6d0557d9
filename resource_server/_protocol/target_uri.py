"""Bring the addresses of requests into one form, so that two ways to write one address are equal.

Refused is what has no one meaning: user information, dot segments, which a server may or may not resolve, and whatever
is no URI. A request's own address has no query and no fragment here, so an address with either is another one.

References: RFC 3986 sections 3 and 6.2, RFC 9110 section 4.2.3, RFC 9449 section 4.3
"""

from __future__ import annotations

import re
from urllib.parse import quote

_PCHAR = r"A-Za-z0-9\-._~!$&'()*+,;=:@"
_PATH = rf"(?:/[{_PCHAR}/]*(?:%[0-9A-Fa-f]{{2}}[{_PCHAR}/]*)*)?"
_URI = re.compile(rf"(https?)://([A-Za-z0-9\-._~:\[\]]+)({_PATH})", re.IGNORECASE)
_AUTHORITY = re.compile(r"([a-z0-9\-._~]+|\[[0-9a-f:.]+\])(?::([0-9]{0,5}))?")
_ENCODED = re.compile(r"%([0-9A-Fa-f]{2})")
_DOT_SEGMENT = re.compile(r"/\.{1,2}(?:/|\Z)")
_UNRESERVED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_DEFAULT_PORTS = {"http": "80", "https": "443"}


def target_uri(base_url: str, path: bytes) -> str | None:
    """Make the address of a request from where we are reached and the path that was sent.

    Args:
        base_url: what paths are appended to, without a final slash; never what a header says.
        path: the path as it was sent, with its percent-encoding.

    Returns:
        The address in its normal form, or ``None`` where there is none.
    """
    if path and not path.startswith(b"/"):
        return None  # it would become a part of the host's name
    # Some clients send characters that no URI has; a client that names the address as a URI must encode them.
    return normal_form(base_url + quote(path, safe="/%!$&'()*+,;=:@"))


def normal_form(uri: str) -> str | None:
    """Normalise an ``http`` or ``https`` URI by its syntax and its scheme.

    Args:
        uri: the candidate.

    Returns:
        Scheme and host in lower case, no default port, a path that is not empty and encodes only what it must; ``None``
        where the candidate has a query, a fragment or another part that it must not have.
    """
    found = _URI.fullmatch(uri)
    if found is None:
        return None
    scheme, path = found.group(1).lower(), found.group(3)
    authority = _AUTHORITY.fullmatch(found.group(2).lower())
    if authority is None:
        return None
    if "%" in path:
        path = _ENCODED.sub(_as_short_as_can_be, path)
    if _DOT_SEGMENT.search(path):
        return None
    host, port = authority.groups()
    if port and port != _DEFAULT_PORTS[scheme]:
        host = f"{host}:{port}"
    return f"{scheme}://{host}{path or '/'}"


def _as_short_as_can_be(encoded: re.Match[str]) -> str:
    char = chr(int(encoded.group(1), 16))
    return char if char in _UNRESERVED else encoded.group().upper()
