"""Base64url as JOSE writes it: no padding, one text for each value.

References: RFC 7515 section 2, RFC 4648 section 3.5
"""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode

_ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


def decode(part: bytes) -> bytes:
    """Decode base64url without padding, and refuse bits that encode nothing: one text per value.

    Args:
        part: characters of the alphabet only, which the caller has ensured: others are passed over.

    Raises:
        ValueError: it is not base64url.
    """
    if len(part) % 4 != 1:
        decoded = urlsafe_b64decode(part + b"=" * (-len(part) % 4))
        if _is_canonical(part, decoded):
            return decoded
    message = "not base64url"
    raise ValueError(message)


def encode(content: bytes) -> str:
    """Write bytes as base64url without padding.

    Args:
        content: any bytes.
    """
    return urlsafe_b64encode(content).rstrip(b"=").decode("ascii")


def _is_canonical(part: bytes, decoded: bytes) -> bool:
    remainder = len(decoded) % 3
    if remainder == 0:
        return True
    unused = {1: 0x0F, 2: 0x03}[remainder]
    return _ALPHABET.index(part[-1]) & unused == 0
