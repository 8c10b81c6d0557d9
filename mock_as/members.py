"""Dataclasses and JSON objects: the same members, with lists where Python has tuples."""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar, Union

from mock_as.errors import UsageError, unknown

_T = TypeVar("_T")


def as_arguments(source: type, members: Mapping[str, Any]) -> dict[str, Any]:
    """Return members as the constructor of a dataclass takes them: what was a list is a tuple where it wants one.

    Args:
        source: the dataclass.
        members: what JSON had; what the dataclass does not know is left out.
    """
    hints = typing.get_type_hints(source)
    known = {item.name for item in dataclasses.fields(source)} & members.keys()
    return {name: _as_argument(hints[name], members[name]) for name in known}


def _as_argument(hint: Any, value: Any) -> Any:  # noqa: ANN401 - a type has no type, and JSON holds any value
    wants_tuple = any(typing.get_origin(option) is tuple for option in options_of(hint))
    return tuple(value) if wants_tuple and isinstance(value, list) else value


def options_of(hint: Any) -> tuple[Any, ...]:  # noqa: ANN401 - a type has no type
    """Return the types that a union is made of; any other type is its own only option.

    Args:
        hint: the type.
    """
    return typing.get_args(hint) if typing.get_origin(hint) in {Union, types.UnionType} else (hint,)


def as_members(value: Any) -> dict[str, Any]:  # noqa: ANN401 - any dataclass
    """Return the members of a dataclass that can be given to its constructor, but not the members of those.

    Args:
        value: the dataclass.
    """
    return {item.name: getattr(value, item.name) for item in dataclasses.fields(value) if item.init}


def all_made(source: type[_T], given: Iterable[_T | Mapping[str, Any]], field: str) -> tuple[_T, ...]:
    """Return dataclasses that may also be given as tables, as a configuration has them.

    Args:
        source: the dataclass.
        given: dataclasses, or their members by name.
        field: where they stand, for the message of the error.

    Raises:
        UsageError: a table has a name that the dataclass does not know, or lacks one that it needs.
    """
    return tuple(
        _made(source, each, f"{field}[{number}]") if isinstance(each, Mapping) else each
        for number, each in enumerate(given)
    )


def _made(source: type[_T], members: Mapping[str, Any], place: str) -> _T:
    fields = {item.name: item for item in dataclasses.fields(typing.cast("Any", source))}
    for name in members:
        if name not in fields:
            raise unknown(place, name, fields)
    for name, item in fields.items():
        if name not in members and item.default is dataclasses.MISSING and item.default_factory is dataclasses.MISSING:
            raise UsageError(f"{place}.{name}", "is missing")
    try:
        return source(**as_arguments(source, members))
    except UsageError as error:
        raise UsageError(f"{place}.{error.field}", error.message) from None
