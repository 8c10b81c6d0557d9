"""What the grants that need no browser have in common.

References: RFC 6749 sections 3.3 and 5.1
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from authlib.oauth2.rfc6749 import InvalidGrantError

from mock_as.clients import OPENID_SCOPES, Client
from mock_as.granted import Granted
from mock_as.issuer import Issuer
from mock_as.messages import NO_STORE, Form
from mock_as.oauth.authorization_request import requested_details, requested_resources, requested_scopes
from mock_as.oauth.client_authentication import Message

Response = Any
"""Status, document and header fields, which Authlib hands through whatever they are."""


def respond(document: dict[str, Any]) -> Response:
    """Answer with tokens, which nobody may store.

    Args:
        document: the answer of the token endpoint.
    """
    return 200, document, list(NO_STORE.items())


def parameters(message: Message) -> Form:
    """Return the parameters of a request, each value of one that may be there more than once included."""
    return message.request.form or Form()


def requested(message: Message, grant_type: str) -> Granted:
    """Return what a client asks for in its own name.

    Args:
        message: the request, whose client has authenticated.
        grant_type: the grant.

    Raises:
        OAuth2Error: it cannot have that.
    """
    client: Client = message.client
    form = parameters(message)
    return Granted(
        client_id=client.id,
        grant_type=grant_type,
        scopes=requested_scopes(client, form.get("scope")),
        resources=requested_resources(form),
        authorization_details=requested_details(form.get("authorization_details")),
    )


def for_person(issuer: Issuer, granted: Granted, sub: str) -> Granted:
    """Return what of a request can be granted in the name of a person: somebody unknown may do anything.

    Args:
        issuer: who knows the person.
        granted: what was asked for.
        sub: the person.

    Raises:
        InvalidGrantError: the person is disabled.
    """
    user = issuer.users.get(sub)
    if user is None:
        return replace(granted, sub=sub)
    if user.disabled:
        raise InvalidGrantError("The person is disabled.")
    may = {*user.scopes, *OPENID_SCOPES}
    scopes = tuple(scope for scope in granted.scopes if scope in may)
    return replace(granted, sub=sub, scopes=scopes, claims={**user.told_to_all, **granted.claims})
