"""What is kept of an issuer when its policy changes, and what a policy and a state begin with."""

from __future__ import annotations

from copy import copy
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from resource_server._protocol.client_auth import ClientCredentials
from resource_server._validation import forks
from resource_server._validation.breaker import LIMIT
from resource_server._validation.flow import Join, Recall, Recalled, Remember, begin, join, recall
from resource_server._validation.state import IssuerState
from resource_server._validation.verdict import Active
from resource_server.principal import Assurance, FrozenDict, Principal
from tests.support.local import local_state

KEPT = ("limiter", "keys", "own_token", "_breakers")


def changed(**changes: Any) -> tuple[IssuerState, set[str]]:
    """Adopt another policy; return the state, and what of it is new."""
    before = local_state()
    state = copy(before)
    state.adopt(replace(before.policy, **changes), before.cache)
    return state, {name for name in KEPT if getattr(state, name) is not getattr(before, name)}


@pytest.mark.parametrize(
    ("changes", "new"),
    [
        ({"leeway": 1.0}, set[str]()),
        ({"rate_limit": 5.0}, {"limiter"}),
        ({"rate_limit_burst": 5}, {"limiter"}),
        ({"jwks_uri": "https://as.example.com/keys"}, {"keys", "_breakers"}),
        ({"introspection_endpoint": "https://as.example.com/introspect"}, {"_breakers"}),
        ({"token_endpoint": "https://as.example.com/token"}, {"_breakers"}),
        ({"client": ClientCredentials("rs", "secret")}, {"own_token"}),
        ({"token_client": ClientCredentials("rs", "secret")}, {"own_token"}),
    ],
    ids=lambda names: "-".join(sorted(names)),
)
def test_what_another_policy_begins_anew(changes: dict[str, Any], new: set[str]) -> None:
    """What was learnt under other options is forgotten where it does not hold any more, and only there."""
    assert changed(**changes)[1] == new


def test_another_rate_is_in_force() -> None:
    """A limit that is adopted limits."""
    limiter = changed(rate_limit=1.0, rate_limit_burst=1)[0].limiter
    assert limiter.charge("192.0.2.1", 0.0) is None
    assert limiter.charge("192.0.2.1", 0.0) is not None


@pytest.mark.attack("A-C-14")
def test_what_adopts_a_policy_hears_of_a_fork() -> None:
    """After another policy as well as before, what is under way is left to the parent when a process forks."""
    before = local_state()
    after = changed()[0]
    for state in (before, after):
        breaker = state.breaker("introspection")
        breaker.fail("connect", LIMIT, 0.0)
        assert breaker.enter(10.0) is None
        assert state.keys.may_look(1.0)
        forks._before()
        forks._after_in_child()
        assert breaker.enter(10.0) is None
        assert not state.keys._looking


def test_a_new_state() -> None:
    """It has no host, knows of no other credentials, and its metadata is due at any time."""
    state = local_state()
    assert state.host is None
    assert state.other_policy(state.policy) is None
    assert state.metadata_due == 0.0
    assert {state.breaker(name).enter(0.0) for name in ("introspection", "jwks", "metadata", "token")} == {None}


def test_effects_by_default() -> None:
    """A shared flow is waited for unless it is begun only; a value is recalled at any age, and takes no one's place."""
    flow = partial(recall, b"name", 1.0)
    assert next(join("key", flow)) == Join("key", flow, wait=True)
    assert next(begin("key", flow)) == Join("key", flow, wait=False)
    assert next(recall(b"name", 1.0)) == Recall(b"name", 1.0, 0.0)
    assert not Remember(b"name", b"value", 1.0).replace
    assert Recalled(claimed=True) == Recalled(None, 0.0, claimed=True)


def test_values_are_not_shown() -> None:
    """Neither what the store says nor what a token says of itself is in what is logged of it."""
    assert "canary" not in repr(Recalled(b"canary"))
    principal = Principal(subject="s", client_id=None, token_id=None, assurance=Assurance.LOCAL, claims=FrozenDict({}))
    assert "canary" not in repr(Active(principal, own=FrozenDict({"jti": "canary"})))
    assert (Active(principal).asked_at, Active(principal).name) == (-float("inf"), "")
