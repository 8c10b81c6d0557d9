"""Misbehaviour, over HTTP."""

# Without `from __future__ import annotations`: FastAPI evaluates the annotations.

from typing import Annotated, Any

from fastapi import Query
from starlette.exceptions import HTTPException

from mock_as.control.context import State, new_router
from mock_as.control.models import Expectation, Model, mirrors
from mock_as.control.problems import TIMEOUT, not_there
from mock_as.faults.book import Fault, Wish
from mock_as.issuer import Issuer
from mock_as.members import as_arguments

router = new_router("faults")


@mirrors(Wish)
class FaultOrder(Model):
    """What is to go wrong, and when."""


def _find(issuer: Issuer, name: str) -> Fault:
    for fault in issuer.faults:
        if fault.id == name:
            return fault
    raise not_there("fault")


@router.get("/faults")
async def faults(issuer: State) -> dict[str, Any]:
    """Show the faults that are set, and which of them are left."""
    left = [fault.id for fault in issuer.faults_left]
    return {"faults": [fault.describe() for fault in issuer.faults], "left": left}


@router.post("/faults", status_code=201)
async def set_fault(issuer: State, order: FaultOrder) -> dict[str, Any]:
    """Misbehave from now on."""
    return issuer.set_fault(Wish(**as_arguments(Wish, order.said()))).describe()


@router.delete("/faults")
async def clear_faults(issuer: State) -> dict[str, bool]:
    """Behave again, and release every request that is held."""
    issuer.clear_faults()
    return {"cleared": True}


@router.get("/faults/{name}")
async def fault(issuer: State, name: str) -> dict[str, Any]:
    """Show a fault."""
    return _find(issuer, name).describe()


@router.delete("/faults/{name}")
async def remove_fault(issuer: State, name: str) -> dict[str, bool]:
    """Take one fault back, and release what it holds."""
    issuer.faults.remove(_find(issuer, name).id)
    return {"cleared": True}


@router.get("/faults/{name}/wait", responses={TIMEOUT: {"description": "It happened less often in that time."}})
async def wait(issuer: State, name: str, wanted: Annotated[Expectation, Query()]) -> dict[str, Any]:
    """Wait until a fault has happened as often, as to requests that it holds."""
    found = _find(issuer, name)
    try:
        await issuer.journal.until(lambda: found.applied >= wanted.count, wanted.timeout)
    except TimeoutError:
        detail = f"It happened {found.applied} of {wanted.count} times within {wanted.timeout:g} s."
        raise HTTPException(TIMEOUT, detail) from None
    return found.describe()


@router.post("/faults/{name}/release")
async def release(issuer: State, name: str) -> dict[str, Any]:
    """Let the requests go on that a fault holds."""
    found = _find(issuer, name)
    found.release()
    return found.describe()
