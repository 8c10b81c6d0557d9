"""Verify a signature. The only module that imports joserfc, and with it cryptography; loaded when first needed.

Only the two primitives are used, importing a key and verifying bytes, so that parsing, header rules and the algorithm
allow-list are judged once, in ``jws`` and ``jwks``.

References: RFC 7515 section 5.2, RFC 7518 section 3, RFC 8725 sections 3.1 and 3.4, RFC 9864
"""

from __future__ import annotations

from cryptography.exceptions import UnsupportedAlgorithm
from joserfc.errors import JoseError
from joserfc.jwk import JWKRegistry, Key
from joserfc.jws import JWSRegistry

from resource_server._protocol.jwks import PublicKey
from resource_server._protocol.jws import JWS

__all__ = ["Key", "import_key", "verify_signature"]

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


def verify_signature(jws: JWS, key: Key) -> bool:
    """Tell whether the signature is this key's over these bytes, with the algorithm the header names.

    Args:
        jws: the parsed token; its algorithm is one of ``jwks.ALGORITHMS``, which the caller has ensured.
        key: an imported key whose permitted algorithms contain it.
    """
    algorithm = JWSRegistry.algorithms[_RENAMED.get(jws.algorithm, jws.algorithm)]
    try:
        algorithm.check_key(key)
        return algorithm.verify(jws.signing_input, jws.signature, key)
    except _REFUSALS:
        return False
