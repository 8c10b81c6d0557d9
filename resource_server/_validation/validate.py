"""The strategy: from a token to a verdict, and what is remembered of it.

::

    introspect                 ask; whatever comes back is the answer
    introspect_then_jwks       ask; only when nobody answers: a recent yes, else the token's own signature
    jwks                       the token's own signature
    jwks_then_introspect       the signature for a JWT, a question for everything else and where there are no keys

A no from the authorization server is final. No fallback overrules it, now or in a later outage. What we have been
told is revoked is not good, whoever says otherwise.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

from resource_server._protocol.jws import JWS
from resource_server._protocol.messages import Unavailable
from resource_server._validation.consult import Question, consult, is_buried, signed_bytes
from resource_server._validation.decrypt import read_token, regret
from resource_server._validation.flow import Flow
from resource_server._validation.grant import Tie
from resource_server._validation.limiter import RATE_LIMITED
from resource_server._validation.revocations import own_claims
from resource_server._validation.state import IssuerState
from resource_server._validation.verdict import Active, Inactive, Verdict, told_by
from resource_server._validation.verify_jwt import judge_content, judge_signature, keep_keys_warm, verify_jwt
from resource_server.principal import Assurance, bind

FALLBACK_TTL = 5.0
"""Seconds for which a verdict made in an outage is served before the authorization server is asked again."""
_CERTAIN = frozenset({"bad_signature", "expired", "inactive"})
"""Refusals that hold whatever the authorization server would have said."""


@dataclass(frozen=True, slots=True)
class Presented:
    """A token as it is handed to the strategy."""

    key: bytes
    """Its digest, under which it is remembered."""
    token: bytes = field(repr=False)
    ahead: bool = False
    """It is known to be good, and this is to renew that before it ends."""
    peer: str | None = field(default=None, repr=False)
    """The address of the client that sent it."""


def validate(state: IssuerState, presented: Presented) -> Flow[Verdict]:
    """Find out about a token, and remember it."""
    clock, key = state.clock, presented.key
    payer = None if presented.ahead else presented.peer
    jws = read_token(state, key, presented.token, peer=payer)
    if isinstance(jws, Inactive | Unavailable):
        return jws
    asked_at = clock.monotonic()
    name = (key if jws is None else state.digest(jws.signing_input)).hex()
    verdict = yield from _decide(state, presented, jws, name)
    if isinstance(verdict, Active):
        known_since = asked_at if math.isinf(verdict.asked_at) else verdict.asked_at
        own = own_claims(jws, verdict.principal.claims)
        verdict = replace(verdict, name=name, asked_at=known_since, own=own)
        bind(verdict.principal, Tie(state, name, known_since, own))
        if state.revocations.condemns(verdict):
            verdict = Inactive("revoked", verdict.source)
    elif isinstance(verdict, Inactive) or verdict.cause == RATE_LIMITED:
        regret(state, presented.token, peer=payer)
    now = clock.monotonic()
    state.cache.put(key, verdict, now=now, wall=clock.wall(), took=now - asked_at)
    return verdict


def _decide(state: IssuerState, presented: Presented, jws: JWS | None, name: str) -> Flow[Verdict]:
    strategy = state.policy.strategy
    local: Verdict = Inactive("malformed")
    if strategy in {"jwks", "jwks_then_introspect"} and jws is not None:
        local = told_by("jwks", (yield from verify_jwt(state, jws)))
        # A key that is not known here may be known there.
        if strategy == "jwks_then_introspect" and not _leaves_doubt(local):
            return _unless_buried(state, jws, local)
    if strategy == "jwks":
        return local
    if strategy == "introspect_then_jwks" and jws is not None:
        yield from keep_keys_warm(state)  # meanwhile: when nobody has answered, it is too late to ask for them
    priority = presented.ahead or state.cache.knows(presented.key)
    question = Question(presented.token, presented.key.hex(), name, jws, presented.ahead, priority, presented.peer)
    answer = yield from consult(state, question)
    if isinstance(answer, Inactive) and jws is not None:
        _bury(state, jws)
    if strategy == "introspect_then_jwks" and jws is not None:
        return (yield from _after_introspection(state, presented, jws, answer))
    if isinstance(answer, str):  # unsupported_token_type: what the server does not know, it leaves to the signature
        return local if strategy != "introspect" else Unavailable(answer, fault="configuration")
    return _or_stale(state, presented, answer)


def _leaves_doubt(verdict: Verdict) -> bool:
    return isinstance(verdict, Unavailable) or verdict == Inactive("unknown_key")


def _after_introspection(state: IssuerState, presented: Presented, jws: JWS, answer: Verdict | str) -> Flow[Verdict]:
    if isinstance(answer, str):  # unsupported_token_type: this server wants its JWTs verified locally
        return _unless_buried(state, jws, told_by("jwks", (yield from verify_jwt(state, jws))))
    return (yield from _fall_back(state, presented, jws, answer)) if isinstance(answer, Unavailable) else answer


def _fall_back(state: IssuerState, presented: Presented, jws: JWS, outage: Unavailable) -> Flow[Verdict]:
    """Nobody answered: a recent yes, else the token's own signature, unless it is known to be inactive."""
    if not _may_fall_back(state, outage):
        return outage
    recent = _or_stale(state, presented, outage)
    if isinstance(recent, Active):
        return _unless_buried(state, jws, recent)
    verdict = _unless_buried(state, jws, told_by("jwks", (yield from verify_jwt(state, jws))))
    if isinstance(verdict, Active):
        return Active(verdict.principal, max_ttl=FALLBACK_TTL, source=verdict.source)
    # Whatever else is said of it here (its key is unknown, it is no RFC 9068 token), the authorization server might
    # have said yes: that nobody can tell is the outage's doing, and is forgotten with it.
    return verdict if isinstance(verdict, Inactive) and verdict.reason in _CERTAIN else outage


def _may_fall_back(state: IssuerState, fault: Unavailable) -> bool:
    configured = fault.fault == "configuration" and state.policy.fallback_on_configuration_fault
    return fault.fault == "outage" or configured


def _or_stale(state: IssuerState, presented: Presented, answer: Verdict) -> Verdict:
    """Replace an outage by a yes that is not too old."""
    if not isinstance(answer, Unavailable):
        return answer
    if not _may_fall_back(state, answer):
        return answer
    stale = state.cache.stale(presented.key, state.clock.monotonic())
    if stale is None or stale.principal.assurance is not Assurance.INTROSPECTED:
        return answer
    return replace(stale, principal=replace(stale.principal, assurance=Assurance.STALE), max_ttl=0.0, source="stale")


def _bury(state: IssuerState, jws: JWS) -> None:
    """Keep a token inactive for as long as its signature could bring it back.

    Its ``jti`` is believed only when the signature verifies, or anybody could bury somebody else's token. Where the
    key is not known, the signed bytes name the token: they are the same in every spelling of its signature.
    """
    principal = judge_content(state, jws)
    if isinstance(principal, Inactive):
        return
    verdict = judge_signature(state, jws, principal)
    if isinstance(verdict, Active):
        state.tombstones.bury(signed_bytes(jws), principal.token_id)
    elif verdict.reason == "unknown_key" or jws.key_id is None:
        state.tombstones.bury_unproven(signed_bytes(jws))


def _unless_buried(state: IssuerState, jws: JWS, verdict: Verdict) -> Verdict:
    """Replace a yes by the no that the authorization server has given earlier."""
    if isinstance(verdict, Active) and is_buried(state, jws, verdict.principal):
        return Inactive("inactive", verdict.source)
    return verdict
