"""Orders, for language models. Tell RESOURCE_SERVER_ISSUER and its like, then run `uvicorn examples.mcp_server:app`."""

from typing import Any

from mcp.server import MCPServer
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from resource_server import Requirement, ResourceServer
from resource_server.mcp import principal, protect

orders = MCPServer("Orders")


def who() -> dict[str, Any]:
    """Say who is calling, and how sure the server is."""
    caller = principal()
    return {"caller": caller.subject, "assurance": caller.assurance}


@orders.tool()
def list_orders() -> dict[str, Any]:
    """List the orders."""
    return {**who(), "orders": []}


@orders.tool()
def place_order(item: str, quantity: int = 1) -> dict[str, Any]:
    """Place an order."""
    return {**who(), "order": {"item": item, "quantity": quantity}}


async def healthz(_: Request) -> Response:
    """Say that the process is up."""
    return JSONResponse({"status": "ok"})


http = orders.streamable_http_app()
http.add_route("/healthz", healthz)
app = protect(
    http,
    ResourceServer.from_env(),
    "orders:read",
    tools={"place_order": Requirement.of("orders:write")},
    public=["/healthz"],
)
