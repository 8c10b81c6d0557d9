"""A warm hit and a refusal, behind FastAPI and behind a bare ASGI application."""

import time
from collections.abc import MutableMapping
from hashlib import sha256
from typing import Annotated, Any, cast

from cachetools import TTLCache
from fastapi import Depends, FastAPI, HTTPException, Request
from starlette.types import ASGIApp, Receive, Scope, Send

from benchmarks.harness import Figure, Work, interleave
from benchmarks.support import TOKEN, Sink, answer, receive, resource_server, scope
from resource_server import BearerTokenError, Principal, RequestParts, Requirement, ResourceServer, all_of
from resource_server.fastapi import install, require

REQUIREMENT = Requirement(scopes=all_of("orders:read"))


def bare_fastapi() -> FastAPI:
    """Make an application without protection."""
    app = FastAPI()

    @app.get("/orders")
    async def orders() -> dict[str, str]:  # pyright: ignore[reportUnusedFunction]
        return {"subject": "nobody"}

    return app


def protected_fastapi() -> FastAPI:
    """Make the same application behind ``require``."""
    app = FastAPI()

    @app.get("/orders")
    async def orders(principal: Annotated[Principal, require("orders:read")]) -> dict[str, str]:  # pyright: ignore[reportUnusedFunction]
        return {"subject": principal.subject or ""}

    install(app, resource_server())
    return app


def handwritten_fastapi() -> FastAPI:
    """Make the same application behind the dependency that people write by hand: a TTLCache and a scope comparison."""
    app = FastAPI()
    cache = cast("MutableMapping[str, dict[str, Any]]", TTLCache(10_000, 3600))
    members = {"sub": "user", "scope": "orders:read orders:write profile", "exp": 4_000_000_000, "active": True}
    assert answer(TOKEN)
    cache[sha256(TOKEN.encode()).hexdigest()] = members

    async def token(request: Request) -> str:
        scheme, _, value = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not value:
            raise HTTPException(401, headers={"WWW-Authenticate": "Bearer"})
        return value

    async def caller(value: Annotated[str, Depends(token)]) -> dict[str, Any]:
        claims = cache.get(sha256(value.encode()).hexdigest())
        if claims is None or claims["exp"] <= time.time():
            raise HTTPException(401, headers={"WWW-Authenticate": 'Bearer error="invalid_token"'})
        if "orders:read" not in claims["scope"].split():
            raise HTTPException(403)
        return claims

    @app.get("/orders")
    async def orders(claims: Annotated[dict[str, Any], Depends(caller)]) -> dict[str, str]:  # pyright: ignore[reportUnusedFunction]
        return {"subject": claims["sub"]}

    return app


async def bare_asgi(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer at once."""
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
    await send({"type": "http.response.body", "body": b"{}"})


class ProtectedASGI:
    """The same, with the pipeline in front of it."""

    def __init__(self, app: ASGIApp, server: ResourceServer) -> None:
        """Wrap an application."""
        self.app = app
        self.server = server

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Judge, then pass on."""
        parts = RequestParts(scope["method"], scope["headers"], scope["query_string"])
        try:
            scope["principal"] = await self.server.authenticate(parts, REQUIREMENT)
        except BearerTokenError as error:
            rendered = self.server.render(error)
            await send({"type": "http.response.start", "status": rendered.status, "headers": rendered.headers})
            await send({"type": "http.response.body", "body": rendered.body})
            return
        await self.app(scope, receive, send)


def requests(app: ASGIApp, token: str | None, status: int) -> Work:
    """Make the work of sending requests that are all answered with this status."""

    async def work(repetitions: int) -> None:
        sink = Sink()
        for _ in range(repetitions):
            await app(scope(token=token), receive, sink)
            assert sink.status == status

    return work


async def pipeline(repetitions: int) -> None:
    """Judge warm requests and do nothing else."""
    parts = RequestParts("GET", scope(token=TOKEN)["headers"])
    for _ in range(repetitions):
        await _SERVER.authenticate(parts, REQUIREMENT)


_SERVER = resource_server()


async def measure() -> list[Figure]:
    """Measure all of it."""
    cases = {
        "FastAPI, bare": requests(bare_fastapi(), TOKEN, 200),
        "FastAPI, warm hit": requests(protected_fastapi(), TOKEN, 200),
        "FastAPI, refusal without a token": requests(protected_fastapi(), None, 401),
        "FastAPI, handwritten TTLCache dependency": requests(handwritten_fastapi(), TOKEN, 200),
    }
    fastapi = await interleave(cases, repetitions=1000)
    direct = {
        "ASGI, bare": requests(bare_asgi, TOKEN, 200),
        "ASGI, warm hit": requests(ProtectedASGI(bare_asgi, resource_server()), TOKEN, 200),
        "ASGI, refusal without a token": requests(ProtectedASGI(bare_asgi, resource_server()), None, 401),
        "pipeline alone, warm hit": pipeline,
    }
    asgi = await interleave(direct, repetitions=10_000)
    base, raw = "FastAPI, bare", "ASGI, bare"
    hit, asgi_hit = fastapi.added("FastAPI, warm hit", base), asgi.added("ASGI, warm hit", raw)
    refusal, alone = fastapi.ratio("FastAPI, refusal without a token", base), asgi.median("pipeline alone, warm hit")
    goals = {
        "FastAPI, warm hit": ("adds <= 26", hit <= 26),
        "FastAPI, refusal without a token": ("ratio < 1", refusal < 1),
        "ASGI, warm hit": ("adds <= 9", asgi_hit <= 9),
        "pipeline alone, warm hit": ("<= 5", alone <= 5),
    }
    figures: list[Figure] = []
    for rounds, baseline in ((fastapi, base), (asgi, raw)):
        for name in rounds.times:
            ratio, added = (None, None)
            if name not in (baseline, "pipeline alone, warm hit"):
                ratio, added = rounds.ratio(name, baseline), rounds.added(name, baseline)
            target, met = goals.get(name, ("", None))
            figures.append(Figure(name, rounds.median(name), "µs CPU", baseline, ratio, added, target, met))
    return figures
