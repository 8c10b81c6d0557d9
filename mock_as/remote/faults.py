"""The faults of an issuer in another process."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mock_as.journal import PATIENCE
from mock_as.remote.channel import Channel, segment


class RemoteFault:
    """A fault of an issuer, which counts how often it has happened.

    Args:
        channel: asks the issuer.
        facts: how the issuer describes it.
    """

    def __init__(self, channel: Channel, facts: Mapping[str, Any]) -> None:
        self._channel = channel
        self._facts = facts
        self.id = str(facts["id"])

    def describe(self) -> dict[str, Any]:
        """Return what the control plane shows."""
        return self._channel.ask("GET", f"/faults/{segment(self.id)}")

    @property
    def applied(self) -> int:
        """How often it has happened."""
        return int(self.describe()["applied"])

    def release(self) -> None:
        """Let the connections go on that the fault has left hanging."""
        self._channel.ask("POST", f"/faults/{segment(self.id)}/release")

    def __repr__(self) -> str:
        return f"RemoteFault({self._facts['endpoint']!r}, {self._facts['action']!r})"


class RemoteGate:
    """Holds every request that comes to an endpoint until the test releases them.

    Args:
        channel: asks the issuer.
        fault: the fault that holds them.
    """

    def __init__(self, channel: Channel, fault: RemoteFault) -> None:
        self._channel = channel
        self._fault = fault
        self._arrived: int | None = None

    @property
    def count(self) -> int:
        """How many requests have arrived."""
        return self._fault.applied if self._arrived is None else self._arrived

    def wait_for(self, number: int, timeout: float = PATIENCE) -> None:
        """Block until requests have arrived.

        Args:
            number: how many.
            timeout: how long to wait at most, in seconds.

        Raises:
            TimeoutError: fewer have arrived in that time.
        """
        self._channel.ask("GET", f"/faults/{segment(self._fault.id)}/wait", count=number, timeout=timeout)

    def release(self) -> None:
        """Let every request go on, those that are still to come included."""
        if self._arrived is None:
            self._arrived = self._fault.applied
            self._channel.ask("DELETE", f"/faults/{segment(self._fault.id)}")
