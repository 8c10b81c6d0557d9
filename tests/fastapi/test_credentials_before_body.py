"""A caller without the right token cannot make the application read, parse or validate one byte of a body."""

import json
from collections.abc import Callable
from typing import Annotated, Any

import pytest
from fastapi import Body, FastAPI, File, Form, Request, Response, UploadFile
from pydantic import BaseModel

from resource_server import Principal
from resource_server.fastapi import install, require
from tests.support.answer import Answer
from tests.support.asgi import call
from tests.support.fastapi_app import READER, WRITER, ScriptedAS
from tests.support.promises import assert_refused

pytestmark = [pytest.mark.anyio, pytest.mark.attack("A-F-1", "A-F-2")]

BOUNDARY = "limit"
WRITE = require("write")


class Order(BaseModel):
    """A body with something to validate."""

    n: int


def part(name: str, content: str, filename: str = "") -> str:
    """Write one part of a multipart body."""
    file = f'; filename="{filename}"' if filename else ""
    return f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"{file}\r\n\r\n{content}\r\n'


def api() -> FastAPI:
    """Make an application with every kind of body that FastAPI reads, each behind the scope `write`."""
    app = FastAPI()

    @app.post("/model", dependencies=[WRITE])
    async def model(order: Order) -> int:
        return order.n

    @app.post("/embedded", dependencies=[WRITE])
    async def embedded(n: Annotated[int, Body(embed=True)], m: Annotated[int, Body(embed=True)]) -> int:
        return n + m

    @app.post("/form", dependencies=[WRITE])
    async def form(n: Annotated[int, Form()]) -> int:
        return n

    @app.post("/upload", dependencies=[WRITE])
    async def upload(file: UploadFile) -> int:
        return len(await file.read())

    @app.post("/multipart", dependencies=[WRITE])
    async def multipart(n: Annotated[int, Form()], file: Annotated[bytes, File()]) -> int:
        return n + len(file)

    @app.post("/raw", dependencies=[WRITE])
    async def raw(request: Request) -> int:
        return len(await request.body())

    @app.post("/stream")
    async def stream(request: Request, principal: Annotated[Principal, WRITE]) -> int:
        return sum([len(chunk) async for chunk in request.stream()])

    @app.post("/sync", dependencies=[WRITE])
    def sync(order: Order) -> int:
        return order.n

    @app.post("/path/{n}", dependencies=[WRITE])
    async def path(n: int, order: Order) -> int:
        return n + order.n

    return app


JSON = "application/json"
MULTIPART = f"multipart/form-data; boundary={BOUNDARY}"
URLENCODED = "application/x-www-form-urlencoded"
FILE = part("file", "1234", "a.txt")
GOOD: dict[str, tuple[str, bytes, int]] = {
    "/model": (JSON, b'{"n": 4}', 4),
    "/embedded": (JSON, b'{"n": 1, "m": 3}', 4),
    "/form": (URLENCODED, b"n=4", 4),
    "/upload": (MULTIPART, f"{FILE}--{BOUNDARY}--\r\n".encode(), 4),
    "/multipart": (MULTIPART, f"{part('n', '0')}{FILE}--{BOUNDARY}--\r\n".encode(), 4),
    "/raw": ("text/plain", b"1234", 4),
    "/stream": ("application/octet-stream", b"1234", 4),
    "/sync": (JSON, b'{"n": 4}', 4),
    "/path/1": (JSON, b'{"n": 3}', 4),
}
BAD: dict[str, tuple[str, str, bytes]] = {
    "malformed JSON": ("/model", JSON, b'{"n": '),
    "invalid JSON": ("/model", JSON, b'{"n": "x"}'),
    "JSON that is not UTF-8": ("/model", JSON, b'{"n": "\xff\xfe"}'),
    "deep JSON": ("/model", JSON, b"[" * 100_000),
    "no body": ("/embedded", JSON, b""),
    "invalid form": ("/form", URLENCODED, b"n=x"),
    "malformed multipart": ("/multipart", MULTIPART, b"--limit\r\nContent"),
    "multipart without a boundary": ("/upload", "multipart/form-data", b"x"),
    "invalid path": ("/path/x", JSON, b'{"n": '),
}


@pytest.mark.parametrize("path", GOOD)
async def test_good_body(path: str, authorization_server: ScriptedAS) -> None:
    """With a good token every kind of body reaches the endpoint whole, the first time and the second."""
    content_type, body, expected = GOOD[path]
    app = api()
    install(app, authorization_server.server())
    for _ in range(2):
        answer = await call(app, "POST", path, token=WRITER, body=body, content_type=content_type)
        assert (answer.status, answer.json()) == (200, expected)


