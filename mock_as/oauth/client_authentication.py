"""Who is calling: the credentials of a client, in whichever place they are.

References: RFC 6749 section 2.3
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from authlib.oauth2.rfc6749 import InvalidClientError, InvalidRequestError, OAuth2Request
from authlib.oauth2.rfc6749.requests import BasicOAuth2Payload

from mock_as.clients import Client
from mock_as.credentials import basic_credentials
from mock_as.jwts import MAC_ALGORITHMS, JWTError, read
from mock_as.messages import Form, Request
from mock_as.oauth.client_certificate import is_own, is_registered, shown_certificate

# Authlib refuses plain http. The mock may be served under it, so it is shown a URL that nobody dereferences.
_SECURE_URI = "https://as.example.test/"
_UNAUTHORIZED = 401


class Message(OAuth2Request):
    """A request as Authlib wants it."""

    client: Any
    """The client, once it has authenticated."""
    user: Any

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


class NotAuthenticatedError(InvalidClientError):
    """Nobody knows who is calling."""

    def __init__(self, description: str = "The client is unknown, or its credentials are not right.") -> None:
        super().__init__(description, status_code=_UNAUTHORIZED)


FindClient = Callable[[str], Client | None]


def presented_methods(message: Message) -> tuple[str, ...]:
    """Return the methods by which a request tries to authenticate its client.

    A client whose credentials are wrong must not get in as one that needs none, so that no method is tried whose
    credentials are not there.

    Args:
        message: the request.

    Raises:
        InvalidRequestError: the client authenticates in more than one way.

    References: RFC 6749 section 2.3
    """
    form = message.form
    present = (message.request.header("authorization") is not None, "client_secret" in form, "client_assertion" in form)
    if sum(present) > 1:
        raise InvalidRequestError("The client authenticates in more than one way.")
    in_header, in_form, in_assertion = present
    if in_header:
        return ("client_secret_basic",)
    if in_form:
        return ("client_secret_post",)
    if in_assertion:
        return (_assertion_method(form["client_assertion"]),)
    if shown_certificate(message.request) is None:
        return ("none",)
    # A public client may show a certificate too, for its tokens to be bound to.
    return "tls_client_auth", "self_signed_tls_client_auth", "none"


def authenticate_basic(find: FindClient, message: Message) -> Client | None:
    """Return the client whose credentials are in the Authorization header, if they are right."""
    return _authenticated(find, basic_credentials(message.request))


def authenticate_post(find: FindClient, message: Message) -> Client | None:
    """Return the client whose credentials are in the form, if they are right."""
    client_id, secret = message.form.get("client_id"), message.form.get("client_secret")
    return _authenticated(find, (client_id, secret) if client_id and secret else None)


def authenticate_by_name(find: FindClient, message: Message) -> Client | None:
    """Return the client whose registered name its certificate has."""
    return _certified(find, message, is_registered)


def authenticate_self_signed(find: FindClient, message: Message) -> Client | None:
    """Return the client whose own certificate it is."""
    return _certified(find, message, is_own)


def authenticate_public(find: FindClient, message: Message) -> Client | None:
    """Return the client that the request names, and believe it."""
    return find(message.form.get("client_id", ""))


def _authenticated(find: FindClient, credentials: tuple[str, str] | None) -> Client | None:
    if credentials is None:
        return None
    client = find(credentials[0])
    return client if client is not None and client.check_client_secret(credentials[1]) else None


def _certified(find: FindClient, message: Message, judge: Callable[[Client, bytes], bool]) -> Client | None:
    certificate = shown_certificate(message.request)
    client = find(message.form.get("client_id", ""))
    return client if client and certificate is not None and judge(client, certificate) else None


def _assertion_method(assertion: str) -> str:
    try:
        alg = read(assertion).header.get("alg")
    except JWTError:
        alg = None
    return "client_secret_jwt" if isinstance(alg, str) and alg in MAC_ALGORITHMS else "private_key_jwt"
