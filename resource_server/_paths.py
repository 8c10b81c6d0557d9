"""Which requests of an application need which requirement, by method and path: for hosts that know no routes.

Two questions, and a doubt is settled differently in each. *May everybody in?* Only where the path is one that was
named, to the letter. *What is demanded?* Everything that any rule demands whose pattern fits the path, in whatever way
a router might read it: with slashes doubled or at the end, with dots in it, with matrix parameters, in other letters.
So a strange spelling can bring a caller more demands, and never fewer.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from posixpath import normpath
from typing import NamedTuple

from resource_server.errors import ConfigurationError
from resource_server.requirements import ANY_TOKEN, Requirement

REMEMBERED = 1024
"""For how many paths the outcome is kept: those of an application without parameters in them."""
_METHOD = re.compile(r"[A-Z]+")
_PLACEHOLDER = re.compile(r"\{[A-Za-z_][A-Za-z0-9_]*\}")
_MATRIX = re.compile(r";[^/]*")
_SLASHES = re.compile(r"[/\\]+")


class _Rule(NamedTuple):
    method: str | None
    fits: re.Pattern[str]
    requirement: Requirement


class PathRules:
    """The requirements of an application, by path.

    Args:
        rules: a requirement for each pattern. A pattern is a path, ``/orders/{id}`` with any one segment in place of
            the braces, or ``/admin/*`` for ``/admin`` and everything below; with ``GET`` and a space before it, it is
            for that method only, and ``GET`` is for ``HEAD`` too. Of several that fit, all hold.
        public: the paths that need no token, exact and whole. None of them may fit a rule.
        default: what is demanded of every request that is not for one of those.

    Raises:
        ConfigurationError: a pattern is none, or a path is public and has a rule.
    """

    def __init__(
        self,
        rules: Mapping[str, Requirement] | None = None,
        public: Iterable[str] = (),
        default: Requirement = ANY_TOKEN,
    ) -> None:
        """Compile the patterns."""
        self.public = frozenset((public,) if isinstance(public, str) else public)
        self.patterns = tuple(rules or ())
        self._default = default
        self._rules = [_compile(pattern, requirement) for pattern, requirement in (rules or {}).items()]
        for path in sorted(self.public):
            if not path.startswith("/"):
                raise ConfigurationError(f"public takes paths that begin with a slash (got {path!r})")
            if any(rule.fits.fullmatch(path) for rule in self._rules):
                raise ConfigurationError(f"{path!r} is public and has a rule")
        self.requirement = lru_cache(REMEMBERED)(self._requirement)

    def is_public(self, path: str) -> bool:
        """Tell whether everybody is let in.

        Args:
            path: the decoded path, as it is routed.
        """
        return path in self.public

    def __iter__(self) -> Iterator[tuple[str, Requirement]]:
        """Return each pattern with what is demanded where it fits, the default before all."""
        yield "/*", self._default
        for pattern, rule in zip(self.patterns, self._rules, strict=True):
            yield pattern, rule.requirement

    def _requirement(self, method: str, path: str) -> Requirement:
        """Say what is demanded.

        Args:
            method: the request's.
            path: the decoded path, as it is routed.

        Raises:
            ConfigurationError: the rules that fit contradict each other.
        """
        method = "GET" if method == "HEAD" else method
        requirement = self._default
        readings = _readings(path)
        for rule in self._rules:
            if rule.method in (None, method) and any(map(rule.fits.fullmatch, readings)):
                requirement &= rule.requirement
        return requirement


def _compile(pattern: str, requirement: Requirement) -> _Rule:
    method, space, path = pattern.rpartition(" ")
    if not path.startswith("/") or (space and not _METHOD.fullmatch(method)):
        raise ConfigurationError(f"a rule's pattern is a path, or a method and a path (got {pattern!r})")
    stem, star, rest = path.partition("*")
    below = bool(star)
    if rest or (below and not stem.endswith("/")):
        raise ConfigurationError(f"in a rule's pattern * stands for what is below a path, at its end (got {pattern!r})")
    segments = [_compile_segment(segment, pattern) for segment in stem.strip("/").split("/")]
    whole = "/" + "/".join(segments) if any(segments) else ""
    expression = f"{whole}(?:/.*)?" if below else f"{whole}/?" if whole else "/"
    return _Rule(method or None, re.compile(expression, re.DOTALL | re.IGNORECASE), requirement)


def _compile_segment(segment: str, pattern: str) -> str:
    if _PLACEHOLDER.fullmatch(segment):
        return "[^/]+"
    if "{" in segment or "}" in segment:
        raise ConfigurationError(f"in a rule's pattern a {{name}} fills a segment (got {pattern!r})")
    return re.escape(segment)


def _readings(path: str) -> set[str]:
    """Read a path in each way that some router does."""
    merged = _SLASHES.sub("/", path)
    plain = _MATRIX.sub("", merged)
    resolved = normpath(plain) if plain.startswith("/") else plain
    return {path, merged, plain, resolved}
