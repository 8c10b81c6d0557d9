"""The version of the distribution that this package comes in."""

from __future__ import annotations

import functools
from importlib.metadata import PackageNotFoundError, version


@functools.cache
def package_version() -> str:
    """Return the version, or ``0`` where the package is used without having been installed."""
    try:
        return version("resource-server")
    except PackageNotFoundError:
        return "0"
