"""A worker of a fleet under test: ``python -m benchmarks.worker PORT``.

It is an API under uvicorn whose resource server reads its options from the environment.
"""

from __future__ import annotations

import sys
from typing import Annotated

import uvicorn
from fastapi import FastAPI, Request

from benchmarks.support import silent
from resource_server import Principal, ResourceServer
from resource_server.fastapi import install, require


def make_app() -> FastAPI:
    """Make the API: it says whom it takes the caller for, and hears what is revoked."""
    app, server = FastAPI(), ResourceServer.from_env(observer=silent)

    @app.get("/me")
    async def me(caller: Annotated[Principal, require("read")]) -> dict[str, str | None]:  # pyright: ignore[reportUnusedFunction]
        return {"sub": caller.subject, "jti": caller.token_id, "assurance": caller.assurance}

    @app.post("/revoked")
    async def revoked(request: Request) -> None:  # pyright: ignore[reportUnusedFunction]
        server.revoke(token=await request.body())

    install(app, server)
    return app


if __name__ == "__main__":
    uvicorn.run(make_app(), host="127.0.0.1", port=int(sys.argv[1]), log_level="critical", access_log=False)
