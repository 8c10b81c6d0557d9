"""A Flask application for real servers: what ``gunicorn tests.flask.served:app`` and the like import.

``INTROSPECTION`` in the environment says where tokens are introspected.
"""

from __future__ import annotations

import os
from typing import Any

from flask import Flask, request

from resource_server import BlockingResourceServer
from resource_server.flask import install, principal, require
from tests.support.play import Time, options

app = Flask("served", static_folder=None)
server = BlockingResourceServer(
    clock=Time().clock, **options(introspection_endpoint=os.environ["INTROSPECTION"], strategy="introspect")
)
install(app, server)


@app.route("/things", methods=["GET", "POST"])
@require("read")
def things() -> dict[str, Any]:
    """Say who is calling, in which process, and how much was sent."""
    return {"subject": principal.subject, "process": os.getpid(), "bytes": len(request.get_data())}


@app.post("/revoke")
@require("write")
def revoke() -> dict[str, Any]:
    """Revoke the token of this request, in this process."""
    server.revoke(token=request.headers["Authorization"].partition(" ")[2])
    return {}
