"""What the tests of the Flask adapter share."""

from __future__ import annotations

import pytest

from resource_server.flask import _Require
from tests.support.fastapi_app import ScriptedAS
from tests.support.promises import logs_keep_secrets

__all__ = ["logs_keep_secrets"]


@pytest.fixture(autouse=True)
def nothing_is_hidden_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no test profit from what another one has hidden: that is remembered for the whole process."""
    monkeypatch.setattr(_Require, "hides_anything", False)


@pytest.fixture
def authorization_server() -> ScriptedAS:
    """Give an authorization server that knows a few tokens."""
    return ScriptedAS()
