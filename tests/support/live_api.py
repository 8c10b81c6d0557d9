"""The API that the tests with real sockets serve: in a thread of theirs, or as a process of its own.

``python -m tests.support.live_api h11`` serves it, and prints its port.
"""

from __future__ import annotations

import asyncio
import socket
import sys

import uvicorn
from fastapi import APIRouter, FastAPI, UploadFile, WebSocket
from pydantic import BaseModel

from resource_server import ResourceServer
from resource_server.fastapi import install, require
from tests.support.fastapi_app import ScriptedAS

READ = require("read")


class Thing(BaseModel):
    """A body with something to validate."""

    n: str


async def create(thing: Thing) -> str:
    """Read a JSON body."""
    return thing.n


async def upload(file: UploadFile) -> int:
    """Read a multipart body."""
    return len(await file.read())


async def read_things() -> str:
    """Read no body."""
    return "things"


async def feed(websocket: WebSocket) -> None:
    """Echo."""
    await websocket.accept()
    async for text in websocket.iter_text():
        await websocket.send_text(text)


def router() -> APIRouter:
    """Make a router with all of these."""
    made = APIRouter(dependencies=[READ])
    made.post("/things")(create)
    made.post("/uploads")(upload)
    made.api_route("/things", methods=["GET", "HEAD"])(read_things)
    made.websocket("/feed")(feed)
    return made


def make_app(server: ResourceServer) -> FastAPI:
    """Make an application with these routes at the top, in an included router, and in a mounted application."""
    mounted, app = FastAPI(), FastAPI()
    mounted.include_router(router())
    app.include_router(router())
    app.include_router(router(), prefix="/included")
    app.mount("/mounted", mounted)
    install(app, server)
    return app


PREFIXES = ["", "/included", "/mounted"]


def main(http_protocol: str) -> None:
    """Serve until the process is ended."""
    listener = socket.create_server(("127.0.0.1", 0))
    app = make_app(ScriptedAS().server())
    config = uvicorn.Config(app, http=http_protocol, log_level="critical")
    print(listener.getsockname()[1], flush=True)  # noqa: T201 - how the test learns the port
    asyncio.run(uvicorn.Server(config).serve(sockets=[listener]))


if __name__ == "__main__":
    main(sys.argv[1])
