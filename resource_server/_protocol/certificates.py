"""Certificates of clients: what names one in a token.

References: RFC 8705 section 3.1
"""

from __future__ import annotations

from base64 import urlsafe_b64encode
from hashlib import sha256


def certificate_thumbprint(der: bytes) -> str:
    """Name a certificate as ``x5t#S256`` does.

    Args:
        der: the certificate's bytes.
    """
    return urlsafe_b64encode(sha256(der).digest()).rstrip(b"=").decode("ascii")
