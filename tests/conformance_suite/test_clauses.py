"""The clauses as a list: who reads a report can rely on their names."""

from __future__ import annotations

import re

import pytest

from resource_server.conformance.clause import SEVERITIES
from resource_server.conformance.clauses import CLAUSES
from resource_server.conformance.errors import SuiteError
from resource_server.conformance.run import choose
from resource_server.conformance.target import FEATURES, ROUTES


def test_names_are_unique_and_of_one_form() -> None:
    """A name is a document, a section and a letter, or says that the field asks for it."""
    names = [one.id for one in CLAUSES]
    assert len(set(names)) == len(names) >= 60
    assert all(re.fullmatch(r"\d{4}-[\d.]+-[a-z]|field-[a-z-]+", name) for name in names)


def test_no_two_clauses_say_the_same() -> None:
    """Each has a sentence of its own, and each probe tells what it does."""
    assert len({one.title for one in CLAUSES}) == len(CLAUSES)


def test_needs_are_such_as_a_target_can_say() -> None:
    """No clause waits for a feature or a route that no description may name."""
    known = {*FEATURES, *(f"route:{name}" for name in ROUTES), "jwt", "cache_seconds"}
    assert {need for one in CLAUSES for need in one.needs} <= known
    assert {one.severity for one in CLAUSES} == set(SEVERITIES)


def test_clauses_are_chosen_by_the_beginnings_of_their_names() -> None:
    """Without a name all are chosen, and always in the order of the suite."""
    assert choose(()) == CLAUSES
    assert {one.id.partition("-")[0] for one in choose(["9449", "7797"])} == {"9449", "7797"}
    assert [one.id for one in choose(["9110-11.2-a", "6750-3-a"])] == ["6750-3-a", "9110-11.2-a"]


def test_a_name_that_nobody_has_is_told() -> None:
    """A mistake in a name does not judge by fewer clauses unseen."""
    with pytest.raises(SuiteError, match="no clause '1234'"):
        choose(["6750", "1234"])
