"""The policy file: what is demanded by host, path and method, beside what each place in a proxy's configuration says.

Where it is not certain how the application behind the proxy will read a path, everything holds that any reading
brings about. Public is a path only to the letter.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote_to_bytes

from resource_server._gateway.words import WORDS, requirement_of
from resource_server._paths import PathRules
from resource_server.errors import ConfigurationError
from resource_server.requirements import ANY_TOKEN, Requirement

_PLAIN_PATH = re.compile(r"(?:/[A-Za-z0-9_~!$&'()*+,=:@-][A-Za-z0-9._~!$&'()*+,=:@-]*)+/?|/")
"""What every proxy and every application reads alike: no percent sign, no segment of dots, no doubled slash."""
_HOST = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?|\[[0-9a-f:.]+\]")
_METHOD = re.compile(r"[A-Z]+")
_DECODINGS = 3
"""A path may be decoded by each of those that pass it on."""


class _Rule(NamedTuple):
    host: str | None
    patterns: tuple[str, ...]
    requirement: Requirement


class Policy:
    """What is demanded of a request.

    Args:
        rules: each for a host or for all.
        public: the paths that need no token, of every host.

    Raises:
        ConfigurationError: a pattern is none, or a path is public and has a rule.
    """

    def __init__(self, rules: Iterable[_Rule] = (), public: Iterable[str] = ()) -> None:
        """Compile the rules of each host."""
        known, self.public = list(rules), tuple(public)
        hosts = {rule.host for rule in known if rule.host is not None}
        self._anywhere = None if hosts else PathRules(_joined(known), self.public)
        self._by_host = {host: PathRules(_joined(_of(host, known)), self.public) for host in sorted(hosts)}
        self._rules = known

    def __iter__(self) -> Iterator[tuple[str, tuple[Requirement]]]:
        """Return each pattern with what its rule demands."""
        for rule in self._rules:
            for pattern in rule.patterns:
                yield pattern, (rule.requirement,)

    def demand(self, method: str, path: bytes, host: str | None) -> Requirement | None:
        """Say what is demanded, or ``None`` where everybody is let in.

        Args:
            method: the request's.
            path: as it was sent, with its percent-encoding.
            host: in lower case, without a port; ``None`` where it is not known.

        Raises:
            LookupError: rules are made by host, and none is for this one.
            InvalidRequest: what the path can be read as contradicts itself, or it is too long to tell.
        """
        rules = self._anywhere or self._by_host[host or ""]
        if rules.is_public(path.decode("ascii")):
            return None
        return rules.requirement(method, *sorted(_readings(path)))


def _of(host: str, rules: Iterable[_Rule]) -> Iterator[_Rule]:
    return (rule for rule in rules if rule.host in (None, host))


def _joined(rules: Iterable[_Rule]) -> dict[str, Requirement]:
    joined: dict[str, Requirement] = {}
    for rule in rules:
        for pattern in rule.patterns:
            joined[pattern] = joined.get(pattern, ANY_TOKEN) & rule.requirement
    return joined


def _readings(path: bytes) -> set[str]:
    """Read a path as it was sent, and as it is after each decoding."""
    readings = {path.decode("ascii")}
    for _ in range(_DECODINGS):
        path = unquote_to_bytes(path)
        readings.add(path.decode("utf-8", "replace"))
    return readings


def read_policy(file: str | Path) -> Policy:
    """Read a policy file.

    Args:
        file: TOML with ``public``, a list of paths, and ``rules``, each with ``path``, ``host`` and ``methods`` where
            they matter, and the words of a query.

    Raises:
        ConfigurationError: it cannot be read or understood; the message names the file and the rule.
    """
    try:
        document = tomllib.loads(Path(file).read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError(f"policy {str(file)!r} cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise ConfigurationError(f"policy {str(file)!r} is not TOML: {error}") from None
    try:
        return _policy(document)
    except ConfigurationError as error:
        raise ConfigurationError(f"policy {str(file)!r}: {error}") from None


def _policy(document: Mapping[str, Any]) -> Policy:
    _refuse_unknown(document, {"public", "rules"})
    public, tables = document.get("public", []), document.get("rules", [])
    for path in _texts("public", public):
        if not _PLAIN_PATH.fullmatch(path):
            raise ConfigurationError(f"public takes whole paths in plain characters (got {path!r})")
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise ConfigurationError("rules are tables, each under [[rules]]")
    return Policy([_rule(number, table) for number, table in enumerate(tables, 1)], public)


def _rule(number: int, table: Mapping[str, Any]) -> _Rule:
    try:
        _refuse_unknown(table, {"path", "host", "methods", *WORDS})
        host, patterns = _host(table.get("host")), _patterns(table)
        words = {word: _values(word, table[word]) for word in WORDS & table.keys()}
        return _Rule(host, patterns, requirement_of(words))
    except ConfigurationError as error:
        raise ConfigurationError(f"rule {number} ({table.get('path')!r}): {error}") from None


def _host(host: object) -> str | None:
    if host is None or (isinstance(host, str) and _HOST.fullmatch(host)):
        return host
    raise ConfigurationError(f"host must be a name in lower case, without a port (got {host!r})")


def _patterns(table: Mapping[str, Any]) -> tuple[str, ...]:
    path, methods = table.get("path"), _texts("methods", table.get("methods", []))
    if not isinstance(path, str) or " " in path:
        raise ConfigurationError(f"path must be a pattern (got {path!r})")
    if ("methods" in table and not methods) or not all(map(_METHOD.fullmatch, methods)):
        raise ConfigurationError(f"methods takes names in capital letters (got {methods!r})")
    patterns = tuple(f"{method} {path}" for method in methods) or (path,)
    PathRules(dict.fromkeys(patterns, ANY_TOKEN))  # which says itself what is wrong with one
    return patterns


def _values(word: str, value: object) -> list[str]:
    if isinstance(value, int) and not isinstance(value, bool):
        return [str(value)]
    if isinstance(value, list):
        several = _texts(word, value)
        return several if word == "scope" else [" ".join(several)]
    if isinstance(value, str):
        return [value]
    raise ConfigurationError(f"{word} must be a text or a number (got {value!r})")


def _texts(name: str, value: object) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(text, str) for text in value):
        raise ConfigurationError(f"{name} must be a list of texts (got {value!r})")
    return value


def _refuse_unknown(table: Mapping[str, Any], known: set[str]) -> None:
    unknown = sorted(table.keys() - known)
    if unknown:
        raise ConfigurationError(f"there is no {unknown[0]!r} here, only {', '.join(sorted(known))}")
