"""Security Event Tokens and logout tokens, over HTTP."""

# Without `from __future__ import annotations`: FastAPI evaluates the annotations.

from mock_as.control.context import State, new_router
from mock_as.control.models import Members, Model, Seconds

router = new_router("notices")


class Notice(Model):
    """What both kinds of token say."""

    sub: str | None = None
    sid: str | None = None
    aud: str | list[str] | None = None
    iat_in: Seconds | None = None
    jti: str | None = None
    alg: str | None = None
    key: str | None = None
    claims: Members | None = None
    header: Members | None = None


class Happening(Notice):
    """What has happened, and to whom."""

    event: str = "session-revoked"
    subject: Members | None = None
    details: Members | None = None


class Logout(Notice):
    """Who has logged out."""

    expires_in: Seconds = 120.0


@router.post("/security-events", status_code=201)
async def security_event(issuer: State, wanted: Happening) -> dict[str, str]:
    """Make a Security Event Token; the server itself does nothing."""
    return {"token": issuer.security_event(**wanted.said())}


@router.post("/logout-tokens", status_code=201)
async def logout_token(issuer: State, wanted: Logout) -> dict[str, str]:
    """Make a token of OpenID Connect Back-Channel Logout; the server itself logs nobody out."""
    return {"token": issuer.logout_token(**wanted.said())}
