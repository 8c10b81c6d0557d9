"""An API behind a dependency as people write it by hand: introspection with httpx, and a TTLCache before it."""

import os
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Annotated, Any, cast

import httpx
from cachetools import TTLCache
from fastapi import Depends, FastAPI, HTTPException
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel

bearer = HTTPBearer()
client = httpx.AsyncClient(auth=(os.environ["CLIENT_ID"], os.environ["CLIENT_SECRET"]))
cache = cast("MutableMapping[str, dict[str, Any]]", TTLCache(10_000, ttl=float(os.environ.get("CACHE_SECONDS", "60"))))


async def introspect(credentials: Annotated[HTTPAuthorizationCredentials, Depends(bearer)]) -> dict[str, Any]:
    """Ask what the token says, unless that is known."""
    token = credentials.credentials
    if token in cache:
        return cache[token]
    response = await client.post(os.environ["INTROSPECTION_ENDPOINT"], data={"token": token})
    response.raise_for_status()
    claims: dict[str, Any] = response.json()
    if not claims.get("active"):
        raise HTTPException(401, "Invalid token", headers={"WWW-Authenticate": "Bearer"})
    cache[token] = claims
    return claims


def require(*scopes: str) -> Callable[..., Awaitable[dict[str, Any]]]:
    """Demand scopes of the token."""

    async def dependency(claims: Annotated[dict[str, Any], Depends(introspect)]) -> dict[str, Any]:
        if not set(scopes) <= set(claims.get("scope", "").split()):
            raise HTTPException(403, "Not enough permissions")
        return claims

    return dependency


class Thing(BaseModel):
    """What a client sends."""

    item: str


app = FastAPI()


@app.get("/public")
async def public() -> dict[str, bool]:
    """Answer everybody."""
    return {"ok": True}


@app.get("/read", dependencies=[Depends(require("read"))])
@app.get("/write", dependencies=[Depends(require("write"))])
@app.get("/both", dependencies=[Depends(require("read", "write"))])
async def protected() -> dict[str, bool]:
    """Answer those who may."""
    return {"ok": True}


@app.post("/things", status_code=201, dependencies=[Depends(require("write"))])
async def create(thing: Thing) -> dict[str, str]:
    """Take a body from those who may."""
    return {"item": thing.item}
