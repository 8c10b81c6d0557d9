"""Authorization details a route demands, and whether a token has them.

References: RFC 9396 sections 2 and 9
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, cast

from resource_server.errors import ConfigurationError
from resource_server.principal import Claims, FrozenDict

JSON = str | int | float | bool | list[Any] | tuple[Any, ...] | Mapping[str, Any] | None
"""A value as it may stand in a token; a tuple is a list."""
Judgement = Callable[[Any], bool]
"""A function that looks at one member's value; only ``True`` is a yes."""

# What a function meets in a value that it did not expect; anything else is a bug in it, and is loud.
_UNREADABLE = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)


@dataclass(frozen=True, slots=True)
class Detail:
    """One of the authorization details a token must have; made by :func:`detail`."""

    type: str
    """What kind of authorization it is."""
    members: tuple[tuple[str, Any], ...] = ()
    """What its other members must be, by their names."""

    def __hash__(self) -> int:
        """Hash what is hashable: objects are among the values."""
        return hash((self.type, tuple(name for name, _ in self.members)))

    def granted_by(self, details: Iterable[Claims]) -> bool:
        """Tell whether one of a token's details is of this type and has these members."""
        return any(
            found.get("type") == self.type
            and all(name in found and _fulfils(found[name], wanted) for name, wanted in self.members)
            for found in details
        )


def detail(type_: str, /, **members: JSON | Judgement) -> Detail:
    """Demand that a token has an authorization detail of this type.

    Args:
        type_: its ``type``.
        members: what its other members must be. Of a list every element must be there, and more may be; any other
            value must be the same; a function is called with the value that is there, and must return ``True``.

    Raises:
        ConfigurationError: the type is no text, or a value is neither JSON nor a function.

    References: RFC 9396 section 2
    """
    if not (isinstance(cast("object", type_), str) and type_):
        raise ConfigurationError(f"an authorization detail needs a type (got {type_!r})")
    frozen = {name: value if callable(value) else _frozen_json(name, value) for name, value in members.items()}
    return Detail(type_, tuple(sorted(frozen.items())))


def _frozen_json(name: str, value: object) -> object:
    if isinstance(value, Mapping):
        entries = cast("Mapping[str, object]", value)
        return FrozenDict({key: _frozen_json(name, item) for key, item in entries.items()})
    if isinstance(value, list | tuple):
        return tuple(_frozen_json(name, item) for item in cast("Iterable[object]", value))
    if value is None or isinstance(value, str | int | float):
        return value
    raise ConfigurationError(f"{name} of an authorization detail is neither JSON nor a function (got {value!r})")


def _fulfils(found: Any, wanted: Any) -> bool:  # noqa: ANN401 - JSON is any of seven types
    if callable(wanted):
        try:
            return wanted(found) is True  # what an async function returns is true, and no yes
        except _UNREADABLE:
            return False
    if isinstance(wanted, tuple):
        return isinstance(found, tuple) and all(any(_is_same(item, element) for item in found) for element in wanted)
    return _is_same(found, wanted)


def _is_same(found: Any, wanted: Any) -> bool:  # noqa: ANN401 - as above
    """Compare JSON: unlike in Python, ``true`` is no number."""
    if isinstance(found, bool) or isinstance(wanted, bool):
        return found is wanted
    if isinstance(found, Mapping) and isinstance(wanted, Mapping):
        return found.keys() == wanted.keys() and all(_is_same(found[name], wanted[name]) for name in wanted)
    if isinstance(found, tuple) and isinstance(wanted, tuple):
        return len(found) == len(wanted) and all(map(_is_same, found, wanted))
    return bool(found == wanted)
