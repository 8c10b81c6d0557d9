"""Read ``WWW-Authenticate`` letter by letter, sharing nothing with the library that writes it.

References: RFC 9110 sections 5.6 and 11.2 to 11.6.1
"""

from __future__ import annotations

from dataclasses import dataclass, field

_LETTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")
_TCHAR = _LETTERS | frozenset("!#$%&'*+-.^_`|~")
_TOKEN68 = _LETTERS | frozenset("-._~+/")
_BLANK = frozenset(" \t")


@dataclass(frozen=True, slots=True)
class Challenge:
    """One challenge."""

    scheme: str
    """In lower case."""
    params: dict[str, str] = field(default_factory=dict[str, str])
    """By their names in lower case; the first value of a name that is repeated."""
    repeated: tuple[str, ...] = ()
    """Names that stand there more than once."""
    unquoted: tuple[str, ...] = ()
    """Names whose value is written without quotation marks."""
    token68: str = ""


class _Reader:
    """A position in a text."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0

    @property
    def next(self) -> str:
        return self.text[self.at : self.at + 1]

    def take(self, letters: frozenset[str]) -> str:
        start = self.at
        while self.next and self.next in letters:
            self.at += 1
        return self.text[start : self.at]

    def skip(self, letter: str) -> bool:
        found = self.next == letter
        self.at += found
        return found

    def fail(self, wanted: str) -> ValueError:
        return ValueError(f"{wanted} is missing at offset {self.at}")

    def separators(self) -> bool:
        """Pass over commas and blanks; tell whether there was a comma."""
        return "," in self.take(_BLANK | {","})


def parse_challenges(value: str) -> list[Challenge]:
    """Read the value of one field line.

    Args:
        value: the value, which may hold several challenges.

    Raises:
        ValueError: it is not a list of challenges.
    """
    reader = _Reader(value)
    found: list[Challenge] = []
    reader.separators()
    while reader.next:
        found.append(_challenge(reader))
    return found


def _challenge(reader: _Reader) -> Challenge:
    scheme = reader.take(_TCHAR)
    if not scheme:
        raise reader.fail("a scheme")
    params: list[tuple[str, str, bool]] = []
    blank = reader.take(frozenset(" "))
    token68 = _token68(reader) if blank else ""
    if blank and not token68:
        _read_params(reader, params)
    elif not token68 and reader.next and not reader.separators():
        raise reader.fail("a comma")
    names = [name for name, _, _ in params]
    return Challenge(
        scheme.lower(),
        {name: text for name, text, _ in reversed(params)},
        tuple(sorted({name for name in names if names.count(name) > 1})),
        tuple(name for name, _, quoted in params if not quoted),
        token68,
    )


def _token68(reader: _Reader) -> str:
    """Read a token68, if the element is one: nothing may follow it but a comma."""
    start = reader.at
    text = reader.take(_TOKEN68) + reader.take(frozenset("="))
    reader.take(_BLANK)
    if text and reader.next in {"", ","}:
        reader.separators()
        return text
    reader.at = start
    return ""


def _read_params(reader: _Reader, params: list[tuple[str, str, bool]]) -> None:
    """Read parameters until the field or the challenge ends."""
    while reader.next:
        start = reader.at
        name = reader.take(_TCHAR).lower()
        reader.take(_BLANK)
        if not name or not reader.skip("="):
            if not params:
                raise reader.fail("a parameter")
            reader.at = start
            return
        reader.take(_BLANK)
        quoted = reader.next == '"'
        params.append((name, _quoted(reader) if quoted else _bare(reader), quoted))
        reader.take(_BLANK)
        if reader.next and not reader.separators():
            raise reader.fail("a comma")


def _bare(reader: _Reader) -> str:
    text = reader.take(_TCHAR)
    if not text:
        raise reader.fail("a value")
    return text


def _quoted(reader: _Reader) -> str:
    reader.skip('"')
    letters: list[str] = []
    while not reader.skip('"'):
        reader.skip("\\")
        letter = reader.next
        if not letter or not (letter == "\t" or (letter >= " " and letter != "\x7f")):
            raise reader.fail("the end of a quoted-string")
        letters.append(letter)
        reader.at += 1
    return "".join(letters)
