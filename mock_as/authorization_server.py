"""The honest authorization server: Authlib's framework-free one, bound to this package's values.

Nothing here misbehaves; :mod:`mock_as.app` lays the faults around it.

References: RFC 6749, RFC 7009, RFC 7662
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

from authlib.oauth2.rfc6749 import AuthorizationServer, InvalidClientError, InvalidRequestError, OAuth2Request

from mock_as.client_authentication import Message, authenticate_basic, authenticate_post
from mock_as.endpoints.introspect import Introspection
from mock_as.endpoints.revoke import Revocation
from mock_as.endpoints.token import ClientCredentials
from mock_as.issuer import Issuer
from mock_as.messages import Answer, Request, json_answer

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
        self.register_client_auth_method("client_secret_basic", authenticate_basic)
        self.register_client_auth_method("client_secret_post", authenticate_post)
        self.register_grant(ClientCredentials)
        self.register_endpoint(Introspection)
        self.register_endpoint(Revocation)

    def token(self, request: Request) -> Answer:
        """Answer a request to the token endpoint."""
        return self._refusal(request, needs="grant_type") or self._answer(self.create_token_response(request))

    def introspect(self, request: Request) -> Answer:
        """Answer a request to the introspection endpoint."""
        return self._refusal(request) or self._endpoint("introspection", request)

    def revoke(self, request: Request) -> Answer:
        """Answer a request to the revocation endpoint."""
        return self._refusal(request) or self._endpoint("revocation", request)

    def query_client(self, client_id: str) -> Any:  # noqa: ANN401 - Client has the methods that are asked of it
        """Find a client."""
        return self.issuer.clients.get(client_id)

    def authenticate_client(self, request: Any, methods: Collection[str], endpoint: str = "token") -> Any:  # noqa: ANN401
        """Authenticate a client, by one method at a time.

        References: RFC 6749 section 2.3
        """
        if "client_secret" in request.form and "authorization" in request.headers:
            raise InvalidRequestError("The client authenticates in more than one way.")
        try:
            return super().authenticate_client(request, methods, endpoint)
        except InvalidClientError:
            raise InvalidClientError(
                "The client is unknown, or its credentials are not right.", status_code=_UNAUTHORIZED
            ) from None

    def save_token(self, token: dict[str, str | int], request: OAuth2Request) -> None:
        """Do nothing: the token was remembered when it was made."""

    def send_signal(self, name: Any, *args: object, **kwargs: object) -> None:  # noqa: ANN401 - Authlib's signature
        """Do nothing: nobody listens."""

    def create_oauth2_request(self, request: Request) -> Message:
        """Show Authlib a request."""
        return Message(request)

    def handle_response(self, status: int, body: Any, headers: Any) -> Answer:  # noqa: ANN401 - Authlib's signature
        """Take an answer from Authlib."""
        answer = json_answer(body, status, {name.lower(): value for name, value in headers})
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
    if request.form is None:
        return "The parameters must be sent as application/x-www-form-urlencoded, in UTF-8."
    if request.form.repeated() - {"resource"}:
        return "A parameter is there more than once."
    if needs is not None and not request.form.get(needs):
        return f"The {needs} is missing."
    return None
