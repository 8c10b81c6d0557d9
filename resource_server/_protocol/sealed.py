"""Seal bytes, so that nobody without the key can read, change or move them. Loads cryptography, when first needed.

References: RFC 5116 section 5.2, NIST SP 800-38D
"""

from __future__ import annotations

_FORMAT = b"\x01"
_NONCE_BYTES = 12


def seal(content: bytes, *, key: bytes, nonce: bytes, name: bytes) -> bytes:
    """Encrypt and authenticate with AES-256-GCM.

    Args:
        content: what to seal.
        key: 32 bytes.
        nonce: 12 bytes, never used with this key before. Random ones do for 2^32 seals under one key (NIST SP 800-38D
            section 8.3).
        name: where the result will be kept; it opens nowhere else.
    """
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415 - heavy, and not everybody's need

    return _FORMAT + nonce + AESGCM(key).encrypt(nonce, content, _FORMAT + name)


def open_sealed(sealed: bytes, *, key: bytes, name: bytes) -> bytes | None:
    """Return what was sealed with this key for this place, or ``None`` for anything else."""
    from cryptography.exceptions import InvalidTag  # noqa: PLC0415 - as above
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415 - as above

    start = len(_FORMAT) + _NONCE_BYTES
    if not sealed.startswith(_FORMAT) or len(sealed) < start:
        return None
    try:
        return AESGCM(key).decrypt(sealed[len(_FORMAT) : start], sealed[start:], _FORMAT + name)
    except InvalidTag:
        return None
