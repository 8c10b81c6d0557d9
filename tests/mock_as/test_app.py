"""The application as a whole: what holds for every endpoint."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from mock_as import MockAS
from mock_as.app import Application
from mock_as.endpoint import BODY_LIMIT
from tests.mock_as.reading import problem

pytestmark = pytest.mark.anyio

PATHS = ("/token", "/introspect", "/revoke", "/jwks", "/_mock/tokens", "/_mock/reset", "/nowhere")


def test_application_is_made_once(mock: MockAS) -> None:
    """The application is made when it is first asked for, and once."""
    assert isinstance(mock.app, Application)
    assert mock.app is mock.app


@pytest.mark.parametrize("path", PATHS)
async def test_body_that_is_too_long(client: httpx.AsyncClient, path: str) -> None:
    """More than a mebibyte is refused everywhere, whether its length was announced or not."""

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(BODY_LIMIT // 65_536):
            yield b"x" * 65_536
        yield b"x"

    for content in (b"x" * (BODY_LIMIT + 1), chunks()):
        response = await client.post(path, content=content)
        assert response.status_code == 413
        assert problem(response)["detail"] == "A body may have 1048576 bytes."


async def test_body_that_is_just_short_enough(mock: MockAS, client: httpx.AsyncClient) -> None:
    """A body of exactly a mebibyte is read."""
    form = b"token="
    form += b"x" * (BODY_LIMIT - len(form))
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    response = await client.post("/introspect", content=form, headers=headers, auth=mock.credentials("rs"))
    assert response.json() == {"active": False}


@pytest.mark.parametrize("path", ["/nowhere", "/token/", "/introspect/x", "/_mock/nowhere", "/"])
async def test_nothing_is_there(client: httpx.AsyncClient, path: str) -> None:
    """Where there is nothing, a problem document says where to look."""
    response = await client.get(path)
    assert response.status_code == 404
    assert problem(response)["path"] == path
    assert "/_mock/docs" in problem(response)["hint"]


async def test_wrong_method_of_the_control_plane(client: httpx.AsyncClient) -> None:
    """The control plane says which method it takes."""
    response = await client.put("/_mock/reset")
    assert response.status_code == 405
    assert response.headers["allow"] == "POST"
    assert problem(response)["title"] == "Method Not Allowed"


async def test_mistake_in_the_mock_is_not_hidden(mock: MockAS, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bug of the mock's own is a 500 without a traceback to the client, and is raised for the server to log."""

    def broken() -> Any:
        raise RuntimeError("a bug")

    monkeypatch.setattr(mock.keys, "jwks", broken)
    transport = httpx.ASGITransport(mock.app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url=mock.issuer) as client:
        response = await client.get("/jwks")
    assert (response.status_code, response.text) == (500, "")
    async with httpx.AsyncClient(transport=mock.transport(), base_url=mock.issuer) as client:
        with pytest.raises(RuntimeError, match="a bug"):
            await client.get("/jwks")


@pytest.mark.parametrize("path", ["/token", "/_mock/tokens"])
async def test_client_that_goes_away(mock: MockAS, path: str) -> None:
    """Half a request that will never be whole is not acted upon: it might say something else than the whole."""
    messages = [{"type": "http.request", "body": b"{}", "more_body": True}, {"type": "http.disconnect"}]
    scope = {"type": "http", "method": "POST", "path": path, "scheme": "http", "headers": [], "query_string": b""}

    async def receive() -> Any:
        return messages.pop(0)

    async def send(_message: Any) -> None:
        """Drop it: nobody is there."""

    await mock.app(scope, receive, send)
    assert messages == []
    assert (mock.requests().count, len(mock.tokens)) == (0, 0)


async def test_only_http(mock: MockAS) -> None:
    """A host that speaks of the lifespan of an application gets its answers."""
    messages = [{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}]
    sent: list[Any] = []

    async def receive() -> Any:
        return messages.pop(0)

    async def send(message: Any) -> None:
        sent.append(message["type"])

    await mock.app({"type": "lifespan", "asgi": {"version": "3.0"}}, receive, send)
    assert sent == ["lifespan.startup.complete", "lifespan.shutdown.complete"]


async def test_control_plane_is_documented(client: httpx.AsyncClient) -> None:
    """The control plane describes itself in OpenAPI."""
    document = (await client.get("/_mock/openapi.json")).json()
    assert "/_mock/tokens" in document["paths"]
    assert (await client.get("/_mock/docs")).status_code == 200
