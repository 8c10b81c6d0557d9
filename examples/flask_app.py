"""An orders API. Tell RESOURCE_SERVER_ISSUER and its like, then run `gunicorn --threads 8 examples.flask_app:app`."""

from typing import Any

from flask import Flask, request

from resource_server import BlockingResourceServer
from resource_server.flask import install, principal, require

app = Flask(__name__)
install(app, BlockingResourceServer.from_env())


@app.get("/orders")
@require("orders:read")
def list_orders() -> dict[str, Any]:
    """List the orders."""
    return {"caller": principal.subject, "assurance": principal.assurance, "orders": []}


@app.post("/orders")
@require("orders:write")
def place_order() -> tuple[dict[str, Any], int]:
    """Place an order; its body is not read before the token is judged."""
    return {"caller": principal.subject, "assurance": principal.assurance, "order": request.get_json()}, 201


@app.get("/admin/orders")
@require("admin", hide=True)
def review_orders() -> dict[str, Any]:
    """Review all orders; for everybody else this route does not exist."""
    return {"caller": principal.subject, "assurance": principal.assurance, "orders": []}


@app.get("/healthz")
def tell_health() -> dict[str, str]:
    """Tell that the service is up, to anybody."""
    return {"status": "ok"}
