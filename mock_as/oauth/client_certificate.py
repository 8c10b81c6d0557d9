"""Authenticate clients by their certificates.

Whether a certificate chains up to somebody trusted is for the TLS layer, or the proxy that took its place, to say. The
mock takes the certificate that it is shown.

References: RFC 8705 sections 2 and 3, RFC 9440
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Callable, Iterable
from ipaddress import ip_address
from typing import Any

from cryptography import x509

from mock_as.base64url import base64url
from mock_as.clients import Client
from mock_as.messages import Request

HEADER = "client-cert"


def shown_certificate(request: Request) -> bytes | None:
    """Return the certificate that a client has shown, in TLS or to a proxy that has passed it on.

    Args:
        request: the request.

    Returns:
        The certificate as DER; ``None`` where there is none that can be read.

    References: RFC 9440 section 2.2
    """
    if request.certificate is not None:
        return request.certificate
    field = (request.header(HEADER) or "").strip()
    if len(field) < 2 or not field.startswith(":") or not field.endswith(":"):  # noqa: PLR2004 - a colon at each end
        return None
    try:
        return base64.b64decode(field[1:-1], validate=True)
    except binascii.Error:
        return None


def thumbprint(certificate: bytes) -> str:
    """Return the ``x5t#S256`` of a certificate.

    Args:
        certificate: as DER.

    References: RFC 8705 section 3.1
    """
    return base64url(hashlib.sha256(certificate).digest())


def is_registered(client: Client, certificate: bytes) -> bool:
    """Tell whether a certificate says what the client is registered with.

    Args:
        client: the client.
        certificate: as DER.

    References: RFC 8705 section 2.1.2
    """
    parsed = _parse(certificate)
    if parsed is None or not client.certificate:
        return False
    return all(_NAMES[name](parsed, value) for name, value in client.certificate.items())


def is_own(client: Client, certificate: bytes) -> bool:
    """Tell whether a certificate is one of those in the JWKS of the client.

    Args:
        client: the client.
        certificate: as DER.

    References: RFC 8705 section 2.2
    """
    if _parse(certificate) is None:
        return False
    wanted = thumbprint(certificate)
    return any(wanted in _thumbprints(jwk) for jwk in client.public_keys())


def _thumbprints(jwk: dict[str, Any]) -> list[object]:
    chain = jwk.get("x5c")
    if not isinstance(chain, list) or not chain or not isinstance(chain[0], str):
        return [jwk.get("x5t#S256")]
    try:
        return [jwk.get("x5t#S256"), thumbprint(base64.b64decode(chain[0], validate=True))]
    except binascii.Error:
        return [jwk.get("x5t#S256")]


def _parse(certificate: bytes) -> x509.Certificate | None:
    try:
        return x509.load_der_x509_certificate(certificate)
    except ValueError:
        return None


def _has_subject(certificate: x509.Certificate, name: str) -> bool:
    try:
        return certificate.subject == x509.Name.from_rfc4514_string(name)
    except ValueError:
        return False


def _alternatives(certificate: x509.Certificate, kind: type[Any]) -> Iterable[Any]:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, ValueError):
        return []
    return list(names.get_values_for_type(kind))


def _has_alternative(kind: type[Any], read: Callable[[str], Any] = str) -> Callable[[x509.Certificate, str], bool]:
    def has(certificate: x509.Certificate, name: str) -> bool:
        try:
            return read(name) in _alternatives(certificate, kind)
        except ValueError:
            return False

    return has


_NAMES: dict[str, Callable[[x509.Certificate, str], bool]] = {
    "subject_dn": _has_subject,
    "san_dns": _has_alternative(x509.DNSName),
    "san_uri": _has_alternative(x509.UniformResourceIdentifier),
    "san_ip": _has_alternative(x509.IPAddress, ip_address),
    "san_email": _has_alternative(x509.RFC822Name),
}
