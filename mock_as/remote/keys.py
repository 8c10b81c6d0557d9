"""The keys of an issuer in another process."""

from __future__ import annotations

from typing import Any

from mock_as.keys import DEFAULT_ALGORITHM
from mock_as.remote.channel import Channel, segment


class RemoteKeys:
    """The keys of an issuer; its verbs are those of :class:`mock_as.keys.KeyRing`, and name keys by their ``kid``.

    Args:
        channel: asks the issuer.
    """

    def __init__(self, channel: Channel) -> None:
        self._channel = channel

    def rotate(self, alg: str | None = None, *, overlap: bool = True) -> tuple[str, ...]:
        """Sign with a new key from now on.

        Args:
            alg: the algorithm whose key is replaced; by default every one in use.
            overlap: keep the key that signed until now published, until the next rotation.

        Returns:
            The new ``kid`` values.
        """
        return tuple(self._channel.ask("POST", "/keys/rotate", {"alg": alg, "overlap": overlap})["rotated"])

    def stage(self, alg: str = DEFAULT_ALGORITHM) -> str:
        """Make a key that is not published, and does not sign, until it is told to.

        Args:
            alg: the algorithm.

        Returns:
            Its ``kid``.
        """
        return str(self._channel.ask("POST", "/keys", {"alg": alg})["kid"])

    def publish(self, kid: str) -> None:
        """Publish a key.

        Args:
            kid: which one.
        """
        self._channel.ask("POST", f"/keys/{segment(kid)}/publish")

    def unpublish(self, kid: str) -> None:
        """Take a key out of the JWKS; it goes on signing if it did.

        Args:
            kid: which one.
        """
        self._channel.ask("POST", f"/keys/{segment(kid)}/unpublish")

    def activate(self, kid: str) -> None:
        """Sign with a key from now on, whether it is published or not.

        Args:
            kid: which one.
        """
        self._channel.ask("POST", f"/keys/{segment(kid)}/activate")

    def replace(self, kid: str) -> None:
        """Put a new key under the name of an old one.

        Args:
            kid: the name.
        """
        self._channel.ask("POST", f"/keys/{segment(kid)}/replace")

    def delete(self, kid: str) -> None:
        """Forget a key.

        Args:
            kid: which one.
        """
        self._channel.ask("DELETE", f"/keys/{segment(kid)}")

    def describe(self) -> list[dict[str, str]]:
        """Return ``kid``, algorithm and state of every key."""
        described: list[dict[str, str]] = self._channel.ask("GET", "/keys")["keys"]
        return described

    def jwks(self) -> dict[str, Any]:
        """Return the published keys, public parts only."""
        published: dict[str, Any] = self._channel.ask("GET", "/keys")["jwks"]
        return published
