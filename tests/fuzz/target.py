"""An application that takes whatever is sent to it, and what holds for each of its answers.

References: RFC 6750 section 3, RFC 9110 sections 5.5 and 11
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from functools import lru_cache
from hashlib import sha256
from typing import Annotated, Any
from urllib.parse import quote

import httpx
from fastapi import Body, FastAPI

from resource_server import Clock, ResourceServer
from resource_server.fastapi import install, require
from tests.fuzz.requests import Request
from tests.support.asgi import App
from tests.support.headers import parse_challenges
from tests.support.jwt import AUDIENCE, ISSUER, NOW, REMOVED, access_token, b64url, jwks, sign, signing_key, thumbprint

KEY = signing_key("ES256")
GOOD = access_token(KEY, scope="read").encode()
BOUND = tuple(
    access_token(KEY, scope="read", cnf=confirmation).encode()
    for confirmation in (
        {"jkt": thumbprint(KEY)},
        {"x5t#S256": "A" * 43},
        {"jkt": thumbprint(KEY), "x5t#S256": "A" * 43},
    )
)
PROOF = sign(
    {"typ": "dpop+jwt", "alg": "ES256", "jwk": KEY.jwk(kid=REMOVED)},
    {
        "jti": "x",
        "htm": "GET",
        "htu": f"{AUDIENCE}/things",
        "iat": int(NOW),
        "ath": b64url(sha256(BOUND[0]).digest()),
    },
    KEY,
).encode()
_GOOD = re.compile(rb"[ \t]*bearer +" + re.escape(GOOD) + rb"[ \t]*", re.IGNORECASE)
_STATUSES = {200, 307, 400, 401, 403, 404, 405, 422}
_ERRORS: dict[int, set[str | None]] = {
    400: {"invalid_request"},
    401: {None, "invalid_token", "invalid_dpop_proof", "use_dpop_nonce"},
    403: {"insufficient_scope"},
}
_SHORTEST = 12


def application(entered: Counter[str]) -> FastAPI:
    """Make an application with a public route, and routes that need scopes.

    Args:
        entered: counts the calls of each endpoint.
    """
    app = FastAPI()

    @app.get("/public")
    async def public() -> str:
        entered["/public"] += 1
        return "public"

    @app.get("/things", dependencies=[require("read")])
    async def things() -> str:
        entered["/things"] += 1
        return "things"

    @app.post("/things", dependencies=[require("read")])
    async def create(n: Annotated[int, Body(embed=True)]) -> int:
        entered["/things"] += 1
        return n

    @app.get("/both", dependencies=[require("read", "write")])
    async def both() -> str:
        entered["/both"] += 1
        return "both"

    return app


class Target:
    """An application, and what happens to a request that is sent to it.

    Args:
        options: options of its resource server.
    """

    def __init__(self, **options: Any) -> None:
        """Install a server whose keys come from memory."""
        self.entered = Counter[str]()
        self.app = application(self.entered)
        self.statuses: set[int] = set()
        server = ResourceServer(
            issuer=ISSUER,
            audience=AUDIENCE,
            strategy="jwks",
            jwks_uri=f"{ISSUER}/jwks",
            transport=httpx.MockTransport(lambda _: httpx.Response(200, json=jwks(KEY))),
            clock=Clock(wall=lambda: NOW, monotonic=lambda: 0.0),
            observer=lambda _: None,
            **options,
        )
        self.by_query = server.settings.query_token
        self.takes_proofs = server.settings.dpop != "off" and not server.settings.dpop_nonce
        install(self.app, server)

    async def send(self, request: Request) -> None:
        """Send a request, and hold the answer to what holds for every answer."""
        self.entered.clear()
        status, fields, body = await _call(self.app, request)
        self.statuses.add(status)
        assert status in _STATUSES, status
        assert all(_is_field(name, value) for name, value in fields)
        protected = self.entered.total() - self.entered["/public"]
        assert not protected or self._may_enter(request)
        challenges = [value for name, value in fields if name == b"www-authenticate"]
        if status in {401, 403} or challenges:
            (challenge,) = challenges
            assert _error(challenge.decode("ascii")) in _ERRORS[status]
            assert not protected
        # Where Starlette redirects it repeats the query, in which the same token may stand.
        answer = b"\n".join([*(value for name, value in fields if name != b"location"), body])
        assert not [secret for secret in _secrets(request) if secret in answer]

    def _may_enter(self, request: Request) -> bool:
        sent = [value for name, value in request.headers if name.lower() == b"authorization"]
        if len(sent) == 1 and _GOOD.fullmatch(sent[0]):
            return True
        if self.takes_proofs and sent == [b"DPoP " + BOUND[0]]:
            return [value for name, value in request.headers if name.lower() == b"dpop"] == [PROOF]
        return self.by_query and quote(GOOD).encode() in request.query


async def _call(app: App, request: Request) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
    """Send a request by hand; the client is gone after its last chunk."""
    arriving: Iterator[dict[str, Any]] = iter(_messages(request))
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return next(arriving, {"type": "http.disconnect"})

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    await app(_scope(request), receive, send)
    (start,) = (message for message in sent if message["type"] == "http.response.start")
    assert sent[0] is start
    assert not sent[-1].get("more_body")
    return start["status"], start["headers"], b"".join(message.get("body", b"") for message in sent[1:])


def _messages(request: Request) -> Iterator[dict[str, Any]]:
    for chunk in request.body:
        yield {"type": "http.request", "body": chunk, "more_body": True}
    yield {"type": "http.request", "body": b"", "more_body": False}


def _scope(request: Request) -> dict[str, Any]:
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": request.method,
        "scheme": "https",
        "path": request.path,
        "raw_path": request.path.encode("utf-8"),
        "root_path": "",
        "query_string": request.query,
        "headers": request.headers,
        "client": ("127.0.0.1", 50000),
        "server": ("127.0.0.1", 443),
    }


def _is_field(name: bytes, value: bytes) -> bool:
    return name == name.lower() and b"\r" not in value and b"\n" not in value and b"\x00" not in value


@lru_cache(maxsize=1000)
def _error(value: str) -> str | None:
    """Parse challenges strictly, and return the one error code that they name."""
    challenges = parse_challenges(value)
    assert {challenge.scheme for challenge in challenges} <= {"bearer", "dpop"}
    assert all(challenge.params["realm"] == "api" for challenge in challenges)
    errors = {challenge.params.get("error") for challenge in challenges} - {None}
    assert len(errors) <= 1
    return next(iter(errors), None)


def _secrets(request: Request) -> list[bytes]:
    """List what of a request's credentials must not come back."""
    words = [
        word for name, value in request.headers if name.lower() in {b"authorization", b"dpop"} for word in value.split()
    ]
    return [word for word in words if len(word) >= _SHORTEST]
