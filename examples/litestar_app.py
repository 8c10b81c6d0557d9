"""An orders API. Tell RESOURCE_SERVER_ISSUER and its like, then run `uvicorn examples.litestar_app:app`."""

from typing import Any

from litestar import Litestar, Request, get, post
from litestar.params import JSONBody
from litestar.types import Receive, Scope, Send

from resource_server import Principal, Requirement, ResourceServer
from resource_server.asgi import BearerTokenMiddleware


@get(["/orders", "/admin/orders"])
async def list_orders(request: Request[Principal, Any, Any]) -> dict[str, Any]:
    """List the orders."""
    return {"caller": request.user.subject, "assurance": request.user.assurance, "orders": []}


@post("/orders")
async def place_order(request: Request[Principal, Any, Any], data: JSONBody[dict[str, Any]]) -> dict[str, Any]:
    """Place an order; its body is not read before the token is judged."""
    return {"caller": request.user.subject, "assurance": request.user.assurance, "order": data}


@get("/healthz")
async def tell_health() -> dict[str, str]:
    """Tell everybody that all is well."""
    return {"status": "ok"}


async def not_found(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer as Litestar does where there is nothing, for what is hidden."""
    scope["path"] = "/nothing-is-here"
    await orders(scope, receive, send)


orders = Litestar([list_orders, place_order, tell_health])
app = BearerTokenMiddleware(
    orders,
    ResourceServer.from_env(),
    public=["/healthz"],
    rules={
        "GET /orders": Requirement.of("orders:read"),
        "POST /orders": Requirement.of("orders:write"),
        "/admin/*": Requirement.of("admin", hide=True),
    },
    not_found=not_found,
)
