"""The authorization endpoint: what a client asks for, the page that asks a person, and the way back.

References: RFC 6749 section 4.1, RFC 9126 section 4, RFC 9207, OpenID Connect Core 1.0 section 3.1.2,
OAuth 2.0 Form Post Response Mode
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from authlib.oauth2.rfc6749 import OAuth2Error

from mock_as.errors import UsageError
from mock_as.html import page
from mock_as.issuer import Issuer
from mock_as.messages import NO_STORE, Answer, Form, Request
from mock_as.oauth import sessions
from mock_as.oauth.authorization_request import REQUEST_URI, AuthorizationRequest, find_way_back, judge
from mock_as.oauth.consent import failure, guarded, login_page, settled, what_is_granted
from mock_as.oauth.grants.authorization_code import make_code
from mock_as.oauth.login import AUTHORIZATION_ERRORS, Decision, read_decision
from mock_as.oauth.redirection import WayBack
from mock_as.oauth.sessions import Session

READING_TIME = 600
"""How long a person may look at the page, in seconds."""
_BYTES = 32
_SEE_OTHER = 303


def answer(issuer: Issuer, request: Request) -> Answer:
    """Answer a browser: with the page, or with the way back to the client.

    Args:
        issuer: whose endpoint.
        request: an authorization request, or what a person decided about one.
    """
    if request.method != "POST":
        return _ask(issuer, request, request.query)
    if request.form is None:
        return failure("The parameters must be sent as application/x-www-form-urlencoded, in UTF-8.")
    return _decided(issuer, request) if "guard" in request.form else _ask(issuer, request, request.form)


# ---------------------------------------------------------------------------------------------------------- the request


def _ask(issuer: Issuer, request: Request, parameters: Form) -> Answer:
    try:
        key, pushed = find_pushed(issuer, parameters)
        way = pushed.way if pushed else find_way_back(issuer.clients, parameters)
    except OAuth2Error as error:
        return failure(str(error.description))
    try:
        asked = pushed or judge(issuer.clients[parameters["client_id"]], way, parameters)
        session = sessions.current(issuer, request)
        if "none" in asked.prompts:
            issuer.pending.pushed.pop(key)
            return send_back(issuer, way, _without_asking(issuer, asked, session))
    except OAuth2Error as error:
        return send_back(issuer, way, as_parameters(error))
    issuer.pending.pushed.put(key, asked, READING_TIME)
    return _Visit(issuer=issuer, key=key, asked=asked, session=session or sessions.begin(issuer)).page()


def find_pushed(issuer: Issuer, parameters: Form) -> tuple[str, AuthorizationRequest | None]:
    """Find the request that was pushed before, or else make a key for this one.

    Args:
        issuer: whose endpoint.
        parameters: what the browser brings.

    Raises:
        OAuth2Error: there is no such request any more, or it is another client's.

    References: RFC 9126 section 4
    """
    reference = parameters.get("request_uri")
    if not reference:
        return issuer.chance.text(_BYTES), None
    key = reference.removeprefix(REQUEST_URI)
    asked: AuthorizationRequest | None = issuer.pending.pushed.get(key) if key != reference else None
    if asked is None or asked.client_id != parameters.get("client_id"):
        raise OAuth2Error("The request_uri is unknown, has expired, or is another client's.")
    return key, asked


def as_parameters(error: OAuth2Error) -> dict[str, str]:
    """Return what a client gets for an error.

    Args:
        error: the error.

    References: RFC 6749 section 4.1.2.1
    """
    described = {} if not error.description else {"error_description": str(error.description)}
    return {"error": str(error.error), **described}


def _without_asking(issuer: Issuer, asked: AuthorizationRequest, session: Session | None) -> dict[str, str]:
    """Grant what was granted before, or say why the person would have to be asked.

    References: OpenID Connect Core 1.0 sections 3.1.2.1 and 3.1.2.6
    """
    if session is None or not session.is_fresh(issuer.clock.now(), asked.max_age):
        raise OAuth2Error("Nobody is logged in, or not lately enough.", error="login_required")
    if asked.login_hint not in {None, session.sub}:
        raise OAuth2Error("Somebody else is logged in.", error="login_required")
    before = session.approvals.get(asked.client_id)
    if before is None or not set(asked.scopes) <= before.asked:
        raise OAuth2Error("The person has not been asked for all of this.", error="consent_required")
    scopes = tuple(scope for scope in asked.scopes if scope in before.granted)
    decision = Decision(sub=str(session.sub), scopes=scopes, claims=session.claims, stays=True)
    return outcome(issuer, asked, decision, session)


# ------------------------------------------------------------------------------------------------------------- the page


@dataclass(frozen=True, slots=True, kw_only=True)
class _Visit:
    """A browser that looks at the page about a request."""

    issuer: Issuer
    key: str
    """Under which the request is kept meanwhile."""
    asked: AuthorizationRequest
    session: Session

    @property
    def may_stay(self) -> bool:
        """Whether who is logged in need not log in again."""
        fresh = self.session.is_fresh(self.issuer.clock.now(), self.asked.max_age)
        return fresh and "login" not in self.asked.prompts

    def page(self, alert: str = "", typed: Form | None = None) -> Answer:
        """Show the page.

        Args:
            alert: what was wrong with what the person has done.
            typed: what the person has filled in already.
        """
        asked, session = self.asked, self.session
        context = {
            "action": urlsplit(self.issuer.url.authorization).path,
            "hidden": {"request": self.key, "guard": session.guard},
            "client_id": asked.client_id,
            "scopes": asked.scopes,
            "resources": asked.resources,
            "authorization_details": asked.authorization_details,
            "errors": AUTHORIZATION_ERRORS,
            "user_code": None,
            "stay_as": session.sub if self.may_stay else None,
            "sub": asked.login_hint or "",
            "alert": alert,
        }
        answer = login_page(self.issuer, context, typed, form_action=(asked.way.origin,))
        return sessions.with_cookie(self.issuer, answer, session)


# --------------------------------------------------------------------------------------------------------- the decision


def _decided(issuer: Issuer, request: Request) -> Answer:
    known = guarded(issuer, request)
    if known is None:
        return failure("The page was of another session. Go back to where you came from, and begin anew.")
    session, form = known
    key = form.get("request", "")
    asked: AuthorizationRequest | None = issuer.pending.pushed.get(key)
    if asked is None:
        return failure("The request has been decided, or has expired. Go back to where you came from, and begin anew.")
    visit = _Visit(issuer=issuer, key=key, asked=asked, session=session)
    try:
        decision = read_decision(issuer, form, asked.scopes, session, AUTHORIZATION_ERRORS)
    except UsageError as error:
        return visit.page(error.message, form)
    if decision.stays and not visit.may_stay:
        return visit.page("log in again: the application asks for it", form)
    issuer.pending.pushed.pop(key)
    session = settled(issuer, session, decision, asked.client_id, asked.scopes)
    return sessions.with_cookie(
        issuer, send_back(issuer, asked.way, outcome(issuer, asked, decision, session)), session
    )


def outcome(issuer: Issuer, asked: AuthorizationRequest, decision: Decision, session: Session | None) -> dict[str, str]:
    """Return what the client gets for a decision: a code, or an error.

    Args:
        issuer: who answers.
        asked: what the client asked for.
        decision: what was decided.
        session: in which session, if there is a browser.
    """
    if decision.error is not None:
        return {"error": decision.error, "error_description": "That was decided on the login page."}
    granted = replace(
        what_is_granted(issuer, asked.client_id, decision, session),
        grant_type="authorization_code",
        resources=asked.resources,
        authorization_details=asked.authorization_details,
        nonce=asked.nonce,
        acr=asked.acr,
    )
    code = make_code(
        issuer,
        granted,
        redirect_uri=asked.way.redirect_uri if asked.names_redirect_uri else None,
        code_challenge=asked.code_challenge,
        dpop_jkt=asked.dpop_jkt,
    )
    return {"code": code}


# --------------------------------------------------------------------------------------------------------- the way back


def send_back(issuer: Issuer, way: WayBack, result: Mapping[str, str]) -> Answer:
    """Send the browser back to the client.

    Args:
        issuer: who answers.
        way: where to, and how.
        result: a code, or an error.
    """
    parameters = way.parameters(issuer.issuer, result)
    if way.response_mode == "form_post":
        return page(
            "form_post.html", form_action=(way.origin,), action=way.redirect_uri, parameters=parameters
        ).with_headers(NO_STORE)
    # Not 302, after which some clients repeat the POST with its form: RFC 9700 section 4.12.
    return Answer(_SEE_OTHER, (), b"").with_headers({"location": way.url(parameters), **NO_STORE})
