"""What an issuer in another process remembers of its tokens, and what was edited in its metadata."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from typing import Any

from mock_as.remote.channel import Channel, segment, text_of
from mock_as.tokens import Token


class RemoteTokens:
    """The tokens that an issuer knows; the verbs are those of :class:`mock_as.tokens.store.TokenStore`.

    Args:
        channel: asks the issuer.
    """

    def __init__(self, channel: Channel) -> None:
        self._channel = channel

    def __len__(self) -> int:
        return int(self._channel.ask("GET", "/tokens")["count"])

    def edit(
        self,
        token: Token | str,
        *,
        scope: str | Iterable[str] | None = None,
        claims: Mapping[str, Any] | None = None,
        exp: float | None = None,
    ) -> None:
        """Change what introspection says of a token; the arguments are those in this process.

        Raises:
            LookupError: the server knows no such token.
            UsageError: JSON has no such value.
        """
        scopes = scope if scope is None or isinstance(scope, str) else list(scope)
        changes = {"scope": scopes, "claims": claims, "exp": exp}
        said = {name: value for name, value in changes.items() if value is not None}
        self._channel.ask("PATCH", f"/tokens/{segment(text_of(token))}", said)

    def remove(self, token: Token | str) -> bool:
        """Forget a token.

        Args:
            token: the token, its text or its id.

        Returns:
            Whether it was known.
        """
        try:
            self._channel.ask("DELETE", f"/tokens/{segment(text_of(token))}")
        except LookupError:
            return False
        return True


class RemoteEdits(MutableMapping[str, Any]):
    """What the metadata of an issuer say differently; ``None`` for a member that is left out.

    Args:
        channel: asks the issuer.
    """

    def __init__(self, channel: Channel) -> None:
        self._channel = channel

    def _all(self) -> dict[str, Any]:
        return dict(self._channel.ask("GET", "/metadata")["edits"])

    def __getitem__(self, name: str) -> Any:  # noqa: ANN401 - a member has any value
        return self._all()[name]

    def __setitem__(self, name: str, value: Any) -> None:  # noqa: ANN401 - see above
        self._channel.ask("PATCH", "/metadata", {name: value})

    def __delitem__(self, name: str) -> None:
        rest = self._all()
        del rest[name]
        self._channel.ask("DELETE", "/metadata")
        self._channel.ask("PATCH", "/metadata", rest)

    def __iter__(self) -> Iterator[str]:
        return iter(self._all())

    def __len__(self) -> int:
        return len(self._all())
