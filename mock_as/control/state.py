"""The whole of an issuer, over HTTP: what it is, and back to what it was."""

# Without `from __future__ import annotations`: FastAPI evaluates the annotations.

import dataclasses
from typing import Annotated, Any

from fastapi import Body
from pydantic import Field

from mock_as.control import clock
from mock_as.control.context import State, new_router
from mock_as.control.models import Members, Model
from mock_as.control.tokens import shown as shown_token
from mock_as.version import package_version

router = new_router("state")


@router.get("/health")
async def health() -> dict[str, str]:
    """Tell that the server is there."""
    return {"status": "ok", "version": package_version()}


@router.get("/version")
async def version(issuer: State) -> dict[str, Any]:
    """Tell the version, who the issuer is, and where its endpoints are."""
    return {"version": package_version(), "issuer": issuer.issuer, "url": dataclasses.asdict(issuer.url)}


@router.get("/state")
async def state(issuer: State) -> dict[str, Any]:
    """Show everything there is, without secrets and without the text of tokens."""
    return {
        "version": package_version(),
        "issuer": issuer.issuer,
        "audience": issuer.options.audience,
        "profile": issuer.options.profile,
        "clock": clock.shown(issuer.clock),
        "keys": issuer.keys.describe(),
        "faults": [fault.describe() for fault in issuer.faults],
        "requests": issuer.requests().count,
        "tokens": [shown_token(issuer, record) for record in issuer.tokens.select()],
        "clients": [
            {"id": client.id, "scopes": client.scopes, "introspect": client.introspect}
            for client in issuer.clients.values()
        ],
        "users": [{"sub": user.sub, "disabled": user.disabled} for user in issuer.users.values()],
        "resources": list(issuer.resources),
    }


class Leftovers(Model):
    """What a reset leaves as it is."""

    keep: list[str] = Field(default_factory=list)


@router.post("/reset")
async def reset(issuer: State, leftovers: Annotated[Leftovers | None, Body()] = None) -> dict[str, bool]:
    """Go back to how it all was when the server started."""
    issuer.reset(keep=leftovers.keep if leftovers else ())
    return {"reset": True}


class Snapshot(Model):
    """A state that was remembered; by default the latest."""

    snapshot: str | None = None


@router.post("/snapshot", status_code=201)
async def snapshot(issuer: State) -> dict[str, str]:
    """Remember how everything is."""
    return {"snapshot": issuer.snapshot()}


@router.post("/restore")
async def restore(issuer: State, wanted: Annotated[Snapshot | None, Body()] = None) -> dict[str, str]:
    """Go back to how everything was."""
    return {"restored": issuer.restore(wanted.snapshot if wanted else None)}


class Seed(Model):
    """What everything random follows from; ``null`` to be unpredictable."""

    seed: int | None


@router.post("/seed")
async def seed(issuer: State, wanted: Seed) -> dict[str, int | None]:
    """Make ids, codes and opaque tokens reproducible from now on."""
    issuer.seed(wanted.seed)
    return {"seed": wanted.seed}


class Profile(Model):
    """Whose behaviour is put on."""

    profile: str


@router.get("/profile")
async def profile(issuer: State) -> dict[str, str]:
    """Tell whose behaviour is put on."""
    return {"profile": issuer.options.profile}


@router.put("/profile")
async def use_profile(issuer: State, wanted: Profile) -> dict[str, str]:
    """Behave as a real server does."""
    issuer.use_profile(wanted.profile)
    return {"profile": issuer.options.profile}


@router.get("/metadata")
async def metadata(issuer: State) -> dict[str, Any]:
    """Show what was edited in the metadata."""
    return {"edits": issuer.metadata_edits}


@router.patch("/metadata")
async def edit_metadata(issuer: State, edits: Members) -> dict[str, Any]:
    """Say something else in the metadata; ``null`` leaves a member out."""
    issuer.metadata_edits.update(edits)
    return {"edits": issuer.metadata_edits}


@router.delete("/metadata")
async def restore_metadata(issuer: State) -> dict[str, Any]:
    """Say in the metadata what is so."""
    issuer.metadata_edits.clear()
    return {"edits": {}}
