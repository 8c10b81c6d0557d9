"""Who is logged in, in which browser.

References: OpenID Connect Core 1.0 section 3.1.2.3, RFC 6265 section 4.1
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlsplit

from mock_as.issuer import Issuer
from mock_as.messages import Answer, Request

COOKIE = "mock_as_session"
LIFETIME = 8 * 3600
"""How long a person stays logged in, in seconds."""
REMEMBERED = 20
"""How many subjects the login page offers that are nobody's who is registered."""
_REMEMBERED_FOR = 30 * 24 * 3600
_BYTES = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """What a person once said to a client."""

    asked: frozenset[str]
    granted: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A browser, and who is logged in with it."""

    key: str = field(repr=False)
    """The value of the cookie."""
    guard: str = field(repr=False)
    """What every form has to repeat, so that no other site can send it."""
    sub: str | None = None
    """Who is logged in, if somebody is."""
    sid: str | None = None
    """What tokens call the session."""
    auth_time: int | None = None
    """When the person logged in, in seconds since the epoch."""
    claims: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """What tokens shall say beside."""
    approvals: Mapping[str, Approval] = field(default_factory=dict[str, Approval])
    """What was said before, by client."""

    def is_fresh(self, now: float, max_age: int | None) -> bool:
        """Tell whether somebody is logged in, and has not been for too long.

        Args:
            now: the time, in seconds since the epoch.
            max_age: for how long at most, in seconds; ``None`` for any time.
        """
        if self.sub is None or self.auth_time is None:
            return False
        return max_age is None or now - self.auth_time <= max_age


def current(issuer: Issuer, request: Request) -> Session | None:
    """Return the session that a request belongs to, if there is one.

    Args:
        issuer: whose session.
        request: what the browser sent.
    """
    found = (issuer.pending.sessions.get(key) for key in _keys(request))
    return next((session for session in found if session is not None), None)


def _keys(request: Request) -> Iterator[str]:
    # A tenant and the issuer it is in may each have set a cookie of this name: both are sent.
    for cookie in (request.header("cookie") or "").split(";"):
        name, _, value = cookie.strip().partition("=")
        if name == COOKIE:
            yield value


def begin(issuer: Issuer) -> Session:
    """Begin a session in which nobody is logged in.

    Args:
        issuer: whose session.
    """
    return keep(issuer, Session(key=issuer.chance.text(_BYTES), guard=issuer.chance.text(_BYTES)))


def keep(issuer: Issuer, session: Session) -> Session:
    """Keep a session as it is now.

    Args:
        issuer: whose session.
        session: the session.
    """
    issuer.pending.sessions.put(session.key, session, LIFETIME)
    return session


def log_in(issuer: Issuer, session: Session, sub: str, claims: Mapping[str, Any]) -> Session:
    """Log somebody in: the session gets a new key, so that nobody who knew the old one has it.

    Args:
        issuer: whose session.
        session: the session before.
        sub: who.
        claims: what tokens shall say beside.
    """
    issuer.pending.sessions.pop(session.key)
    remember(issuer, sub)
    fresh = begin(issuer)
    known = session.approvals if session.sub == sub else {}
    return keep(
        issuer,
        replace(
            fresh,
            sub=sub,
            sid=issuer.chance.text(_BYTES // 2),
            auth_time=int(issuer.clock.now()),
            claims=claims,
            approvals=known,
        ),
    )


def end(issuer: Issuer, session: Session) -> None:
    """Log somebody out.

    Args:
        issuer: whose session.
        session: the session.
    """
    issuer.pending.sessions.pop(session.key)


def remember(issuer: Issuer, sub: str) -> None:
    """Remember that somebody logged in.

    Args:
        issuer: with whom.
        sub: who.
    """
    issuer.pending.subjects.pop(sub)
    issuer.pending.subjects.put(sub, sub, _REMEMBERED_FOR)


def remembered(issuer: Issuer) -> list[str]:
    """Return who logged in lately and is not registered, the latest first.

    Args:
        issuer: with whom.
    """
    lately = [sub for sub in issuer.pending.subjects if sub not in issuer.users]
    return lately[::-1][:REMEMBERED]


def with_cookie(issuer: Issuer, answer: Answer, session: Session | None) -> Answer:
    """Tell the browser which session it is in.

    Args:
        issuer: whose session.
        answer: what the browser gets.
        session: the session; ``None`` where it has ended.

    References: RFC 6265 sections 4.1.2.4 to 4.1.2.6
    """
    front = urlsplit(issuer.url.authorization)
    path = front.path.rpartition("/")[0] or "/"
    secure = "; Secure" if front.scheme == "https" else ""
    value = f"{COOKIE}={session.key}" if session is not None else f"{COOKIE}=; Max-Age=0"
    return answer.with_headers({"set-cookie": f"{value}; Path={path}; HttpOnly; SameSite=Lax{secure}"})
