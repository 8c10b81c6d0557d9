"""The answer of the introspection endpoint as a JWT.

References: RFC 9701
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from typing import Any

from joserfc.jwk import ECKey, JWKRegistry, RSAKey

from mock_as.clients import Client
from mock_as.errors import UsageError
from mock_as.issuer import Issuer
from mock_as.messages import Request
from mock_as.options import IntrospectionOffer

MEDIA_TYPE = "application/token-introspection+jwt"
TYP = "token-introspection+jwt"
"""The type that the header of the JWT says."""
ENCRYPTION_ALGORITHMS = ("ECDH-ES", "RSA-OAEP-256")
ENCRYPTION_ENCODING = "A256GCM"


def is_wanted(client: Client, request: Request, offered: IntrospectionOffer = "json") -> bool:
    """Tell whether a caller gets a JWT: it must ask for it, and be registered for that where not everybody is.

    Args:
        client: the caller.
        request: what it sends.
        offered: what those get that are registered for JSON.

    References: RFC 9701 section 4, RFC 9110 section 12.5.1
    """
    may = client.response != "json" or offered != "json"
    return may and _accepts(request.header("accept") or "")


def _accepts(accept: str) -> bool:
    for part in accept.lower().split(","):
        media_type, *parameters = (item.strip() for item in part.split(";"))
        if media_type == MEDIA_TYPE:
            return not any(parameter.rstrip("0") in {"q=", "q=0."} for parameter in parameters)
    return False


def claims_of(issuer: Issuer, client: Client, answer: Mapping[str, Any]) -> dict[str, Any]:
    """Say in claims what introspection has answered, to whom, and when.

    Args:
        issuer: who answers.
        client: who has asked.
        answer: the members of the plain answer.

    References: RFC 9701 section 5
    """
    now = int(issuer.clock.now())
    return {"iss": issuer.issuer, "aud": client.id, "iat": now, "token_introspection": answer}


def sign(issuer: Issuer, client: Client, answer: Mapping[str, Any]) -> str:
    """Sign an answer, and encrypt it for a caller that wants that too.

    Args:
        issuer: who answers.
        client: who has asked.
        answer: the members of the plain answer.

    Returns:
        The JWT; a nested one if it is encrypted.

    Raises:
        UsageError: the caller has registered no key that the answer could be encrypted to.
    """
    signed = issuer.keys.signing().jwt(TYP, claims_of(issuer, client, answer))
    return encrypt(client, signed) if client.response == "jwe" else signed


def encrypt(client: Client, jwt: str) -> str:
    """Encrypt a JWT for a client.

    Args:
        client: whom for.
        jwt: the JWT.

    Raises:
        UsageError: the client has registered no key for it.

    References: RFC 7516, RFC 7519 section 5.2
    """
    from joserfc import jwe  # noqa: PLC0415 - only a caller that wants it pays for it

    key = _encryption_key(client)
    alg = "ECDH-ES" if isinstance(key, ECKey) else "RSA-OAEP-256"
    header = {"alg": alg, "enc": ENCRYPTION_ENCODING, "typ": TYP, "cty": "JWT"}
    if key.kid is not None:
        header["kid"] = key.kid
    return jwe.encrypt_compact(header, jwt.encode(), key, algorithms=[alg, ENCRYPTION_ENCODING])


def _encryption_key(client: Client) -> ECKey | RSAKey:
    for jwk in client.public_keys():
        if jwk.get("use", "enc") == "enc" and jwk.get("kty") in {"EC", "RSA"}:
            return _imported(json.dumps(jwk, sort_keys=True))
    raise UsageError("jwks", f"{client.id!r} has no key of the type EC or RSA to encrypt to")


@functools.lru_cache(maxsize=64)
def _imported(jwk: str) -> ECKey | RSAKey:
    """Read a public key, once for all the answers that are encrypted to it."""
    key = JWKRegistry.import_key({name: value for name, value in json.loads(jwk).items() if name != "alg"})
    assert isinstance(key, (ECKey, RSAKey))  # noqa: S101 - it was chosen for its type
    return key
