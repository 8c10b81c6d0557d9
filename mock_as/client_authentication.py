"""Who is calling: the credentials of a client, in either place they may be in.

References: RFC 6749 section 2.3
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from urllib.parse import unquote_plus

from authlib.oauth2.rfc6749 import OAuth2Request
from authlib.oauth2.rfc6749.requests import BasicOAuth2Payload

from mock_as.clients import Client
from mock_as.messages import Form, Request

# Authlib refuses plain http. The mock may be served under it, so it is shown a URL that nobody dereferences.
_SECURE_URI = "https://as.example.test/"


def basic_credentials(request: Request) -> tuple[str, str] | None:
    """Read the credentials of HTTP Basic.

    The id and the secret are form-encoded before they are joined: a ``+`` stands for a space, which Authlib's own
    reader does not know.

    Args:
        request: the request.

    Returns:
        Id and secret, or ``None`` where there are none that can be read.

    References: RFC 6749 section 2.3.1, RFC 7617 section 2
    """
    scheme, _, encoded = (request.header("authorization") or "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        text = base64.b64decode(encoded.strip(), validate=True).decode()
        user, colon, password = text.partition(":")
        decoded = unquote_plus(user, errors="strict"), unquote_plus(password, errors="strict")
    except (binascii.Error, ValueError):
        return None
    return decoded if colon else None


def claimed_client_id(request: Request) -> str | None:
    """Return who the client says it is, proven or not."""
    credentials = basic_credentials(request)
    if credentials is not None:
        return credentials[0]
    return None if request.form is None else request.form.get("client_id")


class Message(OAuth2Request):
    """A request as Authlib wants it."""

    def __init__(self, request: Request) -> None:
        super().__init__(request.method, _SECURE_URI, headers=dict(request.headers))
        self.request = request
        form = request.form or Form()
        # A parameter without a value is to be treated as one that is not there: RFC 6749 section 3.2.
        self._form = {name: value for name, value in form.items() if value}
        self.payload = BasicOAuth2Payload(self._form)

    @property
    def form(self) -> dict[str, str]:
        """The parameters that have a value."""
        return self._form


FindClient = Callable[[str], Client | None]


def authenticate_basic(find: FindClient, message: Message) -> Client | None:
    """Return the client whose credentials are in the Authorization header, if they are right."""
    return _authenticated(find, basic_credentials(message.request))


def authenticate_post(find: FindClient, message: Message) -> Client | None:
    """Return the client whose credentials are in the form, if they are right."""
    client_id, secret = message.form.get("client_id"), message.form.get("client_secret")
    return _authenticated(find, (client_id, secret) if client_id and secret else None)


def _authenticated(find: FindClient, credentials: tuple[str, str] | None) -> Client | None:
    if credentials is None:
        return None
    client = find(credentials[0])
    return client if client is not None and client.check_client_secret(credentials[1]) else None
