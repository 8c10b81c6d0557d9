"""The breaker of one endpoint: when it opens, who may probe, and what closes it again."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from resource_server._validation.breaker import GONE, HANGS, LIMIT, MAX_PAUSE, ODD, OPEN_FOR, Breaker

NOW = 1_000.0


def breaker(chance: float = 0.0) -> Breaker:
    """Make a breaker whose dice always show the same."""
    return Breaker(lambda: chance)


def opened(chance: float = 0.0) -> Breaker:
    """Make a breaker that has just opened."""
    made = breaker(chance)
    made.fail("timeout", LIMIT, NOW)
    return made


@pytest.mark.parametrize(("weight", "failures"), [(HANGS, 2), (GONE, 10), (ODD, 20)], ids=["hangs", "gone", "odd"])
def test_failures_in_a_row_open_it(weight: int, failures: int) -> None:
    """A server that hangs says so with two failures, one that is gone with ten, one that answers oddly with twenty."""
    made = breaker()
    for number in range(failures):
        assert made.enter(NOW) is None
        assert not made.status(NOW).open
        made.fail("cause", weight, NOW, question=number)
    assert made.status(NOW).open
    assert made.enter(NOW) == pytest.approx(OPEN_FOR * 2 / 3)


def test_an_answer_starts_the_count_anew() -> None:
    """Only failures in a row count: one answer between them, and the endpoint is well."""
    made = breaker()
    for _ in range(10):
        made.fail("timeout", HANGS, NOW)
        made.succeed(NOW)
    assert made.enter(NOW) is None


@pytest.mark.parametrize(("chance", "seconds"), [(0.0, 0.4), (0.5, 0.5), (1.0, 0.6)])
def test_how_long_it_stays_open(chance: float, seconds: float) -> None:
    """Open lasts about half a second, drawn at random: a fleet does not probe in step, and notices a return soon."""
    made = opened(chance)
    assert made.enter(NOW + seconds - 0.01) == pytest.approx(0.01)
    assert made.enter(NOW + seconds) is None


def test_one_caller_probes() -> None:
    """When the time is over one caller asks, and the others are told when to come again."""
    made = opened()
    assert made.enter(NOW + 0.4) is None
    assert made.enter(NOW + 0.4) == pytest.approx(OPEN_FOR)
    assert made.enter(NOW + 0.8) == pytest.approx(OPEN_FOR - 0.4)


def test_a_probe_without_an_outcome_does_not_keep_it_shut() -> None:
    """A probe that hangs is joined by another within a second: a server that is back is found while it hangs."""
    made = opened()
    assert made.enter(NOW + 0.6) is None
    assert made.enter(NOW + 0.6 + OPEN_FOR) is None
    assert made.enter(NOW + 0.6 + OPEN_FOR) is not None


def test_an_answered_probe_closes_it() -> None:
    """The probe is answered: everybody may ask again, at once."""
    made = opened()
    made.enter(NOW + 1)
    made.succeed(NOW + 1)
    assert [made.enter(NOW + 1) for _ in range(3)] == [None, None, None]
    assert not made.status(NOW + 1).open


def test_a_failed_probe_opens_it_again() -> None:
    """The probe fails, however light that weighs: nobody asks for another while."""
    made = opened()
    made.enter(NOW + 1)
    made.fail("status_500", ODD, NOW + 1.1, asked_at=NOW + 1, question=1)
    assert made.enter(NOW + 1.1) == pytest.approx(0.4)
    assert made.enter(NOW + 1.5) is None


@pytest.mark.parametrize("asked_at", [NOW + 1, None])
def test_a_probe_is_given_back(asked_at: float | None) -> None:
    """A caller that is cancelled, or never came to ask, lets the next one probe."""
    made = opened()
    assert made.enter(NOW + 1) is None
    made.leave(asked_at)
    assert made.enter(NOW + 1) is None


def test_only_the_prober_gives_the_probe_back() -> None:
    """Who asked before the breaker opened, and leaves now, does not let a second caller probe."""
    made = opened()
    assert made.enter(NOW + 1) is None
    made.leave(NOW - 1)
    assert made.enter(NOW + 1.1) is not None


def test_a_failure_of_an_earlier_question_is_old_news() -> None:
    """What was asked before the last answer, and fails after it, is that question's own doing: it hangs, we do not."""
    made = breaker()
    made.enter(NOW)
    made.succeed(NOW + 1)
    made.fail("timeout", LIMIT, NOW + 5, asked_at=NOW)
    assert made.enter(NOW + 5) is None
    assert made.status(NOW + 5).last_cause == "timeout"


