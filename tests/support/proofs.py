"""Make DPoP proofs by hand, and the requests that come with them, right ones and every kind of wrong one.

References: RFC 9449 sections 4.2 and 7.1
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from itertools import count
from typing import Any

from resource_server import RequestParts
from tests.support.jwt import NOW, REMOVED, SigningKey, b64url, sign, signing_key

BASE = "https://rs.example.com"
"""Where the resource server is reached."""
BOUND = "bound"
"""The usual access token, which is bound to the usual client's key."""
_BARE: dict[str, Any] = {"kid": REMOVED, "use": REMOVED, "alg": REMOVED}
_numbers = count()


def client_key(name: str = "client", algorithm: str = "ES256") -> SigningKey:
    """Return a client's own key."""
    return signing_key(algorithm, name)


def public_jwk(key: SigningKey, **changes: Any) -> dict[str, Any]:
    """Write a key with the members alone that it must have, changed as asked."""
    return key.jwk(**(_BARE | changes))


def proof_claims(method: str = "GET", uri: str = f"{BASE}/things", token: str = BOUND, **changes: Any) -> Any:
    """Write the claims of a good proof that was not used before, changed as asked; ``REMOVED`` takes one away."""
    claims = {
        "jti": f"proof-{next(_numbers)}",
        "htm": method,
        "htu": uri,
        "iat": int(NOW),
        "ath": b64url(sha256(token.encode()).digest()),
    }
    return {name: value for name, value in (claims | changes).items() if value is not REMOVED}


def proof_header(key: SigningKey, **changes: Any) -> dict[str, Any]:
    """Write the header of a good proof, changed as asked."""
    header = {"typ": "dpop+jwt", "alg": key.algorithm, "jwk": public_jwk(key)}
    return {name: value for name, value in (header | changes).items() if value is not REMOVED}


def proof(
    key: SigningKey | None = None,
    method: str = "GET",
    uri: str = f"{BASE}/things",
    token: str = BOUND,
    *,
    head: Mapping[str, Any] | None = None,
    **changes: Any,
) -> str:
    """Make a signed proof that was not used before.

    Args:
        key: who signs it; by default the usual client.
        method: of the request.
        uri: of the request.
        token: the access token that goes with it.
        head: changes of the header.
        changes: changes of the claims.
    """
    signer = key or client_key()
    return sign(proof_header(signer, **(head or {})), proof_claims(method, uri, token, **changes), signer)


def proven(
    *proofs: str,
    token: str = BOUND,
    scheme: str = "DPoP",
    method: str = "GET",
    path: bytes = b"/things",
    certificate: str | bytes | None = None,
) -> RequestParts:
    """Make a request with a token and proofs, each in a field of its own.

    Args:
        proofs: any number of them.
        token: the access token.
        scheme: under which it is sent.
        method: of the request.
        path: as it was sent.
        certificate: that the client has shown.
    """
    fields = [(b"DPoP", value.encode()) for value in proofs]
    authorization = (b"Authorization", f"{scheme} {token}".encode())
    return RequestParts(
        method, [(b"Host", b"rs.example.com"), authorization, *fields], path=path, certificate=certificate
    )
