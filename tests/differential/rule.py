"""What a rule is: a difference between the two judges that is meant."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from tests.differential.draft import Case

Side = Literal["ours", "theirs"]
"""Who refuses."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One difference that is meant."""

    name: str
    stricter: Side
    reason: str
    about: Callable[[Case], bool]
    says: str = ""
    """A pattern of what the other judge says where it is the stricter one; any other reason is no explanation."""
