"""The refresh token grant: a new access token, and a new refresh token in the place of the one that was used.

References: RFC 6749 section 6, RFC 9700 section 4.14
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from authlib.oauth2.rfc6749 import (
    InvalidGrantError,
    InvalidRequestError,
    InvalidScopeError,
    OAuth2Error,
    UnauthorizedClientError,
)
from authlib.oauth2.rfc6749.grants import RefreshTokenGrant

from mock_as.clients import AUTH_METHODS
from mock_as.granted import Granted
from mock_as.issuer import Issuer
from mock_as.messages import Form
from mock_as.oauth.authorization_request import requested_details, requested_resources
from mock_as.oauth.client_authentication import Message
from mock_as.oauth.grants.issue import issue, issue_refresh_token, revoke_family
from mock_as.oauth.grants.respond import Response, for_person, parameters, respond
from mock_as.tokens.store import TokenRecord


class RefreshToken(RefreshTokenGrant):
    """Issues tokens for what was granted before, or for less."""

    request: Any
    server: Any
    TOKEN_ENDPOINT_AUTH_METHODS = AUTH_METHODS

    def validate_token_request(self) -> None:
        """Find the refresh token, and judge what is asked for."""
        message: Message = self.request
        message.client = self.authenticate_token_endpoint_client()
        if not message.client.check_grant_type("refresh_token"):
            raise UnauthorizedClientError("The client may not refresh tokens.")
        self._record, self._remembered = _find(self.server.issuer, message)
        self._granted = _narrowed(self._remembered, parameters(message))

    def create_token_response(self) -> Response:
        """Issue the tokens."""
        issuer: Issuer = self.server.issuer
        confirmation = self.server.confirmation(self.request)
        _judge_binding(self._record, self.request, confirmation)
        document = issue(issuer, self._granted, confirmation=confirmation, id_token="openid" in self._granted.scopes)
        if issuer.options.rotate_refresh_tokens:
            self._record.revoke(issuer.clock.now())
            document["refresh_token"] = issue_refresh_token(issuer, self._remembered, confirmation)
        return respond(document)


def _find(issuer: Issuer, message: Message) -> tuple[TokenRecord, Granted]:
    """Find a refresh token; one that was replaced and comes again was stolen, and so is what replaced it."""
    text = message.form.get("refresh_token")
    if text is None:
        raise InvalidRequestError("The refresh_token is missing.")
    record = issuer.tokens.get(text)
    granted = record and record.granted
    if not record or not granted or record.kind != "refresh_token" or record.client_id != message.client.id:
        raise InvalidGrantError("The refresh token is unknown.")
    if record.revoked and granted.family is not None:
        revoke_family(issuer, granted.family)
    if not record.is_active(issuer.clock.now()):
        raise InvalidGrantError("The refresh token has expired, was revoked, or has been used.")
    if granted.sub is not None:
        for_person(issuer, granted, granted.sub)
    return record, granted


def _judge_binding(record: TokenRecord, message: Message, confirmation: Mapping[str, Any] | None) -> None:
    """Insist on the key that a public client proved first; a confidential one has credentials: RFC 9449 section 5."""
    bound = record.token.claims.get("cnf")
    if bound and message.client.is_public and bound != confirmation:
        raise InvalidGrantError("The refresh token is bound to another key.")


def _narrowed(granted: Granted, form: Form) -> Granted:
    """Return what is asked for, which is what was granted or less: RFC 6749 section 6, RFC 8707 section 2.2."""
    scopes = tuple(part for part in form.get("scope", "").split(" ") if part)
    if not set(scopes) <= set(granted.scopes):
        raise InvalidScopeError("One of these scopes was not granted.")
    resources = requested_resources(form)
    if granted.resources and not set(resources) <= set(granted.resources):
        raise OAuth2Error("One of these resources was not granted.", error="invalid_target")
    details = requested_details(form.get("authorization_details"))
    if any(detail not in granted.authorization_details for detail in details):
        raise OAuth2Error("One of these details was not granted.", error="invalid_authorization_details")
    return replace(
        granted,
        grant_type="refresh_token",
        scopes=scopes or granted.scopes,
        resources=resources or granted.resources,
        authorization_details=details or granted.authorization_details,
        # It was for the first ID token: OpenID Connect Core 1.0 section 12.2.
        nonce=None,
    )
