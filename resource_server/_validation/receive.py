"""Receive what the authorization server tells unasked, once its signature has been verified.

References: RFC 8417 section 2, RFC 8935 section 2, OpenID Connect Back-Channel Logout 1.0 section 2.6
"""

from __future__ import annotations

from resource_server._protocol.jws import parse_jws
from resource_server._protocol.messages import Unavailable
from resource_server._protocol.revocation import Revocation
from resource_server._protocol.security_event import NoticeRules, judge_notice
from resource_server._validation.flow import Flow
from resource_server._validation.state import IssuerState
from resource_server._validation.verdict import Inactive
from resource_server._validation.verify_jwt import verify_signature
from resource_server.errors import EventRefusal
from resource_server.principal import Principal

Received = tuple[Revocation, ...] | EventRefusal | Unavailable
"""What is revoked; or why the token is refused; or that nobody can tell at the moment."""
_NOBODY = Principal()


def receive(state: IssuerState, token: bytes, rules: NoticeRules) -> Flow[Received]:
    """Judge a Security Event Token or a logout token.

    Everything that needs no key is judged first, so that what cannot be good anyway never causes a fetch.

    Args:
        state: the issuer, whose keys vouch for it.
        token: its exact bytes.
        rules: what is demanded of it.
    """
    jws = parse_jws(token)
    if jws is None:
        return "invalid_request"
    found = judge_notice(jws, rules, state.clock.wall())
    if isinstance(found, str):
        return found
    verdict = yield from verify_signature(state, jws, _NOBODY)
    if isinstance(verdict, Inactive):
        return "invalid_key" if verdict.reason == "unknown_key" else "authentication_failed"
    return verdict if isinstance(verdict, Unavailable) else found
