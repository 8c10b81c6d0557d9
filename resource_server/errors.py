"""The exceptions a caller of this package can meet.

::

    ResourceServerError
      BearerTokenError                 a refusal with a challenge: .error .status .error_description .scope .reason
        MissingToken                   401, no error code: the request carried no access token
        InvalidRequest                 400, the request is malformed or carries more than one token
        InvalidToken                   401, the token is inactive, expired, malformed or cannot be verified
        InvalidDPoPProof               401, the proof that the token's key is at hand is missing or wrong
        UseDPoPNonce                   401, the same with a nonce, which comes along
        InsufficientUserAuthentication 401, the user must authenticate better or anew: .acr_values .max_age
        InsufficientScope              403, the token is good and grants too little
      VerificationUnavailable          503 + Retry-After, where an outage is configured to be answered so
        TooManyTokens                  429 + Retry-After, where one client has too many unknown tokens looked up
        TokenExchangeUnavailable       503 + Retry-After: there is no token for another service at the moment
      TokenExchangeRefused             the authorization server gives no token for another service: .error
      SecurityEventRefused             400: what was sent as a security event or a logout token is not accepted
      ConfigurationError(ValueError)   at construction only (and where an application was never installed)

``error_description`` is constant per class: what went wrong with one token is told to the log (``reason``), not to
whoever sent it. What both are told is the ``correlation_id``, by which a complaint finds its line. The wire form of
all of them is made in one place, ``_protocol/problem.py``.

References: RFC 6750 section 3.1, https://www.rfc-editor.org/rfc/rfc6750#section-3.1
"""

from __future__ import annotations

from typing import ClassVar, Literal
from uuid import uuid4

Reason = Literal[
    "algorithm_not_allowed",
    "bad_signature",
    "binding_mismatch",
    "expired",
    "inactive",
    "insufficient_details",
    "malformed",
    "not_bound",
    "not_encrypted",
    "not_yet_valid",
    "proof_invalid",
    "proof_mismatch",
    "proof_missing",
    "proof_nonce",
    "proof_replayed",
    "proof_stale",
    "rate_limited",
    "revoked",
    "too_long",
    "too_many_proofs",
    "unavailable",
    "unknown_key",
    "wrong_audience",
    "wrong_issuer",
    "wrong_type",
]
"""Why a token was refused; for logs and events, and for clients only in verbose mode."""

Scheme = Literal["Bearer", "DPoP"]
"""An authentication scheme, as it is written in a challenge."""

EventRefusal = Literal["authentication_failed", "invalid_audience", "invalid_issuer", "invalid_key", "invalid_request"]
"""Why a Security Event Token was refused, in the words of RFC 8935 section 2.4."""
_EVENT_REFUSALS: dict[EventRefusal, str] = {
    "authentication_failed": "The signature is not the issuer's",
    "invalid_audience": "The token is not meant for this recipient",
    "invalid_issuer": "The issuer is not the one this recipient trusts",
    "invalid_key": "The key or the algorithm of the signature is not acceptable",
    "invalid_request": "The token is malformed, expired or of the wrong type",
}

TokenError = Literal[
    "invalid_client",
    "invalid_grant",
    "invalid_request",
    "invalid_scope",
    "invalid_target",
    "unauthorized_client",
    "unsupported_grant_type",
    "unsupported_token",
]
"""Why the token endpoint gives no token that can be used: the codes of RFC 6749 section 5.2 and RFC 8693 section 2.2.2,
and ``unsupported_token`` for one that there is no use for."""


class ResourceServerError(Exception):
    """Root of everything this package raises."""


class ConfigurationError(ResourceServerError, ValueError):
    """Say which option is wrong and what value it had; raised before the first request is served."""


class BearerTokenError(ResourceServerError):
    """A refusal that is answered with a ``WWW-Authenticate`` challenge.

    Args:
        reason: what happened, one of :data:`Reason`; for logs and events only.
        scope: the scope tokens the route needs, in the order they are to be printed.
    """

    status: ClassVar[int]
    error: ClassVar[str | None]
    error_description: ClassVar[str | None]
    reason: Reason | None
    scope: tuple[str, ...]
    schemes: tuple[Scheme, ...] = ("Bearer",)
    """The authentication schemes that are challenged for; the one that carries the error comes first."""
    correlation_id: str
    """A random UUID, made with the exception: in the event, and in the problem details as ``instance``."""

    def __init__(self, reason: Reason | None = None, *, scope: tuple[str, ...] = ()) -> None:
        """Keep the private reason and the scope to print."""
        super().__init__(self.error or "no access token")
        self.reason = reason
        self.scope = scope
        self.correlation_id = str(uuid4())


class MissingToken(BearerTokenError):  # noqa: N818 - the field's word, as in RFC 6750
    """The request has no access token: a bare challenge, without an error code (RFC 6750 section 3.1)."""

    status = 401
    error = None
    error_description = None


