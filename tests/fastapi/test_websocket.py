"""A WebSocket's handshake is a request: it is judged like one, and refused with a real response where possible."""

from typing import Annotated, Any

import pytest
from fastapi import FastAPI, HTTPException, WebSocket

from resource_server import InsufficientScope, Principal
from resource_server.fastapi import install, require
from tests.support.asgi import Handshake, handshake
from tests.support.fastapi_app import ADMIN, NOBODY, READER, ScriptedAS
from tests.support.promises import assert_refused, assert_unavailable

pytestmark = pytest.mark.anyio

READ = require("read")


def api(**demands: Any) -> FastAPI:
    """Make an application with WebSockets that greet whoever comes in."""
    app = FastAPI()

    @app.websocket("/feed")
    async def feed(websocket: WebSocket, principal: Annotated[Principal, require("read", **demands)]) -> None:
        await websocket.accept()
        await websocket.send_text(f"hello {principal.subject}")
        await websocket.close()

    @app.websocket("/missing", dependencies=[READ])
    async def missing() -> None:
        raise HTTPException(404)

    @app.websocket("/mine", dependencies=[require(**demands)])
    async def mine() -> None:
        raise InsufficientScope(scope=("owner",))

    return app


def comparable(opened: Handshake) -> tuple[Any, ...]:
    """Reduce a handshake's outcome to what a client can see of it."""
    assert opened.answer is not None
    return opened.accepted, opened.close_code, opened.answer.status, opened.answer.headers, opened.answer.body


@pytest.mark.rfc("9110-11.6.1-a")
async def test_refused_with_a_response(authorization_server: ScriptedAS) -> None:
    """RFC 9110 §11.6.1: a refused handshake is a 401 or 403 with a challenge, and never an open connection."""
    app = api()
    install(app, authorization_server.server())
    for token, status, error in (
        (None, 401, None),
        ("unknown-canary", 401, "invalid_token"),
        (NOBODY, 403, "insufficient_scope"),
    ):
        refused = await handshake(app, "/feed", token=token)
        assert not refused.accepted
        assert refused.answer is not None
        assert_refused(refused.answer, status, error, scope=None if error == "invalid_token" else "read")
    opened = await handshake(app, "/feed", token=READER)
    assert (opened.accepted, opened.answer, opened.texts) == (True, None, ("hello alice",))


async def test_refused_by_closing(authorization_server: ScriptedAS) -> None:
    """Where the server cannot answer a handshake with a response it is closed: nobody gets in for want of that."""
    app = api()
    install(app, authorization_server.server(unavailable_status=503))
    for token in (None, "unknown-canary", NOBODY):
        refused = await handshake(app, "/feed", token=token, denial=False)
        assert (refused.accepted, refused.answer, refused.close_code) == (False, None, 1000)
    mine = await handshake(app, "/mine", token=READER, denial=False)
    assert (mine.accepted, mine.close_code) == (False, 1000)
    authorization_server.outage = 500
    outage = await handshake(app, "/feed", token=ADMIN, denial=False)
    assert (outage.accepted, outage.close_code) == (False, 1000)


async def test_outage(authorization_server: ScriptedAS) -> None:
    """An outage is a 503 with Retry-After for a handshake as well."""
    app = api()
    install(app, authorization_server.server(unavailable_status=503))
    authorization_server.outage = 500
    refused = await handshake(app, "/feed", token=READER)
    assert refused.answer is not None
    assert_unavailable(refused.answer, 5)


@pytest.mark.rfc("9110-15.5.4-a")
@pytest.mark.parametrize("level", ["route", "install"])
async def test_hide(level: str, authorization_server: ScriptedAS) -> None:
    """RFC 9110 §15.5.4: a forbidden feed is answered as a missing one is, to the last byte."""
    app = api(hide=level == "route")
    install(app, authorization_server.server(), hide=level == "install")
    missing = comparable(await handshake(app, "/missing", token=READER))
    assert missing[2] == 404
    assert ("cache-control", "no-store") in missing[3]
    assert comparable(await handshake(app, "/feed", token=NOBODY)) == missing
    assert comparable(await handshake(app, "/mine", token=READER)) == missing
    closed = await handshake(app, "/feed", token=NOBODY, denial=False)
    assert (closed.accepted, closed.answer, closed.close_code) == (False, None, 1000)
    unknown = await handshake(app, "/feed")
    assert unknown.answer is not None
    assert_refused(unknown.answer, 401, scope="read")


async def test_domain_refusal(authorization_server: ScriptedAS) -> None:
    """A refusal that the endpoint raises before it accepts is answered like the others."""
    app = api()
    install(app, authorization_server.server())
    refused = await handshake(app, "/mine", token=READER)
    assert refused.answer is not None
    assert_refused(refused.answer, 403, "insufficient_scope", scope="owner")


async def test_own_handler(authorization_server: ScriptedAS) -> None:
    """The application's own handler of refusals is asked for WebSockets too."""
    app = api()
    install(app, authorization_server.server())

    @app.exception_handler(InsufficientScope)
    async def close(websocket: WebSocket, _: InsufficientScope) -> None:
        await websocket.close(1008)

    refused = await handshake(app, "/feed", token=NOBODY)
    assert (refused.accepted, refused.answer, refused.close_code) == (False, None, 1008)


@pytest.mark.attack("A-R-9")
@pytest.mark.parametrize(
    "headers",
    [
        [(b"sec-websocket-protocol", b"bearer, " + ADMIN.encode())],
        [(b"cookie", b"access_token=" + ADMIN.encode())],
        [(b"sec-websocket-protocol", b"Bearer " + ADMIN.encode())],
    ],
    ids=["subprotocols", "cookie", "subprotocol"],
)
async def test_token_elsewhere(headers: list[tuple[bytes, bytes]], authorization_server: ScriptedAS) -> None:
    """A token in a subprotocol or a cookie is not taken, and not sent back."""
    app = api()
    install(app, authorization_server.server())
    refused = await handshake(app, "/feed", headers=headers)
    assert refused.answer is not None
    assert_refused(refused.answer, 401, scope="read")
    assert refused.answer.header("sec-websocket-protocol") is None
    assert authorization_server.introspections == 0


async def test_token_in_the_query(authorization_server: ScriptedAS) -> None:
    """A browser cannot set a header for a WebSocket: where query tokens are enabled they open one, else they do not."""
    query = b"access_token=" + READER.encode()
    app = api()
    install(app, authorization_server.server())
    assert not (await handshake(app, "/feed", query=query)).accepted
    app = api()
    install(app, authorization_server.server(query_token=True))
    assert (await handshake(app, "/feed", query=query)).accepted
