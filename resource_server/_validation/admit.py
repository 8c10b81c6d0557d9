"""Turn a verdict into a principal for one request. Runs on every request, cached or not.

Whether the sender has shown what the token is bound to is judged after this, in ``possession``.

References: RFC 7662 section 4
"""

from __future__ import annotations

from resource_server._protocol.claims import judge_time
from resource_server._validation.verdict import Active, Inactive, Verdict
from resource_server.errors import InvalidToken, VerificationUnavailable
from resource_server.principal import Principal
from resource_server.requirements import Requirement

DEFAULT_RETRY_AFTER = 5.0
"""Seconds a client is asked to wait where the authorization server named no time."""
_SERVICE_UNAVAILABLE = 503


def admit(
    verdict: Verdict, requirement: Requirement, *, now: float, leeway: float, unavailable_status: int
) -> Principal:
    """Admit a verdict for a request.

    Args:
        verdict: what is known about the token.
        requirement: what the route demands of the answer's quality, and how it answers an outage.
        now: seconds since the epoch.
        leeway: seconds by which the clocks may differ.
        unavailable_status: the server's own way to answer an outage, 401 or 503.

    Raises:
        InvalidToken: the token is not good at this moment, or cannot be verified.
        VerificationUnavailable: it cannot be verified, and that is to be a 503.
    """
    if isinstance(verdict, Inactive):
        raise InvalidToken(verdict.reason)
    if not isinstance(verdict, Active) or verdict.principal.assurance.rank < requirement.assurance.rank:
        if (requirement.unavailable_status or unavailable_status) == _SERVICE_UNAVAILABLE:
            wait = None if isinstance(verdict, Active) else verdict.retry_after
            raise VerificationUnavailable(DEFAULT_RETRY_AFTER if wait is None else wait)
        raise InvalidToken("unavailable")
    principal = verdict.principal
    reason = judge_time(principal, now, leeway)
    if reason is not None:
        raise InvalidToken(reason)
    return principal
