"""The token endpoint: what a grant needs to be granted.

References: RFC 6749 section 3.2, RFC 8707
"""

from __future__ import annotations

from urllib.parse import urlsplit

from authlib.oauth2.rfc6749 import InvalidScopeError, OAuth2Error, OAuth2Request
from authlib.oauth2.rfc6749.grants import ClientCredentialsGrant

from mock_as.client_authentication import Message
from mock_as.clients import AUTH_METHODS, Client
from mock_as.issuer import Issuer


class ClientCredentials(ClientCredentialsGrant):
    """The client credentials grant, for one resource or several."""

    TOKEN_ENDPOINT_AUTH_METHODS = AUTH_METHODS

    def validate_requested_scope(self) -> None:
        """Refuse a scope that the client may not have, and a resource that is none."""
        scope = self.request.payload.scope if self.request.payload else None
        if not set(_scopes(scope)) <= set(self.client.scopes):
            raise InvalidScopeError("The client may not have one of these scopes.")
        for resource in _resources(self.request):
            _judge_resource(resource)

    def generate_token(self, *_args: object, scope: str | None = None, **_options: object) -> dict[str, str | int]:
        """Issue the token, which the server remembers by itself."""
        client: Client = self.client
        issuer: Issuer = self.server.issuer
        token = issuer.token(
            client_id=client.id,
            scope=_scopes(scope) or client.scopes,
            aud=_resources(self.request) or None,
        )
        lifetime = client.lifetime or issuer.lifetime
        granted = str(token.claims.get("scope", ""))
        return {"access_token": token.value, "token_type": "Bearer", "expires_in": lifetime, "scope": granted}


def _scopes(scope: str | None) -> list[str]:
    """Split a scope at its spaces; nothing else separates: RFC 6749 section 3.3."""
    return [part for part in (scope or "").split(" ") if part]


def _resources(message: OAuth2Request) -> list[str]:
    form = message.request.form if isinstance(message, Message) else None
    return [resource for resource in (form.get_all("resource") if form else []) if resource]


def _judge_resource(resource: str) -> None:
    """Insist on an absolute URI without a fragment.

    References: RFC 8707 section 2
    """
    try:
        parts = urlsplit(resource)
    except ValueError:
        parts = urlsplit("")
    if not parts.scheme or not (parts.netloc or parts.path) or "#" in resource:
        raise OAuth2Error("The resource must be an absolute URI without a fragment.", error="invalid_target")
