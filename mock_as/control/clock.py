"""The clock, over HTTP."""

# Without `from __future__ import annotations`: FastAPI evaluates the annotations.

from typing import Any

from mock_as.clock import Clock
from mock_as.control.context import State, new_router
from mock_as.control.models import Model, Seconds

router = new_router("clock")


class Movement(Model):
    """What happens to the clock, in the order of these members."""

    reset: bool = False
    offset: Seconds | None = None
    freeze: bool | Seconds = False
    advance: Seconds | None = None


def shown(clock: Clock) -> dict[str, Any]:
    """Describe a clock.

    Args:
        clock: the clock.
    """
    return {"now": clock.now(), "offset": clock.offset, "frozen": clock.frozen}


@router.get("/clock")
async def tell(issuer: State) -> dict[str, Any]:
    """Tell the time."""
    return shown(issuer.clock)


@router.post("/clock")
async def move(issuer: State, movement: Movement) -> dict[str, Any]:
    """Move the clock, or stop it."""
    if movement.reset:
        issuer.clock.reset()
    if movement.offset is not None:
        issuer.clock.shift(movement.offset)
    if movement.freeze is not False:
        issuer.clock.freeze(None if movement.freeze is True else movement.freeze)
    if movement.advance is not None:
        issuer.clock.advance(movement.advance)
    return shown(issuer.clock)
