"""Ask the introspection endpoint about a token that nobody has issued: whether it knows us, and says no.

References: RFC 7662 sections 2.1 to 2.3 and 4
"""

from __future__ import annotations

from http import HTTPStatus
from secrets import token_urlsafe

from resource_server._doctor.causes import explain, status_of
from resource_server._doctor.finding import Finding, broken, fine, odd, passed_over
from resource_server._doctor.unit import Unit
from resource_server._protocol.messages import Unavailable
from resource_server._protocol.plain import plain, plain_list
from resource_server._validation.introspect import introspect
from resource_server._validation.verdict import Inactive

_MADE_UP = b"resource-server-doctor-"
_WHO = {
    "client_secret_basic": "RESOURCE_SERVER_CLIENT_ID and RESOURCE_SERVER_CLIENT_SECRET",
    "client_secret_post": "RESOURCE_SERVER_CLIENT_ID and RESOURCE_SERVER_CLIENT_SECRET",
    "client_secret_jwt": "RESOURCE_SERVER_CLIENT_ID and RESOURCE_SERVER_CLIENT_SECRET",
    "private_key_jwt": "RESOURCE_SERVER_CLIENT_ID and RESOURCE_SERVER_CLIENT_KEY",
    "tls_client_auth": "RESOURCE_SERVER_CLIENT_ID and RESOURCE_SERVER_CLIENT_CERTIFICATE_FILE",
    "self_signed_tls_client_auth": "RESOURCE_SERVER_CLIENT_ID and RESOURCE_SERVER_CLIENT_CERTIFICATE_FILE",
    "bearer": "RESOURCE_SERVER_BEARER_TOKEN, or what it is got with",
}


async def judge_introspection(unit: Unit) -> list[Finding]:
    """Ask as the service does, with its credentials, about a token that was made up."""
    if not unit.introspects:
        return [passed_over("introspection", "strategy jwks introspects nothing")]
    if unit.endpoint("introspection_endpoint") is None:
        return [passed_over("introspection", "there is no introspection_endpoint")]
    token = _MADE_UP + token_urlsafe(16).encode()
    answer = await unit.run(lambda: introspect(unit.state, token, None))
    method = _method(unit)
    if isinstance(answer, Inactive):
        return [fine("introspection", f"our credentials are accepted ({method}), and a made-up token is inactive")]
    if isinstance(answer, Unavailable):
        return [_failed(unit, answer, method)]
    says = "a made-up token is called active: this server lets everybody in, and so does who believes it"
    mend = "take this API out of service; correct the introspection endpoint, or the authorization server behind it"
    return [broken("introspection", says, mend)]


def _failed(unit: Unit, fault: Unavailable, method: str) -> Finding:
    if fault.cause == "unsupported_token_type":
        says = "opaque tokens are not introspected by this server (unsupported_token_type)"
        return odd("introspection", says, "verify its JWTs: RESOURCE_SERVER_STRATEGY=jwks_then_introspect or jwks")
    if status_of(fault) in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN} or fault.cause == "invalid_client":
        return _refused(unit, fault, method)
    says, mend = explain("the introspection endpoint", fault)
    return broken("introspection", says, mend)


def _refused(unit: Unit, fault: Unavailable, method: str) -> Finding:
    where = "token endpoint" if fault.cause == "invalid_client" else "introspection endpoint"
    says = f"the {where} refuses our credentials, sent by {method} ({fault.cause})"
    client_id = unit.settings.client_id
    if client_id is not None:
        says += f" as client {plain(client_id)}"
    mend = f"correct {_WHO[method]}"
    if status_of(fault) == HTTPStatus.FORBIDDEN:
        mend += ", or allow this client to introspect tokens"
    offered = None if unit.state.metadata is None else unit.state.metadata.introspection_auth_methods
    if offered is not None and method not in offered:
        says += f"; its metadata offer {plain_list(sorted(offered))}"
        mend += ", or set RESOURCE_SERVER_CLIENT_AUTH_METHOD to what is offered"
    return broken("introspection", says, mend)


def _method(unit: Unit) -> str:
    client = unit.state.policy.client
    return "bearer" if client is None else client.method
