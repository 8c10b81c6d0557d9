"""Where options are read: the environment, a ``.env`` file, secret files, a TOML file. And what is said of bad ones."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_settings import (
    BaseSettings,
    DotEnvSettingsSource,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SecretsSettingsSource,
    TomlConfigSettingsSource,
)

from resource_server.errors import ConfigurationError

ENV_PREFIX = "RESOURCE_SERVER_"


class _DotEnv(DotEnvSettingsSource):
    """The file belongs to the whole application: lines that do not bear our prefix are none of our business."""

    def __call__(self) -> dict[str, Any]:
        ours, options = ENV_PREFIX.lower(), self.settings_cls.model_fields
        found = super().__call__().items()
        return {name: value for name, value in found if name in options or name.startswith(ours)}


def sources(
    settings: type[BaseSettings],
    env_file: str | Path | None,
    secrets_dir: str | Path | None,
    toml_file: str | Path | None,
) -> list[PydanticBaseSettingsSource]:
    """Return where options are to be read; the first one wins.

    Raises:
        ValueError: a file or folder that was named is not there.
    """
    found: list[PydanticBaseSettingsSource] = [EnvSettingsSource(settings)]
    if env_file is not None:
        found.append(_DotEnv(settings, env_file=env_file))
    if secrets_dir is not None:
        if not Path(secrets_dir).is_dir():
            raise ValueError(f"{secrets_dir} is not a folder")
        found.append(SecretsSettingsSource(settings, secrets_dir=secrets_dir))
    if toml_file is not None:
        if not Path(toml_file).is_file():
            raise ValueError(f"{toml_file} is not a file")
        found.append(TomlConfigSettingsSource(settings, toml_file=Path(toml_file)))
    return found


def refuse_misspelt(environment: Iterable[str], options: Iterable[str]) -> None:
    """Refuse a variable that is almost an option: ignoring it would leave a default where a value was meant.

    Others are let be: an orchestrator sets variables of its own for a service that is called ``resource-server``.

    Raises:
        ConfigurationError: a variable is misspelt.
    """
    known = tuple(options)
    names = [name.removeprefix(ENV_PREFIX).lower() for name in environment if name.startswith(ENV_PREFIX)]
    for name in names:
        meant = get_close_matches(name, known, n=1, cutoff=0.85)
        if meant and name not in known:
            raise ConfigurationError(
                f"unknown option {ENV_PREFIX}{name.upper()}: did you mean {ENV_PREFIX}{meant[0].upper()}?"
            )


def refuse_missing_files(files: Mapping[str, str]) -> None:
    """Refuse what names a file that is not there; the message does not show where it was looked for.

    Args:
        files: paths, each under the word that names it.

    Raises:
        ValueError: one is not there.
    """
    missing = [name for name, path in files.items() if not Path(path).is_file()]
    if missing:
        raise ValueError(f"names a file that is not there: {', '.join(missing)}")


def configuration_error(error: ValidationError, options: dict[str, Any], secrets: frozenset[str]) -> ConfigurationError:
    """Name the option and the value of every problem; a secret's value is left out.

    Args:
        error: what was found wrong.
        options: the values.
        secrets: the names of the options that are secret.
    """
    lines: list[str] = []
    for problem in error.errors(include_url=False, include_context=False):
        name = str(problem["loc"][0]) if problem["loc"] else ""
        is_shown = name in options and name not in secrets
        shown = f" (got {options[name]!r})" if is_shown else ""
        text = str(problem["msg"]).removeprefix("Value error, ")
        lines.append(f"{name}: {text}{shown}" if name else text)
    return ConfigurationError("; ".join(lines))
