"""Name the certificate of a client, as it is found in the TLS layer or in what a proxy passes on.

A certificate is named by a digest of its bytes. Nothing in it is looked at: that it is a good one was judged in the TLS
handshake, and that it is the right one shows in the token.

References: RFC 8705 section 3.1, RFC 9440 section 2.1, RFC 7468 section 5.1
"""

from __future__ import annotations

import re
from base64 import b64decode
from hashlib import sha256
from urllib.parse import unquote_to_bytes

from resource_server._protocol.base64url import encode

MAX_CERTIFICATE_BYTES = 16_384
"""A longer field is not looked at."""
CLIENT_CERT, ENVOY = b"client-cert", b"x-forwarded-client-cert"
"""The headers that have a form of their own."""

_PEM = re.compile(rb"\s*-----BEGIN CERTIFICATE-----([A-Za-z0-9+/=\s]+)-----END CERTIFICATE-----\s*")
_BYTE_SEQUENCE = re.compile(rb":([A-Za-z0-9+/]+={0,2}):")
_PAIR = re.compile(rb'([A-Za-z]+)=("[^"\\]*(?:\\.[^"\\]*)*"|[^";,]*)(?:;|$)')
_SHA256 = re.compile(rb"[0-9A-Fa-f]{64}")


def certificate_digest(certificate: str | bytes) -> bytes | None:
    """Digest a certificate, or return ``None`` where it is none.

    Args:
        certificate: PEM text, or DER bytes.
    """
    if isinstance(certificate, bytes):
        return sha256(certificate).digest()
    return _digest_pem(certificate.encode("ascii", "replace"))


def read_certificate_field(name: bytes, value: bytes) -> bytes | None:
    """Digest the certificate in a header field, or return ``None`` where there is not exactly one.

    Args:
        name: the field's name in lower case, which decides about its form: ``client-cert`` holds a byte sequence of
            RFC 9440, ``x-forwarded-client-cert`` what Envoy writes, and any other one PEM with percent-encoding, as
            nginx writes it, or the bare base64 of its bytes.
        value: the field's value.
    """
    if len(value) > MAX_CERTIFICATE_BYTES:
        return None
    value = value.strip(b" \t")
    if name == CLIENT_CERT:
        found = _BYTE_SEQUENCE.fullmatch(value)
        return None if found is None else _digest_base64(found.group(1))
    if name == ENVOY:
        return _digest_of_envoy(value)
    return _digest_escaped(value)


def thumbprint(digest: bytes) -> str:
    """Write a digest as ``x5t#S256`` has it."""
    return encode(digest)


def _digest_of_envoy(value: bytes) -> bytes | None:
    """Read one element with a certificate, its digest, or both; of several, nobody knows who has written which."""
    position, digests = 0, list[bytes | None]()
    while position < len(value):
        found = _PAIR.match(value, position)
        if found is None:
            return None
        position, content = found.end(), found.group(2).strip(b'"')
        kind = found.group(1).lower()
        if kind == b"hash":
            digests.append(_read_hash(content))
        elif kind == b"cert":
            digests.append(_digest_escaped(content))
    return digests[0] if len(set(digests)) == 1 else None


def _read_hash(value: bytes) -> bytes | None:
    return bytes.fromhex(value.decode("ascii")) if _SHA256.fullmatch(value) else None


def _digest_escaped(value: bytes) -> bytes | None:
    unescaped = unquote_to_bytes(value)
    return _digest_pem(unescaped) if b"-" in unescaped else _digest_base64(unescaped)


def _digest_pem(text: bytes) -> bytes | None:
    found = _PEM.fullmatch(text)
    return None if found is None else _digest_base64(b"".join(found.group(1).split()))


def _digest_base64(text: bytes) -> bytes | None:
    try:
        decoded = b64decode(text, validate=True)
    except ValueError:
        return None
    return sha256(decoded).digest() if decoded else None
