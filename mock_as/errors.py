"""What the mock says to a test that asked for something it cannot do."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class UsageError(ValueError):
    """A verb of the mock was called with a value it cannot act on; nothing was changed.

    Args:
        field: the name of the argument, as it is spelled in Python and in the JSON of the control plane.
        message: what is wrong with it, and what would do.
    """

    def __init__(self, field: str, message: str) -> None:
        super().__init__(f"{field}: {message}")
        self.field = field
        self.message = message


def unknown(field: str, value: object, known: Iterable[str]) -> UsageError:
    """Name a value that does not exist, and the one that was probably meant.

    Args:
        field: the name of the argument.
        value: what was given for it.
        known: every value there is.

    Returns:
        The error to raise.
    """
    names = sorted(known)
    close = difflib.get_close_matches(str(value), names, n=1)
    hint = f"did you mean {close[0]!r}?" if close else f"there are {', '.join(names)}"
    return UsageError(field, f"{value!r} is unknown; {hint}")
