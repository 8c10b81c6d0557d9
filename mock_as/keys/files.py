"""Private keys from a file, so that a server that is started again signs with the same ones.

References: RFC 7517 section 5, RFC 7468 section 10
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, cast

from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey, RSAKey
from joserfc.jws import JWSRegistry

from mock_as.errors import UsageError, unknown
from mock_as.keys.signing import ALGORITHMS, PrivateKey, SigningKey

_PEM = re.compile(rb"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?-----END [A-Z ]*PRIVATE KEY-----", re.DOTALL)
_KINDS: dict[str, type[ECKey | RSAKey | OKPKey]] = {"EC": ECKey, "RSA": RSAKey, "OKP": OKPKey}
_CURVES = {"P-256": "ES256", "P-384": "ES384", "P-521": "ES512", "Ed25519": "Ed25519"}


def read_keys(path: str | Path) -> tuple[SigningKey, ...]:
    """Read the private keys of a file.

    A key that does not say its algorithm is for the usual one of its kind; one without a name is named by its
    thumbprint.

    Args:
        path: a JWKS, a JWK, or one PEM block after another, without a password.

    Returns:
        The keys, in the order of the file.

    Raises:
        UsageError: the file cannot be read, or holds something that is no private key of a known algorithm.
    """
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise UsageError("keys", f"{str(path)!r} cannot be read: {error.strerror}") from None
    return parse_keys(data)


def parse_keys(data: bytes) -> tuple[SigningKey, ...]:
    """Read private keys.

    Args:
        data: what such a file holds.

    Raises:
        UsageError: it holds something else.
    """
    found: list[Any] = list(_PEM.findall(data)) or _jwks(data)
    keys = tuple(_signing_key(value, number) for number, value in enumerate(found, 1))
    if not keys:
        raise UsageError("keys", "there is no key in it")
    if len({key.kid for key in keys}) < len(keys):
        raise UsageError("keys", "two keys have the same kid")
    return keys


def _jwks(data: bytes) -> list[Any]:
    try:
        document = json.loads(data)
    except ValueError:
        raise UsageError("keys", "it is neither a JWKS nor PEM") from None
    members = cast("dict[str, Any]", document) if isinstance(document, dict) else {}
    keys = members.get("keys", [members] if "kty" in members else [])
    return keys if isinstance(keys, list) else []


def _signing_key(value: Any, number: int) -> SigningKey:  # noqa: ANN401 - JSON holds any value
    """Read one key; whatever is wrong is said without a word of the key."""
    try:
        key = _import_pem(value) if isinstance(value, bytes) else _KINDS[value["kty"]].import_key(value)
        alg = str(key.alg or usual_algorithm(key))
        JWSRegistry.algorithms[alg].check_key(key)
    except (JoseError, ValueError, TypeError, KeyError, AttributeError):
        raise UsageError("keys", f"key {number} is none that can be read and used") from None
    if not key.is_private:
        raise UsageError("keys", f"key {number} is no private key")
    if alg not in ALGORITHMS:
        raise unknown("keys", alg, ALGORITHMS)
    named = type(key).import_key(dict(key.as_dict(private=True)), {"use": "sig", "alg": alg})
    named.ensure_kid()
    return SigningKey(str(named.kid), alg, named)


def _import_pem(block: bytes) -> PrivateKey:
    for kind in _KINDS.values():
        try:
            return kind.import_key(block)
        except (JoseError, ValueError, TypeError):
            continue
    raise ValueError("no kind of key that is known")


def usual_algorithm(key: PrivateKey) -> str:
    """Return the algorithm of a key that does not say its own.

    Args:
        key: the key.
    """
    return "RS256" if isinstance(key, RSAKey) else _CURVES.get(key.curve_name, key.curve_name)
