"""The one value that an application receives for an accepted token."""

from __future__ import annotations

import copy
import dataclasses
import json
import operator
import pickle
from collections.abc import Callable
from typing import Any

import pytest

from resource_server import Assurance, Principal
from resource_server.principal import FrozenDict

PRINCIPAL = Principal(
    subject="subject-1",
    scopes=frozenset({"read"}),
    confirmation=FrozenDict({"jkt": "x"}),
    claims=FrozenDict({"sub": "subject-1", "email": "canary@example.com"}),
)


@pytest.mark.attack("A-C-11")
@pytest.mark.parametrize("name", [field.name for field in dataclasses.fields(Principal)])
def test_immutable(name: str) -> None:
    """A principal serves many requests, so none of them can change it."""
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(PRINCIPAL, name, None)
    with pytest.raises(dataclasses.FrozenInstanceError):
        delattr(PRINCIPAL, name)


@pytest.mark.attack("A-C-11")
def test_no_attribute_can_be_added() -> None:
    """What one handler would leave on a principal, the next would find: there is no room for it."""
    assert not hasattr(PRINCIPAL, "__dict__")
    with pytest.raises((AttributeError, TypeError)):
        object.__setattr__(PRINCIPAL, "note", "x")


@pytest.mark.attack("A-C-11")
def test_default_claims_are_read_only() -> None:
    """A principal without claims shares an empty mapping with all others, which nobody can write to."""
    claims = Principal().claims
    assert claims == {}
    assert Principal().claims is claims
    with pytest.raises(TypeError, match="read-only"):
        claims["sub"] = "somebody else"  # type: ignore[index]


CHANGES: dict[str, Callable[[Any], object]] = {
    "set": lambda claims: operator.setitem(claims, "sub", "x"),
    "delete": lambda claims: operator.delitem(claims, "sub"),
    "merge": lambda claims: operator.ior(claims, {"sub": "x"}),  # type: ignore[no-untyped-call]
    "clear": lambda claims: claims.clear(),
    "pop": lambda claims: claims.pop("sub"),
    "pop any": lambda claims: claims.popitem(),
    "set default": lambda claims: claims.setdefault("new", "x"),
    "update": lambda claims: claims.update(sub="x"),
}


@pytest.mark.attack("A-C-11")
@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_claims_refuse_every_change(change: Callable[[Any], object]) -> None:
    """Claims are shared by every request with the token, so each way to change a dictionary is refused."""
    claims = FrozenDict(sub="alice")
    with pytest.raises(TypeError, match="read-only"):
        change(claims)
    assert claims == {"sub": "alice"}


def test_claims_can_be_copied_and_sent() -> None:
    """What an application does with a dictionary, or FastAPI with a principal that is returned, works with claims."""
    claims = FrozenDict(sub="alice", act=FrozenDict(sub="proxy"))
    principal = Principal(subject="alice", claims=claims)
    assert copy.copy(claims) is claims
    assert copy.deepcopy(principal) == principal
    assert pickle.loads(pickle.dumps(principal)) == principal  # noqa: S301 - pickled one line above
    assert dataclasses.asdict(principal)["claims"] == {"sub": "alice", "act": {"sub": "proxy"}}
    assert json.loads(json.dumps(claims)) == claims


@pytest.mark.rfc("7662-5-a")
@pytest.mark.attack("A-S-1")
def test_personal_data_is_not_shown() -> None:
    """RFC 7662 §5: the claims, which may be personal data, are not in the representation."""
    assert "canary" not in repr(PRINCIPAL)
    assert "subject-1" in repr(PRINCIPAL)


def test_equal_and_hashable() -> None:
    """Two principals of the same content are the same to a set or a dictionary, whose members they can be."""
    twin = dataclasses.replace(PRINCIPAL)
    assert twin == PRINCIPAL
    assert {twin, PRINCIPAL} == {PRINCIPAL}
    assert dataclasses.replace(PRINCIPAL, claims=FrozenDict({})) != PRINCIPAL


def test_defaults() -> None:
    """RFC 7662 §2.2: every claim is optional; what is missing grants nothing and is nobody's."""
    principal = Principal()
    assert principal.scopes == frozenset()
    assert principal.audience == ()
    assert (principal.subject, principal.client_id, principal.issuer, principal.confirmation) == (None,) * 4


def test_positional_arguments_are_refused() -> None:
    """Fields are named, so that adding one breaks no application."""
    with pytest.raises(TypeError):
        Principal("subject-1")  # type: ignore[call-arg]


def test_assurance_order() -> None:
    """The authorization server's own word is worth more than an old one, and that more than a signature alone."""
    assert sorted(Assurance, key=lambda assurance: assurance.rank) == [
        Assurance.LOCAL,
        Assurance.STALE,
        Assurance.INTROSPECTED,
    ]
    assert Assurance("stale") is Assurance.STALE
    assert f"{Assurance.LOCAL}" == "local"
