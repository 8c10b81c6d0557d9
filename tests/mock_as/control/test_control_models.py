"""The models of the control plane: what can be said in Python can be said over HTTP, member by member."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from pydantic import ValidationError

from mock_as import MockAS
from mock_as.clients import Client
from mock_as.control import authorize, create_control_app
from mock_as.control.faults import FaultOrder
from mock_as.control.identities import (
    ClientBody,
    ClientChange,
    ResourceBody,
    ResourceChange,
    UserBody,
    UserChange,
)
from mock_as.control.models import Model, mirrors
from mock_as.control.tokens import TokenOrder
from mock_as.faults.plan import Wish
from mock_as.members import as_arguments, as_members
from mock_as.tokens.minting import Order
from mock_as.tokens.resources import Resource
from mock_as.users import User

MIRRORS: list[tuple[type[Model], type, set[str]]] = [
    (TokenOrder, Order, {"n"}),
    (FaultOrder, Wish, set()),
    (ClientBody, Client, {"id"}),
    (UserBody, User, {"sub"}),
    (ResourceBody, Resource, {"uri"}),
]
KEYS = {"id", "sub", "uri"}


@pytest.mark.parametrize(("model", "source", "more"), MIRRORS, ids=lambda part: getattr(part, "__name__", ""))
def test_model_has_every_member(model: type[Model], source: type, more: set[str]) -> None:
    """A model has the members of its dataclass, but for the one in the path, with the same defaults."""
    fields = {item.name: item for item in dataclasses.fields(source)}
    named_by_path = KEYS if source in {Client, User, Resource} else set[str]()
    assert set(model.model_fields) - more == set(fields) - named_by_path
    for name in set(model.model_fields) - more:
        item, member = fields[name], model.model_fields[name]
        assert member.is_required() is (item.default is item.default_factory is dataclasses.MISSING)
        default = member.get_default(call_default_factory=True)
        if not member.is_required():
            expected = item.default_factory() if callable(item.default_factory) else item.default
            assert default == (list(expected) if isinstance(expected, tuple) else expected)


@pytest.mark.parametrize(("model", "change"), [(ClientBody, ClientChange), (UserBody, UserChange)])
def test_change_may_leave_everything_out(model: type[Model], change: type[Model]) -> None:
    """What changes something has the same members, none of which is required, and says only what was sent."""
    assert set(change.model_fields) == set(model.model_fields)
    assert change().said() == {}
    assert ResourceChange.model_validate({"lifetime": None}).said() == {"lifetime": None}


def test_authorization_has_every_argument() -> None:
    """The members of a login without a browser are the arguments of the verb, and known parameters beside."""
    named = {
        name: parameter
        for name, parameter in inspect.signature(MockAS.authorize).parameters.items()
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY
    }
    assert set(named) <= set(authorize.Authorization.model_fields)
    for name, parameter in named.items():
        if parameter.default is not inspect.Parameter.empty:
            assert authorize.Authorization.model_fields[name].default == parameter.default


@dataclass(frozen=True, kw_only=True)
class Inner:
    """A dataclass within another."""

    number: int


@dataclass(frozen=True, kw_only=True)
class Outer:
    """A dataclass of every kind of member."""

    text: str
    several: tuple[str, ...] = ()
    seconds: float = 1.0
    either: str | bytes | Mapping[str, Any] | None = None
    counts: Mapping[str, int] = field(default_factory=dict[str, int])
    inner: Inner | None = None
    anything: Any = None


@mirrors(Outer)
class OuterModel(Model):
    """What mirrors it."""


def test_every_kind_of_member() -> None:
    """Tuples are lists, bytes are left out, and a dataclass within is an object within."""
    said = {
        "text": "a",
        "several": ["b"],
        "seconds": 2,
        "either": {"c": [1]},
        "counts": {"d": 3},
        "inner": {"number": 4},
        "anything": [None],
    }
    model = OuterModel.model_validate(said)
    assert model.model_dump() == said
    assert as_arguments(Outer, {"several": ["b"], "text": "a", "unknown": 1}) == {"several": ("b",), "text": "a"}
    assert as_members(Inner(number=1)) == {"number": 1}


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"text": 5},
        {"text": "a", "seconds": 1e10},
        {"text": "a", "seconds": True},
        {"text": "a", "either": 5},
        {"text": "a", "counts": {"d": "3"}},
        {"text": "a", "inner": {"number": 1, "more": 2}},
        {"text": "a", "more": 1},
    ],
)
def test_wrong_member(wrong: dict[str, Any]) -> None:
    """A member that is missing, unknown, or of another type is refused."""
    with pytest.raises(ValidationError):
        OuterModel.model_validate(wrong)


@dataclass(frozen=True)
class Unsayable:
    """A dataclass with a member that JSON has nothing for."""

    call: Callable[[], None]


def test_member_that_json_does_not_have() -> None:
    """A member that JSON has nothing for must be left out by name."""
    with pytest.raises(TypeError, match="JSON has no"):
        mirrors(Unsayable)(Model)
    assert not mirrors(Unsayable, without={"call"})(Model).model_fields


def test_openapi_describes_refusals() -> None:
    """The description of every route says that a refusal is a problem document, which is what it is."""
    document = create_control_app().openapi()
    for path, methods in document["paths"].items():
        for operation in methods.values():
            assert list(operation["responses"]["4XX"]["content"]) == ["application/problem+json"], path
            assert "422" not in operation["responses"]
    assert "HTTPValidationError" not in document["components"]["schemas"]


def test_every_route_says_what_it_does() -> None:
    """The description of every route has a sentence, and names the concern that it is part of."""
    for path, methods in create_control_app().openapi()["paths"].items():
        for operation in methods.values():
            assert operation["description"].endswith("."), path
            assert len(operation["tags"]) == 1
