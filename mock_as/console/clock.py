"""The clock: everything the server computes with time asks it, so that nobody has to wait."""

from __future__ import annotations

from starlette.responses import Response

from mock_as.console.visit import Act, Show, ShowAgain, Visit, clock_badge, moment
from mock_as.errors import UsageError

_STEPS = (("+1 min", 60), ("+1 h", 3600), ("+1 day", 86400), ("\N{MINUS SIGN}1 min", -60), ("\N{MINUS SIGN}1 h", -3600))


def overview(visit: Visit) -> Response:
    """Tell the time."""
    return _overview(visit)


def _overview(visit: Visit, error: UsageError | None = None) -> Response:
    clock = visit.issuer.clock
    return visit.show(
        "clock.html",
        error=error,
        now=clock.now(),
        moment=moment(clock.now()),
        frozen=clock.frozen,
        badge=clock_badge(visit.issuer),
        steps=_STEPS,
    )


def move(visit: Visit) -> Response:
    """Move the clock."""
    seconds = visit.number("seconds")
    if seconds is None:
        raise UsageError("seconds", "say how far")
    visit.issuer.clock.advance(seconds)
    return visit.go("/clock", "moved")


def freeze(visit: Visit) -> Response:
    """Stop the clock."""
    visit.issuer.clock.freeze()
    return visit.go("/clock", "changed")


def reset(visit: Visit) -> Response:
    """Go back to the real time."""
    visit.issuer.clock.reset()
    return visit.go("/clock", "real")


SHOWN: dict[str, Show] = {"/clock": overview}
DONE: dict[str, tuple[Act, ShowAgain]] = {
    "/clock": (move, _overview),
    "/clock/freeze": (freeze, _overview),
    "/clock/reset": (reset, _overview),
}
