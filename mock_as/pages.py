"""Keep the pages of other sites away from the control plane, which asks for no credentials.

A page can send requests to whatever listens on its reader's machine, and after rebinding its own name to a loopback
address it can read the answers too. Both show: in ``Origin``, and in ``Host``.
"""

from __future__ import annotations

from ipaddress import ip_address
from urllib.parse import urlsplit

from starlette.types import ASGIApp, Receive, Scope, Send

from mock_as.identity import Identity
from mock_as.issuer import Issuer
from mock_as.messages import json_answer


class HomePagesOnly:
    """Refuse requests to the control plane that name a site which is not at home here.

    At home are addresses, names without a dot (``localhost``, a service in a container network) and the issuer's own.

    Args:
        app: what gets the others; the scope says whose they are.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or answer 403."""
        if scope["type"] == "http" and not _is_at_home(scope):
            detail = "The control plane is not for pages of other sites."
            document = {"title": "Forbidden", "status": 403, "detail": detail}
            answer = json_answer(document, 403, {"content-type": "application/problem+json"})
            fields = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in answer.headers]
            await send({"type": "http.response.start", "status": answer.status, "headers": fields})
            await send({"type": "http.response.body", "body": answer.body})
            return
        await self._app(scope, receive, send)


def _is_at_home(scope: Scope) -> bool:
    issuer: Issuer = scope["mock_as.issuer"]
    places = {b"host": b"//", b"origin": b""}
    named = [places[name] + value for name, value in scope["headers"] if name in places]
    return all(_is_home(place.decode("latin-1"), issuer.identity) for place in named)


def _is_home(place: str, identity: Identity) -> bool:
    try:
        host = urlsplit(place).hostname
    except ValueError:
        return False
    if not host:
        return False
    return "." not in host or host in identity.hosts or _is_address(host)


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
