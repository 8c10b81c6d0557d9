"""What the real servers serve, one application for each kind of server, configured by the environment."""

from __future__ import annotations

from flask import Flask
from flask.typing import ResponseReturnValue
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

from resource_server import BlockingResourceServer, Requirement, ResourceServer, all_of
from resource_server.asgi import BearerTokenMiddleware
from resource_server.flask import install, principal, require

READ = Requirement(scopes=all_of("read"))


async def _public(_request: Request) -> Response:
    return JSONResponse("public")


async def _things(request: Request) -> Response:
    return JSONResponse({"subject": request.user.subject})


async def _talk(websocket: WebSocket) -> None:
    await websocket.accept()
    await websocket.close()


def asgi_app() -> BearerTokenMiddleware:
    """Make the middleware around Starlette."""
    methods = ["GET", "POST", "PUT"]
    routes = [Route("/public", _public), Route("/things", _things, methods=methods), WebSocketRoute("/talk", _talk)]
    app = Starlette(routes=routes)
    return BearerTokenMiddleware(app, ResourceServer.from_env(), public=["/public"], default=READ)


def wsgi_app() -> Flask:
    """Make Flask, where nothing is public but what says so."""
    app = Flask(__name__, static_folder=None)
    install(app, BlockingResourceServer.from_env())

    @app.get("/public")
    def public() -> ResponseReturnValue:  # pyright: ignore[reportUnusedFunction] # the framework has it
        return '"public"'

    @app.route("/things", methods=["GET", "POST", "PUT"])
    @require("read")
    def things() -> ResponseReturnValue:  # pyright: ignore[reportUnusedFunction] # as above
        return {"subject": principal.subject}

    return app
