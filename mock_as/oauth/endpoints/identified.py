"""Endpoints that a client calls with its credentials, beside those that Authlib has classes for.

References: RFC 6749 section 2.3, RFC 8628 section 3.1, RFC 9126 section 2
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any, Protocol

from authlib.oauth2.rfc6749 import InvalidRequestError, OAuth2Error

from mock_as.clients import AUTH_METHODS, Client
from mock_as.issuer import Issuer
from mock_as.messages import Answer, Form, Request


class Server(Protocol):
    """What an endpoint needs of the server that it belongs to."""

    issuer: Issuer

    def create_oauth2_request(self, request: Request) -> Any:  # noqa: ANN401 - what Authlib makes of a request
        """Show Authlib a request."""
        ...

    def authenticate_client(self, request: Any, methods: Collection[str], endpoint: str) -> Any:  # noqa: ANN401
        """Return the client, if its credentials are right."""
        ...

    def handle_response(self, status: int, body: Any, headers: Any) -> Answer:  # noqa: ANN401 - Authlib's signature
        """Take an answer from Authlib."""
        ...


def with_client(
    server: Server, request: Request, endpoint: str, respond: Callable[[Issuer, Client, Form], Answer]
) -> Answer:
    """Answer a client that has authenticated, or refuse it.

    Args:
        server: whose endpoint.
        request: the request.
        endpoint: what the endpoint is called.
        respond: makes the answer; an error of OAuth that it raises is one.
    """
    try:
        if request.form is None:
            raise InvalidRequestError("The parameters must be sent as application/x-www-form-urlencoded, in UTF-8.")
        if request.form.repeated() - {"resource"}:
            raise InvalidRequestError("A parameter is there more than once.")
        client: Client = server.authenticate_client(server.create_oauth2_request(request), AUTH_METHODS, endpoint)
        return respond(server.issuer, client, request.form)
    except OAuth2Error as error:
        return server.handle_response(*error())
