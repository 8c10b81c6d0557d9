"""What the control plane takes: JSON objects that mirror the dataclasses of the verbs, member by member.

What can be said in Python can be said over HTTP too, under the same name and with the same default.
"""

from __future__ import annotations

import dataclasses
import functools
import operator
import types
import typing
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, create_model

from mock_as.journal import PATIENCE
from mock_as.members import options_of

_MAX_DEPTH = 64
_M = TypeVar("_M", bound="Model")


class Model(BaseModel):
    """A JSON object; a member that it does not know is refused, and so is a value of another type."""

    model_config = ConfigDict(extra="forbid", strict=True)

    def said(self) -> dict[str, Any]:
        """Return the members that were sent; what was left out says nothing."""
        return {name: getattr(self, name) for name in sorted(self.model_fields_set)}


def _shallow(value: Any) -> Any:  # noqa: ANN401 - JSON holds any value
    """Refuse what could be read, but not be written again one level further in."""
    level: list[Any] = [value]
    for _ in range(_MAX_DEPTH):
        level = [part for item in level for part in _parts(item)]
    if level:
        raise ValueError(f"is nested more than {_MAX_DEPTH} levels deep")
    return value


def _parts(value: object) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []


# A century either way: enough for every test, and little enough for every calendar.
Seconds = Annotated[float, Field(ge=-3.2e9, le=3.2e9, allow_inf_nan=False)]
"""A number of seconds."""
Members = Annotated[dict[str, Any], AfterValidator(_shallow)]
"""A JSON object that is not too deep."""
Value = Annotated[Any, AfterValidator(_shallow)]
"""Anything in JSON that is not too deep."""


class Expectation(Model):
    """How many of something are waited for, and for how long, in seconds."""

    # A URL has only texts.
    model_config = ConfigDict(strict=False)

    count: Annotated[int, Field(ge=0)] = 1
    timeout: Annotated[float, Field(ge=0, le=60, allow_inf_nan=False)] = PATIENCE


def mirrors(source: type, *, without: Collection[str] = (), partial: bool = False) -> Callable[[type[_M]], type[_M]]:
    """Give a model the members of a dataclass.

    Args:
        source: the dataclass.
        without: the members that are not taken, because the path names them or because JSON has no such values.
        partial: whether each member may be left out, because what it says of something is to stay as it is.
    """

    def decorate(model: type[_M]) -> type[_M]:
        hints = typing.get_type_hints(source)
        members: dict[str, Any] = {
            item.name: (_as_json(hints[item.name]), None if partial else _default(item))
            for item in dataclasses.fields(source)
            if item.init and item.name not in without
        }
        return create_model(
            model.__name__, __base__=model, __doc__=model.__doc__, __module__=model.__module__, **members
        )

    return decorate


def _default(item: dataclasses.Field[Any]) -> Any:  # noqa: ANN401 - what pydantic takes
    if item.default_factory is not dataclasses.MISSING:
        return Field(default_factory=item.default_factory)
    if item.default is dataclasses.MISSING:
        return ...
    return list(item.default) if isinstance(item.default, tuple) else item.default


_PLAIN = {str: str, int: int, bool: bool, type(None): type(None), float: Seconds, Any: Value, object: Value}


def _as_json(hint: Any) -> Any:  # noqa: ANN401 - a type has no type
    """Return the type that a value has in JSON."""
    known = [kind for kind in map(_one_as_json, options_of(hint)) if kind is not None]
    if not known:
        raise TypeError(f"JSON has no {hint}")
    return functools.reduce(operator.or_, known)


def _one_as_json(hint: Any) -> Any:  # noqa: ANN401 - a type has no type
    """Return the type that a value has in JSON, or ``None`` where it has none there."""
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if hint in _PLAIN:
        return _PLAIN[hint]
    if origin is Literal:
        return hint
    if dataclasses.is_dataclass(hint):
        return mirrors(typing.cast("type", hint))(Model)
    if not isinstance(origin, type) or not issubclass(origin, Iterable):
        return None
    if issubclass(origin, Mapping):
        value = _as_json(inner[1])
        return Members if value is Value else types.GenericAlias(dict, (str, value))
    return types.GenericAlias(list, (_as_json(inner[0]),))
