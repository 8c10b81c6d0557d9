"""From a verdict to a principal: judged anew for every request."""

from __future__ import annotations

from typing import Any

import pytest

from resource_server import Assurance, InvalidToken, Principal, Requirement, VerificationUnavailable
from resource_server._validation.admit import DEFAULT_RETRY_AFTER, admit
from resource_server._validation.verdict import Active, Inactive, Unavailable, Verdict
from resource_server.errors import Reason
from tests.support.jwt import NOW


def admitted(verdict: Verdict, *, leeway: float = 0.0, status: int = 401, **requirement: Any) -> Principal:
    """Admit a verdict now."""
    return admit(verdict, Requirement(**requirement), now=NOW, leeway=leeway, unavailable_status=status)


@pytest.mark.rfc("6750-3.1-b")
@pytest.mark.parametrize("reason", ["inactive", "expired", "bad_signature", "wrong_audience", "unknown_key"])
@pytest.mark.parametrize("status", [401, 503])
def test_a_no_is_401_with_its_reason(reason: Reason, status: int) -> None:
    """RFC 6750 §3.1: every no is ``invalid_token``, however an outage is answered; the reason is for the log."""
    with pytest.raises(InvalidToken) as refused:
        admitted(Inactive(reason), status=status)
    assert (refused.value.status, refused.value.error, refused.value.reason) == (401, "invalid_token", reason)


@pytest.mark.rfc("9068-4-e", "7519-4.1.4-a", "7519-4.1.5-a")
@pytest.mark.parametrize(
    ("times", "leeway", "reason"),
    [
        ({"expires_at": NOW}, 0.0, "expired"),
        ({"expires_at": NOW + 0.1}, 0.0, None),
        ({"expires_at": NOW - 5}, 5.0, "expired"),
        ({"expires_at": NOW - 4.9}, 5.0, None),
        ({"not_before": NOW + 0.1}, 0.0, "not_yet_valid"),
        ({"not_before": NOW}, 0.0, None),
        ({"not_before": NOW + 5}, 5.0, None),
        ({}, 0.0, None),
    ],
)
def test_times(times: dict[str, Any], leeway: float, reason: str | None) -> None:
    """RFC 7519 §4.1.4: on or after ``exp`` there is no admission, before ``nbf`` neither, give or take the leeway."""
    verdict = Active(Principal(**times))
    if reason is None:
        assert admitted(verdict, leeway=leeway) is verdict.principal
        return
    with pytest.raises(InvalidToken) as refused:
        admitted(verdict, leeway=leeway)
    assert refused.value.reason == reason


@pytest.mark.parametrize("needed", list(Assurance))
@pytest.mark.parametrize("given", list(Assurance))
def test_assurance(given: Assurance, needed: Assurance) -> None:
    """A yes that is less well-founded than the route demands is as good as no answer."""
    order = [Assurance.LOCAL, Assurance.STALE, Assurance.INTROSPECTED]
    verdict = Active(Principal(assurance=given))
    if order.index(given) >= order.index(needed):
        assert admitted(verdict, assurance=needed).assurance is given
        return
    with pytest.raises(InvalidToken) as refused:
        admitted(verdict, assurance=needed)
    assert refused.value.reason == "unavailable"
    with pytest.raises(VerificationUnavailable) as unavailable:
        admitted(verdict, assurance=needed, status=503)
    assert unavailable.value.retry_after == DEFAULT_RETRY_AFTER


@pytest.mark.rfc("9110-10.2.3-a")
@pytest.mark.parametrize(("asked", "told"), [(None, DEFAULT_RETRY_AFTER), (0.0, 0.0), (7.0, 7.0)])
def test_retry_after_is_the_authorization_servers(asked: float | None, told: float) -> None:
    """RFC 9110 §10.2.3: how long to wait is said by who is overloaded, else by us."""
    with pytest.raises(VerificationUnavailable) as unavailable:
        admitted(Unavailable("status_429", asked), status=503)
    assert unavailable.value.retry_after == told


def test_a_refusal_has_no_history() -> None:
    """A refusal is raised from a value: nothing of the network hangs on it."""
    with pytest.raises(InvalidToken) as refused:
        admitted(Unavailable("connect"))
    assert (refused.value.__cause__, refused.value.__context__) == (None, None)
