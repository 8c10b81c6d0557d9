"""An API of nothing but functions behind the ASGI middleware, for the conformance suite."""

import json
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from resource_server import Requirement, ResourceServer
from resource_server.asgi import BearerTokenMiddleware

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


async def read_body(receive: Receive) -> bytes:
    """Return the whole body."""
    parts: list[bytes] = []
    while True:
        message = await receive()
        parts.append(message.get("body", b""))
        if not message.get("more_body"):
            return b"".join(parts)


async def judge_thing(receive: Receive) -> int:
    """Return the status for what is sent to be kept."""
    try:
        thing = json.loads(await read_body(receive))
    except ValueError:
        return 400
    return 200 if isinstance(thing, dict) and isinstance(thing.get("item"), str) else 422


async def respond(send: Send, status: int) -> None:
    """Answer with a status."""
    await send({"type": "http.response.start", "status": status, "headers": [(b"content-type", b"application/json")]})
    await send({"type": "http.response.body", "body": b'{"status": %d}' % status})


async def nothing(_scope: Message, _receive: Receive, send: Send) -> None:
    """Answer where there is nothing."""
    await respond(send, 404)


async def things(scope: Message, receive: Receive, send: Send) -> None:
    """Answer what the middleware has let in."""
    known = {"/read", "/write", "/both", "/hidden", "/step-up", "/healthz"}
    status = 200 if scope["path"] in known else 404
    if scope["path"] == "/things" and scope["method"] == "POST":
        status = await judge_thing(receive)
    await respond(send, status)


app = BearerTokenMiddleware(
    things,
    ResourceServer.from_env(),
    not_found=nothing,
    public=["/healthz"],
    rules={
        "/read": Requirement.of("read"),
        "/write": Requirement.of("write"),
        "/both": Requirement.of("read", "write"),
        "/hidden": Requirement.of("admin", hide=True),
        "/step-up": Requirement.of("read", acr_values="gold"),
        "/things": Requirement.of("write"),
    },
)
