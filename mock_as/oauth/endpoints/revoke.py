"""The revocation endpoint.

References: RFC 7009
"""

from __future__ import annotations

from authlib.oauth2.rfc7009 import RevocationEndpoint

from mock_as.clients import AUTH_METHODS, Client
from mock_as.oauth.client_authentication import Message
from mock_as.oauth.endpoints.live_token import LiveToken, find_live, require_token
from mock_as.oauth.grants.issue import revoke_family


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
        """Revoke it; with a refresh token goes what was issued for the same: RFC 7009 section 2.1."""
        record = token.record
        record.revoke(self.server.issuer.clock.now())
        if record.kind == "refresh_token" and record.granted is not None and record.granted.family is not None:
            revoke_family(self.server.issuer, record.granted.family)
