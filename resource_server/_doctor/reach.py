"""Connect to a server as the service would, and say what became of it: the name, the port, the handshake.

The runtime knows a failed connection by one word. Whoever has to mend it needs to know which part has failed.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from resource_server._protocol.plain import plain

_HTTPS, _HTTP = 443, 80
_EXPIRED, _NOT_YET_VALID, _SELF_SIGNED, _SELF_SIGNED_CHAIN, _NO_ISSUER, _UNVERIFIABLE = 10, 9, 18, 19, 20, 21
_WRONG_NAME, _WRONG_ADDRESS = 62, 64
_STRANGER = (
    "its certificate is not from an authority that is trusted here",
    "name the authority's PEM file in RESOURCE_SERVER_CA_FILE, or let the server send its whole chain",
)
_CERTIFICATES = {
    _EXPIRED: ("its certificate has expired", "renew the certificate of the server"),
    _NOT_YET_VALID: ("its certificate is not valid yet", "compare the clocks, and the dates of the certificate"),
    _SELF_SIGNED: (
        "its certificate is signed by itself, and not trusted here",
        "name its PEM file in RESOURCE_SERVER_CA_FILE, or give the server a certificate of an authority",
    ),
    _SELF_SIGNED_CHAIN: _STRANGER,
    _NO_ISSUER: _STRANGER,
    _UNVERIFIABLE: _STRANGER,
    _WRONG_NAME: (
        "its certificate is for another name",
        "use a name that is in the certificate, or have the name put into it",
    ),
    _WRONG_ADDRESS: (
        "its certificate is for another address",
        "use a name that is in the certificate, or have the address put into it",
    ),
}


@dataclass(frozen=True, slots=True)
class Place:
    """Where a server is."""

    host: str
    port: int
    tls: bool

    def __str__(self) -> str:
        """Name it."""
        return f"{plain(self.host)}:{self.port}"


@dataclass(frozen=True, slots=True)
class Reached:
    """A connection that was made."""

    version: str | None = None
    """Of TLS; ``None`` without it."""
    expires_at: float | None = None
    """Seconds since the epoch at which the certificate ends."""


@dataclass(frozen=True, slots=True)
class Unreached:
    """A connection that could not be made."""

    says: str
    mend: str
    handshake: bool = False
    """There is a server, and it is TLS that fails."""


def place_of(url: str) -> Place:
    """Return where the server of a URL is."""
    parts = urlsplit(url)
    tls = parts.scheme == "https"
    return Place(parts.hostname or "", parts.port or (_HTTPS if tls else _HTTP), tls)


async def reach(place: Place, context: ssl.SSLContext | None, patience: float) -> Reached | Unreached:
    """Connect, shake hands, and hang up.

    Args:
        place: where.
        context: the service's own side of TLS; ``None`` without.
        patience: seconds it may take.
    """
    try:
        async with asyncio.timeout(patience):
            # Reading with a small limit: nothing that is said after the handshake is of interest.
            _, writer = await asyncio.open_connection(place.host, place.port, ssl=context, limit=2**10)
    except (OSError, TimeoutError, UnicodeError) as error:
        return _explain(error, place, patience)
    found = _handshake(writer.get_extra_info("ssl_object"))
    writer.close()
    with suppress(OSError, TimeoutError):
        async with asyncio.timeout(patience):
            await writer.wait_closed()
    return found


def _handshake(shaken: ssl.SSLObject | None) -> Reached:
    if shaken is None:
        return Reached()
    certificate: dict[str, Any] = shaken.getpeercert() or {}
    return Reached(shaken.version(), float(ssl.cert_time_to_seconds(certificate["notAfter"])))


def _explain(error: Exception, place: Place, patience: float) -> Unreached:
    if isinstance(error, ssl.SSLCertVerificationError):
        known = _CERTIFICATES.get(error.verify_code)
        says, mend = known or (f"its certificate is refused (code {error.verify_code})", "look at its certificate")
        return Unreached(f"{place}: {says}", mend, handshake=True)
    if isinstance(error, ssl.SSLError | ConnectionResetError):
        mend = "let it speak TLS 1.2 or later at this port; look whether it demands a certificate of ours"
        return Unreached(f"{place} does not complete a TLS handshake", mend, handshake=place.tls)
    if isinstance(error, socket.gaierror | UnicodeError):
        return Unreached(f"the name {plain(place.host)} cannot be resolved", "correct the name, or mend the DNS")
    if isinstance(error, ConnectionRefusedError):
        return Unreached(f"nobody listens at {place}", "start the server there, or correct host and port")
    if isinstance(error, TimeoutError):
        mend = "look for a firewall in between, and whether the server is overloaded"
        return Unreached(f"{place} gives no answer in {patience:g} s", mend)
    return Unreached(f"{place} cannot be reached", "look at the network between here and there")
