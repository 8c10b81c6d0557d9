"""What a person decides about what a client asks for, on a page or in a test.

References: RFC 6749 section 3.3, OpenID Connect Core 1.0 section 3.1.2.4
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from mock_as.clients import OPENID_SCOPES
from mock_as.errors import UsageError, unknown
from mock_as.issuer import Issuer
from mock_as.messages import Form
from mock_as.oauth.sessions import Session

AUTHORIZATION_ERRORS = (
    "access_denied",
    "account_selection_required",
    "consent_required",
    "interaction_required",
    "invalid_request",
    "invalid_scope",
    "invalid_target",
    "login_required",
    "server_error",
    "temporarily_unavailable",
    "unauthorized_client",
    "unmet_authentication_requirements",
    "unsupported_response_type",
)
"""What the authorization endpoint can be told to answer."""
DEVICE_ERRORS = ("access_denied", "expired_token", "invalid_grant", "server_error", "temporarily_unavailable")
"""What a device can be told."""
_CLAIMS_OF_THE_SERVER = frozenset({"iss", "sub", "aud", "exp", "iat", "nbf", "jti", "client_id", "scope", "cnf"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What was decided."""

    sub: str = ""
    scopes: tuple[str, ...] = ()
    claims: Mapping[str, Any] = field(default_factory=dict[str, Any])
    error: str | None = None
    """What the client is told in the place of a grant."""
    stays: bool = False
    """Whether the person was logged in before and has not done so again."""


def allow(issuer: Issuer, sub: str, asked: Iterable[str], chosen: Collection[str]) -> Decision:
    """Decide that a client gets what it asks for, as far as it was chosen and as the person may grant it.

    Args:
        issuer: whose users.
        sub: who decides; somebody who is not registered may grant everything.
        asked: the scopes that the client asks for.
        chosen: those of them that it shall get.

    Raises:
        UsageError: nobody is named, or somebody who may not log in.
    """
    if not sub:
        raise UsageError("sub", "say who logs in")
    user = issuer.users.get(sub)
    if user is not None and user.disabled:
        raise UsageError("sub", f"{sub} is disabled and cannot log in")
    may = None if user is None else {*user.scopes, *OPENID_SCOPES}
    scopes = tuple(scope for scope in asked if scope in chosen and (may is None or scope in may))
    return Decision(sub=sub, scopes=scopes)


def refuse(error: str, errors: Collection[str]) -> Decision:
    """Decide that a client gets an error.

    Args:
        error: its code.
        errors: those there are.

    Raises:
        UsageError: there is no such code.
    """
    if error not in errors:
        raise unknown("error", error, errors)
    return Decision(error=error)


def read_decision(
    issuer: Issuer, form: Form, asked: Iterable[str], session: Session, errors: Collection[str]
) -> Decision:
    """Read what a person decided on the login page.

    Args:
        issuer: whose users.
        form: what the page sent.
        asked: the scopes that the client asks for.
        session: of the browser.
        errors: what the client can be told.

    Raises:
        UsageError: it cannot be done so; the page says why.
    """
    decision = form.get("decision", "")
    if decision == "deny":
        return refuse("access_denied", errors)
    if decision == "error":
        return refuse(form.get("error", ""), errors)
    stays = decision == "stay" and session.sub is not None
    sub = (session.sub if stays else form.get("user") or form.get("sub", "").strip()) or ""
    allowed = allow(issuer, sub, asked, form.get_all("scope"))
    claims = read_claims(form.get("claims", ""))
    return Decision(sub=sub, scopes=allowed.scopes, claims=claims or (session.claims if stays else {}), stays=stays)


def read_claims(text: str) -> dict[str, Any]:
    """Read further claims that somebody typed.

    Args:
        text: a JSON object; nothing for none.

    Raises:
        UsageError: it is something else, or says what only the server can say.
    """
    if not text.strip():
        return {}
    try:
        claims = json.loads(text)
    except (ValueError, RecursionError):
        claims = None
    if not isinstance(claims, dict):
        raise UsageError("claims", 'the claims must be a JSON object such as {"tenant": "acme"}')
    return judge_claims(claims)


def judge_claims(claims: Mapping[str, Any]) -> dict[str, Any]:
    """Refuse further claims that say what only the server can say.

    Args:
        claims: the claims.

    Raises:
        UsageError: there is one of them.
    """
    taken = sorted(_CLAIMS_OF_THE_SERVER.intersection(claims))
    if taken:
        raise UsageError("claims", f"the server says {', '.join(taken)} itself")
    return dict(claims)
