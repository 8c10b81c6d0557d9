"""What is given to a command that must not be seen by others: a token, from a file or the standard input.

What stands in the arguments of a process is seen by everybody on the machine, and kept in the shell's history.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

from resource_server._protocol.sample import Sample

MAX_BYTES = 65_536
"""The longest text that is read: no token is as long as that."""
STDIN = "-"
ENV_FILE = ".env"
"""What is read where it is there, without being named."""
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
    except OSError as error:
        # Who mistakes the option gives the token itself in the place of a file.
        raise Unreadable(f"the file that --token-file names cannot be read: {error.strerror}") from None
    return clean_token(content)


def named_files(files: Mapping[str, str]) -> dict[str, Path]:
    """Return the files that options are read from.

    Args:
        files: their paths, by the keywords of ``Settings.from_env``; those that are empty are none.

    Raises:
        Unreadable: a file of environment variables was named, and is not there.
    """
    env_file = files["env_file"]
    if env_file not in {"", ENV_FILE} and not Path(env_file).is_file():
        raise Unreadable(f"--env-file {env_file} is not a file")
    return {name: Path(file) for name, file in files.items() if file}


def clean_token(content: bytes) -> Sample:
    """Take off what is around a token: white space, and the scheme of a header field.

    Raises:
        Unreadable: there is nothing, or more than a token.
    """
    token = content.strip()
    for scheme in _SCHEMES:
        if token.lower().startswith(scheme):
            token = token[len(scheme) :].strip()
    if not token:
        raise Unreadable("there is no token in what was given as one: it is empty")
    if len(token) > MAX_BYTES or len(token.split()) > 1:
        raise Unreadable("what was given as a token is more than one word, or too long: give the token alone")
    return Sample(token)


def _read_file(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(MAX_BYTES + 1)
