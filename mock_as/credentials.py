"""Who a client says it is, before anybody has proven it.

References: RFC 6749 section 2.3.1
"""

from __future__ import annotations

import base64
import binascii
from urllib.parse import unquote_plus

from mock_as.jwts import JWTError, read
from mock_as.messages import Form, Request


def basic_credentials(request: Request) -> tuple[str, str] | None:
    """Read the credentials of HTTP Basic.

    The id and the secret are form-encoded before they are joined: a ``+`` stands for a space, which Authlib's own
    reader does not know.

    Args:
        request: the request.

    Returns:
        Id and secret, or ``None`` where there are none that can be read.

    References: RFC 6749 section 2.3.1, RFC 7617 section 2
    """
    scheme, _, encoded = (request.header("authorization") or "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        text = base64.b64decode(encoded.strip(), validate=True).decode()
        user, colon, password = text.partition(":")
        decoded = unquote_plus(user, errors="strict"), unquote_plus(password, errors="strict")
    except (binascii.Error, ValueError):
        return None
    return decoded if colon else None


def claimed_client_id(request: Request) -> str | None:
    """Return who the client says it is, proven or not."""
    credentials = basic_credentials(request)
    if credentials is not None:
        return credentials[0]
    form = request.form or Form()
    return form.get("client_id") or _subject(form.get("client_assertion"))


def _subject(assertion: str | None) -> str | None:
    """Return whom an assertion is about: RFC 7523 section 3."""
    if not assertion:
        return None
    try:
        subject = read(assertion).claims.get("sub")
    except JWTError:
        return None
    return subject if isinstance(subject, str) else None
