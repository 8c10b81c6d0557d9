"""Which path of an issuer is which endpoint.

The paths are what comes after the issuer's own; one that ends in a slash is for everything under it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from mock_as.messages import Answer, Request
from mock_as.oauth.authorization_server import HonestServer
from mock_as.oauth.endpoints import authorize, device, end_session, jwks, metadata, par, register, userinfo
from mock_as.oauth.endpoints.identified import with_client

WELL_KNOWN = ("/.well-known/oauth-authorization-server", "/.well-known/openid-configuration")
"""Where the metadata are: RFC 8414 section 3, OpenID Connect Discovery section 4."""

_READ, _WRITE = ("GET", "HEAD"), ("POST",)
_PAGE = (*_READ, *_WRITE)


class Route(NamedTuple):
    """An endpoint, as it is reached."""

    name: str
    """What it is called in faults and in the journal."""
    methods: tuple[str, ...]
    """The HTTP methods that it takes."""
    answer: Callable[[HonestServer, Request], Answer]
    """Works out the honest answer."""


_DISCOVERY = Route("discovery", _READ, metadata.answer)

ROUTES: dict[str, Route] = {
    **dict.fromkeys(WELL_KNOWN, _DISCOVERY),
    "/jwks": Route("jwks", _READ, lambda server, request: jwks.answer(server.issuer, request)),
    "/token": Route("token", _WRITE, HonestServer.token),
    "/introspect": Route("introspect", _WRITE, HonestServer.introspect),
    "/revoke": Route("revoke", _WRITE, HonestServer.revoke),
    "/authorize": Route("authorize", _PAGE, lambda server, request: authorize.answer(server.issuer, request)),
    "/par": Route("par", _WRITE, lambda server, request: with_client(server, request, "par", par.push)),
    "/device_authorization": Route(
        "device", _WRITE, lambda server, request: with_client(server, request, "device_authorization", device.begin)
    ),
    "/device": Route("device", _PAGE, lambda server, request: device.answer(server.issuer, request)),
    "/userinfo": Route("userinfo", _PAGE, lambda server, request: userinfo.answer(server.issuer, request)),
    "/register": Route("register", _WRITE, register.register),
    "/register/": Route("register", ("GET", "PUT", "DELETE"), register.manage),
    "/end_session": Route("end_session", _PAGE, lambda server, request: end_session.answer(server.issuer, request)),
}


def find_route(path: str) -> Route | None:
    """Return the endpoint of a path, if it is one.

    Args:
        path: what comes after the issuer's own path.
    """
    return ROUTES.get(path) or ROUTES.get(f"{path.rpartition('/')[0]}/")
