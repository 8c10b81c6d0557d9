"""The honest authorization server: Authlib's framework-free one, bound to this package's values.

Nothing here misbehaves; :mod:`mock_as.endpoint` lays the faults around it.

References: RFC 6749, RFC 7009, RFC 7662
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

from authlib.oauth2.rfc6749 import AuthorizationServer, InvalidClientError, InvalidRequestError, OAuth2Request

from mock_as.clients import TOKEN_EXCHANGE, open_client
from mock_as.issuer import Issuer
from mock_as.messages import Answer, Request, json_answer
from mock_as.oauth.client_assertion import AssertionAuthentication
from mock_as.oauth.client_authentication import (
    Message,
    NotAuthenticatedError,
    authenticate_basic,
    authenticate_by_name,
    authenticate_post,
    authenticate_public,
    authenticate_self_signed,
    presented_methods,
)
from mock_as.oauth.dpop import Nonces
from mock_as.oauth.endpoints.introspect import Introspection
from mock_as.oauth.endpoints.revoke import Revocation
from mock_as.oauth.grants.authorization_code import AuthorizationCode, ProofKey
from mock_as.oauth.grants.client_credentials import ClientCredentials
from mock_as.oauth.grants.device_code import DeviceCode
from mock_as.oauth.grants.jwt_bearer import JWTBearer
from mock_as.oauth.grants.password import Password
from mock_as.oauth.grants.refresh_token import RefreshToken
from mock_as.oauth.grants.token_exchange import TokenExchange
from mock_as.oauth.possession import confirm

_CHALLENGE = 'Basic realm="mock-as", charset="UTF-8"'
_UNAUTHORIZED = 401


class HonestServer(AuthorizationServer):
    """Answers as the RFCs say.

    Args:
        issuer: the state it answers from.
    """

    def __init__(self, issuer: Issuer) -> None:
        super().__init__()
        self.issuer = issuer
        self._nonces = Nonces(issuer.clock.now)
        self._register_methods(AssertionAuthentication(issuer))
        for grant in (ClientCredentials, RefreshToken, TokenExchange, JWTBearer, Password, DeviceCode):
            self.register_grant(grant)
        self.register_grant(AuthorizationCode, [ProofKey(required=False)])
        self.register_endpoint(Introspection)
        self.register_endpoint(Revocation)

    def _register_methods(self, assertions: AssertionAuthentication) -> None:
        self.register_client_auth_method("client_secret_basic", authenticate_basic)
        self.register_client_auth_method("client_secret_post", authenticate_post)
        self.register_client_auth_method("client_secret_jwt", assertions.client_secret_jwt)
        self.register_client_auth_method("private_key_jwt", assertions.private_key_jwt)
        self.register_client_auth_method("tls_client_auth", authenticate_by_name)
        self.register_client_auth_method("self_signed_tls_client_auth", authenticate_self_signed)
        self.register_client_auth_method("none", authenticate_public)

    # --------------------------------------------------------------------------------------------------- endpoints

    def token(self, request: Request) -> Answer:
        """Answer a request to the token endpoint."""
        return self._refusal(request, needs="grant_type") or self._answer(self.create_token_response(request))

    def introspect(self, request: Request) -> Answer:
        """Answer a request to the introspection endpoint."""
        return self._refusal(request) or self._endpoint("introspection", request)

    def revoke(self, request: Request) -> Answer:
        """Answer a request to the revocation endpoint."""
        return self._refusal(request) or self._endpoint("revocation", request)

    # ----------------------------------------------------------------------------------------------------- clients

    def query_client(self, client_id: str) -> Any:  # noqa: ANN401 - Client has the methods that are asked of it
        """Find a client; where anybody may come, one that nobody has registered is one too."""
        client = self.issuer.clients.get(client_id)
        return open_client(client_id) if client is None and client_id and self.issuer.options.open_clients else client

    def authenticate_client(self, request: Any, methods: Collection[str], endpoint: str = "token") -> Any:  # noqa: ANN401
        """Authenticate a client by the method that the request has credentials for.

        References: RFC 6749 section 2.3
        """
        tried = [method for method in presented_methods(request) if method in methods]
        try:
            client: Any = super().authenticate_client(request, tried, endpoint)
        except NotAuthenticatedError:
            raise
        except InvalidClientError:
            raise NotAuthenticatedError from None
        if request.form.get("client_id", client.id) != client.id:
            raise InvalidRequestError("The client_id is another client's.")
        return client

    def confirmation(self, message: Message, url: str | None = None) -> dict[str, str] | None:
        """Return the ``cnf`` of the token that is about to be issued.

        Args:
            message: the request, whose client has authenticated.
            url: where it was sent to; by default the token endpoint.

        Raises:
            OAuth2Error: the client has to prove something, and does not.
        """
        return confirm(self.issuer, self._nonces, message, url)

    # ------------------------------------------------------------------------------------------------ Authlib's seams

    def save_token(self, token: dict[str, str | int], request: OAuth2Request) -> None:
        """Do nothing: the token was remembered when it was made."""

    def send_signal(self, name: Any, *args: object, **kwargs: object) -> None:  # noqa: ANN401 - Authlib's signature
        """Do nothing: nobody listens."""

    def create_oauth2_request(self, request: Request) -> Message:
        """Show Authlib a request."""
        return Message(request)

    def handle_response(self, status: int, body: Any, headers: Any) -> Answer:  # noqa: ANN401 - Authlib's signature
        """Take an answer from Authlib."""
        fields = {name.lower(): value for name, value in headers}
        if isinstance(body, str):
            # A JWT: RFC 9701 section 5.
            return Answer(status, tuple(fields.items()), body.encode())
        answer = json_answer(body, status, fields)
        return answer.with_headers({"www-authenticate": _CHALLENGE}) if status == _UNAUTHORIZED else answer

    def _refusal(self, request: Request, needs: str | None = None) -> Answer | None:
        """Refuse what is malformed in the same way for every endpoint.

        References: RFC 6749 sections 3.2 and 5.2
        """
        problem = _problem(request, needs)
        return None if problem is None else self.handle_response(*InvalidRequestError(problem)())

    def _endpoint(self, name: str, request: Request) -> Answer:
        respond: Callable[[str, Request], object] = self.create_endpoint_response
        return self._answer(respond(name, request))

    @staticmethod
    def _answer(response: object) -> Answer:
        assert isinstance(response, Answer)  # noqa: S101 - what handle_response made
        return response


def _problem(request: Request, needs: str | None) -> str | None:
    form = request.form
    if form is None:
        return "The parameters must be sent as application/x-www-form-urlencoded, in UTF-8."
    repeatable = {"resource", "audience"} if form.get("grant_type") == TOKEN_EXCHANGE else {"resource"}
    if form.repeated() - repeatable:
        return "A parameter is there more than once."
    if needs is not None and not form.get(needs):
        return f"The {needs} is missing."
    return None
