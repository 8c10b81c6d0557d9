"""An API behind the FastAPI door, for the conformance suite."""

from typing import Annotated, Any

from fastapi import FastAPI
from pydantic import BaseModel

from resource_server import Principal, ResourceServer
from resource_server.fastapi import install, require

app = FastAPI()
install(app, ResourceServer.from_env())


class Thing(BaseModel):
    """What is sent to be kept."""

    item: str


@app.get("/read")
async def read(caller: Annotated[Principal, require("read")]) -> dict[str, Any]:
    """Tell who asks."""
    return {"caller": caller.subject}


@app.get("/write", dependencies=[require("write")])
@app.get("/both", dependencies=[require("read", "write")])
@app.get("/hidden", dependencies=[require("admin", hide=True)])
@app.get("/step-up", dependencies=[require("read", acr_values="gold")])
@app.get("/healthz")
async def answer() -> dict[str, Any]:
    """Answer."""
    return {"answer": 42}


@app.post("/things", dependencies=[require("write")])
async def keep(thing: Thing) -> Thing:
    """Keep a thing."""
    return thing
