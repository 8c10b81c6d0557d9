"""What the parity suite runs on: an authorization server whose every secret can be looked for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from mock_as import MockAS
from tests.parity.world import RS, World
from tests.support.promises import logs_keep_secrets

__all__ = ["logs_keep_secrets"]


@pytest.fixture
def mock_as_options() -> dict[str, Any]:
    """Let the authorization server know the resource server by a secret that can be looked for."""
    return {"clients": [RS]}


@pytest.fixture
def world(mock_as: MockAS) -> Iterator[World]:
    """Give a world at a time that does not move by itself."""
    mock_as.clock.freeze(1_700_000_000)
    made = World(mock_as)
    with made.stack:
        yield made
