"""Read the gateway's own options from the environment.

They stand beside those of the resource server: ``RESOURCE_SERVER_FORWARD_AUTH_*``.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from resource_server._sources import refuse_misspelt
from resource_server.errors import ConfigurationError

PREFIX = "RESOURCE_SERVER_FORWARD_AUTH_"
_TEXTS = ("credential", "internal_audience", "internal_issuer", "policy")
_OPTIONS = (*_TEXTS, "claims", "signing_keys")
_OF_THE_COMMAND = ("host", "log_format", "port", "uds", "workers")


def read_options(environment: Mapping[str, str]) -> dict[str, Any]:
    """Return the keywords for ``ForwardAuth`` that are said there; a variable that is empty says nothing.

    Args:
        environment: names and values.

    Raises:
        ConfigurationError: a file of a key cannot be read, or a variable is misspelt.
    """
    refuse_misspelt(environment, [f"forward_auth_{name}" for name in (*_OPTIONS, *_OF_THE_COMMAND)])
    said = {name: environment.get(PREFIX + name.upper(), "").strip() for name in _OPTIONS}
    options: dict[str, Any] = {name: said[name] for name in _TEXTS if said[name]}
    if said["claims"]:
        options["claims"] = said["claims"].split()
    if said["signing_keys"]:
        options["signing_keys"] = [_read(file) for file in said["signing_keys"].split()]
    return options


def _read(file: str) -> str:
    try:
        return Path(file).read_text(encoding="utf-8")
    except (OSError, ValueError):
        raise ConfigurationError(f"signing_keys: {file!r} cannot be read") from None
