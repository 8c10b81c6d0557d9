"""Keep the pages of other sites away from the control plane, which asks for no credentials.

A page can send requests to whatever listens on its reader's machine, and after rebinding its own name to a loopback
address it can read the answers too. Both show: in ``Origin``, and in ``Host``.
"""

from __future__ import annotations

from ipaddress import ip_address
from urllib.parse import urlsplit

from starlette.types import ASGIApp, Receive, Scope, Send

from mock_as.identity import Identity
from mock_as.messages import json_answer

_CONTROL = "/_mock"


class HomePagesOnly:
    """Refuse requests to the control plane that name a site which is not at home here.

    At home are addresses, names without a dot (``localhost``, a service in a container network) and the issuer's own.

    Args:
        app: what gets the others.
        identity: who the issuer is.
    """

    def __init__(self, app: ASGIApp, identity: Identity) -> None:
        self._app = app
        self._identity = identity

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or answer 403."""
        if scope["type"] == "http" and scope["path"].startswith(_CONTROL) and not self._is_at_home(scope):
            detail = "The control plane is not for pages of other sites."
            document = {"title": "Forbidden", "status": 403, "detail": detail}
            answer = json_answer(document, 403, {"content-type": "application/problem+json"})
            fields = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in answer.headers]
            await send({"type": "http.response.start", "status": answer.status, "headers": fields})
            await send({"type": "http.response.body", "body": answer.body})
            return
        await self._app(scope, receive, send)

    def _is_at_home(self, scope: Scope) -> bool:
        places = {b"host": b"//", b"origin": b""}
        named = [places[name] + value for name, value in scope["headers"] if name in places]
        return all(self._is_home(place.decode("latin-1")) for place in named)

    def _is_home(self, place: str) -> bool:
        try:
            host = urlsplit(place).hostname
        except ValueError:
            return False
        if not host:
            return False
        return "." not in host or host == self._identity.host or _is_address(host)


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
