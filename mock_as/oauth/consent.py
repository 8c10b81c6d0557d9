"""The page on which a person logs in and decides, for a browser that was redirected and for a device.

References: RFC 6749 section 10.12, RFC 8628 section 3.3
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import replace

from mock_as.granted import Granted
from mock_as.html import page
from mock_as.issuer import Issuer
from mock_as.messages import Answer, Form, Request
from mock_as.oauth import sessions
from mock_as.oauth.login import Decision
from mock_as.oauth.sessions import Approval, Session

_BAD_REQUEST = 400
_ID_BYTES = 16


def failure(reason: str, status: int = _BAD_REQUEST) -> Answer:
    """Tell the person what is wrong, because the client cannot be told.

    Args:
        reason: what is wrong.
        status: the HTTP status.
    """
    return page("error.html", status=status, reason=reason)


def login_page(
    issuer: Issuer, context: Mapping[str, object], typed: Form | None, *, form_action: tuple[str, ...] = ()
) -> Answer:
    """Show the page on which a person logs in and decides.

    Args:
        issuer: who asks.
        context: what the client asks for.
        typed: what the person has filled in already, if something was wrong with it.
        form_action: the origins that the answer to the form may lead to.
    """
    filled = {} if typed is None else {"sub": typed.get("sub", ""), "claims": typed.get("claims", "")}
    chosen = context["scopes"] if typed is None else typed.get_all("scope")
    client = issuer.clients.get(str(context["client_id"]))
    return page(
        "login.html",
        status=_BAD_REQUEST if context["alert"] else 200,
        form_action=form_action,
        **{
            "issuer": issuer.issuer,
            "description": "" if client is None else client.description,
            "users": list(issuer.users.values()),
            "remembered": sessions.remembered(issuer),
            "claims": "",
            "chosen": chosen,
            **context,
            **filled,
        },
    )


def guarded(issuer: Issuer, request: Request) -> tuple[Session, Form] | None:
    """Return the session and the form of a person who decided on a page of ours, or ``None`` if it was not of ours.

    Args:
        issuer: whose page.
        request: the form.
    """
    session, form = sessions.current(issuer, request), request.form or Form()
    if session is None or not hmac.compare_digest(session.guard.encode(), form.get("guard", "").encode()):
        return None
    return session, form


def settled(issuer: Issuer, session: Session, decision: Decision, client_id: str, scopes: tuple[str, ...]) -> Session:
    """Return the session as it is after a decision.

    Args:
        issuer: whose session.
        session: as it was before.
        decision: what was decided.
        client_id: about which client.
        scopes: what the client asked for.
    """
    if decision.error is not None:
        return session
    if not decision.stays:
        session = sessions.log_in(issuer, session, decision.sub, decision.claims)
    approval = Approval(asked=frozenset(scopes), granted=frozenset(decision.scopes))
    return sessions.keep(issuer, replace(session, approvals={**session.approvals, client_id: approval}))


def what_is_granted(issuer: Issuer, client_id: str, decision: Decision, session: Session | None) -> Granted:
    """Return the grant that a decision is.

    Args:
        issuer: who grants.
        client_id: to whom.
        decision: what was decided.
        session: in which session, if there is a browser.
    """
    user = issuer.users.get(decision.sub)
    return Granted(
        client_id=client_id,
        grant_type="",
        sub=decision.sub,
        scopes=decision.scopes,
        auth_time=int(issuer.clock.now()) if session is None else session.auth_time,
        sid=issuer.chance.text(_ID_BYTES) if session is None else session.sid,
        claims={**({} if user is None else user.told_to_all), **decision.claims},
    )
