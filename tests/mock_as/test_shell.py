"""Command lines that a person copies into a shell, and texts that a terminal shows."""

from __future__ import annotations

import shlex
import subprocess
from shutil import which

import pytest

from mock_as.shell import command_line, printable


def test_words_come_out_as_they_were() -> None:
    """A shell takes the line apart into the words that were put in."""
    words = ["curl", "", "a b", "$HOME", "it's", "`id`", "\\", "ä"]
    assert shlex.split(command_line(words)) == words


@pytest.mark.parametrize("control", ["\x03", "\n", "\r", "\x1b[201~", "\x7f", "\x9b201~"])
def test_no_control_character_is_left(control: str) -> None:
    """What a terminal would obey while the line is pasted is written as an escape, and still means the same."""
    word = f"it's {control}a\\b"
    line = command_line(["printf", "%s", word])
    assert line.isprintable()
    bash = which("bash")
    if bash is None:
        pytest.skip("there is no bash here to read it")
    read = subprocess.run([bash, "-c", line], capture_output=True, check=True, text=False)
    assert read.stdout == word.encode()


def test_a_terminal_obeys_nothing() -> None:
    """What is no letter that can be seen is shown by its number, and the rest stays as it is."""
    assert printable("it's ä\x1b]0;x\x07\n\u202e\u2028") == r"it's ä\x1b]0;x\x07\n\u202e\u2028"
