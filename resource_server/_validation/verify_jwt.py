"""Verify a JWT access token with the issuer's keys, without asking about the token itself.

Everything that needs no key is judged first, so that a token which cannot be good anyway never causes a fetch.

References: RFC 9068 section 4, RFC 8725
"""

from __future__ import annotations

from resource_server._protocol.answers import max_age
from resource_server._protocol.claims import judge_claims, judge_time
from resource_server._protocol.jwks import jwks_request, process_jwks_response
from resource_server._protocol.jws import JWS
from resource_server._protocol.jwt_access_token import judge_header
from resource_server._protocol.messages import Unavailable
from resource_server._validation.ask import ask
from resource_server._validation.discover import find_endpoint
from resource_server._validation.flow import Flow, begin, join
from resource_server._validation.state import IssuerState
from resource_server._validation.verdict import Active, Inactive, Verdict
from resource_server.principal import Assurance, Principal


def verify_jwt(state: IssuerState, jws: JWS) -> Flow[Verdict]:
    """Return a verdict from the token's own content and the issuer's keys."""
    principal = judge_content(state, jws)
    if isinstance(principal, Inactive):
        return principal
    return (yield from verify_signature(state, jws, principal))


def verify_signature(state: IssuerState, jws: JWS, principal: Principal) -> Flow[Verdict]:
    """Return a verdict on the signature alone, with the issuer's keys as they are, or fetched where that can help."""
    fault = state.keys.fault
    fetches = _must_wait(state, jws)
    if fetches:
        fault = yield from join(state.flight("jwks"), lambda: fetch_keys(state))
    else:
        yield from keep_keys_warm(state)
    if not state.keys.usable(state.clock.monotonic(), state.policy.fallback_max_age):
        return Unavailable("no_recent_keys")
    if fault is not None and not state.keys.candidates(jws):
        return fault  # the key that is missing may exist: nobody knows
    verdict = judge_signature(state, jws, principal)
    settled = fetches or jws.key_id is not None or isinstance(verdict, Active)
    if settled or not state.keys.may_look(state.clock.monotonic()):
        return verdict
    # A token that names no key looks the same whether its key is new or its signature is wrong.
    yield from join(state.flight("jwks"), lambda: fetch_keys(state))
    return judge_signature(state, jws, principal)


def judge_content(state: IssuerState, jws: JWS) -> Principal | Inactive:
    """Judge what the token says of itself, before anybody has vouched for it."""
    policy = state.policy
    reason = judge_header(jws, policy.jwt_profile, policy.algorithms)
    claims = jws.claims()
    if reason is not None or claims is None:
        return Inactive(reason or "malformed")
    principal = judge_claims(claims, policy.jwt_rules, Assurance.LOCAL)
    if isinstance(principal, str):
        return Inactive(principal)
    expired = judge_time(principal, state.clock.wall(), policy.leeway) == "expired"
    return Inactive("expired") if expired else principal


def judge_signature(state: IssuerState, jws: JWS, principal: Principal) -> Active | Inactive:
    """Judge the signature with the keys at hand."""
    candidates = state.keys.candidates(jws)
    if not candidates:
        return Inactive("unknown_key")
    return Active(principal) if state.keys.verifies(jws, candidates) else Inactive("bad_signature")


def keep_keys_warm(state: IssuerState) -> Flow[None]:
    """Fetch the keys in the background where they are missing or soon stale: in an outage it is too late."""
    if state.keys.take_renewal(state.clock.monotonic()):
        yield from begin(state.flight("jwks"), lambda: fetch_keys(state))


def fetch_keys(state: IssuerState) -> Flow[Unavailable | None]:
    """Fetch the key set; a failure keeps the last good one. The outcome is in ``state.keys``."""
    try:
        fault = yield from _fetch(state)
    except GeneratorExit:
        state.keys.leave()  # nobody waits for it any more
        raise
    if fault is not None:
        state.keys.fail(fault, state.clock.monotonic())
        state.report("jwks", fault)
    return fault


def _must_wait(state: IssuerState, jws: JWS) -> bool:
    now, keys = state.clock.monotonic(), state.keys
    if keys.needs_fetch(now, state.policy.fallback_max_age):
        return True
    return not keys.candidates(jws) and keys.may_look(now)


def _fetch(state: IssuerState) -> Flow[Unavailable | None]:
    url = yield from find_endpoint(state, "jwks_uri")
    if isinstance(url, Unavailable):
        return url
    response = yield from ask(state, jwks_request(url))
    if isinstance(response, Unavailable):
        return response
    keys = process_jwks_response(response, state.clock.wall())
    if isinstance(keys, Unavailable):
        return keys
    state.keys.accept(keys, max_age(response), state.clock.monotonic())
    return None
