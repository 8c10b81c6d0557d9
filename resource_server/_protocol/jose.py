"""Verify and make signatures. The only module that imports joserfc, and with it cryptography; loaded when first needed.

Only the two primitives are used, importing a key and verifying bytes, so that parsing, header rules and the algorithm
allow-list are judged once, in ``jws`` and ``jwks``.

References: RFC 7515 section 5.2, RFC 7518 section 3, RFC 8725 sections 3.1 and 3.4, RFC 9864
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, JWKRegistry, Key, OKPKey, RSAKey
from joserfc.jws import JWSRegistry

from resource_server._protocol.jwe import JWE, PrivateKey, usable_with
from resource_server._protocol.jwks import PublicKey, read_key
from resource_server._protocol.jws import JWS
from resource_server._protocol.strict_json import StrictJSONError, loads_object

__all__ = [
    "Key",
    "SigningKey",
    "decrypt",
    "import_key",
    "make_signing_key",
    "read_decryption_keys",
    "read_signing_key",
    "verify_proof",
    "verify_signature",
]

KEPT_KEYS = 2_048
"""How many clients' keys are kept imported; the least recently used is let go of first."""
_RENAMED = {"EdDSA": "Ed25519"}
# What joserfc and cryptography raise for keys and signatures that make no sense; anything else is a bug and is loud.
_REFUSALS = (JoseError, UnsupportedAlgorithm, ValueError, TypeError, KeyError)


def import_key(key: PublicKey) -> Key | None:
    """Turn a public key into one that can verify, or return ``None`` where it is not a valid key.

    Importing costs as much as three verifications, so the caller keeps the result.
    """
    try:
        return JWKRegistry.import_key(dict(key.members))
    except _REFUSALS:
        return None


@lru_cache(maxsize=KEPT_KEYS)
def _import_kept(key: PublicKey) -> Key | None:
    return import_key(key)


def verify_proof(jws: JWS, key: PublicKey) -> bool:
    """Tell whether the signature of a DPoP proof is that of the key it brings along.

    Args:
        jws: the parsed proof; its algorithm is one of the key's.
        key: the public key that it brings along.

    References: RFC 9449 section 4.3
    """
    native = _import_kept(key)
    return native is not None and verify_signature(jws, native)


def verify_signature(jws: JWS, key: Key) -> bool:
    """Tell whether the signature is this key's over these bytes, with the algorithm the header names.

    Args:
        jws: the parsed token; its algorithm is one of ``jwks.ALGORITHMS``, which the caller has ensured.
        key: an imported key whose permitted algorithms contain it.
    """
    algorithm = JWSRegistry.algorithms[_renamed(jws.algorithm)]
    try:
        algorithm.check_key(key)
        return algorithm.verify(jws.signing_input, jws.signature, key)
    except _REFUSALS:
        return False


