"""A revocation is written as JSON and read back strictly, and never shows whom it is about."""

from __future__ import annotations

from typing import Any

import pytest

from resource_server._protocol.revocation import Revocation, read_revocation

KNOWN = Revocation("sub", "canary-subject", 1_700_000_000.5, 1_700_086_400.0)


def test_written_and_read() -> None:
    """What is read is what was written."""
    assert read_revocation(KNOWN.members()) == KNOWN


def test_value_is_not_shown() -> None:
    """The value is personal data, or names a token."""
    assert "canary" not in repr(KNOWN)


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "scope"},
        {"kind": ["sub"]},
        {"kind": None},
        {"value": 7},
        {"value": None},
        {"before": "1700000000"},
        {"before": True},
        {"until": None},
        {"until": False},
    ],
)
def test_anything_else_is_nothing(change: dict[str, Any]) -> None:
    """A member of the wrong type or an unknown kind makes it none."""
    assert read_revocation(KNOWN.members() | change) is None


def test_a_later_version_may_say_more() -> None:
    """Members that nobody knows yet keep no revocation from being heard, while workers are renewed one by one."""
    assert read_revocation(KNOWN.members() | {"more": 1}) == KNOWN


@pytest.mark.parametrize("missing", ["kind", "value", "before", "until"])
def test_every_member_is_needed(missing: str) -> None:
    """A member that is missing makes it none."""
    members = KNOWN.members()
    del members[missing]
    assert read_revocation(members) is None


@pytest.mark.parametrize(
    ("before", "until", "adds"), [(0.0, 0.0, False), (-1.0, -1.0, False), (1.0, -9.0, True), (-9.0, 1.0, True)]
)
def test_what_adds_to_what_is_known(before: float, until: float, *, adds: bool) -> None:
    """Only one that reaches further, or holds longer, says anything new."""
    assert Revocation("sub", "s", KNOWN.before + before, KNOWN.until + until).adds_to(KNOWN) is adds


def test_whole_seconds_are_moments() -> None:
    """A moment is a number, with a fraction or without."""
    whole = Revocation("sub", "s", 1_700_000_000, 1_700_086_400)
    assert read_revocation(whole.members()) == whole
