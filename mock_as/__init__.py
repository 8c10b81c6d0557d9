"""A mock OAuth 2.0 authorization server for the tests of resource servers.

Start with :class:`MockAS`, or with ``python -m mock_as serve``.
"""

from __future__ import annotations

from typing import Any

from mock_as.clients import Client
from mock_as.clock import Clock
from mock_as.errors import UsageError
from mock_as.mock import MockAS
from mock_as.tokens import Token

__all__ = ["Client", "Clock", "MockAS", "Token", "UsageError"]


def __getattr__(name: str) -> Any:  # noqa: ANN401 - the signature the language prescribes
    """Read the version when somebody wants to know it."""
    if name == "__version__":
        from mock_as.version import package_version  # noqa: PLC0415 - see above

        return package_version()
    message = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(message)
