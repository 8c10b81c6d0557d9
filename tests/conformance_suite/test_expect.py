"""What is expected of several answers holds for each of them."""

from __future__ import annotations

from resource_server.conformance.expect import GRANTED, NOT_GRANTED, UNAVAILABLE
from resource_server.conformance.wire import Answer

GOOD, BAD, CRASH = Answer(200, ()), Answer(401, ()), Answer(500, ())


def test_all_answers_must_be_so() -> None:
    """One that is not so fails the clause, wherever it stands, and is told by its name; the others are not."""
    for answers in ([("first", GOOD), ("second", BAD)], [("second", BAD), ("first", GOOD)]):
        outcome = GRANTED.of_each(answers)
        assert (outcome.verdict, outcome.observed) == ("failed", "second: 401")
    assert GRANTED.of(GOOD, GOOD, BAD).verdict == "failed"


def test_of_what_is_so_the_first_is_told() -> None:
    """Where all of them are so, one is enough to show."""
    outcome = GRANTED.of_each([("first", GOOD), ("second", GOOD)])
    assert (outcome.verdict, outcome.expected, outcome.observed) == ("passed", "a 2xx status", "first: 200")


def test_a_crash_is_no_refusal() -> None:
    """Neither a token that is not let in, nor an outage, is answered with a 500."""
    assert NOT_GRANTED.of(BAD).verdict == UNAVAILABLE.of(BAD).verdict == "passed"
    assert NOT_GRANTED.of(CRASH).verdict == UNAVAILABLE.of(CRASH).verdict == "failed"
