"""The same routes behind our own doors; ``DOOR`` says which: ``fastapi`` or ``asgi``."""

from __future__ import annotations

import os
from typing import Any

from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from resource_server import Requirement, ResourceServer, all_of
from resource_server.asgi import BearerTokenMiddleware
from resource_server.fastapi import install, require


def _fastapi() -> FastAPI:
    app = FastAPI()

    @app.get("/public")
    @app.get("/read", dependencies=[require("read")])
    async def answer() -> dict[str, bool]:  # pyright: ignore[reportUnusedFunction] - FastAPI calls it
        return {"ok": True}

    install(app, ResourceServer.from_env())
    return app


def _asgi() -> BearerTokenMiddleware:
    async def answer(_request: Request) -> JSONResponse:
        return JSONResponse({"ok": True})

    app = Starlette(routes=[Route("/public", answer), Route("/read", answer)])
    rules = {"/read": Requirement(scopes=all_of("read"))}
    return BearerTokenMiddleware(app, ResourceServer.from_env(), public=["/public"], rules=rules)


app: Any = _asgi() if os.environ.get("DOOR") == "asgi" else _fastapi()
