"""The exceptions: what each of them is on the wire, and what it keeps to itself."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any, get_args

import pytest

from resource_server import (
    BearerTokenError,
    ConfigurationError,
    InsufficientScope,
    InvalidRequest,
    InvalidToken,
    MissingToken,
    ResourceServerError,
    SecurityEventRefused,
    TokenExchangeRefused,
    VerificationUnavailable,
)
from resource_server._protocol.grammar import is_error_text
from resource_server.errors import (
    EventRefusal,
    InsufficientUserAuthentication,
    InvalidDPoPProof,
    Reason,
    UseDPoPNonce,
)

REFUSALS: list[type[BearerTokenError]] = [
    MissingToken,
    InvalidRequest,
    InvalidToken,
    InvalidDPoPProof,
    UseDPoPNonce,
    InsufficientUserAuthentication,
    InsufficientScope,
]
EACH = pytest.mark.parametrize("kind", REFUSALS, ids=lambda kind: kind.__name__)


@pytest.mark.rfc("6750-3.1-a", "6750-3.1-b", "6750-3.1-c", "6750-3.1-d")
@pytest.mark.parametrize(
    ("kind", "status", "error"),
    [
        (MissingToken, 401, None),
        (InvalidRequest, 400, "invalid_request"),
        (InvalidToken, 401, "invalid_token"),
        (InvalidDPoPProof, 401, "invalid_dpop_proof"),
        (UseDPoPNonce, 401, "use_dpop_nonce"),
        (InsufficientUserAuthentication, 401, "insufficient_user_authentication"),
        (InsufficientScope, 403, "insufficient_scope"),
    ],
)
def test_codes(kind: type[BearerTokenError], status: int, error: str | None) -> None:
    """RFC 6750 §3.1: each error code has its status, and a request without a token has no code."""
    assert (kind.status, kind.error) == (status, error)


@EACH
@pytest.mark.rfc("6750-3-e")
@pytest.mark.attack("A-H-2")
def test_description(kind: type[BearerTokenError]) -> None:
    """RFC 6750 §3: the description is constant, fits the header, and is there exactly where there is a code."""
    assert (kind.error_description is None) == (kind.error is None)
    assert is_error_text(kind.error_description or "")
    assert kind("expired").error_description == kind("bad_signature").error_description


def test_tree() -> None:
    """One `except` each catches everything, every refusal, and every mistake in a configuration."""
    assert all(issubclass(kind, BearerTokenError) for kind in REFUSALS)
    assert all(issubclass(kind, ResourceServerError) for kind in (BearerTokenError, VerificationUnavailable))
    assert issubclass(ConfigurationError, ResourceServerError)
    assert issubclass(ConfigurationError, ValueError)
    assert not issubclass(VerificationUnavailable, BearerTokenError)
    leaves = {kind for kind in ResourceServerError.__subclasses__() if kind.__module__ == "resource_server.errors"}
    assert leaves == {
        BearerTokenError,
        VerificationUnavailable,
        SecurityEventRefused,
        TokenExchangeRefused,
        ConfigurationError,
    }
    assert {kind for kind in BearerTokenError.__subclasses__() if kind.__module__ == "resource_server.errors"} == set(
        REFUSALS
    )


@pytest.mark.parametrize("code", get_args(EventRefusal))
def test_refused_events(code: EventRefusal) -> None:
    """RFC 8935 §2.4: each code has a description that is constant, and both are all that an exception shows."""
    error = SecurityEventRefused(code)
    assert (error.status, error.error, str(error)) == (400, code, code)
    assert error.error_description == SecurityEventRefused(code).error_description
    assert is_error_text(error.error_description)


@EACH
@pytest.mark.attack("A-H-3")
@pytest.mark.parametrize("reason", get_args(Reason))
def test_reason_is_private(kind: type[BearerTokenError], reason: Reason) -> None:
    """RFC 6750 §3.1: why a token was refused is kept for the log, and is in no text that an application might send."""
    error = kind(reason, scope=("read",))
    assert (error.reason, error.scope) == (reason, ("read",))
    assert str(error) == (kind.error or "no access token")
    assert reason not in str(error)


@EACH
def test_defaults(kind: type[BearerTokenError]) -> None:
    """A refusal needs neither a reason nor a scope."""
    error = kind()
    assert (error.reason, error.scope) == (None, ())


def pickled(error: Any) -> Any:
    """Send an exception to another process, as it were."""
    return pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes


@pytest.mark.parametrize("duplicate", [copy.copy, pickled])
def test_errors_travel(duplicate: Callable[[Any], Any]) -> None:
    """An exception that crosses a process or a queue arrives as it was."""
    refused = duplicate(InsufficientScope("expired", scope=("read",)))
    assert (type(refused), refused.reason, refused.scope) == (InsufficientScope, "expired", ("read",))
    outage = duplicate(VerificationUnavailable(2.5))
    assert (type(outage), outage.retry_after) == (VerificationUnavailable, 2.5)


@pytest.mark.rfc("9110-10.2.3-a")
def test_unavailable() -> None:
    """RFC 9110 §15.6.4: an outage is a 503 that knows when to come again, and says nothing about the token."""
    error = VerificationUnavailable(7)
    assert (error.status, error.retry_after) == (503, 7)
    assert "invalid" not in str(error)
