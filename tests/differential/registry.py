"""Every mutation by its name: a function that changes a draft in one respect, and says what it did."""

from __future__ import annotations

from collections.abc import Callable

from tests.differential.draft import Draft

Mutation = Callable[[Draft], str]
"""Changes a draft, and returns what distinguishes the change from others of its name."""


class Registry:
    """Mutations by name, in the order in which they were written down."""

    def __init__(self) -> None:
        """Know none yet."""
        self.named: dict[str, Mutation] = {}

    def add(self, mutation: Mutation) -> Mutation:
        """Take a mutation in: a decorator."""
        self.named[mutation.__name__] = mutation
        return mutation
