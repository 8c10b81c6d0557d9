"""The introspection endpoint.

References: RFC 7662
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

from authlib.oauth2.rfc6749 import OAuth2Error, OAuth2Request
from authlib.oauth2.rfc7662 import IntrospectionEndpoint

from mock_as.clients import CONFIDENTIAL_METHODS, Client
from mock_as.issuer import Issuer
from mock_as.oauth.client_authentication import Message
from mock_as.oauth.endpoints.live_token import LiveToken, find_live, require_token
from mock_as.oauth.signed_introspection import MEDIA_TYPE, is_wanted, sign
from mock_as.tokens import looks_like_jwt
from mock_as.tokens.store import TokenRecord

_NO_STORE = [("Cache-Control", "no-store"), ("Pragma", "no-cache")]


class Introspection(IntrospectionEndpoint):
    """Token introspection, for callers that may."""

    CLIENT_AUTH_METHODS = CONFIDENTIAL_METHODS

    def check_params(self, request: Message, client: Client) -> None:  # noqa: ARG002 - Authlib's signature
        """Insist on a token; a hint is only a hint, whatever it says."""
        require_token(request)

    def query_token(self, token_string: str, token_type_hint: str | None) -> LiveToken | None:  # noqa: ARG002
        """Find a token, opaque or not."""
        issuer: Issuer = self.server.issuer
        if issuer.options.refuse_jwt_introspection and looks_like_jwt(token_string):
            raise OAuth2Error("A JWT is verified with the published keys.", error="unsupported_token_type")
        return find_live(issuer, token_string)

    def check_permission(self, token: LiveToken, client: Client, request: Message) -> bool:  # noqa: ARG002
        """Tell whether a caller may know about a token."""
        return client.may_see(token.record.token.claims.get("aud"))

    def create_endpoint_response(self, request: OAuth2Request) -> tuple[int, Any, Any]:
        """Answer in JSON, or with a JWT where the caller wants that and is registered for it."""
        respond: Callable[[OAuth2Request], tuple[int, Any, Any]] = super().create_endpoint_response
        status, body, headers = respond(request)
        client: Any = request.client
        offered = self.server.issuer.options.introspection
        if not isinstance(request, Message) or not is_wanted(client, request.request, offered):
            return status, body, headers
        return status, sign(self.server.issuer, client, body), [("Content-Type", MEDIA_TYPE), *_NO_STORE]

    def introspect_token(self, token: LiveToken) -> dict[str, Any]:
        """Say what the server knows about an active token."""
        return members_of(token.record, self.server.issuer.clients)


def members_of(record: TokenRecord, clients: Collection[str]) -> dict[str, Any]:
    """Say what introspection says about a token that is active.

    Args:
        record: the token.
        clients: the ids of the registered clients, which are not people.

    References: RFC 7662 section 2.2
    """
    # First, as everybody writes it; and true whatever a claim of that name says.
    members: dict[str, Any] = {"active": True, **record.token.claims}
    members["active"] = True
    subject = record.subject
    if isinstance(subject, str) and subject != record.client_id and subject not in clients:
        members.setdefault("username", subject)
    if record.kind == "access_token":
        # A refresh token has no type that a resource server would know.
        members.setdefault("token_type", "DPoP" if "jkt" in (members.get("cnf") or ()) else "Bearer")
    return members
