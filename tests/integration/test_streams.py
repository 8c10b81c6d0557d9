"""Streams over real sockets end when their token is revoked, with an answer that a client understands."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterator
from typing import Annotated, Any

import httpx
import pytest
from fastapi import FastAPI, WebSocket
from fastapi.responses import StreamingResponse
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from resource_server import Principal, ResourceServer
from resource_server.fastapi import install, require
from resource_server.receiver import EventReceiver
from tests.support.fastapi_app import READER, ScriptedAS, active
from tests.support.live import PATIENCE, serve
from tests.support.notices import logout_token, security_event

READ = require("read")
OTHER = "other-canary"
BEARER = {"Authorization": f"Bearer {READER}"}


async def ticks(principal: Principal) -> AsyncIterator[str]:
    """Say who is listening, and then nothing for ever."""
    yield f"data: {principal.subject}\n\n"
    await asyncio.Event().wait()


async def events(principal: Annotated[Principal, READ]) -> StreamingResponse:
    """Send server-sent events for as long as the token is good."""

    async def stream() -> AsyncIterator[str]:
        async with principal.lease() as lease:
            async for event in lease.over(ticks(principal)):
                yield event
            yield f"event: end\ndata: {lease.reason}\n\n"

    return StreamingResponse(stream(), media_type="text/event-stream")


async def feed(websocket: WebSocket, principal: Annotated[Principal, READ]) -> None:
    """Echo for as long as the token is good, then close, with the reason."""
    await websocket.accept()
    async with principal.lease(websocket, recheck=60) as lease:
        async for text in lease.over(websocket.iter_text()):
            await websocket.send_text(text)
        if lease.reason is not None:
            await websocket.close(1008, lease.reason)


def make_app(server: ResourceServer) -> FastAPI:
    """Make an application with a stream of each kind, and a receiver."""
    app = FastAPI()
    app.get("/events")(events)
    app.websocket("/feed")(feed)
    app.mount("/security-events", EventReceiver(server))
    install(app, server)
    return app


@pytest.fixture(params=["h11", "httptools"])
def port(request: pytest.FixtureRequest) -> Iterator[int]:
    """Serve the application, with everything new."""
    tokens = {
        READER: active("read", sid="session-1", exp=int(time.time()) + 600),
        OTHER: active("read", sub="bob", sid="session-2"),
    }
    with serve(make_app(ScriptedAS(tokens).server()), request.param) as served:
        yield served


def push(port: int, token: str) -> int:
    """Send a security event, and return the status of the answer."""
    headers = {"content-type": "application/secevent+jwt"}
    return httpx.post(f"http://127.0.0.1:{port}/security-events/", content=token, headers=headers).status_code


def log_out(port: int, token: str) -> int:
    """Send a logout token, and return the status of the answer."""
    url = f"http://127.0.0.1:{port}/security-events/"
    return httpx.post(url, data={"logout_token": token}).status_code


@pytest.mark.attack("A-F-10")
def test_server_sent_events(port: int) -> None:
    """A stream that is silent when its token is revoked ends all the same, whole, and says why."""
    url = f"http://127.0.0.1:{port}/events"
    with httpx.stream("GET", url, headers=BEARER, timeout=PATIENCE) as stream:
        lines = stream.iter_lines()
        assert next(lines) == "data: alice"
        assert push(port, security_event(time.time())) == 202
        assert [line for line in lines if line] == ["event: end", "data: revoked"]
    assert httpx.get(url, headers=BEARER).status_code == 401


@pytest.mark.attack("A-F-10")
def test_websocket(port: int) -> None:
    """A WebSocket whose session was logged out is closed as a policy violation; that of another session goes on."""
    url = f"ws://127.0.0.1:{port}/feed"
    with (
        connect(url, additional_headers=BEARER) as mine,
        connect(url, additional_headers={"Authorization": f"Bearer {OTHER}"}) as theirs,
    ):
        mine.send("hello")
        assert mine.recv(PATIENCE) == "hello"
        assert log_out(port, logout_token(time.time())) == 200
        with pytest.raises(ConnectionClosed) as closed:
            mine.recv(PATIENCE)
        assert closed.value.rcvd is not None
        assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (1008, "revoked")
        theirs.send("still here")
        assert theirs.recv(PATIENCE) == "still here"


def test_client_that_leaves(port: int) -> None:
    """A client that goes away first is no error, and its stream leaves nothing behind."""
    with connect(f"ws://127.0.0.1:{port}/feed", additional_headers=BEARER) as mine:
        mine.send("hello")
        assert mine.recv(PATIENCE) == "hello"
    with httpx.stream("GET", f"http://127.0.0.1:{port}/events", headers=BEARER, timeout=PATIENCE) as stream:
        assert next(stream.iter_lines()) == "data: alice"
    assert push(port, security_event(time.time())) == 202


def test_refused_event(port: int) -> None:
    """RFC 8935 §2.3: over a real socket too, a refusal says what the standard wants it to, and the stream goes on."""
    url = f"http://127.0.0.1:{port}/security-events/"
    headers = {"content-type": "application/secevent+jwt"}
    with connect(f"ws://127.0.0.1:{port}/feed", additional_headers=BEARER) as mine:
        answer = httpx.post(url, content=security_event(time.time(), iss="https://x.example"), headers=headers)
        members: Any = json.loads(answer.content)
        assert (answer.status_code, members["err"]) == (400, "invalid_issuer")
        assert (answer.headers["content-language"], answer.headers["cache-control"]) == ("en", "no-store")
        mine.send("hello")
        assert mine.recv(PATIENCE) == "hello"


def test_long_body(port: int) -> None:
    """A body that is too long is refused over a real socket, where it is not even read to its end."""
    headers = {"content-type": "application/secevent+jwt"}
    answer = httpx.post(f"http://127.0.0.1:{port}/security-events/", content=b"x" * 200_000, headers=headers)
    assert answer.status_code == 413
