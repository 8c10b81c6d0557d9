"""A token that a request is about, as Authlib's endpoints ask for it."""

from __future__ import annotations

from authlib.oauth2.rfc6749 import InvalidRequestError

from mock_as.clients import Client
from mock_as.issuer import Issuer
from mock_as.oauth.client_authentication import Message
from mock_as.tokens.store import TokenRecord


class LiveToken:
    """A token at a moment, as Authlib's endpoints ask about it."""

    def __init__(self, record: TokenRecord, now: float) -> None:
        self.record = record
        self._active = record.is_active(now)

    def is_expired(self) -> bool:
        """Tell whether the token is not, or not yet, good for anything."""
        return not self._active

    def is_revoked(self) -> bool:
        """Tell whether somebody has revoked it, and it is not to be called active all the same."""
        return self.record.revoked and not self._active

    def check_client(self, client: Client) -> bool:
        """Tell whether the token was issued to a client."""
        return self.record.client_id == client.id


def find_live(issuer: Issuer, token: str) -> LiveToken | None:
    """Return what is known about a token now."""
    record = issuer.tokens.get(token)
    return None if record is None else LiveToken(record, issuer.clock.now())


def require_token(message: Message) -> None:
    """Insist on the parameter that says which token.

    Raises:
        InvalidRequestError: it is missing.
    """
    if "token" not in message.form:
        raise InvalidRequestError("The token is missing.")
