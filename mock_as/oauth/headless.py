"""Log in without a browser: what a person would do on the page, as one call.

References: RFC 6749 section 4.1
"""

from __future__ import annotations

from dataclasses import replace

from authlib.oauth2.rfc6749 import OAuth2Error

from mock_as.clients import Client
from mock_as.errors import UsageError, unknown
from mock_as.issuer import Issuer
from mock_as.logins import Login
from mock_as.messages import Form
from mock_as.oauth.authorization_request import AuthorizationRequest, find_way_back, judge
from mock_as.oauth.endpoints.authorize import as_parameters, find_pushed, outcome
from mock_as.oauth.login import AUTHORIZATION_ERRORS, Decision, allow, judge_claims, refuse
from mock_as.oauth.redirection import WayBack
from mock_as.tokens.drafts import as_scope


def log_in(issuer: Issuer, login: Login) -> str:
    """Ask for authorization as a client does, and decide as a person does.

    Args:
        issuer: who is asked.
        login: what is asked and decided.

    Returns:
        The URL that a browser would be sent to.

    Raises:
        UsageError: there is no such client, address or error, or the person may not log in.

    References: RFC 6749 sections 4.1.1 and 4.1.2
    """
    client = issuer.clients.get(login.client_id)
    if client is None:
        raise unknown("client_id", login.client_id, issuer.clients)
    form = _request(login, client)
    key, pushed, way = _find(issuer, form)
    try:
        asked = pushed or judge(client, way, form)
    except OAuth2Error as problem:
        return way.url(way.parameters(issuer.issuer, as_parameters(problem)))
    decided = replace(_decide(issuer, asked, login), claims=judge_claims(login.claims or {}))
    issuer.pending.pushed.pop(key)
    return way.url(way.parameters(issuer.issuer, outcome(issuer, asked, decided, None)))


def _request(login: Login, client: Client) -> Form:
    asked_for = {
        "response_type": "code",
        "client_id": login.client_id,
        "redirect_uri": login.redirect_uri or next(iter(client.redirect_uris), None),
        "scope": as_scope(login.scope) if login.scope is not None else None,
        "code_challenge": login.code_challenge,
        "code_challenge_method": "S256" if login.code_challenge is not None else None,
        **login.parameters,
    }
    return Form((name, value) for name, value in asked_for.items() if value is not None)


def _find(issuer: Issuer, form: Form) -> tuple[str, AuthorizationRequest | None, WayBack]:
    """Find the request that was pushed, if one was, and where the answer goes."""
    try:
        key, pushed = find_pushed(issuer, form)
        return key, pushed, pushed.way if pushed else find_way_back(issuer.clients, form)
    except OAuth2Error as problem:
        field = "request_uri" if "request_uri" in form else "redirect_uri"
        raise UsageError(field, str(problem.description)) from None


def _decide(issuer: Issuer, asked: AuthorizationRequest, login: Login) -> Decision:
    if login.error is not None:
        return refuse(login.error, AUTHORIZATION_ERRORS)
    if login.decision == "deny":
        return refuse("access_denied", AUTHORIZATION_ERRORS)
    chosen = asked.scopes if login.granted_scope is None else as_scope(login.granted_scope).split()
    return allow(issuer, login.sub, asked.scopes, chosen)
