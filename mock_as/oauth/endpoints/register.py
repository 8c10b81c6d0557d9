"""Clients that register themselves, and look after their registration.

References: RFC 7591 section 3, RFC 7592 section 2
"""

from __future__ import annotations

import hmac
import json
import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import quote, unquote

from authlib.oauth2.rfc6749 import InvalidRequestError, OAuth2Error

from mock_as.clients import Client
from mock_as.issuer import Issuer
from mock_as.messages import NO_STORE, Answer, Request, json_answer, oauth_error
from mock_as.oauth.endpoints.identified import Server
from mock_as.oauth.endpoints.metadata import document
from mock_as.oauth.registration import Registration, make_client, read_metadata

MOST = 10_000
"""How many clients that have registered themselves are kept, for anybody can; the oldest make room for more."""
LONGEST = 64 * 1024
"""How many bytes the metadata of one may have."""
_BYTES = 32
_ID_BYTES = 16
_SERVERS_OWN = frozenset(
    {"registration_access_token", "registration_client_uri", "client_secret_expires_at", "client_id_issued_at"}
)


def register(server: Server, request: Request) -> Answer:
    """Answer a client that registers itself, which anybody may.

    Args:
        server: whose endpoint.
        request: the request.

    References: RFC 7591 sections 3.1 and 3.2
    """
    issuer = server.issuer
    client_id, secret = issuer.chance.text(_ID_BYTES), issuer.chance.text(_BYTES)
    try:
        metadata = read_metadata(_body(request), document(server))
        client = make_client(client_id, secret, metadata)
    except OAuth2Error as error:
        return server.handle_response(*error())
    registration = Registration(metadata=metadata, token=issuer.chance.text(_BYTES), issued_at=int(issuer.clock.now()))
    _keep(issuer, client, registration)
    return json_answer(_information(issuer, client, registration), 201)


def manage(server: Server, request: Request) -> Answer:
    """Answer a client that reads, changes or ends its registration.

    Args:
        server: whose endpoint.
        request: the request, whose path ends with the id of the client.

    References: RFC 7592 sections 2.1 to 2.3
    """
    issuer = server.issuer
    found = _authenticated(issuer, request)
    if found is None:
        challenge = 'Bearer realm="mock-as", error="invalid_token"'
        return oauth_error("invalid_token", "The token is not the client's.", 401, {"www-authenticate": challenge})
    client, registration = found
    if request.method == "DELETE":
        del issuer.clients[client.id]
        issuer.pending.registrations.pop(client.id)
        issuer.revoke(client_id=client.id)
        return Answer(204, (), b"").with_headers(NO_STORE)
    if request.method == "PUT":
        try:
            client, registration = _changed(server, client, registration, _body(request))
        except OAuth2Error as error:
            return server.handle_response(*error())
    return json_answer(_information(issuer, client, registration))


def _authenticated(issuer: Issuer, request: Request) -> tuple[Client, Registration] | None:
    client_id = unquote(request.path.rpartition("/")[2])
    scheme, _, token = (request.header("authorization") or "").partition(" ")
    client, registration = issuer.clients.get(client_id), issuer.pending.registrations.get(client_id)
    if client is None or registration is None or scheme.lower() != "bearer":
        return None
    if not hmac.compare_digest(registration.token.encode(), token.strip().encode()):
        return None
    return client, registration


def _changed(
    server: Server,
    client: Client,
    registration: Registration,
    said: Any,  # noqa: ANN401 - JSON holds any value
) -> tuple[Client, Registration]:
    """Put other metadata in the place of those there are.

    References: RFC 7592 section 2.2
    """
    if not isinstance(said, dict) or said.get("client_id") != client.id:
        raise InvalidRequestError("The client_id must be there, and be the client's.")
    if not _SERVERS_OWN.isdisjoint(said):
        raise InvalidRequestError("What the server says of the registration cannot be changed.")
    if "client_secret" in said and not client.check_client_secret(str(said["client_secret"])):
        raise InvalidRequestError("The client_secret is not the one that the client has.")
    metadata = read_metadata(said, document(server))
    secret = client.secret or server.issuer.chance.text(_BYTES)
    changed = make_client(client.id, secret, metadata), replace(registration, metadata=metadata)
    _keep(server.issuer, *changed)
    return changed


def _keep(issuer: Issuer, client: Client, registration: Registration) -> None:
    issuer.clients[client.id] = client
    registrations = issuer.pending.registrations
    registrations.put(client.id, registration, math.inf)
    if len(registrations) > MOST:
        oldest = next(iter(registrations))
        registrations.pop(oldest)
        issuer.clients.pop(oldest, None)


def _information(issuer: Issuer, client: Client, registration: Registration) -> Mapping[str, Any]:
    """Describe a client to itself.

    References: RFC 7591 section 3.2.1, RFC 7592 section 3
    """
    secret = {"client_secret": client.secret, "client_secret_expires_at": 0} if client.secret else {}
    return {
        **registration.metadata,
        "client_id": client.id,
        "client_id_issued_at": registration.issued_at,
        **secret,
        "registration_client_uri": f"{issuer.url.registration}/{quote(client.id, safe='')}",
        "registration_access_token": registration.token,
    }


def _body(request: Request) -> object:
    if len(request.body) > LONGEST:
        raise InvalidRequestError(f"The metadata may have {LONGEST} bytes.")
    try:
        return json.loads(request.body)
    except (ValueError, RecursionError):
        raise InvalidRequestError("The body must be JSON.") from None
