"""Keep the pages of other sites away from the control plane, which asks for no credentials.

A page can send requests to whatever listens on its reader's machine, and after rebinding its own name to a loopback
address it can read the answers too. Both show: in ``Origin``, and in ``Host``.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address
from urllib.parse import urlsplit

from starlette.types import ASGIApp, Receive, Scope, Send

from mock_as.issuer import Issuer
from mock_as.messages import json_answer


class HomePagesOnly:
    """Refuse requests to the control plane that name a site which is not at home here.

    At home are addresses, names without a dot (``localhost``, a service in a container network) and the issuer's own. A
    page that sends something has to come from where it sends it to, from the issuer or from this machine: an address
    is no proof of being nearby.

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
    hosts = [_host(b"//" + value) for name, value in scope["headers"] if name == b"host"]
    pages = [_host(value) for name, value in scope["headers"] if name == b"origin"]
    ours = issuer.identity.hosts
    return all(_is_home(host) or host in ours for host in hosts) and all(
        page in hosts or page in ours or _is_this_machine(page) for page in pages
    )


def _host(place: bytes) -> str:
    """Return the host of a URL; nothing where there is none."""
    try:
        return urlsplit(place.decode("latin-1")).hostname or ""
    except ValueError:
        return ""


def _is_home(host: str) -> bool:
    return bool(host) and ("." not in host or _address(host) is not None)


def _is_this_machine(host: str) -> bool:
    address = _address(host)
    return host == "localhost" or (address is not None and address.is_loopback)


def _address(host: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(host)
    except ValueError:
        return None
