"""An introspection request as it is sent: the question, with what shows who asks it."""

from __future__ import annotations

from resource_server._protocol.client_auth import ClientAuthMethod, ClientCredentials, authenticated, client_proof
from resource_server._protocol.introspection import introspection_request
from resource_server._protocol.messages import HTTPRequest


def asked_by_rs(
    endpoint: str,
    token: bytes,
    secret: str,
    *,
    method: ClientAuthMethod = "client_secret_basic",
    priority: bool = False,
) -> HTTPRequest:
    """Ask about a token as the client ``rs``, with its secret."""
    client = ClientCredentials("rs", secret, method)
    request = introspection_request(endpoint, token, priority=priority)
    return authenticated(request, client_proof(client, audience="", now=0.0, jti=""))
