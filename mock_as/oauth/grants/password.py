"""The resource owner password credentials grant, for those who have to test something old.

References: RFC 6749 section 4.3, RFC 9700 section 2.4 (why it is not offered unless it is asked for)
"""

from __future__ import annotations

import hmac
from dataclasses import replace
from typing import Any

from authlib.oauth2.rfc6749 import InvalidGrantError, UnsupportedGrantTypeError
from authlib.oauth2.rfc6749.grants import ResourceOwnerPasswordCredentialsGrant

from mock_as.clients import AUTH_METHODS
from mock_as.oauth.grants.issue import issue
from mock_as.oauth.grants.respond import Response, for_person, requested, respond
from mock_as.users import User


class Password(ResourceOwnerPasswordCredentialsGrant):
    """Issues tokens for a name and a password, which is the name with ``-password`` behind it."""

    request: Any
    server: Any
    TOKEN_ENDPOINT_AUTH_METHODS = AUTH_METHODS

    def validate_token_request(self) -> None:
        """Refuse the grant where it is not offered, and judge the request where it is."""
        if not self.server.issuer.options.password_grant:
            raise UnsupportedGrantTypeError(self.GRANT_TYPE)
        super().validate_token_request()

    def authenticate_user(self, username: str, password: str) -> User:
        """Return the person of a name.

        Raises:
            InvalidGrantError: there is nobody of that name, or the password is another.
        """
        user: User | None = self.server.issuer.users.get(username)
        right = hmac.compare_digest(password.encode(), f"{username}-password".encode())
        if user is None or not right:
            raise InvalidGrantError("The username is unknown, or the password is not right.")
        return user

    def validate_requested_scope(self) -> None:
        """Judge what the client asks for."""
        granted = requested(self.request, self.GRANT_TYPE)
        self._granted = for_person(self.server.issuer, granted, self.request.user.sub)

    def create_token_response(self) -> Response:
        """Issue the tokens."""
        issuer = self.server.issuer
        document = issue(
            issuer,
            replace(self._granted, auth_time=int(issuer.clock.now())),
            confirmation=self.server.confirmation(self.request),
            refresh=self.client.check_grant_type("refresh_token"),
            id_token="openid" in self._granted.scopes,
        )
        return respond(document)
