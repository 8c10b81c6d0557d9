"""Find the certificate that the sender of a request has shown.

References: RFC 8705 sections 3 and 6.5
"""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Network, ip_address

from resource_server._protocol.certificates import certificate_digest, read_certificate_field
from resource_server._protocol.messages import RawHeaders, RequestParts


def shown_certificate(
    request: RequestParts, header: bytes | None, proxies: Sequence[IPv4Network | IPv6Network]
) -> bytes | None:
    """Return the digest of the client's certificate, or ``None`` where none was shown that can be believed.

    From a trusted proxy only the header counts: the certificate of that connection is the proxy's own. From anybody
    else the header counts for nothing.

    Args:
        request: the request.
        header: the name of the header in which proxies pass on the certificate, in lower case.
        proxies: the addresses of the proxies that are believed.
    """
    if header is not None and _is_among(request.peer, proxies):
        value = _only_field(request.headers, header)
        return None if value is None else read_certificate_field(header, value)
    return None if request.certificate is None else certificate_digest(request.certificate)


def _is_among(peer: str | None, networks: Sequence[IPv4Network | IPv6Network]) -> bool:
    try:
        address = ip_address(peer or "")
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return any((mapped or address) in network for network in networks)


def _only_field(headers: RawHeaders, name: bytes) -> bytes | None:
    """Return the value of a field that is there once, in no other spelling that a server may take for the same."""
    spelled = _spelled(name)
    alike = [(key.lower(), value) for key, value in headers if _spelled(key) == spelled]
    return alike[0][1] if len(alike) == 1 and alike[0][0] == name else None


def _spelled(name: bytes) -> bytes:
    return name.lower().replace(b"_", b"-")
