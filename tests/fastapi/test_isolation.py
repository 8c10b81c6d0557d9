"""However many requests are under way at a time, each of them acts for its own principal and for nobody else."""

import asyncio
from collections.abc import AsyncIterator
from contextvars import ContextVar
from typing import Annotated, Any

import pytest
from fastapi import BackgroundTasks, Depends, FastAPI
from fastapi.responses import StreamingResponse

from resource_server import Principal
from resource_server.fastapi import install, require
from tests.support.answer import Answer
from tests.support.asgi import call
from tests.support.fastapi_app import READER, ScriptedAS, active

pytestmark = pytest.mark.anyio

USERS = 100
REQUESTS = 1000


def populated() -> ScriptedAS:
    """Make an authorization server with many users, each with a scope of their own."""
    return ScriptedAS({f"canary-{number}": active(f"scope-{number}", sub=f"user-{number}") for number in range(USERS)})


@pytest.mark.attack("A-C-2", "A-F-11")
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_interleaved_requests(method: str) -> None:
    """In a thousand interleaved requests every endpoint, dependency and background task sees its own principal."""
    done: list[tuple[int, str | None]] = []
    current: ContextVar[str | None] = ContextVar("current", default=None)
    app = FastAPI()

    async def remembered(principal: Annotated[Principal, require()]) -> Principal:
        current.set(principal.subject)
        await asyncio.sleep(0)
        return principal

    def finish(number: int, subject: str | None) -> None:
        done.append((number, subject))

    @app.api_route("/users/{number}", methods=["GET", "POST"])
    async def user(
        number: int,
        tasks: BackgroundTasks,
        first: Annotated[Principal, Depends(remembered)],
        second: Annotated[Principal, require()],
    ) -> dict[str, Any]:
        tasks.add_task(finish, number, first.subject)
        await asyncio.sleep(0)
        return {
            "subjects": [first.subject, second.subject, current.get()],
            "scopes": sorted(first.scopes | second.scopes),
        }

    install(app, populated().server(cache_size=USERS // 2))

    async def one(number: int) -> Answer:
        return await call(app, method, f"/users/{number % USERS}", token=f"canary-{number % USERS}", body=b"{}")

    answers = await asyncio.gather(*map(one, range(REQUESTS)))
    for number, answer in enumerate(answers):
        expected = f"user-{number % USERS}"
        assert (answer.status, answer.json()["subjects"]) == (200, [expected] * 3)
        assert answer.json()["scopes"] == [f"scope-{number % USERS}"]
    assert len(done) == REQUESTS
    assert all(subject == f"user-{number}" for number, subject in done)


@pytest.mark.attack("A-F-11")
async def test_interleaved_streams() -> None:
    """A response that is streamed while others are judged goes on for its own principal."""
    app = FastAPI()

    @app.get("/stream")
    async def stream(principal: Annotated[Principal, require()]) -> StreamingResponse:
        async def lines() -> AsyncIterator[str]:
            for _ in range(3):
                await asyncio.sleep(0)
                yield f"{principal.subject}\n"

        return StreamingResponse(lines())

    install(app, populated().server())
    answers = await asyncio.gather(*[call(app, "GET", "/stream", token=f"canary-{n}") for n in range(USERS)])
    for number, answer in enumerate(answers):
        assert answer.body.decode().splitlines() == [f"user-{number}"] * 3


@pytest.mark.attack("A-C-12")
@pytest.mark.parametrize("gone", [1, 25, 50], ids=["first", "half", "all"])
async def test_clients_that_go_away(gone: int) -> None:
    """A client that goes away while its token is introspected costs nobody else an answer, and is asked for once."""
    authorization_server = ScriptedAS()
    asked, release = asyncio.Event(), asyncio.Event()
    app = FastAPI(dependencies=[require("read")])

    @app.get("/things")
    async def things() -> str:
        return "things"

    transport = authorization_server.transport()

    class Slow:
        async def handle_async_request(self, request: Any) -> Any:
            asked.set()
            await release.wait()
            return await transport.handle_async_request(request)

        async def aclose(self) -> None: ...

    server = authorization_server.server(transport=Slow())
    install(app, server)
    requests = [asyncio.ensure_future(call(app, "GET", "/things", token=READER)) for _ in range(50)]
    await asked.wait()
    for request in requests[:gone]:
        request.cancel()
    release.set()
    outcomes = await asyncio.gather(*requests, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes[:gone]] == [asyncio.CancelledError] * gone
    assert [outcome.status for outcome in outcomes[gone:] if isinstance(outcome, Answer)] == [200] * (50 - gone)
    assert (await call(app, "GET", "/things", token=READER)).status == 200
    assert authorization_server.introspections == 1


@pytest.mark.attack("A-C-11")
async def test_principal_cannot_be_changed(authorization_server: ScriptedAS) -> None:
    """An endpoint cannot change what the next request with the same token sees."""
    app = FastAPI()

    @app.get("/things")
    async def things(principal: Annotated[Principal, require()]) -> list[str]:
        for target, name, value in ((principal.claims, "scope", "admin"), (principal.claims["nested"], "a", 2)):
            with pytest.raises(TypeError):
                target[name] = value  # type: ignore[index]
        with pytest.raises(AttributeError):
            principal.subject = "mallory"  # type: ignore[misc]
        return sorted(principal.scopes)

    authorization_server.tokens["nested-canary"] = active("read", nested={"a": 1})
    install(app, authorization_server.server())
    for _ in range(2):
        assert (await call(app, "GET", "/things", token="nested-canary")).json() == ["read"]
