"""Who may use the control plane: everybody, unless there is a token for it, or nobody.

References: RFC 6750 sections 2.1 and 3, RFC 7617 section 2
"""

from __future__ import annotations

import base64
import binascii
import hmac

from starlette.types import ASGIApp, Receive, Scope, Send

from mock_as.control.context import MOCK, PREFIX
from mock_as.control.problems import HINT, NOT_FOUND, problem

_HEALTH = f"{PREFIX}/health"
_UNAUTHORIZED = 401


class Guard:
    """Lets only those through who know the token of the control plane, where it has one.

    A browser sends it as the password of HTTP Basic, with any name.

    Args:
        app: what they get.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or answer 401 or 404."""
        own_path = scope["path"].removeprefix(scope.get("root_path", ""))
        mock = scope[MOCK]
        if own_path == _HEALTH or not own_path.startswith(PREFIX):
            await self._app(scope, receive, send)
        elif not mock.admin:
            refusal = problem(NOT_FOUND, "There is no control plane here.", hint=HINT, path=scope["path"])
            await refusal(scope, receive, send)
        elif mock.admin_token is not None and not _knows(scope, mock.admin_token):
            refusal = problem(_UNAUTHORIZED, "The control plane asks for its token.")
            refusal.headers.append("www-authenticate", 'Bearer realm="mock-as control plane"')
            refusal.headers.append("www-authenticate", 'Basic realm="mock-as control plane"')
            await refusal(scope, receive, send)
        else:
            await self._app(scope, receive, send)


def _knows(scope: Scope, token: str) -> bool:
    sent = [value for name, value in scope["headers"] if name == b"authorization"]
    # Exactly one, compared in a time that says nothing about the token.
    return len(sent) == 1 and hmac.compare_digest(_token_in(sent[0]), token.encode())


def _token_in(authorization: bytes) -> bytes:
    scheme, _, credentials = authorization.partition(b" ")
    if scheme.lower() == b"bearer":
        return credentials.strip()
    if scheme.lower() != b"basic":
        return b""
    try:
        return base64.b64decode(credentials.strip(), validate=True).partition(b":")[2]
    except binascii.Error:
        return b""
