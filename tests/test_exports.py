"""The public names: what this package promises to keep."""

from __future__ import annotations

import inspect
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

import resource_server

ROOT = Path(__file__).parents[1]
PUBLIC = """
ANY_TOKEN
Assurance
AuthorizationServer
BearerTokenError
BlockingResourceServer
Challenge
Check
Clock
ConfigurationError
Detail
Event
Health
InsufficientScope
InsufficientUserAuthentication
InvalidDPoPProof
InvalidRequest
InvalidToken
Lease
LoggingObserver
MissingToken
Observer
Principal
RequestParts
Requirement
ResourceServer
ResourceServerError
Scopes
SecurityEventRefused
Settings
TokenExchangeRefused
TokenExchangeUnavailable
TooManyTokens
UseDPoPNonce
VerificationUnavailable
all_of
any_of
authorize
detail
parse_challenges
"""


def test_public_names() -> None:
    """Every change of the public names is a change of this list, seen by whoever reviews it."""
    assert resource_server.__all__ == PUBLIC.split()


@pytest.mark.parametrize("name", PUBLIC.split())
def test_each_name_is_there(name: str) -> None:
    """Each public name can be had from the root, and is not a module by accident."""
    assert hasattr(resource_server, name)
    assert not inspect.ismodule(getattr(resource_server, name))


def test_documented() -> None:
    """Each public class and function says what it is for."""
    values = [getattr(resource_server, name) for name in PUBLIC.split()]
    documented = [value for value in values if inspect.isclass(value) or inspect.isfunction(value)]
    assert [value.__name__ for value in documented if not value.__doc__] == []
    assert len(documented) >= len(values) - 3  # ANY_TOKEN is a value, Event and Observer are aliases


def test_star_import() -> None:
    """`from resource_server import *` brings the public names and no other."""
    namespace: dict[str, object] = {}
    exec("from resource_server import *", namespace)  # noqa: S102 - the only way to say it in a function
    assert set(namespace) - {"__builtins__"} == set(PUBLIC.split())


def test_version() -> None:
    """The version is that of the installed distribution, read when it is asked for."""
    assert resource_server.__version__ == version("resource-server")
    assert "__version__" not in vars(resource_server)


def test_unknown_name() -> None:
    """A name that does not exist is an AttributeError like in any module."""
    with pytest.raises(AttributeError, match="'resource_server' has no attribute 'ResourceServers'"):
        _ = resource_server.ResourceServers
    assert not hasattr(resource_server, "fastapi_app")


@pytest.mark.parametrize(
    ("code", "module"),
    [
        ("import resource_server", "pydantic"),
        ("import resource_server", "httpx"),
        ("import resource_server", "importlib.metadata"),
        ("from resource_server import ResourceServer, Principal", "pydantic_settings"),
    ],
)
def test_loaded_when_needed(code: str, module: str) -> None:
    """What is heavy is loaded at its first use, not with the package."""
    script = f"import sys; {code}; print({module!r} in sys.modules)"
    result = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "False"
