"""What the tests of the WSGI middleware share."""

from __future__ import annotations

import pytest

from tests.support.fastapi_app import ScriptedAS
from tests.support.promises import logs_keep_secrets

__all__ = ["logs_keep_secrets"]


@pytest.fixture
def authorization_server() -> ScriptedAS:
    """Give an authorization server that knows a few tokens."""
    return ScriptedAS()