_MIN_RSA_BITS = 2048
_PUBLIC = ("alg", "crv", "e", "kid", "kty", "n", "x", "y")
_PREFERRED = ("RS256", "ES256", "ES384", "ES512", "Ed25519")
"""What a key signs with that does not say so itself: the one of these that is for its type and curve."""


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A private key, imported once. Equal is another one of the same key, algorithm and ``kid``."""

    algorithm: str
    key_id: str | None
    thumbprint: str
    _native: Key = field(repr=False, compare=False)

    def sign(self, content: bytes) -> bytes:
        """Make the signature of a JWS over its signing input (RFC 7515 section 5.1)."""
        signature: bytes = JWSRegistry.algorithms[_renamed(self.algorithm)].sign(content, self._native)
        return signature

    def public(self) -> dict[str, Any]:
        """Return the members of the public key (RFC 7518 section 6)."""
        members: dict[str, Any] = self._native.as_dict(private=False)
        return {name: members[name] for name in ("kty", "crv", "x", "y", "n", "e") if name in members}


def make_signing_key() -> SigningKey:
    """Make a key for ES256 that nobody else has."""
    native = ECKey.generate_key("P-256")
    return SigningKey("ES256", None, native.thumbprint(), native)


def read_signing_key(text: str) -> SigningKey | str:
    """Read a private key, or say what is wrong with it; none of it is in what is said.

    Args:
        text: PEM, or a JWK with its ``alg`` and ``kid``. Without ``alg``, an RSA key signs with RS256.

    References: RFC 7468 section 10, RFC 7517 section 4, RFC 7518 section 3.1
    """
    members = _read_pem(text) if "-----BEGIN" in text else _read_jwk(text)
    if isinstance(members, str):
        return members
    public = read_key({name: members[name] for name in _PUBLIC if name in members})
    if public is None:
        return "is not a key of a kind that can sign: RSA of 2048 bits or more, P-256, P-384, P-521 or Ed25519"
    algorithm: str = members.get("alg") or next(name for name in _PREFERRED if name in public.algorithms)
    try:
        native = JWKRegistry.import_key({name: value for name, value in members.items() if name != "alg"})
        key = SigningKey(algorithm, public.key_id, native.thumbprint(), native)
        trial = JWS(algorithm, None, None, b"", b"", key.sign(b""))
    except _REFUSALS:
        return "is not a valid key"
    return key if verify_signature(trial, native) else "is not a valid key"


def _read_pem(text: str) -> dict[str, Any] | str:
    try:
        found = load_pem_private_key(text.encode(), None)
    except TypeError:
        return "is encrypted: its password is not known here"
    except (ValueError, UnsupportedAlgorithm):
        return "is not a private key in PEM"
    if isinstance(found, RSAPrivateKey) and found.key_size >= _MIN_RSA_BITS:
        return RSAKey.import_key(found).as_dict(private=True)
    if isinstance(found, EllipticCurvePrivateKey):
        return ECKey.import_key(found).as_dict(private=True)
    if isinstance(found, Ed25519PrivateKey | X25519PrivateKey):
        return OKPKey.import_key(found).as_dict(private=True)
    return {}


def _read_jwk(text: str) -> dict[str, Any] | str:
    try:
        members = loads_object(text.encode())
    except StrictJSONError:
        return "is neither PEM nor a JWK"
    return members if "d" in members else "is not a private key"


def _renamed(algorithm: str) -> str:
    return _RENAMED.get(algorithm, algorithm)


_DECRYPTING = frozenset({"decrypt", "unwrapKey", "deriveKey", "deriveBits"})
_MATERIAL = ("kty", "crv", "x", "y", "n", "e", "d", "p", "q", "dp", "dq", "qi")


def read_decryption_keys(text: str) -> tuple[PrivateKey, ...] | str:
    """Read the private keys that open what is encrypted, or say what is wrong; none of them is in what is said.

    Args:
        text: PEM, a JWK, or a JWK Set, of which those for signatures are passed over.

    References: RFC 7517 sections 4 and 5, RFC 7518 sections 4.3 and 4.6, RFC 8037 section 3.2
    """
    members = _read_pem(text) if "-----BEGIN" in text else _read_json(text)
    if isinstance(members, str):
        return members
    entries = members.get("keys", [members])
    if not isinstance(entries, list):
        return "is not a JWK Set"
    wanted: list[Any] = [entry for entry in entries if not isinstance(entry, dict) or entry.get("use") != "sig"]
    keys = [_decryption_key(entry) for entry in wanted]
    usable = tuple(key for key in keys if key is not None)
    if not keys or len(usable) < len(keys):
        return "is not a private key that can decrypt: RSA of 2048 bits or more, P-256, P-384, P-521 or X25519"
    return usable


def decrypt(jwe: JWE, key: PrivateKey) -> bytes | None:
    """Return what was encrypted, or ``None``: of what is wrong with it nothing more is told.

    Args:
        jwe: what is encrypted; its header is one that ``jwe.judge_jwe`` finds no fault with, which the caller has
            ensured.
        key: the key selected for it.

    References: RFC 7516 sections 5.2 and 11.5
    """
    from joserfc.jwe import JWERegistry, decrypt_compact  # noqa: PLC0415 - loaded where something is encrypted

    registry = JWERegistry(algorithms=[jwe.algorithm, jwe.encryption], strict_check_header=False)
    # The caller has bounded all of it.
    registry.max_protected_header_length = registry.max_ciphertext_length = len(jwe.token)
    registry.max_encrypted_key_length = len(jwe.token)
    try:
        return decrypt_compact(jwe.token, key.native, registry=registry).plaintext
    except _REFUSALS:
        return None


def _decryption_key(entry: Any) -> PrivateKey | None:  # noqa: ANN401 - JSON is any of seven types
    if not isinstance(entry, dict) or "d" not in entry:
        return None
    kty, curve, declared, key_id = (entry.get(name) for name in ("kty", "crv", "alg", "kid"))
    if not all(value is None or isinstance(value, str) for value in (kty, curve, declared, key_id)):
        return None
    permitted = usable_with(kty, curve)
    if declared is not None:
        permitted &= {declared}
    operations = entry.get("key_ops")
    if isinstance(operations, list) and _DECRYPTING.isdisjoint(map(str, operations)):
        return None
    is_weak = kty == "RSA" and read_key({name: entry.get(name) for name in ("kty", "n", "e")}) is None
    native = None if is_weak or not permitted else _import({name: entry[name] for name in _MATERIAL if name in entry})
    return None if native is None else PrivateKey(key_id, permitted, None if kty == "RSA" else curve, native)


def _import(members: dict[str, Any]) -> Key | None:
    try:
        return JWKRegistry.import_key(members)
    except _REFUSALS:
        return None


def _read_json(text: str) -> dict[str, Any] | str:
    try:
        return loads_object(text.encode())
    except StrictJSONError:
        return "is neither PEM nor a JWK nor a JWK Set"