def test_stragglers_do_not_keep_it_open() -> None:
    """Failures of questions from before it opened come in later, and do not put off the next probe."""
    made = opened()
    for moment in (0.1, 0.2, 0.3):
        made.fail("timeout", HANGS, NOW + moment, asked_at=NOW - 1)
    assert made.enter(NOW + 0.4) is None


@pytest.mark.attack("A-S-7")
def test_one_poisoned_token_does_not_open_it() -> None:
    """A token that makes the server answer 500 turns nobody away, however often its sender presents it."""
    made = breaker()
    for _ in range(10 * LIMIT):
        made.fail("status_500", ODD, NOW, question=7)
    assert made.enter(NOW) is None


def test_a_poisoned_probe_lets_the_next_one_probe() -> None:
    """Where it did open, the same questions again say nothing new, and are no reason to stay shut."""
    made = breaker()
    for number in range(LIMIT):
        made.fail("status_500", ODD, NOW, question=number)
    assert made.enter(NOW + 1) is None
    made.fail("status_500", ODD, NOW + 1, asked_at=NOW + 1, question=7)
    assert made.enter(NOW + 1) is None


def test_what_is_remembered_of_questions_is_bounded() -> None:
    """However many different questions are answered oddly, no more are kept than are needed to tell."""
    made = breaker()
    for number in range(10 * LIMIT):
        made.fail("status_500", ODD, NOW + number, question=number)
    assert len(made._odd) == LIMIT
    made.succeed(NOW + 1000)
    assert len(made._odd) == 0


def test_an_endpoint_that_asks_to_be_left_alone() -> None:
    """RFC 9110 §10.2.3: one failure with ``Retry-After`` is enough to ask nobody for that long; then everybody may."""
    made = breaker()
    made.fail("status_503", GONE, NOW, pause=30.0)
    assert made.enter(NOW + 29) == pytest.approx(1.0)
    assert made.status(NOW + 29).open
    assert [made.enter(NOW + 30), made.enter(NOW + 30)] == [None, None]


def test_the_longer_pause_counts() -> None:
    """A shorter pause, or a failure without one, takes nothing from the pause that was asked for first."""
    made = breaker()
    made.fail("status_503", GONE, NOW, pause=30.0)
    made.fail("status_503", LIMIT, NOW, pause=1.0)
    assert made.enter(NOW) == 30.0


def test_a_pause_is_capped() -> None:
    """A server that wants to be left alone for a day is asked again within a minute."""
    made = breaker()
    made.fail("status_503", GONE, NOW, pause=86_400.0)
    assert made.enter(NOW) == MAX_PAUSE


def test_what_it_tells() -> None:
    """The status names the last answer, the last failure and its cause, and when to ask again."""
    made = breaker()
    assert made.status(NOW).last_success < 0
    made.succeed(NOW)
    made.fail("connect", LIMIT, NOW + 1)
    told = made.status(NOW + 2)
    assert (told.open, told.last_success, told.last_failure, told.last_cause) == (True, NOW, NOW + 1, "connect")
    assert told.retry_at == pytest.approx(NOW + 1.4)


def test_many_threads_and_one_probe() -> None:
    """Of many threads that come at the same moment, one probes."""
    made = opened()
    with ThreadPoolExecutor(16) as pool:
        found = list(pool.map(made.enter, [NOW + 1] * 200))
    assert found.count(None) == 1


def test_no_probe_is_left_over() -> None:
    """A probe that was answered, given back or never made keeps nobody waiting, whatever the clock says."""
    made = breaker()
    assert made.status(0.0).last_cause is None
    made.fail("timeout", LIMIT, 0.0)
    assert made.enter(0.5) is None
    made.succeed(0.6)
    made.fail("timeout", LIMIT, 0.6)
    assert made.enter(1.0) is None
    made.leave(1.0)
    assert made.enter(1.0) is None


def test_an_answer_leaves_nothing_of_the_count() -> None:
    """After an answer it takes the whole weight again, and a failure at the same moment is one of it."""
    made = breaker()
    made.succeed(NOW)
    made.fail("cause", LIMIT - 1, NOW)
    assert not made.status(NOW).open
    made.fail("cause", ODD, NOW)
    assert made.status(NOW).open


def test_a_straggler_does_not_give_the_probe_back() -> None:
    """A failure of a question from before the breaker opened lets no second caller probe."""
    made = opened()
    assert made.enter(NOW + 1) is None
    made.fail("timeout", HANGS, NOW + 1.1, asked_at=NOW - 1)
    assert made.enter(NOW + 1.2) is not None


def test_the_end_of_a_pause() -> None:
    """At the moment a pause ends it is open no longer."""
    made = breaker()
    made.fail("status_503", GONE, NOW, pause=30.0)
    assert not made.status(NOW + 30).open
