"""What is registered under names and may change while the server runs: clients, users, resources."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MutableMapping
from typing import Generic, TypeVar

_Entry = TypeVar("_Entry")


class Registry(MutableMapping[str, _Entry], Generic[_Entry]):
    """A mapping that can go back to how it was when it was made.

    Args:
        entries: what is registered at first.
    """

    def __init__(self, entries: Mapping[str, _Entry]) -> None:
        self._first = dict(entries)
        self._entries = dict(entries)

    def __getitem__(self, name: str) -> _Entry:
        return self._entries[name]

    def __setitem__(self, name: str, entry: _Entry) -> None:
        self._entries[name] = entry

    def __delitem__(self, name: str) -> None:
        del self._entries[name]

    def __iter__(self) -> Iterator[str]:
        return iter(tuple(self._entries))

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, name: str, default: _Entry | None = None) -> _Entry | None:  # type: ignore[override] # no sentinel needed
        """Return an entry, or the default."""
        return self._entries.get(name, default)

    def dump(self) -> dict[str, _Entry]:
        """Return what is registered now."""
        return dict(self._entries)

    def load(self, dumped: dict[str, _Entry]) -> None:
        """Register exactly what once was."""
        self._entries = dict(dumped)

    def reset(self) -> None:
        """Go back to how it was at first."""
        self._entries = dict(self._first)
