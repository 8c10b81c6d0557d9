"""Where the pages are run: an authorization server on the loopback interface, and an environment that names it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import patch

import pytest

from mock_as import MockAS

AUDIENCE = "https://api.example.test"


@pytest.fixture
def environment(mock_as_server: MockAS, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Set the four variables of the README, in an empty folder; whatever a page changes is undone."""
    monkeypatch.chdir(tmp_path)
    client_id, secret = mock_as_server.credentials("rs")
    variables = {
        "RESOURCE_SERVER_ISSUER": mock_as_server.url.issuer,
        "RESOURCE_SERVER_AUDIENCE": AUDIENCE,
        "RESOURCE_SERVER_CLIENT_ID": client_id,
        "RESOURCE_SERVER_CLIENT_SECRET": secret,
    }
    with patch.dict(os.environ, variables):
        yield tmp_path
