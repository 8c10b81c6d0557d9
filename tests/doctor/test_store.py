"""The doctor writes to the store that all workers share, and reads again."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import Any, cast

import pytest

from mock_as import MockAS
from resource_server._doctor.store import _judge_latency, _try
from resource_server._validation.flow import Recall, Recalled, StoreCall
from resource_server._validation.vault import Vault
from tests.support.examined import examined, first_red, of
from tests.support.sockets import raw_server
from tests.support.valkey import Valkey, between

pytestmark = pytest.mark.anyio


@pytest.fixture
def valkey(tmp_path: Path) -> Generator[Valkey]:
    """Run a store of the test's own."""
    with Valkey(tmp_path) as server:
        yield server


async def test_a_healthy_store(valkey: Valkey, mock_as_server: MockAS) -> None:
    """A store that answers is good, and what was written there ends by itself."""
    report = await examined(mock_as_server, cache_url=valkey.url, cache_timeout=1.0)
    assert of(report, "store").verdict == "ok"
    with valkey.client() as client:
        [name] = client.keys("*")
        assert 0 < client.ttl(name) <= 5


async def test_a_password_that_is_wrong(tmp_path: Path, mock_as_server: MockAS) -> None:
    """A password that is refused is named as such, and not shown."""
    with Valkey(tmp_path, requirepass="right-password") as server:
        url = f"redis://:wrong-password@127.0.0.1:{server.port}/0"
        report = await examined(mock_as_server, cache_url=url)
    assert first_red(report).check == "store"
    assert "refuses our password" in first_red(report).says
    assert "wrong-password" not in str(report.as_json())


async def test_a_store_without_memory(valkey: Valkey, mock_as_server: MockAS) -> None:
    """A store that takes nothing in any more is named."""
    valkey.fill()
    found = first_red(await examined(mock_as_server, cache_url=valkey.url))
    assert "(out_of_memory)" in found.says


async def test_a_store_that_hangs(valkey: Valkey, mock_as_server: MockAS) -> None:
    """A store that says nothing is given up in time."""
    valkey.pause()
    try:
        found = first_red(await examined(mock_as_server, cache_url=valkey.url, patience=0.5))
    finally:
        valkey.resume()
    assert "(timeout)" in found.says


async def test_a_store_that_forgets(valkey: Valkey, mock_as_server: MockAS) -> None:
    """What does not give back what was written is no store."""
    async with between(valkey.port) as middle:
        middle.change = lambda answer: b"$-1\r\n" if answer.startswith((b"$", b"*")) else answer
        report = await examined(mock_as_server, cache_url=middle.url)
    assert first_red(report).check == "store"


async def test_what_speaks_another_protocol(mock_as_server: MockAS) -> None:
    """A web server at that port is named as what it is not."""
    with raw_server(b"HTTP/1.1 400 Bad Request\r\n\r\n") as server:
        url = f"redis://127.0.0.1:{server.port}/0"
        found = first_red(await examined(mock_as_server, cache_url=url, patience=0.5))
    assert found.check == "store"


class Forgetful:
    """A store that takes everything and keeps nothing."""

    async def perform(self, call: StoreCall) -> Recalled | None:
        """Know nothing of what is asked for."""
        return Recalled(claimed=True) if isinstance(call, Recall) else None


async def test_a_store_that_keeps_nothing() -> None:
    """What does not give back what was written is broken, though it answers."""
    found = await _try(cast("Any", Forgetful()), Vault(b"x" * 32, ("issuer",)), [], 1.0)
    assert found.verdict == "failed"
    assert "does not give back" in found.says


class Exchanging:
    """A store that gives back the value of somebody else."""

    async def perform(self, call: StoreCall) -> Recalled | None:
        """Give back what is there, whatever was written."""
        return Recalled(b"of somebody else") if isinstance(call, Recall) else None


async def test_a_store_that_gives_back_something_else() -> None:
    """A value that was not written with our secret is not ours, and the store no store."""
    found = await _try(cast("Any", Exchanging()), Vault(b"x" * 32, ("issuer",)), [], 1.0)
    assert found.verdict == "failed"
    assert "does not give back" in found.says


@pytest.mark.parametrize(("took", "verdict"), [(0.01, "ok"), (0.06, "warning")])
def test_how_slow_it_may_be(took: float, verdict: str) -> None:
    """A store that is slower than requests wait for is of no use to them."""
    assert _judge_latency(took, 0.05).verdict == verdict
