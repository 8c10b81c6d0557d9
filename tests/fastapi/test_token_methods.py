"""Tokens stand in the Authorization field; elsewhere only where that was asked for, and never in two places."""

from typing import Annotated, Any

import pytest
from fastapi import Depends, FastAPI, Form, Request
from fastapi.responses import JSONResponse

from resource_server import Principal
from resource_server.fastapi import install, require
from tests.support.asgi import call
from tests.support.fastapi_app import ADMIN, NOBODY, READER, WRITER, ScriptedAS
from tests.support.promises import assert_refused

pytestmark = pytest.mark.anyio

URLENCODED = "application/x-www-form-urlencoded"
READ = require("read")


def api() -> FastAPI:
    """Make an application that reads a form by parameter, by hand, and not at all."""
    app = FastAPI()

    @app.post("/form", dependencies=[READ])
    async def form(x: Annotated[str, Form()]) -> str:
        return x

    @app.post("/raw")
    async def raw(request: Request, principal: Annotated[Principal, READ]) -> str:
        return (await request.body()).decode()

    @app.api_route("/things", methods=["GET", "POST"])
    async def things(principal: Annotated[Principal, READ]) -> str:
        return principal.subject or ""

    return app


def presented(token: str) -> bytes:
    """Write a token as a parameter of a form or a query."""
    return b"access_token=" + token.encode()


@pytest.mark.rfc("6750-2.2-a", "6750-2.3-a", "o21-5.2-a")
@pytest.mark.attack("A-R-5")
@pytest.mark.parametrize(
    "sent",
    [
        {"method": "GET", "query": presented(READER)},
        {"method": "POST", "body": presented(READER), "content_type": URLENCODED},
        {"method": "GET", "headers": [(b"cookie", presented(READER))]},
        {"method": "GET", "headers": [(b"access-token", READER.encode())]},
    ],
    ids=["query", "form", "cookie", "header"],
)
async def test_ignored_by_default(sent: dict[str, Any], authorization_server: ScriptedAS) -> None:
    """RFC 6750 §2: a token outside the Authorization field is no token, unless that was asked for."""
    app = api()
    install(app, authorization_server.server())
    assert_refused(await call(app, path="/things", **sent), 401, scope="read")
    assert authorization_server.introspections == 0


@pytest.mark.rfc("6750-2.2-a", "6750-2.2-b")
@pytest.mark.parametrize("path", ["/form", "/raw"])
async def test_form_token(path: str, authorization_server: ScriptedAS) -> None:
    """RFC 6750 §2.2: where form tokens are enabled one lets in, and the endpoint still sees the whole form."""
    app = api()
    install(app, authorization_server.server(form_token=True))
    body = presented(READER) + b"&x=1"
    for _ in range(2):
        answer = await call(app, "POST", path, body=body, content_type=f"{URLENCODED}; charset=utf-8")
        assert answer.status == 200
        assert answer.json() == ("1" if path == "/form" else body.decode())
        refused = await call(app, "POST", path, body=presented(NOBODY) + b"&x=1", content_type=URLENCODED)
        assert_refused(refused, 403, "insufficient_scope", scope="read")
        assert_refused(await call(app, "POST", path, body=b"x=1", content_type=URLENCODED), 401, scope="read")


async def test_form_in_pieces(authorization_server: ScriptedAS) -> None:
    """A form that arrives in pieces is put together for the judgement, and given to the endpoint as it came."""
    app = api()
    install(app, authorization_server.server(form_token=True))
    body = presented(READER) + b"&x=1"
    pieces = [{"type": "http.request", "body": body[at : at + 7], "more_body": True} for at in range(0, len(body), 7)]
    pieces.append({"type": "http.request", "body": b"", "more_body": False})
    answer = await call(app, "POST", "/raw", body=pieces, content_type=URLENCODED)
    assert (answer.json(), answer.reads) == (body.decode(), len(pieces))


async def test_client_goes_away(authorization_server: ScriptedAS) -> None:
    """A client that goes away in the middle of a form has presented what arrived, which is not a token to rely on."""
    app = api()
    install(app, authorization_server.server(form_token=True))
    pieces = [{"type": "http.request", "body": b"access_token=reader", "more_body": True}]
    refused = await call(app, "POST", "/things", body=pieces, content_type=URLENCODED)
    assert_refused(refused, 401, "invalid_token")


async def test_large_form_without_a_token(authorization_server: ScriptedAS) -> None:
    """Of a form no more is read ahead than a token needs: a larger one holds none, and is refused unread."""
    app = api()
    install(app, authorization_server.server(form_token=True))
    piece = {"type": "http.request", "body": b"x" * 16_384, "more_body": True}
    refused = await call(app, "POST", "/form", body=[piece] * 100, content_type=URLENCODED)
    assert_refused(refused, 401, scope="read")
    assert refused.reads <= 5
    assert authorization_server.introspections == 0


async def test_large_form_with_a_token_in_the_header(authorization_server: ScriptedAS) -> None:
    """A form too large for a token to be looked for in it reaches the endpoint whole, let in by the header."""
    app = api()
    install(app, authorization_server.server(form_token=True))
    pieces = [{"type": "http.request", "body": b"x" * 16_384, "more_body": True}] * 10
    ending = {"type": "http.request", "body": b"=1", "more_body": False}
    answer = await call(app, "POST", "/raw", token=READER, body=[*pieces, ending], content_type=URLENCODED)
    assert answer.status == 200
    assert len(answer.json()) == 163_842


