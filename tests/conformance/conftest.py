"""What the conformance tests share: one authorization server that can do everything wrong, and an API behind it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from mock_as import MockAS
from tests.support.api import API, RS
from tests.support.promises import logs_keep_secrets

__all__ = ["logs_keep_secrets"]


@pytest.fixture(scope="session")
def one_mock_as() -> MockAS:
    """Make an authorization server once: an application takes longer to make than most tests to run."""
    return MockAS(clients=[RS])


@pytest.fixture
def mock_as(one_mock_as: MockAS) -> Iterator[MockAS]:
    """Give an authorization server as good as new, and see that every fault that was set happened."""
    one_mock_as.reset()
    yield one_mock_as
    assert one_mock_as.faults_left == ()


@pytest.fixture
def api(mock_as: MockAS) -> API:
    """Give an API with every option at its default."""
    return API(mock_as)
