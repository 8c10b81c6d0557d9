"""Misbehaviour: set with one press, seen at work, and taken back with another."""

from __future__ import annotations

from starlette.responses import Response

from mock_as.console.visit import Act, Show, ShowAgain, Visit
from mock_as.errors import UsageError
from mock_as.faults import FAMILIES, Action
from mock_as.faults.plan import Wish
from mock_as.journal import ENDPOINTS
from mock_as.profiles import PROFILES

_STATUSES = ("400", "401", "403", "404", "408", "429", "500", "502", "503", "504")


def overview(visit: Visit) -> Response:
    """Show the faults that are set, and those that can be."""
    return _overview(visit)


def _overview(visit: Visit, error: UsageError | None = None) -> Response:
    endpoint = visit.form.get("endpoint") or visit.query.get("endpoint") or "introspect"
    return visit.show(
        "faults.html",
        error=error,
        endpoint=endpoint,
        endpoints=[*sorted(ENDPOINTS), "*"],
        faults=[fault.describe() for fault in visit.issuer.faults],
        statuses=_STATUSES,
        profile=visit.issuer.options.profile,
        profiles={name: profile.description for name, profile in PROFILES.items()},
        families=_families(endpoint),
        with_argument=[
            name for actions in _families(endpoint).values() for name, act in actions.items() if act.argument
        ],
    )


def _families(endpoint: str) -> dict[str, dict[str, Action]]:
    """Return what can go wrong at an endpoint, by what it is about."""
    wanted = ENDPOINTS if endpoint == "*" else {endpoint}
    chosen = {
        family: {name: action for name, action in actions.items() if wanted <= action.endpoints}
        for family, actions in FAMILIES.items()
    }
    return {family: actions for family, actions in chosen.items() if actions}


def set_fault(visit: Visit) -> Response:
    """Misbehave from now on."""
    action, argument, times = visit.text("action"), visit.text("argument"), visit.number("times")
    if times is not None and times != int(times):
        raise UsageError("times", f"{times:g} is not a whole number")
    match = {name: value for name in ("client_id", "sub", "token") if (value := visit.text(name))}
    visit.issuer.set_fault(
        Wish(
            endpoint=visit.form.get("endpoint", ""),
            action=f"{action}({argument})" if action and argument else action,
            retry_after=visit.text("retry_after"),
            times=None if times is None else int(times),
            match=match,
        )
    )
    return visit.go("/faults", "fault", endpoint=visit.form.get("endpoint", ""))


def remove(visit: Visit) -> Response:
    """Take one fault back."""
    visit.issuer.faults.remove(visit.form.get("fault", ""))
    return visit.go("/faults", "changed")


def clear(visit: Visit) -> Response:
    """Take every fault back."""
    visit.issuer.clear_faults()
    return visit.go("/faults", "clear")


def use_profile(visit: Visit) -> Response:
    """Behave as a real server does, or honestly again."""
    visit.issuer.use_profile(visit.form.get("profile", ""))
    return visit.go("/faults", "changed")


SHOWN: dict[str, Show] = {"/faults": overview}
DONE: dict[str, tuple[Act, ShowAgain]] = {
    "/faults": (set_fault, _overview),
    "/faults/remove": (remove, _overview),
    "/faults/clear": (clear, _overview),
    "/faults/profile": (use_profile, _overview),
}
