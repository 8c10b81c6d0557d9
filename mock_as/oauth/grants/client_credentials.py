"""The client credentials grant.

References: RFC 6749 section 4.4
"""

from __future__ import annotations

from typing import Any

from authlib.oauth2.rfc6749.grants import ClientCredentialsGrant

from mock_as.clients import CONFIDENTIAL_METHODS
from mock_as.oauth.grants.issue import issue
from mock_as.oauth.grants.respond import Response, requested, respond


class ClientCredentials(ClientCredentialsGrant):
    """Issues tokens to clients in their own name."""

    request: Any
    server: Any
    TOKEN_ENDPOINT_AUTH_METHODS = CONFIDENTIAL_METHODS

    def validate_requested_scope(self) -> None:
        """Judge what the client asks for."""
        self._granted = requested(self.request, self.GRANT_TYPE)

    def create_token_response(self) -> Response:
        """Issue the token."""
        confirmation = self.server.confirmation(self.request)
        return respond(issue(self.server.issuer, self._granted, confirmation=confirmation))
