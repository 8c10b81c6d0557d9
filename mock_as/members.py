"""Dataclasses and JSON objects: the same members, with lists where Python has tuples."""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Mapping
from typing import Any, Union


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
