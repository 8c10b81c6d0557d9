"""How the resource server authenticates itself at the introspection endpoint.

References: RFC 6749 section 2.3.1 and appendix B, RFC 7662 section 2.1
"""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import quote_plus

ClientAuthMethod = Literal[
    "client_secret_basic",
    "client_secret_post",
    "client_secret_jwt",
    "private_key_jwt",
    "tls_client_auth",
    "self_signed_tls_client_auth",
    "bearer",
]
AssertionAudience = Literal["issuer", "endpoint"]


@dataclass(frozen=True, slots=True)
class ClientCredentials:
    """A client identifier, its secret, and how they are sent."""

    client_id: str
    secret: str = field(repr=False)
    method: ClientAuthMethod = "client_secret_basic"

    def headers(self) -> tuple[tuple[str, str], ...]:
        """The ``Authorization`` field of ``client_secret_basic``, or nothing."""
        if self.method != "client_secret_basic":
            return ()
        # RFC 6749 section 2.3.1: both are form-urlencoded before base64, or a colon in the id would move the split.
        pair = f"{quote_plus(self.client_id)}:{quote_plus(self.secret)}"
        return (("authorization", "Basic " + b64encode(pair.encode("ascii")).decode("ascii")),)

    def parameters(self) -> tuple[tuple[str, str], ...]:
        """The form parameters of ``client_secret_post``, or nothing."""
        if self.method != "client_secret_post":
            return ()
        return (("client_id", self.client_id), ("client_secret", self.secret))
