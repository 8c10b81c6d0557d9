"""What a proxy is told of those who are let in; kept, for the same token comes again and again."""

from __future__ import annotations

from collections.abc import Callable, Collection
from math import inf
from typing import Literal, NamedTuple

from resource_server._gateway.answers import admit
from resource_server._gateway.identity import NOBODY, Fields, describe, spell
from resource_server._gateway.internal_tokens import InternalTokens
from resource_server.principal import Principal

CredentialMode = Literal["pass", "strip", "replace"]
"""What the application gets in the place of the caller's token: that, nothing, or a token of the gateway's own."""
KEPT = 4_096
"""For how many principals the fields are kept."""
_NO_CREDENTIAL: Fields = ((b"authorization", b""),)


class _Kept(NamedTuple):
    principal: Principal
    """Kept along: as long as it lives, no other has its id."""
    renew_at: float
    plain: Fields
    folded: Fields


class Granted:
    """Makes the fields of a yes.

    Args:
        credential: what becomes of the caller's token.
        claims: the names of the claims to tell; ``None`` for all.
        tokens: makes those of our own, where they replace the caller's.
        wall: returns seconds since the epoch.
        tell: called with the cause where something is too long to be told.
    """

    def __init__(
        self,
        credential: CredentialMode,
        claims: Collection[str] | None,
        tokens: InternalTokens | None,
        wall: Callable[[], float],
        tell: Callable[[str], None],
    ) -> None:
        """Write what tells of nobody."""
        self._credential: Fields = () if credential == "pass" else _NO_CREDENTIAL
        self._claims, self._tokens, self._wall, self._tell = claims, tokens, wall, tell
        self._kept: dict[int, _Kept] = {}
        nobody = self._credential + NOBODY
        self._nobody = admit(nobody, folded=False), admit(nobody, folded=True)

    def nobody(self, *, folded: bool) -> Fields:
        """Return the fields for who is let in without a token."""
        return self._nobody[folded]

    def somebody(self, principal: Principal, *, folded: bool) -> Fields | None:
        """Return the fields for a principal, or ``None`` where it cannot be told who it is."""
        kept = self._kept.get(id(principal))
        if kept is None or (self._tokens is not None and self._wall() >= kept.renew_at):
            kept = self._describe(principal)
            if kept is None:
                return None
            if len(self._kept) >= KEPT:
                self._kept.clear()
            self._kept[id(principal)] = kept
        return kept.folded if folded else kept.plain

    def _describe(self, principal: Principal) -> _Kept | None:
        values = describe(principal, self._claims)
        if values is None:
            self._tell("identity_too_long")
            return None
        if not values[-1]:
            self._tell("claims_too_long")
        credential, renew_at = self._credential, inf
        if self._tokens is not None:
            now = self._wall()
            token, ends_at = self._tokens.mint(principal, now)
            credential, renew_at = ((b"authorization", b"Bearer " + token),), (now + ends_at) / 2
        fields = credential + spell(values)
        return _Kept(principal, renew_at, admit(fields, folded=False), admit(fields, folded=True))
