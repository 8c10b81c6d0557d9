"""Write what a terminal gets to see, or a shell to run: what is in it may come from anybody."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable

_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f]")


def command_line(words: Iterable[str]) -> str:
    """Join words so that a shell takes them apart again, and so that none of them does anything on its way there.

    A terminal obeys control characters while a text is pasted, quotes or not: one of them ends the paste, and what
    follows runs. They are written as escapes, in the quotes that know these.

    Args:
        words: the words, the command first.

    References: POSIX.1-2024, Shell Command Language, section 2.2.4
    """
    return " ".join(map(_quoted, words))


def printable(text: str) -> str:
    """Write a text so that a terminal shows all of it and obeys none of it, on one line.

    Args:
        text: the text.
    """
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in text)


def _quoted(word: str) -> str:
    if _CONTROLS.search(word) is None:
        return shlex.quote(word)
    text = word.replace("\\", "\\\\").replace("'", "\\'")
    return f"$'{_CONTROLS.sub(_escaped, text)}'"


def _escaped(control: re.Match[str]) -> str:
    return "".join(f"\\x{byte:02x}" for byte in control.group().encode())
