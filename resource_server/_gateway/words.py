"""The words in which a proxy's configuration demands something: in the query of the gateway's URL, or in a file.

They are read strictly. A word that is misspelt, or said twice, demands nothing that anybody could know of; so it is a
fault of the configuration, and nobody is let in meanwhile.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, get_args
from urllib.parse import unquote_to_bytes

from resource_server._protocol.demand import Demand
from resource_server._protocol.scopes import all_of, any_of
from resource_server.errors import ConfigurationError
from resource_server.principal import Assurance
from resource_server.requirements import ANY_TOKEN, Requirement

MAX_QUERY_BYTES = 4_096
REMEMBERED = 256
"""How many queries are kept compiled: there are as many as places in the proxies' configuration."""
Words = Mapping[str, Sequence[str]]
_SEPARATORS = re.compile(r"[ ,]+")
_BROKEN_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_SECONDS = re.compile(r"[0-9]{1,9}")


class WordsError(ConfigurationError):
    """What is demanded cannot be understood.

    Args:
        cause: what is wrong, in a fixed vocabulary, for events.
        message: the same for who reads it, with the word and its value.
    """

    def __init__(self, cause: str, message: str) -> None:
        """Keep both."""
        super().__init__(message)
        self.cause = cause


def _one_of(*values: str) -> Callable[[str], str | None]:
    return lambda value: value if value in values else None


def _seconds(value: str) -> int | None:
    return int(value) if _SECONDS.fullmatch(value) else None


def _status(*values: int) -> Callable[[str], int | None]:
    return lambda value: int(value) if value in map(str, values) else None


_READERS: dict[str, tuple[str, Callable[[str], Any]]] = {
    "audience": ("audience", str),
    "acr": ("acr_values", str),
    "max_age": ("max_age", _seconds),
    "ajax": ("ajax_forbidden", _one_of("403")),
    "hide": ("hide", _one_of("404")),
    "dpop": ("dpop", _one_of(*get_args(Demand))),
    "mtls": ("mtls", _one_of(*get_args(Demand))),
    "unavailable": ("unavailable_status", _status(401, 503)),
    "assurance": ("assurance", _one_of(*Assurance)),
}
"""The words that may be said once: what each means in a requirement, and what reads its value."""
_SWITCHES = frozenset({"ajax", "hide"})
WORDS = frozenset({"scope", "satisfy", *_READERS})


@lru_cache(REMEMBERED)
def read_query(query: bytes) -> Requirement:
    """Return what the query of the gateway's URL demands.

    Args:
        query: as it was sent, without ``?``.

    Raises:
        WordsError: it cannot be understood.
    """
    if not query:
        return ANY_TOKEN
    if len(query) > MAX_QUERY_BYTES:
        raise WordsError("malformed_query", f"a policy's query is longer than {MAX_QUERY_BYTES} bytes")
    words: dict[str, list[str]] = {}
    for pair in query.split(b"&"):
        name, equals, value = pair.partition(b"=")
        if not equals:
            raise WordsError("malformed_query", "a policy's query consists of name=value")
        words.setdefault(_decode(name), []).append(_decode(value))
    return requirement_of(words)


def requirement_of(words: Words) -> Requirement:
    """Make a requirement of what words demand.

    Args:
        words: the values of each, in order.

    Raises:
        WordsError: a word does not exist, is said twice, or has no such value.
    """
    demands: dict[str, Any] = {}
    for word, values in words.items():
        if word not in WORDS:
            raise WordsError("unknown_word", f"a policy has no word {word[:40]!r}")
        if word != "scope" and len(values) > 1:
            raise WordsError("repeated_word", f"a policy says {word} more than once")
        if word in _READERS:
            name, read = _READERS[word]
            value = read(values[0]) if values[0].strip() else None
            if value is None:
                raise WordsError(f"bad_{word}", f"{word} cannot be {values[0][:80]!r}")
            demands[name] = word in _SWITCHES or value
    return _with_scopes(words, demands)


def _with_scopes(words: Words, demands: dict[str, Any]) -> Requirement:
    satisfy = words.get("satisfy", ["all"])[0]
    if satisfy not in ("all", "any") or ("satisfy" in words and "scope" not in words):
        raise WordsError("bad_satisfy", f"satisfy must be all or any, beside a scope (got {satisfy[:80]!r})")
    scopes = [_split(value) for value in words.get("scope", ())]
    if not all(scopes):
        raise WordsError("bad_scope", "scope is empty")
    names = [name for several in scopes for name in several]
    try:
        wanted = any_of(*names) if satisfy == "any" else all_of(*names)
        return Requirement.of(wanted, **demands)
    except ConfigurationError as error:
        raise WordsError("bad_words", str(error)) from None


def _split(value: str) -> list[str]:
    return [name for name in _SEPARATORS.split(value) if name]


def _decode(text: bytes) -> str:
    malformed = WordsError("malformed_query", "a policy's query is not percent-encoded UTF-8")
    if _BROKEN_ESCAPE.search(text):
        raise malformed
    try:
        return unquote_to_bytes(text.replace(b"+", b" ")).decode("utf-8")
    except ValueError:
        raise malformed from None
