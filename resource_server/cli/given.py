"""What is given to a command that must not be seen by others: a token, from a file or the standard input.

What stands in the arguments of a process is seen by everybody on the machine, and kept in the shell's history.
"""

from __future__ import annotations

import sys
from pathlib import Path

from resource_server._protocol.sample import Sample

MAX_BYTES = 65_536
"""The longest text that is read: no token is as long as that."""
STDIN = "-"
_SCHEMES = (b"bearer ", b"dpop ")


class Unreadable(ValueError):  # noqa: N818 - said of what was given
    """What was given cannot be read; the message says which and why, and shows none of it."""


def read_token(file: str) -> Sample | None:
    """Read an access token.

    Args:
        file: the path of a file with it, ``-`` for the standard input, empty for none. ``Bearer`` before it is taken
            off, as who copies it may have copied that too.

    Raises:
        Unreadable: there is no such file, or no token in it.
    """
    if not file:
        return None
    try:
        content = sys.stdin.buffer.read(MAX_BYTES + 1) if file == STDIN else _read_file(Path(file))
    except OSError:
        raise Unreadable(f"--token-file {file} cannot be read") from None
    return clean_token(content)


def clean_token(content: bytes) -> Sample:
    """Take off what is around a token: white space, and the scheme of a header field.

    Raises:
        Unreadable: there is nothing, or more than a token.
    """
    token = content.strip()
    for scheme in _SCHEMES:
        if token.lower().startswith(scheme):
            token = token[len(scheme) :].strip()
    if not token or len(token) > MAX_BYTES or len(token.split()) > 1:
        raise Unreadable("there is no token, or more than one word, in what was given as one")
    return Sample(token)


def _read_file(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(MAX_BYTES + 1)
