"""Which request a proxy asks about, in the words of each proxy.

What a proxy tells stands in header fields, and a client can write those too. So each endpoint knows its own fields
only, each of them must be there once, and whatever is not exactly what a proxy writes is nothing: a request that nobody
is sure about is refused wherever its method or its path decides.
"""

from __future__ import annotations

import re
from functools import lru_cache
from ipaddress import ip_address, ip_network
from typing import NamedTuple

from resource_server._protocol.messages import RawHeaders

MAX_TARGET_BYTES = 16_384
METHOD = re.compile(rb"[A-Z][A-Z0-9_-]{0,31}")
_TARGET = re.compile(rb"/[!\"$-~]*")
"""Visible characters of ASCII, no fragment."""
_URL = re.compile(rb"https?://([^/?]*)(/.*)")
_HOST = re.compile(rb"([A-Za-z0-9._-]{1,255}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?")
_REMEMBERED = 4_096


class Original(NamedTuple):
    """The request that the proxy has in hand."""

    method: str
    path: bytes
    """As it was sent, with its percent-encoding."""
    query: bytes
    host: str | None
    """In lower case, without the port; ``None`` where it is not told."""

    def __repr__(self) -> str:
        """Show the method only: path and query may tell of a person, or be a token."""
        return f"Original(method={self.method!r})"


def read_forwarded(headers: RawHeaders) -> Original | None:
    """Read what Caddy and Traefik tell: ``X-Forwarded-Method``, ``-Host`` and ``-Uri``."""
    found = _once(headers, _FORWARDED)
    if found is None or b"x-forwarded-host" not in found:
        return None
    return _original(found.get(b"x-forwarded-method"), found.get(b"x-forwarded-uri"), found[b"x-forwarded-host"])


def read_original(headers: RawHeaders) -> Original | None:
    """Read what nginx tells: ``X-Original-Method``, and ``X-Original-URL`` or ``X-Original-URI``."""
    found = _once(headers, _ORIGINAL)
    if found is None:
        return None
    method, target, host = found.get(b"x-original-method"), found.get(b"x-original-uri"), None
    if b"x-original-url" in found:
        url = _URL.fullmatch(found[b"x-original-url"])
        if target is not None or url is None:
            return None
        host, target = url.groups()
    return _original(method, target, host)


def read_itself(method: str, path: bytes, query: bytes, headers: RawHeaders) -> Original | None:
    """Read what Envoy tells: its question has the method, the path, the query and the host of the request."""
    found = _once(headers, _ITSELF)
    host = None if found is None else found.get(b"host")
    if host is None:
        return None
    return _original(method.encode("latin-1", "replace"), path + (b"?" + query if query else b""), host)


_FORWARDED = frozenset({b"x-forwarded-method", b"x-forwarded-host", b"x-forwarded-uri", b"x-forwarded-proto"})
_ORIGINAL = frozenset({b"x-original-method", b"x-original-url", b"x-original-uri"})
_ITSELF = frozenset({b"host"})


def _once(headers: RawHeaders, names: frozenset[bytes]) -> dict[bytes, bytes] | None:
    """Collect fields by their names, which are in lower case, or return ``None`` where one is there twice."""
    found: dict[bytes, bytes] = {}
    for name, value in headers:
        if name in names:
            if name in found:
                return None
            found[name] = value
    return found


def _original(method: bytes | None, target: bytes | None, authority: bytes | None) -> Original | None:
    if method is None or target is None or METHOD.fullmatch(method) is None:
        return None
    if len(target) > MAX_TARGET_BYTES or _TARGET.fullmatch(target) is None or b"%00" in target:
        return None  # what comes after a NUL is there for one reader, and not for another
    host = None if authority is None else _HOST.fullmatch(authority)
    if authority is not None and host is None:
        return None
    path, _, query = target.partition(b"?")
    name = None if host is None else host.group(1).decode("ascii").lower().rstrip(".")
    return Original(method.decode("ascii"), path, query, name)


@lru_cache(_REMEMBERED)
def is_trusted(peer: str | None, proxies: tuple[str, ...]) -> bool:
    """Tell whether a connection's other end is a proxy that is believed.

    Args:
        peer: its address.
        proxies: addresses and networks, as the option ``trusted_proxies`` has them.
    """
    try:
        address = ip_address(peer or "")
    except ValueError:
        return False
    plain = getattr(address, "ipv4_mapped", None) or address
    return any(plain in ip_network(proxy) for proxy in proxies)


@lru_cache(_REMEMBERED)
def client_address(forwarded_for: bytes, proxies: tuple[str, ...]) -> str | None:
    """Find out who has sent a request, from what the proxies before us have each added at the end of a list.

    Args:
        forwarded_for: the value of ``X-Forwarded-For``.
        proxies: those that are believed; whoever stands before the first that is not may be made up.

    Returns:
        The address, or ``None`` where there is none.
    """
    for entry in reversed(forwarded_for.decode("latin-1").split(",")):
        try:
            address = str(ip_address(entry.strip()))
        except ValueError:
            return None
        if not is_trusted(address, proxies):
            return address
    return None
