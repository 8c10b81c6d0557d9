"""Which requests of an application need which requirement, by method and path: for hosts that know no routes.

Two questions, and a doubt is settled differently in each. *May everybody in?* Only where the path is one that was
named, to the letter. *What is demanded?* Everything that any rule demands whose pattern fits the path, in whatever way
a router might read it: with slashes doubled or at the end, with dots in it, with matrix parameters, decoded twice, in
other letters. So a strange spelling can bring a caller more demands, and never fewer.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache, reduce
from itertools import combinations, zip_longest
from operator import and_
from posixpath import normpath
from typing import NamedTuple
from unicodedata import normalize
from urllib.parse import unquote

from resource_server.errors import ConfigurationError, InvalidRequest
from resource_server.requirements import ANY_TOKEN, Requirement

REMEMBERED, LONGEST_REMEMBERED = 1024, 256
"""For how many paths the outcome is kept, and for which: those of an application without parameters in them."""
LONGEST_ODD = 2048
"""Characters of a path that is read in many ways; no router needs a longer one that has to be."""
_OTHERS = frozenset({"POST", "PUT", "PATCH", "DELETE"})
"""Methods that ``GET`` in a pattern does not stand for. Whatever else is sent, a handler may take for ``GET``."""
_METHOD = re.compile(r"[A-Z]+")
_PLACEHOLDER = re.compile(r"\{[A-Za-z_][A-Za-z0-9_]*\}")
_PLAIN = re.compile(r"(?:/[A-Za-z0-9_~@:+-]+)*/?")
_ABSOLUTE = re.compile(r"(?<![A-Za-z0-9+.-])[A-Za-z][A-Za-z0-9+.-]*://[^/\\]*")
_INVISIBLE = re.compile(r"[\x00-\x20\x7f\u200b-\u200f\ufeff]+")
_MATRIX = re.compile(r";[^/]*")
_SLASHES = re.compile(r"//+")
_FORMAT = re.compile(r"\.[A-Za-z0-9]+/?$")


class _Rule(NamedTuple):
    pattern: str
    method: str | None
    segments: tuple[str | None, ...]
    """In lower case; ``None`` where any one will do."""
    below: bool
    fits: re.Pattern[str]
    requirement: Requirement

    def is_for(self, method: str) -> bool:
        """Tell whether a request with this method, in capitals, is meant."""
        return self.method is None or self.method == method or (self.method == "GET" and method not in _OTHERS)

    def meets(self, other: _Rule) -> bool:
        """Tell whether a request can be for both rules."""
        if not (self.is_for(other.method or self.method or "") or other.is_for(self.method or "")):
            return False
        lengths = len(self.segments), len(other.segments)
        if (lengths[0] < lengths[1] and not self.below) or (lengths[1] < lengths[0] and not other.below):
            return False
        pairs = zip_longest(self.segments, other.segments)
        return all(None in pair or pair[0] == pair[1] for pair in pairs)


class PathRules:
    """The requirements of an application, by path.

    Args:
        rules: a requirement for each pattern. A pattern is a path, ``/orders/{id}`` with any one segment in place of
            the braces, or ``/admin/*`` for ``/admin`` and everything below; with ``POST`` and a space before it, it is
            for that method only; ``GET`` is for all but ``POST``, ``PUT``, ``PATCH`` and ``DELETE``. Of several that
            fit, all hold.
        public: the paths that need no token, exact and whole. None of them may fit a rule.
        default: what is demanded of every request that is not for one of those.

    Raises:
        ConfigurationError: a pattern is none, a path is public and has a rule, or two rules that a request can be for
            contradict each other.
    """

    def __init__(
        self,
        rules: Mapping[str, Requirement] | None = None,
        public: Iterable[str] = (),
        default: Requirement = ANY_TOKEN,
    ) -> None:
        """Compile the patterns."""
        self.public = frozenset((public,) if isinstance(public, str) else public)
        self._default = default
        _expect_requirement("default", default)
        self._rules = [_compile(pattern, requirement) for pattern, requirement in (rules or {}).items()]
        for path in sorted(self.public):
            self._judge_public(path)
        self._judge_rules()
        self.tell_methods = any(rule.method for rule in self._rules)
        """Whether it makes a difference which method a request has."""
        self._remembered = lru_cache(REMEMBERED)(self._requirement)

    def __iter__(self) -> Iterator[tuple[str, Requirement]]:
        """Return each pattern with what is demanded where it fits, the default before all."""
        yield "/*", self._default
        for rule in self._rules:
            yield rule.pattern, rule.requirement

    def is_public(self, *paths: str) -> bool:
        """Tell whether everybody is let in.

        Args:
            paths: the decoded path, as it is routed; several where routers differ, and then it needs to be all.
        """
        return self.public.issuperset(paths)

    def requirement_of_any(self, methods: Iterable[str], *paths: str) -> Requirement:
        """Say what is demanded of a request that an application may take for one with another method.

        Args:
            methods: the request's, and those.
            paths: as for :meth:`requirement`.

        Raises:
            InvalidRequest: what these demand contradicts itself, or the path is too long to tell.
        """
        try:
            return reduce(and_, (self.requirement(method, *paths) for method in methods))
        except ConfigurationError:
            raise InvalidRequest("malformed") from None

    def requirement(self, method: str, *paths: str) -> Requirement:
        """Say what is demanded.

        Args:
            method: the request's.
            paths: the decoded path, as it is routed; several where routers differ, and then whatever any of them needs.

        Raises:
            InvalidRequest: what the path can be read as contradicts itself, or it is too long to tell.
        """
        if not self._rules:
            return self._default
        if len(method) + sum(map(len, paths)) <= LONGEST_REMEMBERED:
            return self._remembered(method, *paths)
        return self._requirement(method, *paths)

    def _requirement(self, method: str, *paths: str) -> Requirement:
        method = method.upper()  # as there are frameworks that do
        readings = {reading for path in paths for reading in _readings(path)}
        requirement = self._default
        for rule in self._rules:
            if rule.is_for(method) and any(map(rule.fits.fullmatch, readings)):
                try:
                    requirement &= rule.requirement
                except ConfigurationError:
                    raise InvalidRequest("malformed") from None
        return requirement

    def _judge_public(self, path: str) -> None:
        if not path.startswith("/"):
            raise ConfigurationError(f"public takes paths that begin with a slash (got {path!r})")
        if path.endswith("/*") or _PLACEHOLDER.search(path):
            raise ConfigurationError(f"public takes whole paths, and no patterns (got {path!r})")
        readings = _readings(path)
        if any(rule.fits.fullmatch(reading) for rule in self._rules for reading in readings):
            raise ConfigurationError(f"{path!r} is public and has a rule")

    def _judge_rules(self) -> None:
        for rule in self._rules:
            _combine(self._default, rule.requirement, "default", rule.pattern)
        for first, second in combinations(self._rules, 2):
            if first.meets(second):
                _combine(first.requirement, second.requirement, first.pattern, second.pattern)


def _combine(first: Requirement, second: Requirement, *names: str) -> None:
    try:
        _ = first & second
    except ConfigurationError as fault:
        raise ConfigurationError(f"rules {' and '.join(map(repr, names))}: {fault}") from None


def _expect_requirement(name: str, demand: object) -> None:
    if not isinstance(demand, Requirement):
        raise ConfigurationError(f"{name} must be made with Requirement.of(...) (got {demand!r})")


def _compile(pattern: str, requirement: Requirement) -> _Rule:
    _expect_requirement(f"rule {pattern!r}", requirement)
    method, space, path = pattern.rpartition(" ")
    if not path.startswith("/") or (space and not _METHOD.fullmatch(method)):
        raise ConfigurationError(f"a rule's pattern is a path, or a method and a path (got {pattern!r})")
    stem, star, rest = path.partition("*")
    below = bool(star)
    if rest or (below and not stem.endswith("/")):
        raise ConfigurationError(f"in a rule's pattern * stands for what is below a path, at its end (got {pattern!r})")
    names = stem.strip("/").split("/") if stem.strip("/") else []
    segments = tuple(_compile_segment(name, pattern) for name in names)
    whole = "".join("/[^/]+" if segment is None else "/" + re.escape(segment) for segment in segments)
    expression = f"{whole}(?:/.*)?" if below else f"{whole}/?"
    fits = re.compile(expression, re.DOTALL | re.IGNORECASE)
    lowered = tuple(segment and segment.lower() for segment in segments)
    return _Rule(pattern, method or None, lowered, below, fits, requirement)


def _compile_segment(segment: str, pattern: str) -> str | None:
    if _PLACEHOLDER.fullmatch(segment):
        return None
    if "{" in segment or "}" in segment:
        raise ConfigurationError(f"in a rule's pattern a {{name}} fills a segment (got {pattern!r})")
    if segment in ("", ".", "..") or ";" in segment or "\\" in segment:
        raise ConfigurationError(f"a rule's pattern is a path as an application routes it (got {pattern!r})")
    return segment


def _readings(path: str) -> set[str]:
    """Read a path in each way that some router does, or something before it.

    Raises:
        InvalidRequest: that would be too much work.
    """
    if _PLAIN.fullmatch(path):
        return {path}
    if len(path) > LONGEST_ODD:
        raise InvalidRequest("too_long")
    spellings = {path, _ABSOLUTE.sub("", path)}
    spellings |= {unquote(spelling) for spelling in spellings}
    spellings |= {f"/{spelling}" for spelling in spellings if not spelling.startswith("/")}
    spellings |= {normalize("NFKC", _INVISIBLE.sub("", spelling)) for spelling in spellings}
    if any(len(spelling) > LONGEST_ODD for spelling in spellings):  # there are characters that stand for eighteen
        raise InvalidRequest("too_long")
    spellings |= {spelling.replace("\\", "/") for spelling in spellings}
    spellings |= {_MATRIX.sub("", spelling) for spelling in spellings}
    spellings |= {_resolved(spelling) for spelling in spellings}
    spellings |= {_SLASHES.sub("/", spelling) for spelling in spellings}
    spellings |= {normpath(spelling) for spelling in spellings if spelling.startswith("/")}
    return spellings | {_FORMAT.sub("", spelling) for spelling in spellings}


def _resolved(path: str) -> str:
    """Resolve dots as RFC 3986 section 5.2.4 does: a segment may be empty, and counts."""
    kept: list[str] = []
    for segment in path.split("/"):
        if segment == "..":
            del kept[max(1, len(kept) - 1) :]
        elif segment != ".":
            kept.append(segment)
    return "/".join(kept)
