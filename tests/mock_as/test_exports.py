"""What the package offers at its front door."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pytest

import mock_as
from mock_as import version as version_module

ROOT = Path(__file__).parents[2]


def test_root_import_is_light() -> None:
    """Importing the package loads neither a server nor a terminal nor the library under test."""
    unwanted = ["uvicorn", "typer", "rich", "httpx", "resource_server", "pytest"]
    code = f"import sys, mock_as; print(*(name for name in {unwanted} if name in sys.modules))"
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert result.stdout.split() == []


def test_version_is_the_distributions() -> None:
    """The version is that of the distribution that was installed."""
    assert mock_as.__version__ == version("resource-server")


def test_package_works_without_being_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the package was only copied there is no version, and that is no error."""

    def missing(name: str) -> str:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(version_module, "version", missing)
    assert version_module.package_version.__wrapped__() == "0"


def test_other_names_are_not_there() -> None:
    """A name that does not exist is an AttributeError, as everywhere."""
    with pytest.raises(AttributeError, match="has no attribute 'MockServer'"):
        _ = mock_as.MockServer
