"""One Valkey server for all tests of a process that only read and write, and one of its own for each that harms it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from secrets import token_hex

import pytest

from tests.support.valkey import Valkey


@pytest.fixture(scope="session")
def _shared_valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Valkey]:
    with Valkey(tmp_path_factory.mktemp("valkey")) as server:
        yield server


@pytest.fixture
def valkey(_shared_valkey: Valkey) -> Valkey:
    """Lend a server that others use too: look at names of your own only, and leave it as it is."""
    return _shared_valkey


@pytest.fixture
def own_valkey(tmp_path: Path) -> Iterator[Valkey]:
    """Start a server that may be stopped, paused and filled."""
    with Valkey(tmp_path) as server:
        yield server


@pytest.fixture
def name() -> bytes:
    """Make up a name that no other test uses."""
    return f"resource-server:test:{{{token_hex(8)}}}".encode()
