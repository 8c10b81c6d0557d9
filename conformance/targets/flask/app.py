"""An API behind the Flask door, for the conformance suite."""

from typing import Any

from flask import Flask, abort, request

from resource_server import BlockingResourceServer
from resource_server.flask import install, principal, require

app = Flask(__name__)
install(app, BlockingResourceServer.from_env())


@app.get("/read")
@require("read")
def read() -> dict[str, Any]:
    """Tell who asks."""
    return {"caller": principal.subject}


@app.get("/write")
@require("write")
def write() -> dict[str, Any]:
    """Answer."""
    return {"answer": 42}


@app.get("/both")
@require("read", "write")
def both() -> dict[str, Any]:
    """Answer."""
    return {"answer": 42}


@app.get("/hidden")
@require("admin", hide=True)
def hidden() -> dict[str, Any]:
    """Answer whoever may know that this is here."""
    return {"answer": 42}


@app.get("/step-up")
@require("read", acr_values="gold")
def step_up() -> dict[str, Any]:
    """Answer."""
    return {"answer": 42}


@app.get("/healthz")
def healthz() -> dict[str, Any]:
    """Answer anybody."""
    return {"status": "ok"}


@app.post("/things")
@require("write")
def keep() -> dict[str, Any]:
    """Keep a thing."""
    thing = request.get_json()
    if not isinstance(thing, dict) or not isinstance(thing.get("item"), str):
        abort(422)
    return thing