@pytest.mark.parametrize("token", [None, "unknown-canary", READER], ids=["no token", "bad token", "narrow token"])
@pytest.mark.parametrize("path", GOOD)
async def test_body_is_never_asked_for(path: str, token: str | None, authorization_server: ScriptedAS) -> None:
    """A refusal does not wait for the body: the client may never send it, and the application never awaits a part."""
    app = api()
    install(app, authorization_server.server())
    for _ in range(2):
        answer = await call(app, "POST", path, token=token, body=(), content_type=GOOD[path][0])
        assert_as_expected(answer, token)
        assert answer.reads == 0


@pytest.mark.parametrize("token", [None, "unknown-canary", READER], ids=["no token", "bad token", "narrow token"])
@pytest.mark.parametrize("kind", BAD)
async def test_bad_body(kind: str, token: str | None, authorization_server: ScriptedAS) -> None:
    """Credentials are judged before a body: 401 and 403 come before 400 and 422, which only those let in may see."""
    path, content_type, body = BAD[kind]
    app = api()
    install(app, authorization_server.server())
    for _ in range(2):
        answer = await call(app, "POST", path, token=token, body=body, content_type=content_type)
        assert_as_expected(answer, token)
        assert answer.reads == 0
        let_in = await call(app, "POST", path, token=WRITER, body=body, content_type=content_type)
        assert let_in.status in {400, 422}


# FastAPI judges a boundary that is missing without reading: on a route that nothing could prepare for, it comes first.
@pytest.mark.parametrize("kind", sorted(BAD.keys() - {"multipart without a boundary"}))
async def test_late_routes(kind: str, authorization_server: ScriptedAS) -> None:
    """The same holds for a route that is added while the application serves already."""
    path, content_type, body = BAD[kind]
    app = FastAPI()
    install(app, authorization_server.server())
    assert (await call(app, "GET", "/")).status == 404
    app.router.routes.extend(api().router.routes)
    for token in (None, "unknown-canary", READER):
        answer = await call(app, "POST", path, token=token, body=body, content_type=content_type)
        assert_as_expected(answer, token)
        assert answer.reads == 0
    let_in = await call(app, "POST", path, token=WRITER, body=body, content_type=content_type)
    assert let_in.status in {400, 422}


async def test_body_of_a_plain_read(authorization_server: ScriptedAS) -> None:
    """An endpoint that reads the body by hand gets it in the pieces that it came in, each of them once."""
    app = api()
    install(app, authorization_server.server())
    pieces = [
        {"type": "http.request", "body": b"12", "more_body": True},
        {"type": "http.request", "body": b"34", "more_body": False},
    ]
    answer = await call(app, "POST", "/stream", token=WRITER, body=pieces)
    assert (answer.json(), answer.reads) == (4, 2)


@pytest.mark.parametrize(
    "read",
    [lambda app: app.post("/open")(_order), lambda app: app.post("/open")(_raw)],
    ids=["model", "raw"],
)
async def test_public_routes(read: Callable[[FastAPI], Any], authorization_server: ScriptedAS) -> None:
    """A route without `require` is untouched: its body is read, errors are its own, and no token is looked at."""
    app = api()
    read(app)
    install(app, authorization_server.server())
    for token in (None, "unknown-canary"):
        answer = await call(app, "POST", "/open", token=token, body=b'{"n": 4}', content_type=JSON)
        assert (answer.status, answer.json()) == (200, 4)
        assert answer.header("www-authenticate") is None
        assert answer.header("cache-control") is None
    malformed = await call(app, "POST", "/open", body=b'{"n": ', content_type=JSON)
    assert malformed.status == 422
    assert authorization_server.introspections == 0


async def _order(order: Order) -> int:
    return order.n


async def _raw(request: Request) -> Any:
    body = await request.body()
    return json.loads(body)["n"] if body.endswith(b"}") else Response(status_code=422)


def assert_as_expected(answer: Answer, token: str | None) -> None:
    """Assert the refusal that the scope `write` earns each of the three callers."""
    if token is None:
        assert_refused(answer, 401, scope="write")
    elif token == READER:
        assert_refused(answer, 403, "insufficient_scope", scope="write")
    else:
        assert_refused(answer, 401, "invalid_token")
