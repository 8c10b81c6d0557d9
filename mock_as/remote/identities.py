"""Who is known to an issuer in another process."""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from typing import Any, Generic, TypeVar

from mock_as.clients import Client
from mock_as.members import as_arguments, as_members
from mock_as.remote.channel import Channel, segment

_Entry = TypeVar("_Entry")


class RemoteRegistry(MutableMapping[str, _Entry], Generic[_Entry]):
    """What is registered with an issuer: clients, users or resources.

    Args:
        channel: asks the issuer.
        kind: the dataclass of an entry.
        path: where they are, such as ``/users``.
        key: the member that is the name of an entry.
    """

    def __init__(self, channel: Channel, kind: type[_Entry], path: str, key: str) -> None:
        self._channel = channel
        self._kind = kind
        self._path = path
        self._key = key

    def __getitem__(self, name: str) -> _Entry:
        try:
            members = self._channel.ask("GET", f"{self._path}/{segment(name)}")
        except LookupError:
            raise KeyError(name) from None
        return self._kind(**as_arguments(self._kind, {**members, **self._secrets(name)}))

    def __setitem__(self, name: str, entry: _Entry) -> None:
        members = {member: value for member, value in as_members(entry).items() if member != self._key}
        self._channel.ask("PUT", f"{self._path}/{segment(name)}", members)

    def __delitem__(self, name: str) -> None:
        try:
            self._channel.ask("DELETE", f"{self._path}/{segment(name)}")
        except LookupError:
            raise KeyError(name) from None

    def __iter__(self) -> Iterator[str]:
        return iter([entry[self._key] for entry in self._channel.ask("GET", self._path)[self._path.strip("/")]])

    def __len__(self) -> int:
        return len(list(iter(self)))

    def _secrets(self, name: str) -> dict[str, Any]:  # noqa: ARG002 - most entries have none
        """Return the members that are not shown with the others."""
        return {}


class RemoteClients(RemoteRegistry[Client]):
    """The clients that are registered with an issuer.

    Args:
        channel: asks the issuer.
    """

    def __init__(self, channel: Channel) -> None:
        super().__init__(channel, Client, "/clients", "id")

    def _secrets(self, name: str) -> dict[str, Any]:
        return {"secret": self._channel.ask("GET", f"/clients/{segment(name)}/credentials")["client_secret"]}
