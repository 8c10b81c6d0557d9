"""What is judged: where it is, how it is started, what its routes ask for, and what it claims to do."""

from __future__ import annotations

import shlex
import sys
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from resource_server.conformance.errors import SuiteError

Format = Literal["opaque", "jwt", "both"]

AUDIENCE = "https://api.example.test"
ROUTES = ("read", "write", "both", "post", "public", "hidden", "missing", "step_up", "dpop")
FEATURES = (
    "introspection",
    "jwks",
    "rfc9068",
    "scope_in_401",
    "problem_json",
    "metadata",
    "dpop",
    "retry_after",
)
_FORMATS: tuple[Format, ...] = ("opaque", "jwt", "both")
_TABLES = ("target", "routes", "claims", "features")
_TARGET = ("name", "version", "url", "start", "ready", "environment")
_CLAIMS = ("audience", "format", "alg", "cache_seconds", "leeway_seconds")


@dataclass(frozen=True, slots=True)
class Route:
    """One way to ask the target for something."""

    method: str
    path: str


@dataclass(frozen=True, slots=True)
class Target:
    """A running resource server, or one that can be started."""

    name: str
    url: str
    """Where it listens; ``{port}`` is the port that it is started with."""
    routes: Mapping[str, Route]
    version: str = ""
    start: tuple[str, ...] = ()
    """The command; none where it runs already. ``{port}`` and ``{python}`` are filled in."""
    folder: Path = field(default_factory=Path.cwd)
    """Where the command runs."""
    ready: str = "/"
    """A path that is answered, with whatever status, as soon as the target serves."""
    environment: Mapping[str, str] = field(default_factory=dict[str, str])
    audience: str = AUDIENCE
    format: Format = "both"
    alg: str = "RS256"
    cache_seconds: float | None = None
    """How long a token that was revoked may still be let in; ``None`` where the target does not say."""
    leeway_seconds: float = 0.0
    features: Mapping[str, bool | str] = field(default_factory=dict[str, bool | str])
    """What it claims; a text is the reason why it does not."""

    def missing(self, need: str) -> str:
        """Return why a clause that needs something is not applicable; nothing where it is."""
        kind, _, name = need.partition(":")
        if kind == "route":
            return "" if name in self.routes else f"the target names no route {name!r}"
        if need == "cache_seconds":
            return "" if self.cache_seconds is not None else "the target does not say how long it remembers an answer"
        if need in {"opaque", "jwt"}:
            return "" if self.format in {need, "both"} else f"the target takes no {need} tokens"
        said = self.features.get(need, self._default(need))
        return "" if said is True else said or f"the target does not claim the feature {need!r}"

    def _default(self, feature: str) -> bool:
        if feature == "introspection":
            return self.format != "jwt"
        return feature in {"jwks", "rfc9068"} and self.format != "opaque"

    def at(self, port: int) -> Target:
        """Return the same target, served at a port."""
        fillings = {"{port}": str(port), "{python}": sys.executable}
        start = tuple(_filled(part, fillings) for part in self.start)
        environment = {name: _filled(value, fillings) for name, value in self.environment.items()}
        return replace(self, url=_filled(self.url, fillings), start=start, environment=environment)


def _filled(text: str, fillings: Mapping[str, str]) -> str:
    for name, value in fillings.items():
        text = text.replace(name, value)
    return text


def load_target(path: Path) -> Target:
    """Read the description of a target.

    Args:
        path: a TOML file.

    Raises:
        SuiteError: it cannot be read, or says something that does not exist.
    """
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SuiteError(f"the target {path} cannot be read: {error}") from error
    return read_target(document, path.resolve().parent)


def read_target(document: Mapping[str, Any], folder: Path) -> Target:
    """Read the description of a target from its tables.

    Args:
        document: the tables of the TOML file.
        folder: where the command runs, and whose name the target has where it says none.

    Raises:
        SuiteError: a part does not exist, or has no such value.
    """
    for name in document:
        _known(name, _TABLES, "table")
    tables = {name: _table(document, name) for name in _TABLES}
    target, claims = tables["target"], tables["claims"]
    for names, table in ((_TARGET, "target"), (_CLAIMS, "claims"), (FEATURES, "features"), (ROUTES, "routes")):
        for name in tables[table]:
            _known(name, names, f"member of [{table}]")
    start = target.get("start", ())
    return Target(
        name=str(target.get("name", folder.name)),
        version=str(target.get("version", "")),
        url=_url(target.get("url", "http://127.0.0.1:{port}")),
        routes={name: read_route(name, text) for name, text in tables["routes"].items()},
        start=tuple(shlex.split(start) if isinstance(start, str) else map(str, start)),
        folder=folder,
        ready=str(target.get("ready", "/")),
        environment={name: str(value) for name, value in _table(target, "environment").items()},
        audience=str(claims.get("audience", AUDIENCE)),
        format=_format(claims.get("format", "both")),
        alg=str(claims.get("alg", "RS256")),
        cache_seconds=_seconds(claims, "cache_seconds"),
        leeway_seconds=_seconds(claims, "leeway_seconds") or 0.0,
        features={name: _claim(name, value) for name, value in tables["features"].items()},
    )


def _known(name: str, names: tuple[str, ...], what: str) -> None:
    if name not in names:
        raise SuiteError(f"the target has no {what} {name!r}; there are {', '.join(names)}")


def _table(document: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    table = document.get(name, {})
    if not isinstance(table, dict):
        raise SuiteError(f"the target's {name} is no table")
    return table


def read_route(name: str, text: object) -> Route:
    """Read a route from a method and a path, as ``GET /orders``; ``GET`` where only the path stands there.

    Raises:
        SuiteError: it is something else.
    """
    method, _, path = text.rpartition(" ") if isinstance(text, str) else ("", "", "")
    if not path.startswith("/"):
        raise SuiteError(f"the target's route {name} is {text!r}, and not a method and a path")
    return Route(method.strip() or "GET", path)


def _url(value: object) -> str:
    text = str(value)
    parts = urlsplit(text.replace("{port}", "1"))
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise SuiteError(f"the target's url is {text!r}, and not an http or https URL")
    return text.rstrip("/")


def _format(value: object) -> Format:
    for known in _FORMATS:
        if value == known:
            return known
    raise SuiteError(f"the target's format is {value!r}, and not opaque, jwt or both")


def _seconds(claims: Mapping[str, Any], name: str) -> float | None:
    value = claims.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
        raise SuiteError(f"the target's {name} is {value!r}, and not a number of seconds")
    return float(value)


def _claim(name: str, value: object) -> bool | str:
    if isinstance(value, bool) or (isinstance(value, str) and value):
        return value
    raise SuiteError(f"the target's feature {name} is {value!r}, and not true, false or the reason why not")
