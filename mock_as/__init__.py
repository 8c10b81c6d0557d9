"""A mock OAuth 2.0 authorization server for the tests of resource servers.

Start with :class:`MockAS`, or with ``python -m mock_as serve``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mock_as.client import MockASClient
    from mock_as.clients import Client
    from mock_as.clock import Clock
    from mock_as.errors import UsageError
    from mock_as.faults.plan import Wish
    from mock_as.mock import MockAS
    from mock_as.tokens import Token
    from mock_as.tokens.resources import Resource
    from mock_as.tokens.rules import Rule
    from mock_as.users import User

__all__ = ["Client", "Clock", "MockAS", "MockASClient", "Resource", "Rule", "Token", "UsageError", "User", "Wish"]

# Where they are: nothing is loaded before it is asked for, because pytest imports this package at every start.
_HOMES = {
    "Client": "mock_as.clients",
    "Clock": "mock_as.clock",
    "MockAS": "mock_as.mock",
    "MockASClient": "mock_as.client",
    "Resource": "mock_as.tokens.resources",
    "Rule": "mock_as.tokens.rules",
    "Token": "mock_as.tokens",
    "UsageError": "mock_as.errors",
    "User": "mock_as.users",
    "Wish": "mock_as.faults.plan",
}


def __getattr__(name: str) -> Any:  # noqa: ANN401 - the signature the language prescribes
    """Load a public name, or the version, when somebody asks for it."""
    if name in _HOMES:
        from importlib import import_module  # noqa: PLC0415 - see above

        value = globals()[name] = getattr(import_module(_HOMES[name]), name)
        return value
    if name == "__version__":
        from mock_as.version import package_version  # noqa: PLC0415 - see above

        return package_version()
    message = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(message)
