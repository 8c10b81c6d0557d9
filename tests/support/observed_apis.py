"""Several APIs in one process, each with a resource server of its own, and watched by Prometheus.

``python -m tests.support.observed_apis FILE`` serves them: the file says by their names how each resource server is
configured. It prints the port of each as JSON.
"""

from __future__ import annotations

import asyncio
import json
import socket
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import FastAPI
from prometheus_client import CollectorRegistry, make_asgi_app

from resource_server import ResourceServer
from resource_server.fastapi import install, require
from resource_server.prometheus import instrument


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Generator[None]:
        """Let a signal end the process: no server alone can."""
        yield


def make_app(options: dict[str, Any]) -> FastAPI:
    """Make an API whose route needs a token, with its metrics and its readiness.

    Args:
        options: of its resource server.
    """
    app, server, registry = FastAPI(), ResourceServer(**options), CollectorRegistry()
    install(app, server, probes=True)
    instrument(server, registry)
    app.mount("/metrics", make_asgi_app(registry))

    @app.get("/orders", dependencies=[require("read")])
    async def orders() -> list[str]:
        return []

    return app


async def serve(apis: dict[str, dict[str, Any]]) -> None:
    """Serve all of them until the process is ended."""
    servers = [
        _Server(uvicorn.Config(make_app(options), log_level="critical", lifespan="on")) for options in apis.values()
    ]
    listeners = [socket.create_server(("127.0.0.1", 0)) for _ in apis]
    ports = [listener.getsockname()[1] for listener in listeners]
    print(json.dumps(dict(zip(apis, ports, strict=True))), flush=True)  # noqa: T201 - how the test learns them
    async with asyncio.TaskGroup() as serving:
        for server, listener in zip(servers, listeners, strict=True):
            serving.create_task(server.serve(sockets=[listener]))


if __name__ == "__main__":
    asyncio.run(serve(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))))
