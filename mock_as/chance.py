"""What is random: ids, codes, opaque tokens. A seed makes all of it come again."""

from __future__ import annotations

import random
import secrets
from typing import Any

from mock_as.base64url import base64url


class Chance:
    """Makes texts that nobody guesses, unless there is a seed.

    Args:
        seed: makes everything random reproducible; for nothing but tests.
        place: where it is, so that of two places with one seed neither gets what the other does.
    """

    def __init__(self, seed: int | None, place: str = "") -> None:
        self._first = seed
        self._place = place
        self.seed(seed)

    def seed(self, seed: int | None) -> None:
        """Start anew.

        Args:
            seed: what everything random follows from; ``None`` to be unpredictable.
        """
        source = f"{seed} {self._place}" if self._place else seed
        self._random = None if seed is None else random.Random(source)  # noqa: S311 - asked for
        self._bytes = secrets.token_bytes if self._random is None else self._random.randbytes

    def text(self, size: int) -> str:
        """Return a text of letters, digits, ``-`` and ``_``, with no ``-`` at its head: that is an option.

        Args:
            size: how many random bytes are in it.
        """
        text = base64url(self._bytes(size))
        return f"0{text[1:]}" if text.startswith("-") else text

    def fraction(self) -> float:
        """Return a number from 0 to 1, without 1."""
        return int.from_bytes(self._bytes(6), "big") / (1 << 48)

    def reset(self) -> None:
        """Go back to the seed there was at first."""
        self.seed(self._first)

    def dump(self) -> Any:  # noqa: ANN401 - the state of a generator is its own business
        """Return where in its sequence it is."""
        return None if self._random is None else self._random.getstate()

    def load(self, dumped: Any) -> None:  # noqa: ANN401 - see above
        """Go back to where in its sequence it once was."""
        if dumped is None:
            self.seed(None)
        else:
            self.seed(0)
            assert self._random is not None  # noqa: S101 - it has just been seeded
            self._random.setstate(dumped)
