"""Log in without a browser: what a person would do on the page, as one call.

References: RFC 6749 section 4.1
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from typing import Any, Literal

from authlib.oauth2.rfc6749 import OAuth2Error

from mock_as.errors import UsageError, unknown
from mock_as.issuer import Issuer
from mock_as.messages import Form
from mock_as.oauth.authorization_request import AuthorizationRequest, find_way_back, judge
from mock_as.oauth.endpoints.authorize import as_parameters, find_pushed, outcome
from mock_as.oauth.login import AUTHORIZATION_ERRORS, Decision, allow, judge_claims, refuse
from mock_as.oauth.redirection import WayBack
from mock_as.tokens.drafts import as_scope

Choice = Literal["allow", "deny"]
"""What a person decides."""
DECISIONS: tuple[Choice, ...] = ("allow", "deny")


def authorize(  # noqa: PLR0913 - each is something that a client asks for, or that a person decides
    issuer: Issuer,
    *,
    client_id: str,
    sub: str = "alice",
    scope: str | Iterable[str] | None = None,
    redirect_uri: str | None = None,
    decision: Choice = "allow",
    granted_scope: str | Iterable[str] | None = None,
    error: str | None = None,
    claims: Mapping[str, Any] | None = None,
    code_challenge: str | None = None,
    **parameters: str,
) -> str:
    """Ask for authorization as a client does, and decide as a person does.

    Args:
        issuer: who is asked.
        client_id: which client asks.
        sub: who decides; need not be registered.
        scope: what the client asks for; by default all that it may have, but for the scopes of OpenID Connect.
        redirect_uri: where the answer goes; by default the first address that the client is registered with.
        decision: ``allow`` or ``deny``.
        granted_scope: what of it is granted; by default all that the person may grant.
        error: the code of an error that the client gets in the place of a code.
        claims: what the tokens shall say beside.
        code_challenge: the challenge of PKCE, by S256.
        parameters: further parameters of the request, such as ``nonce``, ``state``, ``acr_values``, ``resource``;
            with a ``request_uri`` the request is the one that was pushed, and only the decision counts.

    Returns:
        The URL that a browser would be sent to.

    Raises:
        UsageError: there is no such client, address, decision or error, or the person may not log in.

    References: RFC 6749 sections 4.1.1 and 4.1.2
    """
    client = issuer.clients.get(client_id)
    if client is None:
        raise unknown("client_id", client_id, issuer.clients)
    asked_for = {
        "response_type": "code",
        "client_id": client_id,
        "redirect_uri": redirect_uri or next(iter(client.redirect_uris), None),
        "scope": as_scope(scope) if scope is not None else None,
        "code_challenge": code_challenge,
        "code_challenge_method": "S256" if code_challenge is not None else None,
        **parameters,
    }
    form = Form((name, value) for name, value in asked_for.items() if value is not None)
    key, pushed, way = _find(issuer, form)
    try:
        asked = pushed or judge(client, way, form)
    except OAuth2Error as problem:
        return way.url(way.parameters(issuer.issuer, as_parameters(problem)))
    chosen = asked.scopes if granted_scope is None else as_scope(granted_scope).split()
    decided = replace(_decide(issuer, asked, sub, decision, chosen, error), claims=judge_claims(claims or {}))
    issuer.pending.pushed.pop(key)
    return way.url(way.parameters(issuer.issuer, outcome(issuer, asked, decided, None)))


def _find(issuer: Issuer, form: Form) -> tuple[str, AuthorizationRequest | None, WayBack]:
    """Find the request that was pushed, if one was, and where the answer goes."""
    try:
        key, pushed = find_pushed(issuer, form)
        return key, pushed, pushed.way if pushed else find_way_back(issuer.clients, form)
    except OAuth2Error as problem:
        field = "request_uri" if "request_uri" in form else "redirect_uri"
        raise UsageError(field, str(problem.description)) from None


def _decide(  # noqa: PLR0913, PLR0917 - what authorize was told
    issuer: Issuer, asked: AuthorizationRequest, sub: str, decision: str, chosen: Collection[str], error: str | None
) -> Decision:
    if decision not in DECISIONS:
        raise unknown("decision", decision, DECISIONS)
    if error is not None:
        return refuse(error, AUTHORIZATION_ERRORS)
    if decision == "deny":
        return refuse("access_denied", AUTHORIZATION_ERRORS)
    return allow(issuer, sub, asked.scopes, chosen)
