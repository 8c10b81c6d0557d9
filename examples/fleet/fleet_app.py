"""One worker of a fleet: an orders API that shares a Valkey with the others, and receives security events for all."""

from typing import Annotated

from fastapi import FastAPI

from resource_server import Principal, ResourceServer
from resource_server.fastapi import install, require
from resource_server.receiver import EventReceiver

rs = ResourceServer.from_env()
app = FastAPI(title="Orders")
install(app, rs)
# What one worker is told here, all of them know: it goes round by RESOURCE_SERVER_CACHE_URL.
app.mount("/security-events", EventReceiver(rs))


@app.get("/orders")
async def list_orders(caller: Annotated[Principal, require("orders:read")]) -> dict[str, str | None]:
    """List the orders."""
    return {"caller": caller.subject, "assurance": caller.assurance}
