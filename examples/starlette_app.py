"""An orders API. Tell RESOURCE_SERVER_ISSUER and its like, then run `uvicorn examples.starlette_app:app`."""

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from resource_server import Requirement, ResourceServer
from resource_server.asgi import BearerTokenMiddleware, principal_of


async def list_orders(request: Request) -> JSONResponse:
    """List the orders."""
    caller = principal_of(request)
    return JSONResponse({"caller": caller.subject, "assurance": caller.assurance, "orders": []})


async def place_order(request: Request) -> JSONResponse:
    """Place an order; its body is not read before the token is judged."""
    caller = principal_of(request)
    order = await request.json()
    return JSONResponse({"caller": caller.subject, "assurance": caller.assurance, "order": order}, 201)


async def tell_health(_: Request) -> JSONResponse:
    """Tell everybody that all is well."""
    return JSONResponse({"status": "ok"})


routes = [
    Route("/orders", list_orders),
    Route("/orders", place_order, methods=["POST"]),
    Route("/admin/orders", list_orders),
    Route("/healthz", tell_health),
]
app = BearerTokenMiddleware(
    Starlette(routes=routes),
    ResourceServer.from_env(),
    public=["/healthz"],
    rules={
        "GET /orders": Requirement.of("orders:read"),
        "POST /orders": Requirement.of("orders:write"),
        "/admin/*": Requirement.of("admin", hide=True),
    },
)
