"""What the tests of the mock authorization server share."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import httpx
import pytest

from mock_as import MockAS, Token
from tests.mock_as.browsing import Browser

Post = Callable[..., Coroutine[Any, Any, httpx.Response]]


@pytest.fixture
def mock() -> MockAS:
    """Make a mock that nobody has told anything."""
    return MockAS()


@pytest.fixture
async def client(mock: MockAS) -> AsyncIterator[httpx.AsyncClient]:
    """Make a client of the mock in this process."""
    async with httpx.AsyncClient(transport=mock.transport(), base_url=mock.issuer) as client:
        yield client


@pytest.fixture
def introspect(mock: MockAS, client: httpx.AsyncClient) -> Post:
    """Ask about a token, as a caller that may unless another is named."""

    async def ask(token: Token | str, caller: str = "rs", **parameters: str) -> httpx.Response:
        text = token.value if isinstance(token, Token) else token
        form = {"token": text, **parameters}
        return await client.post("/introspect", data=form, auth=mock.credentials(caller))

    return ask


@pytest.fixture
def browser(client: httpx.AsyncClient) -> Browser:
    """Open a browser at the console."""
    return Browser(client)
