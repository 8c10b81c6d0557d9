"""An authorization server that answers after a fixed time: ``python -m benchmarks.compare.authority OPTIONS``.

It keeps nothing. An opaque token says itself whether it is good, and until when: ``live-EXP-NAME`` is active until
``EXP``, and everything else is not. It listens twice, with TLS and without, because one of those that are compared
takes no issuer without it; and it counts what it is asked. The options are one document of JSON.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections import Counter
from typing import Any
from urllib.parse import parse_qs

import uvicorn

from benchmarks.support import AUDIENCE, Message

_SCOPE = "read write"


def members(issuer: str, token: str) -> dict[str, Any]:
    """Return what introspection says of a token.

    Args:
        issuer: who says it.
        token: the text.
    """
    kind, _, rest = token.partition("-")
    until = rest.partition("-")[0]
    if kind != "live" or not until.isdigit() or int(until) <= time.time():
        return {"active": False}
    return {
        "active": True,
        "iss": issuer,
        "aud": AUDIENCE,
        "sub": f"user-{token[-16:]}",
        "client_id": "orders-frontend",
        "scope": _SCOPE,
        "token_type": "Bearer",
        "exp": int(until),
        "iat": int(time.time()),
        "jti": token,
    }


class Authority:
    """The application of both listeners.

    Args:
        jwks: the public keys.
        latency: seconds before each answer.
    """

    def __init__(self, jwks: dict[str, Any], latency: float) -> None:
        """Have been asked nothing."""
        self._jwks = jwks
        self._latency = latency
        self._asked: Counter[str] = Counter()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401 - ASGI
        """Answer one request."""
        body = b""
        more = True
        while more:
            message: Message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        if scope["path"] == "/asked":
            await _answer(send, dict(self._asked))
            return
        self._asked[scope["path"]] += 1
        await asyncio.sleep(self._latency)
        host = dict(scope["headers"])[b"host"].decode()
        await _answer(send, self._document(scope["path"], f"{scope['scheme']}://{host}", body))

    def _document(self, path: str, issuer: str, body: bytes) -> dict[str, Any]:
        if path == "/introspect":
            return members(issuer, parse_qs(body.decode())["token"][0])
        if path == "/jwks":
            return self._jwks
        return {
            "issuer": issuer,
            "jwks_uri": f"{issuer}/jwks",
            "introspection_endpoint": f"{issuer}/introspect",
            "token_endpoint": f"{issuer}/token",
            "response_types_supported": ["code"],
        }


async def _answer(send: Any, document: dict[str, Any]) -> None:  # noqa: ANN401 - ASGI
    body = json.dumps(document).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def serve(options: dict[str, Any]) -> None:
    """Listen at two ports until the process is ended.

    Args:
        options: ``jwks``, ``latency``, ``plain`` and ``tls``, which are ports, and ``certificate`` and ``key``, which
            are files.
    """
    app = Authority(options["jwks"], options["latency"])
    common: dict[str, Any] = {"lifespan": "off", "log_level": "error", "access_log": False, "backlog": 2048}
    tls = {"ssl_certfile": options["certificate"], "ssl_keyfile": options["key"]}
    servers = [
        uvicorn.Server(uvicorn.Config(app, port=options["plain"], **common)),
        uvicorn.Server(uvicorn.Config(app, port=options["tls"], **common, **tls)),
    ]
    await asyncio.gather(*(server.serve() for server in servers))


if __name__ == "__main__":
    asyncio.run(serve(json.loads(sys.argv[1])))
