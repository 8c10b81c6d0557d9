"""Make security events and logout tokens by hand, right ones and wrong ones, without the code that will judge them.

References: RFC 8417 section 2, OpenID Connect Back-Channel Logout 1.0 section 2.4
"""

from __future__ import annotations

from typing import Any

from tests.support.jwt import AUDIENCE, ISSUER, NOW, REMOVED, SigningKey, sign, signing_key

CAEP = "https://schemas.openid.net/secevent/caep/event-type/"
RISC = "https://schemas.openid.net/secevent/risc/event-type/"
LOGOUT = "http://schemas.openid.net/event/backchannel-logout"
SESSION_REVOKED = f"{CAEP}session-revoked"
ALICE = {"format": "iss_sub", "iss": ISSUER, "sub": "alice"}


def event_claims(now: float = NOW, /, **changes: Any) -> dict[str, Any]:
    """Write the claims of a good Security Event Token: all sessions of alice's are revoked."""
    good = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "jti": "event-1",
        "iat": int(now),
        "sub_id": ALICE,
        "events": {SESSION_REVOKED: {}},
    }
    return {name: value for name, value in (good | changes).items() if value is not REMOVED}


def logout_claims(now: float = NOW, /, **changes: Any) -> dict[str, Any]:
    """Write the claims of a good logout token: alice's session ``session-1`` has ended."""
    good = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "jti": "logout-1",
        "iat": int(now),
        "exp": int(now) + 120,
        "sub": "alice",
        "sid": "session-1",
        "events": {LOGOUT: {}},
    }
    return {name: value for name, value in (good | changes).items() if value is not REMOVED}


def security_event(
    now: float = NOW, /, *, typ: Any = "secevent+jwt", key: SigningKey | None = None, **changes: Any
) -> str:
    """Make a Security Event Token, changed as asked; signed with the session's ES256 key unless another is given."""
    return _signed(typ, event_claims(now, **changes), key)


def logout_token(now: float = NOW, /, *, typ: Any = "logout+jwt", key: SigningKey | None = None, **changes: Any) -> str:
    """Make a logout token, as above."""
    return _signed(typ, logout_claims(now, **changes), key)


def _signed(typ: Any, claims: dict[str, Any], key: SigningKey | None) -> str:
    signer = key or signing_key("ES256")
    head = {"typ": typ, "alg": signer.algorithm, "kid": signer.kid}
    return sign({name: value for name, value in head.items() if value is not REMOVED}, claims, signer)
