"""Read JWTs by hand, as whoever receives them does: nothing of what is tested here is believed."""

from __future__ import annotations

import base64
import json
from typing import Any

from joserfc.jwk import JWKRegistry
from joserfc.jws import JWSRegistry


def unpad(segment: str) -> bytes:
    """Decode base64url without padding."""
    return base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4))


def header_of(jwt: str) -> dict[str, Any]:
    """Read the header of a JWT, without any check."""
    return dict(json.loads(unpad(jwt.partition(".")[0])))


def payload_of(jwt: str) -> Any:
    """Read the payload of a JWT, without any check."""
    return json.loads(unpad(jwt.split(".")[1]))


def is_signed(jwt: str, jwk: dict[str, Any], alg: str | None = None) -> bool:
    """Tell whether a key verifies a JWT.

    Args:
        jwt: the JWT.
        jwk: the public key.
        alg: the algorithm; by default that of the key.
    """
    message, _, signature = jwt.rpartition(".")
    key = JWKRegistry.import_key(jwk)
    return JWSRegistry.algorithms[alg or str(key.alg)].verify(message.encode(), unpad(signature), key)


def is_by(jwt: str, jwks: dict[str, Any]) -> bool:
    """Tell whether the published key that a JWT names verifies it, with the algorithm that the key is for."""
    header = header_of(jwt)
    named = [key for key in jwks["keys"] if key["kid"] == header.get("kid")]
    return len(named) == 1 and header["alg"] == named[0]["alg"] and is_signed(jwt, named[0])
