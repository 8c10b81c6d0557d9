"""What is decided about an issuer when it is made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from mock_as.errors import UsageError, unknown
from mock_as.profiles import named
from mock_as.tokens import FORMATS, TokenFormat

DEFAULT_AUDIENCE = "https://api.example.test"
IntrospectionOffer = Literal["json", "json+jwt"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How an issuer behaves where nothing more particular is said.

    Raises:
        UsageError: an option is not one that can be used.
    """

    audience: str | list[str] = DEFAULT_AUDIENCE
    """The audience of tokens that name no other."""
    token_format: TokenFormat = "jwt"  # noqa: S105 - no secret
    """The format of tokens, for clients and resources that say neither."""
    lifetime: int = 3600
    """How long access tokens live, in seconds."""
    seed: int | None = None
    """Makes every id, code and opaque token reproducible."""
    refuse_jwt_introspection: bool = False
    """Answer 400 ``unsupported_token_type`` for JWTs, as some real servers do."""
    introspection: IntrospectionOffer = "json"
    """What introspection answers to callers registered for JSON: ``json+jwt`` for a JWT where they ask for it."""
    jwks_max_age: int = 300
    """How long the keys may be cached, in seconds."""
    open_clients: bool = False
    """Let clients that are not registered authenticate with any secret."""
    rotate_refresh_tokens: bool = True
    """Replace a refresh token whenever it is used."""
    password_grant: bool = False
    """Offer the grant that RFC 9700 section 2.4 forbids."""
    profile: str = "strict"
    """Which real server's behaviour is put on."""

    def __post_init__(self) -> None:
        """Refuse what could never work."""
        if self.token_format not in FORMATS:
            raise unknown("token_format", self.token_format, FORMATS)
        if self.introspection not in get_args(IntrospectionOffer):
            raise unknown("introspection", self.introspection, get_args(IntrospectionOffer))
        named(self.profile)
        for name, least in (("lifetime", 1), ("jwks_max_age", 0)):
            if getattr(self, name) < least:
                raise UsageError(name, f"{getattr(self, name)} is less than {least}")
