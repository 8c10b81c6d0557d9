"""What an authorization server tells unasked: Security Event Tokens, and logout tokens.

References: RFC 8417, RFC 9493, OpenID Connect Back-Channel Logout 1.0 section 2.4, OpenID CAEP 1.0, OpenID RISC 1.0
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from typing import Any

from mock_as.errors import UsageError, unknown
from mock_as.tokens import Token
from mock_as.tokens.minting import Order

_CAEP = "https://schemas.openid.net/secevent/caep/event-type/"
_RISC = "https://schemas.openid.net/secevent/risc/event-type/"
_LOGOUT = "http://schemas.openid.net/event/backchannel-logout"
_LOGOUT_LIFETIME = 120.0
# What an access token has, and these have not.
_NOT_HERE: dict[str, Any] = {"client_id": None, "scope": None, "sub": None}

EVENTS = {
    name: prefix + name
    for prefix, names in (
        (
            _CAEP,
            (
                "assurance-level-change",
                "credential-change",
                "device-compliance-change",
                "session-established",
                "session-presented",
                "session-revoked",
                "token-claims-change",
            ),
        ),
        (
            _RISC,
            (
                "account-credential-change-required",
                "account-disabled",
                "account-enabled",
                "account-purged",
                "credential-compromise",
                "identifier-changed",
                "identifier-recycled",
            ),
        ),
    )
    for name in names
}
"""The events that have a short name, and what they are called in a token."""


class Notices(ABC):
    """The verbs that make such tokens; what is wrong with one is said by its claims and its header."""

    def security_event(  # noqa: PLR0913 - each is something that such a token says
        self,
        event: str = "session-revoked",
        *,
        sub: str | None = None,
        sid: str | None = None,
        subject: Mapping[str, Any] | None = None,
        details: Mapping[str, Any] | None = None,
        aud: str | Iterable[str] | None = None,
        iat_in: float | None = None,
        jti: str | None = None,
        alg: str | None = None,
        key: str | None = None,
        claims: Mapping[str, Any] | None = None,
        header: Mapping[str, Any] | None = None,
    ) -> str:
        """Make a Security Event Token; the server itself does nothing.

        Args:
            event: what has happened: one of :data:`mock_as.tokens.notices.EVENTS`, or any URI.
            sub: to whom.
            sid: to which session.
            subject: the subject identifier itself, in the place of one that is made of the two.
            details: what is said of the event.
            aud: the audience, or several; by default the server's.
            iat_in: when it was made, in seconds from now.
            jti: its name.
            alg: the algorithm of the signature; by default ES256.
            key: the key that signs: ``unpublished``, ``previous``, or a ``kid``; by default the one that signs now.
            claims: what else it says, or says differently; a value of ``None`` removes a claim.
            header: the same for the JOSE header.

        Returns:
            Its text.

        Raises:
            UsageError: there is no such event, nobody is named, or a value is not one that a token can have.
        """
        about = {"sub_id": dict(subject) if subject is not None else self._subject(sub, sid)}
        events = {"events": {_event(event): dict(details or {})}}
        order = Order(
            client_id="",
            scope=None,
            format="jwt",
            aud=aud,
            iat_in=iat_in,
            alg=alg,
            claims={**_NOT_HERE, "exp": None, **about, **events, **(claims or {})},
            header={"typ": "secevent+jwt", **(header or {})},
            key=key,
            known=False,
            jti=jti,
        )
        return self.mint(order).value

    def logout_token(  # noqa: PLR0913 - each is something that such a token says
        self,
        *,
        sub: str | None = None,
        sid: str | None = None,
        aud: str | Iterable[str] | None = None,
        expires_in: float = _LOGOUT_LIFETIME,
        iat_in: float | None = None,
        jti: str | None = None,
        alg: str | None = None,
        key: str | None = None,
        claims: Mapping[str, Any] | None = None,
        header: Mapping[str, Any] | None = None,
    ) -> str:
        """Make a token of OpenID Connect Back-Channel Logout; the server itself logs nobody out.

        Args:
            sub: who has logged out.
            sid: which session has ended.
            aud: the audience, or several, usually a ``client_id``; by default the server's.
            expires_in: how long it lives, in seconds.
            iat_in: when it was made, in seconds from now.
            jti: its name.
            alg: the algorithm of the signature; by default ES256.
            key: the key that signs: ``unpublished``, ``previous``, or a ``kid``; by default the one that signs now.
            claims: what else it says, or says differently; a value of ``None`` removes a claim.
            header: the same for the JOSE header.

        Returns:
            Its text.

        Raises:
            UsageError: neither is named, or a value is not one that a token can have.
        """
        if sub is None and sid is None:
            raise UsageError("sub", "say who has logged out: a sub, a sid, or both")
        about: dict[str, Any] = {"sub": sub, "sid": sid, "events": {_LOGOUT: {}}}
        order = Order(
            client_id="",
            scope=None,
            format="jwt",
            aud=aud,
            expires_in=expires_in,
            iat_in=iat_in,
            alg=alg,
            claims={**_NOT_HERE, **about, **(claims or {})},
            header={"typ": "logout+jwt", **(header or {})},
            key=key,
            known=False,
            jti=jti,
        )
        return self.mint(order).value

    def _subject(self, sub: str | None, sid: str | None) -> dict[str, Any]:
        user = {"format": "iss_sub", "iss": self.issuer, "sub": sub}
        session = {"format": "opaque", "id": sid}
        if sub is None and sid is None:
            raise UsageError("sub", "say whom the event is about: a sub, a sid, both, or a subject")
        if sub is None or sid is None:
            return session if sub is None else user
        return {"format": "complex", "user": user, "session": session}

    @property
    @abstractmethod
    def issuer(self) -> str:
        """The issuer identifier."""

    @abstractmethod
    def mint(self, order: Order) -> Token:
        """Make a token.

        Args:
            order: what it shall be.

        Raises:
            UsageError: a value of the order is not one that a token can have.
        """


def _event(name: str) -> str:
    if name in EVENTS or ":" in name:
        return EVENTS.get(name, name)
    raise unknown("event", name, EVENTS)
