"""Token exchange: a token for another one, in the name of the same subject.

References: RFC 8693
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from authlib.oauth2.rfc6749 import InvalidRequestError, InvalidScopeError, OAuth2Error, UnauthorizedClientError
from authlib.oauth2.rfc6749.grants import BaseGrant, TokenEndpointMixin

from mock_as.clients import AUTH_METHODS, TOKEN_EXCHANGE
from mock_as.granted import Granted
from mock_as.issuer import Issuer
from mock_as.oauth.client_authentication import Message
from mock_as.oauth.grants.issue import issue
from mock_as.oauth.grants.respond import Response, parameters, requested, respond
from mock_as.tokens.store import TokenRecord

ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"  # noqa: S105 - no secret
JWT_TOKEN = "urn:ietf:params:oauth:token-type:jwt"  # noqa: S105 - no secret
TOKEN_TYPES = (ACCESS_TOKEN, JWT_TOKEN)
"""The types of tokens that are taken, and given."""
_WRONG_DETAILS = "invalid_authorization_details"


class TokenExchange(BaseGrant, TokenEndpointMixin):
    """Issues tokens for other tokens of this server."""

    request: Any
    server: Any
    GRANT_TYPE = TOKEN_EXCHANGE
    TOKEN_ENDPOINT_AUTH_METHODS = AUTH_METHODS

    def validate_token_request(self) -> None:
        """Judge the tokens that are brought, and what is asked for.

        References: RFC 8693 section 2.1
        """
        message: Message = self.request
        message.client = self.authenticate_token_endpoint_client()
        if not message.client.check_grant_type(TOKEN_EXCHANGE):
            raise UnauthorizedClientError("The client may not exchange tokens.")
        self._type = message.form.get("requested_token_type", ACCESS_TOKEN)
        if self._type not in TOKEN_TYPES:
            raise InvalidRequestError("The requested_token_type is not one that is issued.")
        subject = self._brought("subject_token")
        actor = None
        if "actor_token" in message.form:
            actor = self._brought("actor_token")
        elif "actor_token_type" in message.form:
            raise InvalidRequestError("There is an actor_token_type without an actor_token.")
        _judge_actor(subject, actor, message.client.id)
        self._granted = _exchanged(message, subject, actor)

    def create_token_response(self) -> Response:
        """Issue the token.

        References: RFC 8693 section 2.2.1
        """
        document = issue(
            self.server.issuer,
            self._granted,
            confirmation=self.server.confirmation(self.request),
            token_format="jwt" if self._type == JWT_TOKEN else None,
        )
        return respond({**document, "issued_token_type": self._type})

    def _brought(self, name: str) -> TokenRecord:
        """Return the record of a token that the client brings."""
        form, issuer = self.request.form, self.server.issuer
        if name not in form or f"{name}_type" not in form:
            raise InvalidRequestError(f"The {name} or the {name}_type is missing.")
        if form[f"{name}_type"] not in TOKEN_TYPES:
            raise InvalidRequestError(f"The {name}_type is not one that is taken.")
        record = _active(issuer, form[name])
        if record is None or (form[f"{name}_type"] == JWT_TOKEN and record.token.format != "jwt"):
            raise InvalidRequestError(f"The {name} is not an active token of this server.")
        if not isinstance(record.subject, str):
            raise InvalidRequestError(f"The {name} is in nobody's name.")
        return record


def _active(issuer: Issuer, token: str) -> TokenRecord | None:
    record = issuer.tokens.get(token)
    good = record is not None and record.kind == "access_token" and record.is_active(issuer.clock.now())
    return record if good else None


def _judge_actor(subject: TokenRecord, actor: TokenRecord | None, client_id: str) -> None:
    """Insist on the actor that the subject's token allows, if it says who: RFC 8693 section 4.4."""
    allowed = subject.token.claims.get("may_act")
    if allowed is None:
        return
    who = {"sub": client_id, "client_id": client_id} if actor is None else actor.token.claims
    if not isinstance(allowed, Mapping) or any(who.get(name) != value for name, value in allowed.items()):
        raise InvalidRequestError("The subject has not allowed this actor to act.")


def _exchanged(message: Message, subject: TokenRecord, actor: TokenRecord | None) -> Granted:
    form, said = parameters(message), subject.token.claims
    asked = requested(message, TOKEN_EXCHANGE)
    had = _texts(said.get("scope"))
    if form.get("scope") and not set(asked.scopes) <= set(had):
        raise InvalidScopeError("The subject_token does not have one of these scopes.")
    details = _details(said.get("authorization_details"))
    if any(detail not in details for detail in asked.authorization_details):
        raise OAuth2Error("The subject_token does not have one of these details.", error=_WRONG_DETAILS)
    audience = tuple(dict.fromkeys(value for value in form.get_all("audience") if value))
    return replace(
        asked,
        sub=str(subject.subject),
        scopes=tuple(scope for scope in asked.scopes if scope in had),
        resources=(*asked.resources, *audience) or _texts(said.get("aud")),
        authorization_details=asked.authorization_details or details,
        act=_acting(said.get("act"), actor),
    )


def _acting(before: Any, actor: TokenRecord | None) -> Mapping[str, Any] | None:  # noqa: ANN401 - a claim holds any value
    """Return who acts: the actor now, and within that who acted before: RFC 8693 section 4.1."""
    chain: Mapping[str, Any] | None = before if isinstance(before, Mapping) else None
    if actor is None:
        return chain
    now: dict[str, Any] = {"sub": actor.token.claims.get("sub")}
    return now if chain is None else {**now, "act": chain}


def _details(value: object) -> tuple[Mapping[str, Any], ...]:
    return tuple(detail for detail in value if isinstance(detail, Mapping)) if isinstance(value, list) else ()


def _texts(value: object) -> tuple[str, ...]:
    """Return a claim that is a text, or several, in either way to write them."""
    return tuple(value.split()) if isinstance(value, str) else tuple(map(str, value)) if isinstance(value, list) else ()
