"""The signing keys, over HTTP.

References: RFC 7517 section 5
"""

# Without `from __future__ import annotations`: FastAPI evaluates the annotations.

from typing import Annotated, Any, Literal

from fastapi import Body

from mock_as.control.context import State, new_router
from mock_as.control.models import Model
from mock_as.issuer import Issuer
from mock_as.keys import DEFAULT_ALGORITHM

# An RSA key takes its time: what makes keys is no coroutine, so that it has a thread of its own.
router = new_router("keys")


class Rotation(Model):
    """Which key is replaced, and what becomes of the old one."""

    alg: str | None = None
    overlap: bool = True


class NewKey(Model):
    """What a key is for."""

    alg: str = DEFAULT_ALGORITHM


def _shown(issuer: Issuer, **members: object) -> dict[str, Any]:
    return {**members, "keys": issuer.keys.describe(), "jwks": issuer.keys.jwks()}


@router.get("/keys")
async def keys(issuer: State) -> dict[str, Any]:
    """Show every key, and the published ones as a JWKS."""
    return _shown(issuer)


@router.post("/keys", status_code=201)
def stage(issuer: State, wanted: Annotated[NewKey | None, Body()] = None) -> dict[str, Any]:
    """Make a key that is neither published nor used yet."""
    return _shown(issuer, kid=issuer.keys.stage((wanted or NewKey()).alg))


@router.post("/keys/rotate")
def rotate(issuer: State, rotation: Annotated[Rotation | None, Body()] = None) -> dict[str, Any]:
    """Sign with new keys from now on."""
    rotation = rotation or Rotation()
    return _shown(issuer, rotated=issuer.keys.rotate(rotation.alg, overlap=rotation.overlap))


@router.post("/keys/{kid}/{change}")
def change(issuer: State, kid: str, change: Literal["publish", "unpublish", "activate", "replace"]) -> dict[str, Any]:
    """Publish a key, stop publishing it, sign with it, or put another one under its name."""
    getattr(issuer.keys, change)(kid)
    return _shown(issuer)


@router.delete("/keys/{kid}")
async def delete(issuer: State, kid: str) -> dict[str, Any]:
    """Forget a key."""
    issuer.keys.delete(kid)
    return _shown(issuer)
