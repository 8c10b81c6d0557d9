"""The time that the authorization server tells with every answer is that of its clock."""

from __future__ import annotations

from email.utils import parsedate_to_datetime
from typing import Any

import httpx
import pytest

from mock_as import MockAS

pytestmark = pytest.mark.anyio
NOON = 1_735_732_800.0


def told(response: httpx.Response) -> list[float]:
    """Return each time that an answer tells, in seconds since the epoch."""
    return [parsedate_to_datetime(date).timestamp() for date in response.headers.get_list("date")]


@pytest.mark.parametrize("http", ["h11", "httptools"])
@pytest.mark.parametrize("path", ["/jwks", "/_mock/health", "/tenants/nobody/jwks", "/nowhere"])
def test_over_a_socket(http: str, path: str) -> None:
    """Whatever is answered says the time of the clock, once."""
    mock = MockAS(clock=lambda: NOON)
    with mock.serve(http=http) as url:
        assert told(httpx.get(f"{url}{path}")) == [NOON]
        mock.clock.advance(600.9)
        assert told(httpx.get(f"{url}{path}")) == [NOON + 600]


async def test_in_this_process() -> None:
    """So it does where there is no socket; a tenant has a clock of its own."""
    mock = MockAS(clock=lambda: NOON)
    tenant = mock.tenant("other")
    tenant.clock.freeze(NOON - 600)
    async with httpx.AsyncClient(transport=mock.transport()) as client:
        assert told(await client.get(mock.url.jwks)) == [NOON]
        assert told(await client.get(tenant.url.jwks)) == [NOON - 600]


@pytest.mark.parametrize("seconds", [1e15, 1e18, 1e30])
def test_a_time_beyond_the_calendar(seconds: float) -> None:
    """A clock that has been moved where no date can be written is not told of."""
    mock = MockAS()
    with mock.serve() as url:
        mock.clock.advance(seconds)
        assert told(httpx.get(f"{url}/jwks")) == []


@pytest.mark.parametrize("http", ["h11", "httptools"])
def test_a_fault_tells_another_time(http: str) -> None:
    """A fault with a date of its own is told, and nothing beside it: how clients take a clock that is wrong."""
    mock = MockAS()
    with mock.serve(http=http) as url:
        mock.fault("jwks", headers={"Date": "Wed, 01 Jan 2025 12:00:00 GMT"})
        assert told(httpx.get(f"{url}/jwks")) == [NOON]


async def test_another_server() -> None:
    """Whoever else serves the application tells the time as it likes."""
    mock = MockAS()
    transport: Any = httpx.ASGITransport(mock.app)
    async with httpx.AsyncClient(transport=transport) as client:
        assert told(await client.get(mock.url.jwks)) == []
