"""The device authorization endpoint, and the page on which a person enters the code of a device.

References: RFC 8628 sections 3.1 to 3.3
"""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import urlsplit

from authlib.oauth2.rfc6749 import UnauthorizedClientError

from mock_as.clients import DEVICE_CODE, Client
from mock_as.errors import UsageError
from mock_as.html import page
from mock_as.issuer import Issuer
from mock_as.messages import Answer, Form, Request, json_answer
from mock_as.oauth import sessions
from mock_as.oauth.authorization_request import requested_details, requested_resources, requested_scopes
from mock_as.oauth.consent import failure, guarded, login_page, settled, what_is_granted
from mock_as.oauth.grants.device_code import DEVICE_LIFETIME, INTERVAL, Device, find_device, keep_device, make_device
from mock_as.oauth.login import DEVICE_ERRORS, read_decision
from mock_as.oauth.redirection import with_query
from mock_as.oauth.sessions import Session

_NOT_FOUND = 404


def begin(issuer: Issuer, client: Client, form: Form) -> Answer:
    """Answer a device that wants a person to be asked.

    Args:
        issuer: whose endpoint.
        client: whose device it is.
        form: what it asks for.

    Raises:
        OAuth2Error: the client may not ask for that.

    References: RFC 8628 section 3.2
    """
    if not client.check_grant_type(DEVICE_CODE):
        raise UnauthorizedClientError("The client is not registered for the grant device_code.")
    device = make_device(
        issuer,
        client_id=client.id,
        scopes=requested_scopes(client, form.get("scope")),
        resources=requested_resources(form),
        authorization_details=requested_details(form.get("authorization_details")),
    )
    url = issuer.url.device
    return json_answer(
        {
            "device_code": device.code,
            "user_code": device.user_code,
            "verification_uri": url,
            "verification_uri_complete": with_query(url, {"user_code": device.user_code}),
            "expires_in": DEVICE_LIFETIME,
            "interval": INTERVAL,
        }
    )


def answer(issuer: Issuer, request: Request) -> Answer:
    """Answer a browser: ask for the code, then for the person, then be done.

    Args:
        issuer: whose page.
        request: what the browser sent.
    """
    if request.method == "POST":
        return _decided(issuer, request)
    user_code = request.query.get("user_code", "")
    if not user_code:
        return _code_page(issuer)
    device = find_device(issuer, user_code)
    if device is None:
        return _code_page(issuer, user_code, "This code is unknown, has expired, or has been used.")
    return _login_page(issuer, device, sessions.current(issuer, request) or sessions.begin(issuer))


def _code_page(issuer: Issuer, user_code: str = "", alert: str = "") -> Answer:
    action = urlsplit(issuer.url.device).path
    return page("device.html", status=_NOT_FOUND if alert else 200, action=action, user_code=user_code, alert=alert)


def _login_page(
    issuer: Issuer, device: Device, session: Session, *, alert: str = "", typed: Form | None = None
) -> Answer:
    context = {
        "action": urlsplit(issuer.url.device).path,
        "hidden": {"code": device.user_code, "guard": session.guard},
        "client_id": device.client_id,
        "scopes": device.scopes,
        "resources": device.resources,
        "authorization_details": device.authorization_details,
        "errors": DEVICE_ERRORS,
        "user_code": device.user_code,
        "stay_as": session.sub,
        "sub": "",
        "alert": alert,
    }
    return sessions.with_cookie(issuer, login_page(issuer, context, typed), session)


def _decided(issuer: Issuer, request: Request) -> Answer:
    known = guarded(issuer, request)
    if known is None:
        return failure("The page was of another session. Enter the code of your device again.")
    session, form = known
    device = find_device(issuer, form.get("code", ""))
    if device is None:
        return failure("The request has been decided, or has expired. Begin anew on your device.")
    try:
        decision = read_decision(issuer, form, device.scopes, session, DEVICE_ERRORS)
    except UsageError as error:
        return _login_page(issuer, device, session, alert=error.message, typed=form)
    session = settled(issuer, session, decision, device.client_id, device.scopes)
    if decision.error is not None:
        keep_device(issuer, replace(device, error=decision.error))
        return _done(issuer, session, "The device gets no access.")
    granted = replace(
        what_is_granted(issuer, device.client_id, decision, session),
        grant_type=DEVICE_CODE,
        resources=device.resources,
        authorization_details=device.authorization_details,
    )
    keep_device(issuer, replace(device, granted=granted))
    return _done(issuer, session, "The device gets access.")


def _done(issuer: Issuer, session: Session, outcome: str) -> Answer:
    return sessions.with_cookie(issuer, page("device_done.html", outcome=outcome), session)
