"""An orders API. Tell RESOURCE_SERVER_ISSUER and its like, then run `uvicorn examples.fastapi_app:app`."""

from typing import Annotated, Any

from fastapi import FastAPI
from pydantic import BaseModel

from resource_server import Principal, ResourceServer
from resource_server.fastapi import install, require

app = FastAPI(title="Orders")
install(app, ResourceServer.from_env())


class Order(BaseModel):
    """What somebody wants, and how many."""

    item: str
    quantity: int = 1


@app.get("/orders")
@app.get("/orders/live", dependencies=[require(unavailable_status=503)])
async def list_orders(caller: Annotated[Principal, require("orders:read")]) -> dict[str, Any]:
    """List the orders; at the second path, a token that cannot be verified is a 503 and not a 401."""
    return {"caller": caller.subject, "assurance": caller.assurance, "orders": []}


@app.post("/orders", status_code=201)
async def place_order(order: Order, caller: Annotated[Principal, require("orders:write")]) -> dict[str, Any]:
    """Place an order; its body is not read before the token is judged."""
    return {"caller": caller.subject, "assurance": caller.assurance, "order": order}


@app.get("/admin/orders")
async def review_orders(caller: Annotated[Principal, require("admin", hide=True)]) -> dict[str, Any]:
    """Review all orders; for everybody else this route does not exist."""
    return {"caller": caller.subject, "assurance": caller.assurance, "orders": []}
