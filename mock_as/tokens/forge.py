"""Tokens that no rule of this package has a say in: exactly the header, the payload and the key that a test wants.

References: RFC 7515 section 7.1
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Mapping
from typing import Any

from mock_as.keys.signing import SigningKey, base64url
from mock_as.tokens import Token
from mock_as.tokens.drafts import encode_claims

_HASHES = {"HS256": "sha256", "HS384": "sha384", "HS512": "sha512"}


def forge(
    header: Mapping[str, Any], payload: bytes | Mapping[str, Any] = b"", key: SigningKey | bytes | None = None
) -> Token:
    """Write a JWS of which everything is as given; the server does not know it.

    Args:
        header: the JOSE header, whole; nothing is added to it.
        payload: the bytes, or claims.
        key: a private key, which signs with its own algorithm whatever the header says; a secret, which signs with the
            HMAC that the header names, or else with SHA-256; ``None`` for no signature at all.

    Returns:
        The token.

    Raises:
        UsageError: JSON has no such value.
    """
    body = payload if isinstance(payload, bytes) else encode_claims(payload, "payload")
    message = f"{base64url(encode_claims(header, 'header'))}.{base64url(body)}"
    value = f"{message}.{base64url(_signer(header, key)(message.encode()))}"
    claims = {} if isinstance(payload, bytes) else dict(payload)
    return Token(value, id="forged", format="jwt", jti=str(claims.get("jti", "")), claims=claims, header=dict(header))


def _signer(header: Mapping[str, Any], key: SigningKey | bytes | None) -> Callable[[bytes], bytes]:
    if isinstance(key, SigningKey):
        return key.sign
    if key is None:
        return lambda _message: b""
    digest = _HASHES.get(str(header.get("alg")), "sha256")
    return lambda message: hmac.digest(key, message, digest)
