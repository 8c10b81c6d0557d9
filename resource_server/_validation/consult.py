"""Ask about a token once for all workers: first the store they share, then the authorization server.

The store saves questions and never decides. Where it says nothing, or something that was not sealed by one of us, the
authorization server is asked as if there were no store.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any, Literal

from resource_server._protocol.claims import judge_claims, judge_time
from resource_server._protocol.jws import JWS
from resource_server._validation.flow import Flow, Recalled, Release, Remember, recall, sleep
from resource_server._validation.introspect import introspect
from resource_server._validation.state import IssuerState
from resource_server._validation.vault import Vault
from resource_server._validation.verdict import Active, Inactive, Verdict, told_by
from resource_server.principal import Assurance, Principal

CLAIM = 2.0
"""Seconds for which one worker's question keeps the others from asking the same."""
FIRST_LOOK, LONGEST_LOOK, MAX_WAIT = 0.01, 0.05, 1.0
"""Seconds: between looks for what another worker is finding out, at first and at most, and all of them together."""
CLOCK_SKEW = 5.0
"""Seconds by which an answer may come from the future: the workers' clocks differ, and no more than this."""

Answer = Verdict | Literal["unsupported_token_type"]


@dataclass(frozen=True, slots=True)
class Question:
    """One token, and what its answer is wanted for."""

    token: bytes = field(repr=False)
    digest: str = field(repr=False)
    """Names the token as it is spelled."""
    name: str = field(repr=False)
    """Names it in every spelling of its signature."""
    jws: JWS | None = field(repr=False)
    ahead: bool = False
    """The answer at hand is good, and to be renewed: one that is nearly as old is of no use."""
    priority: bool = False
    """The token was good a moment ago: this does not stand in line behind strangers."""
    peer: str | None = field(default=None, repr=False)
    """The address of the client that sent it."""


def consult(state: IssuerState, question: Question) -> Flow[Answer]:
    """Return the authorization server's verdict, from the store where a worker has asked lately."""
    vault = state.vault
    if vault is None:
        return (yield from _introspect(state, question))
    name = vault.name("verdict", question.digest)
    found = yield from _look(state, name, question)
    shared = None if found is None else _read(state, vault, found, name, question)
    if shared is not None:
        return told_by("l2", shared)
    asked_at = state.clock.wall()
    answer = yield from _introspect(state, question)
    worth_sharing = _share(state, answer, asked_at)
    if worth_sharing is None:
        yield Release(name)
    else:
        # What is there and of no use to us is of no use to the others; and a no overrules: a yes that another worker
        # was given a moment earlier is not to outlive it.
        replace = found is not None or isinstance(answer, Inactive)
        members, ttl = worth_sharing
        yield Remember(name, vault.seal(members, name=name, token=question.token), ttl, replace)
    return answer


def is_buried(state: IssuerState, jws: JWS | None, principal: Principal) -> bool:
    """Tell whether the authorization server has called a JWT inactive, in whatever spelling."""
    return jws is not None and state.tombstones.has(signed_bytes(jws), principal.token_id)


def signed_bytes(jws: JWS) -> bytes:
    """Name a JWT by what is signed."""
    return blake2b(jws.signing_input, digest_size=32).digest()


def greet(vault: Vault) -> Flow[None]:
    """Say something to the store that changes nothing, so that it is connected to before it is needed."""
    yield Release(vault.name("greeting", ""))


def _introspect(state: IssuerState, question: Question) -> Flow[Answer]:
    answer = yield from introspect(state, question.token, question.jws, priority=question.priority, peer=question.peer)
    return answer if isinstance(answer, str) else told_by("introspection", answer)


def _look(state: IssuerState, name: bytes, question: Question) -> Flow[Recalled | None]:
    """Find what another worker knows, or is finding out; ``None`` where it is ours to ask."""
    # Whoever claims it may have died with its claim: then there must be time left to ask.
    longest = min(MAX_WAIT, state.policy.timeout / 2)
    until = state.clock.monotonic() + longest
    waited, wait, missed = 0.0, FIRST_LOOK, False
    while True:
        # To renew an answer, one that is half as old as it may get is no better than none.
        found = yield from recall(name, CLAIM, state.policy.cache_ttl / 2 if question.ahead else 0.0)
        if found is None and waited and not missed:
            missed = True  # once is a hiccup, while another worker is known to be asking
        elif found is None or found.claimed:
            return None
        elif found.value is not None:
            return found
        if waited >= longest or state.clock.monotonic() >= until or not (yield from sleep(wait)):
            return None
        waited, wait = waited + wait, min(wait * 2, LONGEST_LOOK)


def _read(state: IssuerState, vault: Vault, found: Recalled, name: bytes, question: Question) -> Verdict | None:
    members = vault.open(found.value or b"", name=name, token=question.token)
    if members is None:
        return None
    # By the store's clock and by ours: whoever can write to the store cannot make an answer younger than it is.
    age = state.clock.wall() - members["answered_at"]
    if age < -CLOCK_SKEW:
        return None
    age = max(0.0, age)
    if members["claims"] is None:
        return Inactive("inactive") if age < state.policy.negative_cache_ttl else None
    left = min(found.ttl, state.policy.cache_ttl - age)
    return _judge(state, members["claims"], question, age, left) if left > 0 else None


def _judge(
    state: IssuerState, claims: Mapping[str, Any], question: Question, age: float, left: float
) -> Verdict | None:
    clock, policy = state.clock, state.policy
    principal = judge_claims(claims, policy.introspection_rules, Assurance.INTROSPECTED)
    if isinstance(principal, str):
        return Inactive(principal)
    if judge_time(principal, clock.wall(), policy.leeway) == "expired":
        return Inactive("expired")
    # A clock that is ahead makes an answer look younger: against a revocation it counts as old as it may be.
    asked_at = clock.monotonic() - age - CLOCK_SKEW
    found_active = Active(principal, max_ttl=left, asked_at=asked_at, name=question.name)
    # Older than a revocation it may be, or than a no that we were given, where a new answer is not: worth a question.
    is_outdated = state.revocations.condemns(found_active) or is_buried(state, question.jws, principal)
    return None if is_outdated else found_active


def _share(state: IssuerState, answer: Answer, asked_at: float) -> tuple[Mapping[str, Any], float] | None:
    """Return what the other workers are told and for how many seconds; ``None`` where there is nothing to tell.

    The answer is as old as its question: what was revoked while it was on its way, it does not know.
    """
    policy = state.policy
    if isinstance(answer, Active):
        ttl, expires_at = policy.cache_ttl, answer.principal.expires_at
        if expires_at is not None:
            ttl = min(ttl, expires_at - state.clock.wall())
        members = {"answered_at": asked_at, "claims": answer.principal.claims}
        return (members, ttl) if ttl > 0 else None
    if isinstance(answer, Inactive) and answer.reason == "inactive" and policy.negative_cache_ttl > 0:
        return {"answered_at": asked_at, "claims": None}, policy.negative_cache_ttl
    return None
