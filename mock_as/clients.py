"""The clients that are registered, and those that come ready-made.

References: RFC 6749 section 2
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable
from dataclasses import dataclass, field

from mock_as.errors import UsageError, unknown
from mock_as.tokens import FORMATS, TokenFormat

DEFAULT_SCOPES = ("read", "write", "admin", "orders:read", "orders:write")
AUTH_METHODS = ("client_secret_basic", "client_secret_post")


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """A client as it is registered.

    The methods are those that Authlib asks of a client.
    """

    id: str
    secret: str = field(repr=False)
    auth_methods: tuple[str, ...] = ("client_secret_basic",)
    """How it may authenticate."""
    grants: tuple[str, ...] = ("client_credentials",)
    scopes: tuple[str, ...] = DEFAULT_SCOPES
    """What it may ask for, and what it gets if it asks for nothing in particular."""
    token_format: TokenFormat | None = None
    """The format of its tokens; by default the server's."""
    lifetime: int | None = None
    """How long its tokens live, in seconds; by default as long as the server says."""
    introspect: bool = False
    """Whether it may introspect; one that may not is told that every token is inactive."""
    audiences: tuple[str, ...] = ()
    """The audiences whose tokens it may introspect; empty for all."""

    def __post_init__(self) -> None:
        """Refuse what could never work."""
        if not self.id or not self.secret:
            raise UsageError("clients", "a client needs an id and a secret")
        for method in self.auth_methods:
            if method not in AUTH_METHODS:
                raise unknown("auth_methods", method, AUTH_METHODS)
        if self.token_format is not None and self.token_format not in FORMATS:
            raise unknown("token_format", self.token_format, FORMATS)

    def check_client_secret(self, secret: str) -> bool:
        """Tell whether a secret is this client's, in a time that says nothing about it."""
        return hmac.compare_digest(secret.encode(), self.secret.encode())

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:  # noqa: ARG002 - Authlib's signature
        """Tell whether the client is registered with an authentication method."""
        return method in self.auth_methods

    def check_grant_type(self, grant_type: str) -> bool:
        """Tell whether the client is registered for a grant."""
        return grant_type in self.grants

    def may_see(self, audience: object) -> bool:
        """Tell whether the client may know about the tokens of an audience.

        Args:
            audience: the ``aud`` of the token, in either of its shapes.
        """
        if not self.audiences:
            return self.introspect
        values = audience if isinstance(audience, list) else [audience]
        return self.introspect and not set(self.audiences).isdisjoint(map(str, values))


def _ready_made(client_id: str, **properties: object) -> Client:
    return Client(id=client_id, secret=f"{client_id}-secret", **properties)  # type: ignore[arg-type]


READY_MADE = (
    _ready_made("svc"),
    _ready_made("svc.post", auth_methods=("client_secret_post",)),
    _ready_made("svc.opaque", token_format="opaque"),  # noqa: S106 - no secret
    _ready_made("svc.readonly", scopes=("read", "orders:read")),
    _ready_made("svc.short", lifetime=2),
    _ready_made("rs", introspect=True, auth_methods=AUTH_METHODS),
    _ready_made("rs.denied", auth_methods=AUTH_METHODS),
)


def registry(extra: Iterable[Client]) -> dict[str, Client]:
    """Return the registered clients by their ids.

    Args:
        extra: clients beside the ready-made ones; one of the same id takes its place.
    """
    return {client.id: client for client in (*READY_MADE, *extra)}
