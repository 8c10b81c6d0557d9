"""Encrypt by hand, rightly and wrongly, without the code that will decrypt it.

References: RFC 7516 section 5.1, RFC 7518 sections 4 and 5, RFC 8037 section 3.2
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from typing import Any

from cryptography.hazmat.primitives import hashes, hmac
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, x25519
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC
from cryptography.hazmat.primitives.keywrap import aes_key_wrap
from cryptography.hazmat.primitives.padding import PKCS7
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests.support.jwt import REMOVED, Part, b64uint, b64url, encoded

_CURVES: dict[str, Any] = {"P-256": ec.SECP256R1, "P-384": ec.SECP384R1, "P-521": ec.SECP521R1}
_KEY_BYTES = {
    "A128GCM": 16,
    "A192GCM": 24,
    "A256GCM": 32,
    "A128CBC-HS256": 32,
    "A192CBC-HS384": 48,
    "A256CBC-HS512": 64,
}
_HASHES: dict[str, Any] = {
    "A128CBC-HS256": hashes.SHA256,
    "A192CBC-HS384": hashes.SHA384,
    "A256CBC-HS512": hashes.SHA512,
}
_OAEP: dict[str, Any] = {"RSA-OAEP": hashes.SHA1, "RSA-OAEP-256": hashes.SHA256}
_Private = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | x25519.X25519PrivateKey


@dataclass(frozen=True, slots=True)
class EncryptionKey:
    """A private key, of which the public part encrypts."""

    private: _Private
    kid: str

    def jwk(self, **changes: Any) -> dict[str, Any]:
        """Write the private part as a JWK, with members changed, added, or taken away by ``REMOVED``."""
        members = {"kid": self.kid, "use": "enc"} | self._members() | changes
        return {name: value for name, value in members.items() if value is not REMOVED}

    def text(self, **changes: Any) -> str:
        """Write the same as the option takes it."""
        return json.dumps(self.jwk(**changes))

    def pem(self) -> str:
        """Write the private part as PEM."""
        return self.private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()

    def _members(self) -> dict[str, str]:
        if isinstance(self.private, rsa.RSAPrivateKey):
            numbers = self.private.private_numbers()
            public = {"n": b64uint(numbers.public_numbers.n), "e": b64uint(numbers.public_numbers.e)}
            return {"kty": "RSA", **public, "d": b64uint(numbers.d)}
        public = epk(self.private.public_key())
        if isinstance(self.private, x25519.X25519PrivateKey):
            return {**public, "d": b64url(self.private.private_bytes_raw())}
        size = (self.private.curve.key_size + 7) // 8
        return {**public, "d": b64uint(self.private.private_numbers().private_value, size)}


@cache
def encryption_key(kind: str = "P-256", name: str = "") -> EncryptionKey:
    """Return a key, the same one for the same kind and name throughout a test session.

    Args:
        kind: ``RSA``, ``P-256``, ``P-384``, ``P-521`` or ``X25519``.
        name: tells apart several keys of one kind.
    """
    kid = f"{kind}-{name}".rstrip("-")
    if kind == "RSA":
        return EncryptionKey(rsa.generate_private_key(public_exponent=65537, key_size=2048), kid)
    if kind == "X25519":
        return EncryptionKey(x25519.X25519PrivateKey.generate(), kid)
    return EncryptionKey(ec.generate_private_key(_CURVES[kind]()), kid)


def epk(public: ec.EllipticCurvePublicKey | x25519.X25519PublicKey) -> dict[str, str]:
    """Write a public key as a JWK."""
    if isinstance(public, x25519.X25519PublicKey):
        return {"kty": "OKP", "crv": "X25519", "x": b64url(public.public_bytes_raw())}
    size, point = (public.curve.key_size + 7) // 8, public.public_numbers()
    curve = f"P-{public.curve.key_size}"
    return {"kty": "EC", "crv": curve, "x": b64uint(point.x, size), "y": b64uint(point.y, size)}


def encrypt(
    content: Part,
    key: EncryptionKey | None = None,
    *,
    alg: str | None = None,
    enc: str = "A256GCM",
    head: Mapping[str, Any] | None = None,
) -> str:
    """Encrypt something as a compact JWE.

    Args:
        content: bytes and text stand for themselves, the rest is made JSON.
        key: whom for; by default the session's P-256 key.
        alg: how; by default ``RSA-OAEP-256`` or ``ECDH-ES``.
        enc: how the content is encrypted.
        head: changes of the header, which hold also where they make it wrong.
    """
    whom = key or encryption_key()
    how = alg or ("RSA-OAEP-256" if isinstance(whom.private, rsa.RSAPrivateKey) else "ECDH-ES")
    header: dict[str, Any] = {"alg": how, "enc": enc, "kid": whom.kid, "cty": "JWT"}
    secret, wrapped, ephemeral = _agree(whom, how, enc)
    header |= ephemeral | dict(head or {})
    protected = b64url(encoded({name: value for name, value in header.items() if value is not REMOVED}))
    plain = content.encode() if isinstance(content, str) else encoded(content)
    vector, ciphertext, tag = seal(secret, enc, plain, protected.encode())
    return ".".join([protected, *map(b64url, (wrapped, vector, ciphertext, tag))])


def seal(secret: bytes, enc: str, plain: bytes, aad: bytes) -> tuple[bytes, bytes, bytes]:
    """Encrypt content: return the initialization vector, the ciphertext and the authentication tag."""
    if enc.endswith("GCM"):
        vector = os.urandom(12)
        sealed = AESGCM(secret).encrypt(vector, plain, aad)
        return vector, sealed[:-16], sealed[-16:]
    vector, half = os.urandom(16), len(secret) // 2
    padder, encryptor = PKCS7(128).padder(), Cipher(AES(secret[half:]), CBC(vector)).encryptor()
    ciphertext = encryptor.update(padder.update(plain) + padder.finalize()) + encryptor.finalize()
    mac = hmac.HMAC(secret[:half], _HASHES[enc]())
    mac.update(aad + vector + ciphertext + (len(aad) * 8).to_bytes(8, "big"))
    return vector, ciphertext, mac.finalize()[:half]


def _agree(key: EncryptionKey, alg: str, enc: str) -> tuple[bytes, bytes, dict[str, Any]]:
    """Return the content's key, the same wrapped, and what the header must say about that."""
    size = _KEY_BYTES[enc]
    if isinstance(key.private, rsa.RSAPrivateKey):
        secret, digest = os.urandom(size), _OAEP[alg]
        scheme = padding.OAEP(padding.MGF1(digest()), digest(), None)
        return secret, key.private.public_key().encrypt(secret, scheme), {}
    if isinstance(key.private, x25519.X25519PrivateKey):
        own = x25519.X25519PrivateKey.generate()
        shared, header = own.exchange(key.private.public_key()), {"epk": epk(own.public_key())}
    else:
        other = ec.generate_private_key(key.private.curve)
        shared, header = other.exchange(ec.ECDH(), key.private.public_key()), {"epk": epk(other.public_key())}
    if alg == "ECDH-ES":
        return _concat_kdf(shared, enc, size), b"", header
    secret = os.urandom(size)
    return secret, aes_key_wrap(_concat_kdf(shared, alg, int(alg[-5:-2]) // 8), secret), header


def _concat_kdf(shared: bytes, name: str, size: int) -> bytes:
    """Derive a key (RFC 7518 section 4.6.2), with nothing said of the two parties."""
    info = len(name).to_bytes(4, "big") + name.encode() + bytes(8) + (size * 8).to_bytes(4, "big")
    rounds = -(-size // 32)
    return b"".join(sha256(n.to_bytes(4, "big") + shared + info).digest() for n in range(1, rounds + 1))[:size]
