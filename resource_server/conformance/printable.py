"""What a target has said, fit for a terminal: a hostile one may send sequences that move the cursor, or a megabyte."""

from __future__ import annotations

_LONGEST = 2000
"""Characters that are shown of one value: a challenge has fewer."""
_MORE = "..."


def printable(text: str, longest: int = _LONGEST) -> str:
    """Return one line of a text, with everything escaped that is not seen.

    Args:
        text: what somebody else has said.
        longest: how many of its characters are shown.
    """
    shown = "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode("ascii") for char in text[:longest]
    )
    return shown + _MORE if len(text) > longest else shown
