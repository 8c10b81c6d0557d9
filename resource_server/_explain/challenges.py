"""Challenges as they are really sent: read where the grammar holds, guessed where it does not, and the fault named."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from resource_server._explain.words import Defect, Remark, Severity
from resource_server._protocol.challenge import Challenge, parse_challenges
from resource_server._protocol.grammar import is_error_text

TOKEN_SCHEMES = ("bearer", "dpop")
"""What an access token is sent with."""
_KNOWN_SCHEMES = {
    *TOKEN_SCHEMES,
    "basic",
    "digest",
    "gnap",
    "hoba",
    "mutual",
    "negotiate",
    "ntlm",
    "privatetoken",
    "uma",
}
_PIECE = re.compile(
    r"""(?P<name>[!#$%&'*+\-.^_`|~0-9A-Za-z]+)[ \t]*=[ \t]*
        (?: "(?P<quoted>(?:[^"\\]|\\.)*)" | "(?P<open>[^"]*)$ | '(?P<single>[^']*)' | (?P<bare>[^\s,"']*) )
      | (?P<scheme>[!#$%&'*+\-.^_`|~0-9A-Za-z]+)""",
    re.VERBOSE,
)
_GRAMMAR = "RFC 9110 section 11.6.1"
_TEXTS = ("error", "error_description", "error_uri")


@dataclass(slots=True)
class _Guess:
    scheme: str
    params: dict[str, str] = field(default_factory=dict[str, str])


def read_challenges(values: Sequence[str]) -> tuple[tuple[Challenge, ...], tuple[Remark, ...]]:
    """Read the values of ``WWW-Authenticate``.

    Args:
        values: one for each time the field was sent.

    Returns:
        The challenges, as far as they can be made out, and what is wrong with how they are written.
    """
    text = ", ".join(value for value in values if value)
    pieces = list(_PIECE.finditer(text))
    fault = _misunderstood(text, pieces)
    try:
        challenges = tuple(parse_challenges(text))
    except ValueError:
        return tuple(_guess(pieces)), (fault or _fault(text, pieces),)
    if fault is not None:
        return tuple(_guess(pieces)), (fault,)
    return challenges, (*_not_quoted(pieces), *_bad_characters(challenges))


def _guess(pieces: Sequence[re.Match[str]]) -> Iterator[Challenge]:
    guesses: list[_Guess] = []
    for piece in pieces:
        if piece["scheme"] is None and guesses:
            guesses[-1].params.setdefault(piece["name"].lower(), _value(piece))
        elif piece["scheme"] is not None and (not guesses or piece["scheme"].lower() in _KNOWN_SCHEMES):
            guesses.append(_Guess(piece["scheme"].lower()))
    return (Challenge(guess.scheme, guess.params) for guess in guesses)


def _value(piece: re.Match[str]) -> str:
    return next(piece[kind] for kind in ("quoted", "open", "single", "bare") if piece[kind] is not None)


def _misunderstood(text: str, pieces: Sequence[re.Match[str]]) -> Remark | None:
    """Name a fault that a parser may pass over, and that gives clients another value than was meant."""
    if not (text.isascii() and text.isprintable()):
        return Remark(Defect.BAD_CHARACTER, "The challenge has a control or non-ASCII character.", _GRAMMAR)
    if any(piece["single"] is not None for piece in pieces):
        return Remark(Defect.SINGLE_QUOTES, "Values stand in single quotes; only double quotes quote.", _GRAMMAR)
    return None


def _fault(text: str, pieces: Sequence[re.Match[str]]) -> Remark:
    """Name the fault that a person would name."""
    if any(piece["open"] is not None for piece in pieces):
        return Remark(Defect.QUOTE_NOT_CLOSED, "A quoted string in the challenge does not end.", _GRAMMAR)
    if any(re.fullmatch(r"[ \t]+", text[one.end() : two.start()]) for one, two in _neighbours(pieces)):
        return Remark(Defect.MISSING_COMMA, "There is no comma between two parameters of the challenge.", _GRAMMAR)
    names = Counter(piece["name"].lower() for piece in pieces if piece["scheme"] is None)
    if names and max(names.values()) > 1:
        return Remark(Defect.REPEATED_PARAMETER, "A parameter stands twice in one challenge.", "RFC 9110 section 11.2")
    return Remark(Defect.UNREADABLE_CHALLENGE, "The field WWW-Authenticate is not a list of challenges.", _GRAMMAR)


def _neighbours(pieces: Sequence[re.Match[str]]) -> Iterator[tuple[re.Match[str], re.Match[str]]]:
    return (pair for pair in pairwise(pieces) if pair[0]["scheme"] is None and pair[1]["scheme"] is None)


def _not_quoted(pieces: Sequence[re.Match[str]]) -> Iterator[Remark]:
    for piece in pieces:
        if piece["bare"] and piece["name"].lower() in ("realm", "scope"):
            name = piece["name"].lower()
            clause = "RFC 9110 section 11.5" if name == "realm" else "RFC 6750 section 3"
            yield Remark(Defect.NOT_QUOTED, f"The value of {name} is not a quoted string.", clause)


def _bad_characters(challenges: Sequence[Challenge]) -> Iterator[Remark]:
    for challenge in challenges:
        bad = [name for name in _TEXTS if not is_error_text(challenge.params.get(name, ""))]
        if challenge.scheme in TOKEN_SCHEMES and bad:
            says = f"{' and '.join(bad)} must be printable ASCII without quote and backslash."
            yield Remark(Defect.BAD_CHARACTER, says, "RFC 6750 section 3", Severity.WRONG)
