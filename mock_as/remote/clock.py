"""The clock of an issuer in another process."""

from __future__ import annotations

from mock_as.remote.channel import Channel


class RemoteClock:
    """The clock of an issuer; its verbs are those of :class:`mock_as.Clock`.

    Args:
        channel: asks the issuer.
    """

    def __init__(self, channel: Channel) -> None:
        self._channel = channel

    def now(self) -> float:
        """Return the time, in seconds since the epoch."""
        return float(self._channel.ask("GET", "/clock")["now"])

    @property
    def offset(self) -> float:
        """How far the clock is ahead of its source, in seconds; negative when it is behind."""
        return float(self._channel.ask("GET", "/clock")["offset"])

    @property
    def frozen(self) -> bool:
        """Whether the clock stands still until it is moved."""
        return bool(self._channel.ask("GET", "/clock")["frozen"])

    def advance(self, seconds: float) -> None:
        """Move the clock, which goes on from there; a frozen one stands still again.

        Args:
            seconds: how far; negative to go back.
        """
        self._channel.ask("POST", "/clock", {"advance": seconds})

    def shift(self, seconds: float) -> None:
        """Set how far the clock is ahead of its source, whatever it was before.

        Args:
            seconds: the offset; negative to be behind.
        """
        self._channel.ask("POST", "/clock", {"offset": seconds})

    def freeze(self, at: float | None = None) -> None:
        """Stop the clock.

        Args:
            at: the time to stop at, in seconds since the epoch; by default the time it is.
        """
        self._channel.ask("POST", "/clock", {"freeze": True if at is None else at})

    def reset(self) -> None:
        """Go back to the real time."""
        self._channel.ask("POST", "/clock", {"reset": True})