class InvalidRequest(BearerTokenError):  # noqa: N818 - RFC 6750's own name for it
    """The request is malformed, or presents a token in more than one way (RFC 6750 section 3.1)."""

    status = 400
    error = "invalid_request"
    error_description = "The request is malformed or carries more than one access token"


class InvalidToken(BearerTokenError):  # noqa: N818 - RFC 6750's own name for it
    """The token is not good for this request, for whatever reason (RFC 6750 section 3.1)."""

    status = 401
    error = "invalid_token"
    error_description = "The access token is invalid"


class InvalidDPoPProof(BearerTokenError):  # noqa: N818 - RFC 9449's own name for it
    """The DPoP proof is missing, malformed, used before, or not for this request and token (RFC 9449 section 7.1)."""

    status = 401
    error = "invalid_dpop_proof"
    error_description = "The DPoP proof is missing or not valid for this request"


class UseDPoPNonce(BearerTokenError):  # noqa: N818 - RFC 9449's own name for it
    """The proof must have the nonce that comes with this refusal (RFC 9449 section 9).

    Args:
        reason: as for every refusal.
        nonce: sent in the ``DPoP-Nonce`` field.
        scope: as for every refusal.
    """

    status = 401
    error = "use_dpop_nonce"
    error_description = "The DPoP proof needs the nonce that comes along"

    def __init__(self, reason: Reason | None = None, *, nonce: str = "", scope: tuple[str, ...] = ()) -> None:
        """Keep the nonce to send."""
        super().__init__(reason, scope=scope)
        self.nonce = nonce


class InsufficientUserAuthentication(BearerTokenError):  # noqa: N818 - RFC 9470's own name for it
    """The token is good, and its user has not authenticated well or recently enough (RFC 9470 section 3).

    Args:
        reason: as for every refusal.
        acr_values: the authentication context classes of which one is needed.
        max_age: seconds since the user's authentication, at most; ``None`` where that does not matter.
        scope: the scope tokens the route needs.
    """

    status = 401
    error = "insufficient_user_authentication"
    error_description = "The user must authenticate in another way or more recently"

    def __init__(
        self,
        reason: Reason | None = None,
        *,
        acr_values: tuple[str, ...] = (),
        max_age: int | None = None,
        scope: tuple[str, ...] = (),
    ) -> None:
        """Keep what the user's authentication must be like."""
        super().__init__(reason, scope=scope)
        self.acr_values = acr_values
        self.max_age = max_age


class InsufficientScope(BearerTokenError):  # noqa: N818 - RFC 6750's own name for it
    """The token is good, and grants less than the route needs (RFC 6750 section 3.1)."""

    status = 403
    error = "insufficient_scope"
    error_description = "The access token does not grant the scope this resource needs"


class VerificationUnavailable(ResourceServerError):  # noqa: N818 - named for the condition, not the class of it
    """The authorization server could not be asked, and an outage is configured to be a 503.

    Args:
        retry_after: seconds after which asking again makes sense; at least 1 on the wire.
    """

    status: ClassVar[int] = 503
    correlation_id: str
    """A random UUID, as every refusal has."""

    def __init__(self, retry_after: float) -> None:
        """Keep the number of seconds the client is asked to wait."""
        super().__init__("the access token cannot be verified at the moment")
        self.retry_after = retry_after
        self.correlation_id = str(uuid4())


class TooManyTokens(VerificationUnavailable):
    """One client has sent more unknown tokens than it may have looked up, and that is configured to be a 429."""

    status = 429


class TokenExchangeUnavailable(VerificationUnavailable):
    """The authorization server could not be asked for a token for another service: nothing was sent there.

    Args:
        retry_after: seconds after which asking again makes sense; at least 1 on the wire.
    """

    def __init__(self, retry_after: float) -> None:
        """Keep the number of seconds the client is asked to wait."""
        super().__init__(retry_after)
        self.args = ("no token for another service can be had at the moment",)


class TokenExchangeRefused(ResourceServerError):  # noqa: N818 - named for what happened, like the others
    """The authorization server gives no token for another service: nothing was sent there (RFC 8693 section 2.2.2).

    Args:
        error: why, in the words of RFC 6749 section 5.2 and RFC 8693; ``unsupported_token`` where there was a token
            that cannot be used here, such as one that is bound to a key.
    """

    def __init__(self, error: TokenError) -> None:
        """Keep the code."""
        super().__init__(f"the authorization server gives no token for another service: {error}")
        self.error = error


class SecurityEventRefused(ResourceServerError):  # noqa: N818 - named for what happened, like the others
    """A Security Event Token or a logout token that is not accepted (RFC 8935 section 2.4).

    Args:
        error: which of the standard's codes fits.
    """

    status: ClassVar[int] = 400
    error: EventRefusal
    error_description: str

    def __init__(self, error: EventRefusal) -> None:
        """Keep the code, and the constant description that goes with it."""
        super().__init__(error)
        self.error = error
        self.error_description = _EVENT_REFUSALS[error]
