"""What the conformance tests share: an authorization server that can do everything wrong, and an API behind it."""

from __future__ import annotations

from typing import Any

import pytest

from mock_as import MockAS
from tests.support.api import API, RS
from tests.support.promises import logs_keep_secrets

__all__ = ["logs_keep_secrets"]


@pytest.fixture
def mock_as_options() -> dict[str, Any]:
    """Let the authorization server know the resource server by a secret that can be looked for."""
    return {"clients": [RS]}


@pytest.fixture
def api(mock_as: MockAS) -> API:
    """Give an API with every option at its default."""
    return API(mock_as)
