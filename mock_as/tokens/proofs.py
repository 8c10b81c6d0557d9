"""The proof that whoever sends a token holds the key it is bound to.

References: RFC 9449 section 4.2
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from mock_as.base64url import base64url
from mock_as.keys.signing import SigningKey, compact
from mock_as.messages import encode_json

_JTI_BYTES = 16


@dataclass(frozen=True, slots=True)
class Prover:
    """A client's own key, and the clock by which its proofs are dated."""

    key: SigningKey
    now: Callable[[], float]

    @property
    def thumbprint(self) -> str:
        """The ``jkt`` of the tokens that are bound to the key."""
        return self.key.thumbprint()

    def proof(
        self,
        method: str,
        url: str,
        *,
        token: str | None = None,
        nonce: str | None = None,
        **claims: Any,  # noqa: ANN401 - a claim holds any value
    ) -> str:
        """Return a proof for one request.

        Args:
            method: the method of the request.
            url: where it goes; its query and its fragment are left out, as the RFC wants it.
            token: the access token that goes with it, if one does.
            nonce: the one that the server has asked for.
            claims: what the proof says beside, or says differently.
        """
        said: dict[str, Any] = {
            "jti": base64url(secrets.token_bytes(_JTI_BYTES)),
            "htm": method,
            "htu": urlunsplit((*urlsplit(url)[:3], "", "")),
            "iat": int(self.now()),
        }
        if token is not None:
            said["ath"] = base64url(hashlib.sha256(token.encode()).digest())
        if nonce is not None:
            said["nonce"] = nonce
        header = {"typ": "dpop+jwt", "alg": self.key.alg, "jwk": self.key.bare()}
        return compact(header, encode_json(said | claims), self.key.sign)
