"""Pushed authorization requests.

References: RFC 9126
"""

from __future__ import annotations

from authlib.oauth2.rfc6749 import InvalidRequestError

from mock_as.clients import Client
from mock_as.issuer import Issuer
from mock_as.messages import Answer, Form, json_answer
from mock_as.oauth.authorization_request import REQUEST_URI, find_way_back, judge

LIFETIME = 90
"""How long a browser has to bring the reference, in seconds."""
_BYTES = 32


def push(issuer: Issuer, client: Client, form: Form) -> Answer:
    """Keep an authorization request of a client until a browser refers to it.

    Args:
        issuer: whose endpoint.
        client: who asks.
        form: the request.

    Raises:
        OAuth2Error: something is wrong with it.

    References: RFC 9126 sections 2.1 and 2.2
    """
    if "request_uri" in form:
        raise InvalidRequestError("A request that is pushed must not refer to another.")
    named = Form((("client_id", client.id), *(pair for pair in form.pairs if pair[0] != "client_id")))
    asked = judge(client, find_way_back(issuer.clients, named), named)
    key = issuer.chance.text(_BYTES)
    issuer.pending.pushed.put(key, asked, LIFETIME)
    return json_answer({"request_uri": f"{REQUEST_URI}{key}", "expires_in": LIFETIME}, 201)
