"""The JWT bearer grant: a client that has a key vouches for a person.

References: RFC 7521 section 4.1, RFC 7523 sections 2.1 and 3
"""

from __future__ import annotations

from typing import Any

from authlib.oauth2.rfc6749 import InvalidGrantError
from authlib.oauth2.rfc7523 import JWTBearerGrant

from mock_as.clients import CONFIDENTIAL_METHODS, JWT_BEARER, Client
from mock_as.granted import Granted
from mock_as.issuer import Issuer
from mock_as.jwts import JWT, SIGNATURE_ALGORITHMS, JWTError, import_keys, read, verify
from mock_as.oauth.client_assertion import judge_assertion
from mock_as.oauth.client_authentication import presented_methods
from mock_as.oauth.grants.issue import issue
from mock_as.oauth.grants.respond import Response, for_person, requested, respond


class JWTBearer(JWTBearerGrant):
    """Issues tokens in the name of whom a client says it speaks for."""

    request: Any
    server: Any
    TOKEN_ENDPOINT_AUTH_METHODS = CONFIDENTIAL_METHODS
    _granted: Granted

    def validate_token_request(self) -> None:
        """Judge the assertion, and the credentials of the client if there are any.

        References: RFC 7521 section 4.1
        """
        if "none" not in presented_methods(self.request):
            caller: Any = self.authenticate_token_endpoint_client()
            self._caller = caller.id
        else:
            self._caller = self.request.form.get("client_id")
        super().validate_token_request()

    def process_assertion_claims(self, assertion: str) -> dict[str, Any]:
        """Return what an assertion says that is good.

        Raises:
            InvalidGrantError: it is not.
        """
        try:
            jwt = read(assertion)
            self._judge_origin(jwt)
            judge_assertion(self.server.issuer, jwt)
        except JWTError as error:
            raise InvalidGrantError(f"The assertion is not good. {error}") from None
        return jwt.claims

    def _judge_origin(self, jwt: JWT) -> None:
        issued_by, sub = jwt.claims.get("iss"), jwt.claims.get("sub")
        if not isinstance(issued_by, str) or not isinstance(sub, str) or not sub:
            raise JWTError("It has no iss, or no sub.")
        client = self.resolve_issuer_client(issued_by)
        keys = [] if client is None else import_keys(client.public_keys(), jwt.header.get("kid"))
        verify(jwt, keys, SIGNATURE_ALGORITHMS)
        if self._caller not in {None, issued_by}:
            raise JWTError("It was issued by another client.")

    def resolve_issuer_client(self, issuer: str) -> Client | None:
        """Return the client that has issued an assertion."""
        client: Client | None = self.server.issuer.clients.get(issuer)
        return client

    def authenticate_user(self, subject: str) -> str:
        """Judge whom the assertion speaks of."""
        issuer: Issuer = self.server.issuer
        if subject != self.client.id:
            self._granted = for_person(issuer, self._granted, subject)
        return subject

    def has_granted_permission(self, client: Client, user: str) -> bool:  # noqa: ARG002 - Authlib's signature
        """Let a client that has a key speak for anybody."""
        return True

    def validate_requested_scope(self) -> None:
        """Judge what the client asks for."""
        self._granted = requested(self.request, JWT_BEARER)

    def create_token_response(self) -> Response:
        """Issue the token."""
        confirmation = self.server.confirmation(self.request)
        return respond(issue(self.server.issuer, self._granted, confirmation=confirmation))
