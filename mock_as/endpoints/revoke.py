"""The revocation endpoint.

References: RFC 7009
"""

from __future__ import annotations

from authlib.oauth2.rfc7009 import RevocationEndpoint

from mock_as.client_authentication import Message
from mock_as.clients import AUTH_METHODS, Client
from mock_as.endpoints.live_token import LiveToken, find_live, require_token


class Revocation(RevocationEndpoint):
    """Token revocation, by the client that the token was issued to."""

    CLIENT_AUTH_METHODS = AUTH_METHODS

    def check_params(self, request: Message, client: Client) -> None:  # noqa: ARG002 - Authlib's signature
        """Insist on a token; a hint is only a hint, whatever it says."""
        require_token(request)

    def query_token(self, token_string: str, token_type_hint: str | None) -> LiveToken | None:  # noqa: ARG002
        """Find a token, opaque or not."""
        return find_live(self.server.issuer, token_string)

    def revoke_token(self, token: LiveToken, request: Message) -> None:  # noqa: ARG002 - Authlib's signature
        """Revoke it."""
        token.record.revoked = True
