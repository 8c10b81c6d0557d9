"""The authorization server of the small servers."""

from __future__ import annotations

from collections.abc import Generator

import pytest

from mock_as import MockAS
from resource_server.conformance.target import AUDIENCE


@pytest.fixture(scope="module")
def issuer() -> Generator[str]:
    """Serve a mock authorization server for all tests of a module."""
    with MockAS(audience=AUDIENCE).serve() as url:
        yield url
