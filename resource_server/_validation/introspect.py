"""Ask the authorization server about one token.

References: RFC 7662 section 2
"""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Literal

from resource_server._protocol.claims import judge_claims, judge_time
from resource_server._protocol.client_auth import BearerCredentials, Credentials
from resource_server._protocol.introspection import introspection_request
from resource_server._protocol.jws import JWS
from resource_server._protocol.jwt_access_token import is_foreign
from resource_server._protocol.messages import HTTPRequest, HTTPResponse, Unavailable
from resource_server._protocol.signed_introspection import accepted_media_types
from resource_server._validation.ask import ask
from resource_server._validation.authenticate import client_authentication, may_renew
from resource_server._validation.discover import find_endpoint
from resource_server._validation.flow import Flow
from resource_server._validation.limiter import RATE_LIMITED
from resource_server._validation.signed_answer import read_answer
from resource_server._validation.state import IssuerState
from resource_server._validation.verdict import Active, Inactive, Verdict
from resource_server.principal import Assurance

_CROSS_CHECKED = ("iss", "sub", "jti", "cnf")


def introspect(
    state: IssuerState, token: bytes, jws: JWS | None, *, priority: bool = False, peer: str | None = None
) -> Flow[Verdict | Literal["unsupported_token_type"]]:
    """Return the authorization server's verdict, or that it wants this kind of token verified locally.

    Args:
        state: the issuer.
        token: the access token.
        jws: the token taken apart, where it is a JWS.
        priority: the token was good a moment ago, so that it does not stand in line behind strangers, and nobody is
            charged for it.
        peer: the address of the client that sent it, which is charged.
    """
    verdict = yield from _introspect(state, token, jws, priority=priority, peer=peer)
    if isinstance(verdict, Unavailable) and verdict.cause != RATE_LIMITED:
        state.report("introspection", verdict)
    return verdict


def _introspect(
    state: IssuerState, token: bytes, jws: JWS | None, *, priority: bool, peer: str | None
) -> Flow[Verdict | Literal["unsupported_token_type"]]:
    if jws is not None and is_foreign(jws):
        return Inactive("wrong_type")
    client = state.policy.client
    endpoint = yield from find_endpoint(state, "introspection_endpoint")
    if isinstance(endpoint, Unavailable):
        return endpoint
    if client is None:
        return Unavailable("no_client_credentials", fault="configuration")
    wait = None if priority else state.limiter.charge(peer, state.clock.monotonic())
    if wait is not None:
        return Unavailable(RATE_LIMITED, wait, fault="crowd")
    accept = accepted_media_types(state.policy.signed_introspection)
    request = introspection_request(endpoint, token, accept=accept, priority=priority)
    response = yield from _ask_as(state, client, request)
    if _refuses_us(response):
        other = _other(state)
        response = response if other is None else (yield from _ask_as(state, other, request))
    return response if isinstance(response, Unavailable) else (yield from _read(state, response, jws))


def _ask_as(state: IssuerState, client: Credentials, request: HTTPRequest) -> Flow[HTTPResponse | Unavailable]:
    """Ask with these credentials; once more where they are a token that has ended before its time."""
    prove = yield from client_authentication(state, client, request.url)
    if isinstance(prove, Unavailable):
        return prove
    response = yield from ask(state, request, prove)
    if not _refuses_us(response, HTTPStatus.UNAUTHORIZED) or not may_renew(state, client, prove):
        return response
    prove = yield from client_authentication(state, client, request.url)
    return prove if isinstance(prove, Unavailable) else (yield from ask(state, request, prove))


def _other(state: IssuerState) -> Credentials | None:
    """Return other credentials to try; a token that is in a file or is fetched is renewed instead."""
    policy = state.other_policy(state.policy)
    other = None if policy is None else policy.client
    if other == state.policy.client or (isinstance(other, BearerCredentials) and not other.token):
        return None
    return other


def _refuses_us(response: HTTPResponse | Unavailable, *statuses: int) -> bool:
    refusals = statuses or (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)
    return isinstance(response, HTTPResponse) and response.status in refusals


def _read(
    state: IssuerState, response: HTTPResponse, jws: JWS | None
) -> Flow[Verdict | Literal["unsupported_token_type"]]:
    answer = yield from read_answer(state, response)
    if isinstance(answer, Unavailable):
        return answer
    if isinstance(answer, dict):
        return _judge(state, answer, jws)
    if answer == "inactive":
        return Inactive("inactive")
    return answer if jws is not None else Unavailable(answer, fault="configuration")


def _judge(state: IssuerState, answer: Mapping[str, Any], jws: JWS | None) -> Verdict:
    policy = state.policy
    if policy.cross_check and jws is not None and _contradicts(answer, jws):
        # Somebody else's answer: a mixed-up connection or a broken server. Neither a yes nor a no about this token.
        return Unavailable("answer_mismatch", fault="configuration")
    principal = judge_claims(_bound(answer, jws), policy.introspection_rules, Assurance.INTROSPECTED)
    if isinstance(principal, str):
        return Inactive(principal)
    expired = judge_time(principal, state.clock.wall(), policy.leeway) == "expired"
    return Inactive("expired") if expired else Active(principal)


def _bound(answer: Mapping[str, Any], jws: JWS | None) -> Mapping[str, Any]:
    """Keep what the token itself says it is bound to, where the answer says nothing of that: some servers forget it.

    Whoever has stolen the token cannot take it out of there: what is changed is another token.
    """
    claims = None if jws is None or "cnf" in answer else jws.claims()
    return {**answer, "cnf": claims["cnf"]} if claims and "cnf" in claims else answer


def _contradicts(answer: Mapping[str, Any], jws: JWS) -> bool:
    claims = jws.claims() or {}
    return any(name in answer and name in claims and answer[name] != claims[name] for name in _CROSS_CHECKED)
