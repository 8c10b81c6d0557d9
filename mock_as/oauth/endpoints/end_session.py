"""Logging out, at the wish of a client or of the person.

References: OpenID Connect RP-Initiated Logout 1.0
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from authlib.oauth2.rfc6749 import InvalidRequestError

from mock_as.html import page
from mock_as.issuer import Issuer
from mock_as.messages import NO_STORE, Answer, Form, Request
from mock_as.oauth import sessions
from mock_as.oauth.consent import failure, guarded
from mock_as.oauth.redirection import WayBack, is_registered
from mock_as.oauth.sessions import Session

_SEE_OTHER = 303
_TYPES = (None, "JWT")
_REPEATED = ("client_id", "post_logout_redirect_uri", "state", "logout_hint")


def answer(issuer: Issuer, request: Request) -> Answer:
    """Answer a browser: ask the person, log out, and send it on.

    Args:
        issuer: whose session.
        request: what the browser sent.
    """
    parameters = request.form if request.method == "POST" else request.query
    if parameters is None:
        return failure("The parameters must be sent as application/x-www-form-urlencoded, in UTF-8.")
    try:
        hint = _read_hint(issuer, parameters.get("id_token_hint"))
        way = _way_on(issuer, parameters, hint)
    except InvalidRequestError as error:
        return failure(str(error.description))
    session = sessions.current(issuer, request)
    if session is None or session.sub is None:
        return _gone(way)
    if _is_meant(session, hint) or (request.method == "POST" and guarded(issuer, request) is not None):
        sessions.end(issuer, session)
        return sessions.with_cookie(issuer, _gone(way), None)
    return _ask(issuer, parameters, session, way)


def _is_meant(session: Session, hint: Mapping[str, Any]) -> bool:
    """Tell whether a client knows whom it logs out, so that nobody has to be asked."""
    return bool(hint) and (hint.get("sid") == session.sid if "sid" in hint else hint.get("sub") == session.sub)


def _read_hint(issuer: Issuer, token: str | None) -> dict[str, Any]:
    """Read an ID token of this issuer, which may have expired.

    References: OpenID Connect RP-Initiated Logout 1.0 section 2
    """
    if not token:
        return {}
    from joserfc import jwt  # noqa: PLC0415 - few log out
    from joserfc.errors import JoseError  # noqa: PLC0415 - see above
    from joserfc.jwk import KeySet  # noqa: PLC0415 - see above

    document: Any = issuer.keys.jwks()
    algorithms = sorted({key["alg"] for key in document["keys"] if "alg" in key})
    try:
        decoded = jwt.decode(token, KeySet.import_key_set(document), algorithms=algorithms)
    except (JoseError, ValueError):
        decoded = None
    # An access token says who it is from as well, and more people get to see it.
    claims = decoded.claims if decoded is not None and decoded.header.get("typ") in _TYPES else {}
    if claims.get("iss") != issuer.issuer:
        raise InvalidRequestError("The id_token_hint is not an ID token of this issuer.")
    return claims


def _way_on(issuer: Issuer, parameters: Form, hint: Mapping[str, Any]) -> WayBack | None:
    """Find out where the browser goes afterwards, if a client that is known wants it to go somewhere.

    References: OpenID Connect RP-Initiated Logout 1.0 sections 2 and 3
    """
    named, audience = parameters.get("client_id") or None, hint.get("aud")
    if named is not None and audience is not None and named != audience:
        raise InvalidRequestError("The id_token_hint is another client's.")
    uri = parameters.get("post_logout_redirect_uri")
    if not uri:
        return None
    client = issuer.clients.get(str(named or audience or ""))
    if client is None or not is_registered(uri, client.post_logout_redirect_uris):
        raise InvalidRequestError("The post_logout_redirect_uri is not one that the client is registered with.")
    return WayBack(redirect_uri=uri, response_mode="query", state=parameters.get("state") or None)


def _ask(issuer: Issuer, parameters: Form, session: Session, way: WayBack | None) -> Answer:
    kept = {name: parameters[name] for name in _REPEATED if name in parameters}
    return page(
        "end_session.html",
        form_action=() if way is None else (way.origin,),
        action=urlsplit(issuer.url.end_session).path,
        hidden={**kept, "guard": session.guard},
        issuer=issuer.issuer,
        sub=session.sub,
    )


def _gone(way: WayBack | None) -> Answer:
    if way is None:
        return page("signed_out.html")
    url = way.url({} if way.state is None else {"state": way.state})
    return Answer(_SEE_OTHER, (), b"").with_headers({"location": url, **NO_STORE})
