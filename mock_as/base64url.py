"""Base64url without padding, which is how JOSE writes bytes.

References: RFC 7515 section 2 and appendix C
"""

from __future__ import annotations

import base64
import re

_TEXT = re.compile(r"[A-Za-z0-9_-]*")


def base64url(data: bytes) -> str:
    """Write bytes as text.

    Args:
        data: the bytes.
    """
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def from_base64url(text: str) -> bytes:
    """Read bytes that were written as text.

    Args:
        text: the text.

    Raises:
        ValueError: it is no base64url, or has padding.
    """
    if not _TEXT.fullmatch(text):
        raise ValueError("a character is none of base64url's")
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