@pytest.mark.rfc("6750-2.2-a")
@pytest.mark.attack("A-R-5")
@pytest.mark.parametrize(
    ("method", "content_type", "body"),
    [
        ("POST", "multipart/form-data; boundary=b", b'--b\r\nContent-Disposition: form-data; name="access_token"\r\n'),
        ("POST", "application/json", b'{"access_token": "reader-canary"}'),
        ("POST", "text/plain", b"access_token=reader-canary"),
        ("POST", None, b"access_token=reader-canary"),
        ("GET", URLENCODED, b"access_token=reader-canary"),
        ("POST", URLENCODED, b"access_token=reader-canary&x=\xc3\xa9"),
        ("POST", URLENCODED, b"ACCESS_TOKEN=reader-canary&access_token[]=reader-canary&access_token="),
    ],
    ids=["multipart", "JSON", "text", "no type", "GET", "not ASCII", "other names"],
)
async def test_not_a_form_token(
    method: str, content_type: str | None, body: bytes, authorization_server: ScriptedAS
) -> None:
    """RFC 6750 §2.2: only an ASCII form-urlencoded body can hold a token, only under its name, and never of a GET."""
    app = api()
    install(app, authorization_server.server(form_token=True))
    refused = await call(app, method, "/things", body=body, content_type=content_type)
    assert_refused(refused, 401, scope="read")
    assert authorization_server.introspections == 0


@pytest.mark.rfc("6750-2.3-a", "6750-2.3-b")
async def test_query_token(authorization_server: ScriptedAS) -> None:
    """RFC 6750 §2.3: where query tokens are enabled one lets in, and no shared cache may keep the answer."""
    app = api()

    @app.get("/cached", dependencies=[READ])
    async def cached() -> JSONResponse:
        return JSONResponse("cached", headers={"cache-control": "no-store"})

    install(app, authorization_server.server(query_token=True))
    answer = await call(app, "GET", "/things", query=b"x=1&" + presented(READER))
    assert (answer.status, answer.json()) == (200, "alice")
    assert answer.header("cache-control") == "private"
    assert (await call(app, "GET", "/cached", query=presented(READER))).header("cache-control") == "no-store"
    assert_refused(await call(app, "GET", "/things", query=presented("unknown-canary")), 401, "invalid_token")


@pytest.mark.rfc("9111-3.5-a")
async def test_answers_are_left_alone(authorization_server: ScriptedAS) -> None:
    """RFC 9111 §3.5: an answer to a request with Authorization gets no directive that would let a cache share it."""
    app = api()
    install(app, authorization_server.server())
    answer = await call(app, "GET", "/things", token=READER)
    assert (answer.status, answer.all("cache-control")) == (200, [])


@pytest.mark.attack("A-R-6")
@pytest.mark.parametrize(
    "query",
    [
        b"access_token[]=reader-canary",
        b"access_token=",
        b"access_token",
        b"ACCESS_TOKEN=reader-canary",
        b"x=1;access_token=reader-canary",
        b"x=access_token=reader-canary",
    ],
)
async def test_not_a_query_token(query: bytes, authorization_server: ScriptedAS) -> None:
    """A query that only looks as if it had a token has none."""
    app = api()
    install(app, authorization_server.server(query_token=True))
    assert_refused(await call(app, "GET", "/things", query=query), 401, scope="read")
    assert authorization_server.introspections == 0


@pytest.mark.rfc("6750-2-a", "6750-2-b", "6750-3.1-a", "9110-11.6.2-a")
@pytest.mark.attack("A-R-2")
@pytest.mark.parametrize(
    "sent",
    [
        {"query": presented(READER) + b"&" + presented(READER)},
        {"query": presented(READER) + b"&" + presented(WRITER)},
        {"query": presented(READER), "token": READER},
        {"query": presented(READER), "body": presented(READER), "content_type": URLENCODED},
        {"token": READER, "body": presented(READER), "content_type": URLENCODED},
        {"body": presented(READER) + b"&" + presented(READER), "content_type": URLENCODED},
        {"token": READER, "headers": [(b"authorization", b"Bearer " + ADMIN.encode())]},
        {"token": READER, "headers": [(b"authorization", b"Basic cnM6cnM=")]},
        {"headers": [(b"authorization", b"Basic cnM6cnM=, Bearer " + READER.encode())]},
        {"headers": [(b"authorization", b"Bearer " + READER.encode() + b", Bearer " + READER.encode())]},
    ],
    ids=[
        "query twice",
        "query two",
        "query and header",
        "query and form",
        "header and form",
        "form twice",
        "two fields",
        "two schemes",
        "joined schemes",
        "joined tokens",
    ],
)
async def test_more_than_one(sent: dict[str, Any], authorization_server: ScriptedAS) -> None:
    """RFC 6750 §2: whoever presents a token twice gets a 400, and nobody is asked about either."""
    app = api()
    install(app, authorization_server.server(query_token=True, form_token=True))
    refused = await call(app, "POST", "/things", **sent)
    assert_refused(refused, 400, "invalid_request")
    assert authorization_server.introspections == 0


async def test_form_token_with_an_override(authorization_server: ScriptedAS) -> None:
    """A request that is judged a second time, for a demand that came to light late, is judged by the same token."""
    app = FastAPI()

    async def nobody() -> str:
        raise AssertionError

    async def writer(principal: Annotated[Principal, require("write")]) -> str:
        return principal.subject or ""

    @app.post("/form", dependencies=[READ])
    async def form(x: Annotated[str, Form()], name: Annotated[str, Depends(nobody)]) -> str:
        return x + name

    app.dependency_overrides[nobody] = writer
    install(app, authorization_server.server(form_token=True))
    answer = await call(app, "POST", "/form", body=presented(WRITER) + b"&x=1", content_type=URLENCODED)
    assert (answer.status, answer.json()) == (200, "1alice")
    refused = await call(app, "POST", "/form", body=presented(READER) + b"&x=1", content_type=URLENCODED)
    assert_refused(refused, 403, "insufficient_scope", scope="read write")
