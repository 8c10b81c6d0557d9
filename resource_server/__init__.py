"""An OAuth 2.0 resource server: accept access tokens in a microservice, and refuse the rest correctly.

Start with :class:`ResourceServer` and, for FastAPI, :mod:`resource_server.fastapi`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from resource_server._options.authorization_server import AuthorizationServer
from resource_server._protocol.challenge import Challenge, parse_challenges
from resource_server._protocol.messages import RequestParts
from resource_server._validation.state import Clock
from resource_server.blocking import BlockingResourceServer
from resource_server.errors import (
    BearerTokenError,
    ConfigurationError,
    InsufficientScope,
    InsufficientUserAuthentication,
    InvalidDPoPProof,
    InvalidRequest,
    InvalidToken,
    MissingToken,
    ResourceServerError,
    SecurityEventRefused,
    TokenExchangeRefused,
    TokenExchangeUnavailable,
    TooManyTokens,
    UseDPoPNonce,
    VerificationUnavailable,
)
from resource_server.events import Event, LoggingObserver, Observer
from resource_server.health import Check, Health
from resource_server.lease import Lease
from resource_server.principal import Assurance, Principal
from resource_server.requirements import ANY_TOKEN, Detail, Requirement, Scopes, all_of, any_of, authorize, detail
from resource_server.server import ResourceServer

if TYPE_CHECKING:
    from resource_server.settings import Settings

    __version__: str

__all__ = [
    "ANY_TOKEN",
    "Assurance",
    "AuthorizationServer",
    "BearerTokenError",
    "BlockingResourceServer",
    "Challenge",
    "Check",
    "Clock",
    "ConfigurationError",
    "Detail",
    "Event",
    "Health",
    "InsufficientScope",
    "InsufficientUserAuthentication",
    "InvalidDPoPProof",
    "InvalidRequest",
    "InvalidToken",
    "Lease",
    "LoggingObserver",
    "MissingToken",
    "Observer",
    "Principal",
    "RequestParts",
    "Requirement",
    "ResourceServer",
    "ResourceServerError",
    "Scopes",
    "SecurityEventRefused",
    "Settings",
    "TokenExchangeRefused",
    "TokenExchangeUnavailable",
    "TooManyTokens",
    "UseDPoPNonce",
    "VerificationUnavailable",
    "all_of",
    "any_of",
    "authorize",
    "detail",
    "parse_challenges",
]


def __getattr__(name: str) -> Any:  # noqa: ANN401 - the signature the language prescribes
    """Load what is heavy or rarely needed at its first use: pydantic, and the package's own metadata."""
    if name == "Settings":
        from resource_server.settings import Settings  # noqa: PLC0415 - see above

        return Settings
    if name == "__version__":
        from importlib.metadata import version  # noqa: PLC0415 - see above

        return version("resource-server")
    message = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(message)
