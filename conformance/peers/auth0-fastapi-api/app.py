"""An API of FastAPI behind auth0-fastapi-api, as its README shows it."""

import os

from fastapi import Depends, FastAPI
from fastapi_plugin import Auth0FastAPI
from pydantic import BaseModel

auth0 = Auth0FastAPI(domain=os.environ["ISSUER"].removeprefix("https://"), audience=os.environ["AUDIENCE"])
app = FastAPI()


class Thing(BaseModel):
    """What a client sends."""

    item: str


@app.get("/public")
async def public():
    """Answer everybody."""
    return {"ok": True}


@app.get("/read", dependencies=[Depends(auth0.require_auth(scopes="read"))])
@app.get("/write", dependencies=[Depends(auth0.require_auth(scopes="write"))])
@app.get("/both", dependencies=[Depends(auth0.require_auth(scopes=["read", "write"]))])
async def protected():
    """Answer those who may."""
    return {"ok": True}


@app.post("/things", status_code=201, dependencies=[Depends(auth0.require_auth(scopes="write"))])
async def create(thing: Thing):
    """Take a body from those who may write."""
    return {"item": thing.item}
