"""What the authorization server remembers about the tokens it has issued.

References: RFC 7662 section 4 (what is examined before a token is called active)
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from mock_as.errors import UsageError
from mock_as.granted import Granted
from mock_as.tokens import Token
from mock_as.tokens.drafts import as_scope, encode_claims, merge

_PRUNE_FROM = 10_000


@dataclass(slots=True)
class TokenRecord:
    """A token and its fate."""

    token: Token
    client_id: str
    expires_at: float | None
    not_before: float | None
    kind: str = "access_token"
    granted: Granted | None = None
    """What the token was issued for, where others were or may be issued for the same."""
    revoked_at: float | None = None
    """When it was revoked, in seconds since the epoch, if it was."""
    forced: bool | None = None
    """What introspection says of it, whatever the truth is."""

    @property
    def revoked(self) -> bool:
        """Whether it was revoked."""
        return self.revoked_at is not None

    def revoke(self, now: float) -> None:
        """Revoke it, once and for all.

        Args:
            now: the time, in seconds since the epoch.
        """
        if self.revoked_at is None:
            self.revoked_at = now

    def is_active(self, now: float) -> bool:
        """Tell whether the token is good at a time.

        Args:
            now: the time, in seconds since the epoch.
        """
        if self.forced is not None:
            return self.forced
        return not self.revoked and not self.has_expired(now) and (self.not_before is None or self.not_before <= now)

    def has_expired(self, now: float) -> bool:
        """Tell whether the token is past its end at a time.

        Args:
            now: the time, in seconds since the epoch.
        """
        return self.expires_at is not None and self.expires_at <= now

    @property
    def subject(self) -> object:
        """The ``sub`` of the token, if it has one."""
        return self.token.claims.get("sub")


class TokenStore:
    """Every token that the server knows, by its text and by its id; those that have expired are forgotten in time.

    Args:
        now: tells the time, in seconds since the epoch.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._lock = threading.Lock()
        self._by_value: dict[str, TokenRecord] = {}
        self._by_id: dict[str, TokenRecord] = {}
        self._prune_at = _PRUNE_FROM

    def __len__(self) -> int:
        return len(self._by_value)

    def add(self, record: TokenRecord) -> None:
        """Remember a token."""
        with self._lock:
            self._by_value[record.token.value] = self._by_id[record.token.id] = record
            if len(self._by_value) >= self._prune_at:
                self._prune()

    def get(self, token: str) -> TokenRecord | None:
        """Return what is known about a token.

        Args:
            token: its text.
        """
        return self._by_value.get(token)

    def id_of(self, token: str) -> str | None:
        """Return the id of a token, or ``None`` where nothing is known about it.

        Args:
            token: its text.
        """
        record = self.get(token)
        return None if record is None else record.token.id

    def has_id(self, name: str) -> bool:
        """Tell whether a token has an id.

        Args:
            name: the id.
        """
        return name in self._by_id

    def find(self, token: Token | str) -> TokenRecord | None:
        """Return what is known about a token, however it is named.

        Args:
            token: the token, its text or its id.
        """
        text = token.value if isinstance(token, Token) else token
        return self._by_value.get(text) or self._by_id.get(text)

    def select(self, **facts: str) -> list[TokenRecord]:
        """Return the records that have all of some facts.

        Args:
            facts: ``client_id``, and claims such as ``sub`` and ``sid``; none selects every record.
        """
        with self._lock:
            records = list(self._by_value.values())
        return [record for record in records if all(_has(record, name, fact) for name, fact in facts.items())]

    def edit(
        self,
        token: Token | str,
        *,
        scope: str | Iterable[str] | None = None,
        claims: Mapping[str, Any] | None = None,
        exp: float | None = None,
    ) -> None:
        """Change what introspection says of a token from now on; a JWT itself stays as it is.

        Args:
            token: the token, its text or its id.
            scope: its scopes, as one text or several; none of them leaves the token without.
            claims: what else is to be said, or said differently; a value of ``None`` removes a claim.
            exp: when it expires, in seconds since the epoch.

        Raises:
            UsageError: the server knows no such token, or JSON has no such value.
        """
        record = self.find(token)
        if record is None:
            raise UsageError("token", "the server knows no such token")
        changes = dict(claims or {})
        if scope is not None:
            changes["scope"] = as_scope(scope) or None
        if exp is not None:
            # A whole number of seconds stays an integer, as NumericDate usually is.
            changes["exp"] = int(exp) if float(exp).is_integer() else exp
        edited = dict(record.token.claims)
        merge(edited, changes)
        encode_claims(edited)
        with self._lock:
            record.token = replace(record.token, claims=edited)
            if "exp" in changes:
                record.expires_at = as_time(edited.get("exp"), None)
            if "nbf" in changes:
                record.not_before = as_time(edited.get("nbf"), None)

    def remove(self, token: Token | str) -> bool:
        """Forget a token.

        Args:
            token: the token, its text or its id.

        Returns:
            Whether it was known.
        """
        with self._lock:
            record = self.find(token)
            if record is None:
                return False
            del self._by_value[record.token.value]
            self._by_id.pop(record.token.id, None)
            return True

    def reset(self) -> None:
        """Forget every token."""
        with self._lock:
            self._by_value, self._by_id, self._prune_at = {}, {}, _PRUNE_FROM

    def dump(self) -> list[TokenRecord]:
        """Return every token and its fate, as they are now."""
        with self._lock:
            return [replace(record) for record in self._by_value.values()]

    def load(self, dumped: list[TokenRecord]) -> None:
        """Go back to the tokens that there once were, and to their fates then."""
        records = [replace(record) for record in dumped]
        with self._lock:
            self._by_value = {record.token.value: record for record in records}
            self._by_id = {record.token.id: record for record in records}
            self._prune_at = max(_PRUNE_FROM, 2 * len(records))

    def _prune(self) -> None:
        now = self._now()
        live = [record for record in self._by_value.values() if record.forced or not record.has_expired(now)]
        self._by_value = {record.token.value: record for record in live}
        self._by_id = {record.token.id: record for record in live}
        # The cost of looking at every token is shared by as many new ones.
        self._prune_at = max(_PRUNE_FROM, 2 * len(live))


def _has(record: TokenRecord, name: str, fact: str) -> bool:
    return (record.client_id if name == "client_id" else record.token.claims.get(name)) == fact


def as_time(value: Any, otherwise: float | None) -> float | None:  # noqa: ANN401 - a claim holds any value
    """Read a claim that should be a time.

    Args:
        value: the claim.
        otherwise: what to take where it is not a finite number.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return otherwise
    try:
        seconds = float(value)
    except OverflowError:
        return otherwise
    return seconds if math.isfinite(seconds) else otherwise
