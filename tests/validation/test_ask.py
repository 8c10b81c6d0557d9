"""Asking politely: what is asked again, how long is waited, and when an endpoint is left alone."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from email.utils import formatdate
from typing import Any

import pytest

from resource_server import Clock
from resource_server._protocol.messages import HTTPRequest, HTTPResponse, Unavailable
from resource_server._validation.ask import FIRST_WAIT, LONGEST_WAIT, ask
from resource_server._validation.breaker import HANGS, LIMIT, Breaker
from resource_server._validation.flow import Sleep
from tests.support.jwt import NOW
from tests.support.play import REFUSED, TIMEOUT, Answer, Player, World, answer, no

QUESTION = HTTPRequest("POST", "https://as.example.com/introspect", "introspection", 1000, body=b"token=one")
KEYS = HTTPRequest("GET", "https://as.example.com/jwks", "jwks", 1000)
GOOD = no()
RETRIED: list[Any] = [
    *(pytest.param(Unavailable(cause), id=cause) for cause in ("connect", "timeout", "connection_lost", "protocol")),
    *(pytest.param(answer({}, status=status), id=str(status)) for status in (429, 502, 503, 504)),
]
FINAL: list[Any] = [
    *(pytest.param(Unavailable(cause), id=cause) for cause in ("too_large", "content_encoding")),
    *(pytest.param(answer({}, status=status), id=str(status)) for status in (200, 204, 301, 400, 401, 403, 404, 500)),
    pytest.param(answer(b"<html>"), id="not JSON"),
    pytest.param(Unavailable("crowded", fault="crowd"), id="our own crowd"),
]


class Asking:
    """One server, whose questions are asked one after the other.

    Args:
        chance: what the dice show.
        changes: the server's options.
    """

    def __init__(self, chance: float = 1.0, **changes: Any) -> None:
        """Begin with nothing known."""
        self.world = World(**({"retries": 2} | changes))
        clock = self.world.state.clock
        self.world.state.clock = Clock(clock.wall, clock.monotonic, lambda: chance)
        self.world.state._breakers = {name: Breaker(lambda: chance) for name in ("introspection", "jwks")}
        self.naps: list[float] = []
        self.asked = 0

    def ask(
        self, *answers: Answer, request: HTTPRequest = QUESTION, patient: bool = True
    ) -> HTTPResponse | Unavailable:
        """Ask; all the answers must be wanted."""
        player = Player([(request.endpoint, answer) for answer in answers], patient=patient)
        outcome: HTTPResponse | Unavailable = player.run(ask(self.world.state, request))
        assert player.script == [], "not everything was asked that should have been"
        self.naps, self.asked = player.naps, len(player.requests)
        return outcome

    def until_open(self, failure: Answer, request: HTTPRequest = QUESTION, took: float = 0.0) -> int:
        """Count the questions that fail before the breaker opens; at most a hundred."""
        state = self.world.state
        for count in range(100):
            flow = ask(state, request)
            try:
                next(flow)
            except StopIteration as done:
                return count if done.value.cause == "circuit_open" else -1
            self.world.time.advance(took)
            with suppress(StopIteration):
                flow.send(failure)
            flow.close()
        return 100


@pytest.mark.parametrize("failure", RETRIED)
def test_what_passes_is_asked_again(failure: Answer) -> None:
    """A lost connection, a timeout, an overloaded server: the question is asked again, and the answer is used."""
    assert Asking().ask(failure, failure, GOOD) is GOOD


@pytest.mark.parametrize("outcome", FINAL)
def test_what_stays_is_not_asked_again(outcome: Answer) -> None:
    """A yes, a no, a 500, a refusal or nonsense: the same question would bring the same."""
    assert Asking().ask(outcome) is outcome


@pytest.mark.parametrize("failure", RETRIED)
def test_the_last_failure_is_the_outcome(failure: Answer) -> None:
    """After ``retries`` repetitions the last failure stands."""
    asking = Asking()
    assert asking.ask(REFUSED, REFUSED, failure) is failure
    assert len(asking.naps) == 2


def test_no_retries() -> None:
    """With ``retries=0`` everything is asked once."""
    asking = Asking(retries=0)
    assert asking.ask(REFUSED) is REFUSED
    assert asking.naps == []


@pytest.mark.parametrize("chance", [0.0, 0.25, 1.0])
def test_full_jitter(chance: float) -> None:
    """The waits double up to a ceiling, each drawn at random between nothing and that."""
    asking = Asking(chance, retries=7)
    asking.ask(*[REFUSED] * 7, GOOD)
    assert asking.naps == pytest.approx([chance * min(LONGEST_WAIT, FIRST_WAIT * 2**n) for n in range(7)])


def test_nothing_is_asked_beyond_the_deadline() -> None:
    """Where there is no time for the wait, the failure at hand is the outcome."""
    asking = Asking()
    assert asking.ask(REFUSED, patient=False) is REFUSED


def test_a_wait_that_was_asked_for() -> None:
    """RFC 9110 §10.2.3: a short ``Retry-After`` is waited for, and something at random on top."""
    asking = Asking(0.5)
    flow = ask(asking.world.state, QUESTION)
    next(flow)
    nap = flow.send(answer({}, status=503, retry_after="1"))
    assert isinstance(nap, Sleep)
    assert nap.seconds == pytest.approx(1 + 0.05)
    asking.world.time.advance(1.05)
    there_is_time = True
    assert flow.send(there_is_time) is QUESTION
    with pytest.raises(StopIteration) as done:
        flow.send(GOOD)
    assert done.value.value is GOOD


@pytest.mark.parametrize("status", [429, 502, 503, 504])
@pytest.mark.parametrize("value", ["30", formatdate(NOW + 30, usegmt=True)], ids=["seconds", "a date"])
def test_an_endpoint_is_left_alone(status: int, value: str) -> None:
    """RFC 9110 §10.2.3: it is asked by nobody for as long as it says, and every caller learns how long that is."""
    asking = Asking()
    outcome = asking.ask(answer({}, status=status, retry_after=value))
    assert isinstance(outcome, HTTPResponse)
    asking.world.time.advance(10)
    assert asking.ask() == Unavailable("circuit_open", 20.0)
    assert asking.ask(GOOD, request=KEYS) is GOOD
    asking.world.time.advance(20)
    assert asking.ask(GOOD) is GOOD


def test_a_server_error_asks_for_nothing() -> None:
    """A 500 may be one token's doing: its ``Retry-After`` keeps nobody else from asking."""
    asking = Asking()
    asking.ask(answer({}, status=500, retry_after="30"))
    assert asking.ask(GOOD) is GOOD


def test_a_nonsensical_wait_counts_as_none() -> None:
    """A ``Retry-After`` that is no number and no date is as none at all."""
    asking = Asking(0.5)
    assert asking.ask(answer({}, status=503, retry_after="soon"), GOOD) is GOOD
    assert asking.naps == [0.05]


def test_a_retry_stops_where_the_breaker_opens() -> None:
    """A repetition is no way past the breaker: the failure at hand is the outcome."""
    asking = Asking()
    asking.world.state.breaker("introspection").fail("connect", LIMIT - 2, asking.world.time.monotonic)
    assert asking.ask(REFUSED) is REFUSED
    outcome = asking.ask()
    assert isinstance(outcome, Unavailable)
    assert outcome.cause == "circuit_open"


@pytest.mark.parametrize(
    ("failure", "took", "count"),
    [
        (REFUSED, 0.0, 10),
        (Unavailable("connection_lost"), 0.0, 10),
        (answer({}, status=503), 0.0, 10),
        (answer({}, status=429), 0.0, 10),
        (TIMEOUT, 2.5, 2),
        (TIMEOUT, 0.1, 100),
        (answer({}, status=500), 0.0, 100),
        (Unavailable("too_large"), 0.0, 100),
        (Unavailable("crowded", fault="crowd"), 0.0, 100),
        (answer({}, status=401), 0.0, 100),
        (answer(b"<html>"), 0.0, 100),
    ],
    ids=["connect", "lost", "503", "429", "hangs", "haste", "500", "too large", "crowd", "401", "nonsense"],
)
def test_how_many_failures_open_the_breaker(failure: Answer, took: float, count: int) -> None:
    """A server that is gone or hangs is left alone soon; what one token, or our own crowd, may have done counts not."""
    assert Asking().until_open(failure, took=took) == count


def test_a_whole_deadline_without_an_answer() -> None:
    """Without retries one attempt is the whole deadline: the first caller has waited it, and nobody after that does."""
    assert Asking(retries=0).until_open(TIMEOUT, took=5.0) == 1


def test_500s_about_different_tokens_open_it() -> None:
    """Many different questions that all end in a 500 are the server's doing."""
    asking = Asking(retries=0)
    for number in range(LIMIT):
        request = HTTPRequest("POST", QUESTION.url, "introspection", 1000, body=b"token=%d" % number)
        asking.ask(answer({}, status=500), request=request)
    assert isinstance(asking.ask(), Unavailable)


def test_500s_for_the_keys_open_it() -> None:
    """The question for the keys is always the same, and nobody's token."""
    assert Asking().until_open(answer({}, status=500), KEYS) == LIMIT


def test_a_cancelled_probe_is_given_back() -> None:
    """A flow that is closed while it probes lets the next one probe, and counts as no failure."""
    asking = Asking()
    breaker = asking.world.state.breaker("introspection")
    breaker.fail("timeout", LIMIT, asking.world.time.monotonic)
    asking.world.time.advance(1)
    flow = ask(asking.world.state, QUESTION)
    next(flow)
    assert isinstance(asking.ask(), Unavailable)
    flow.close()
    assert asking.ask(GOOD) is GOOD


def test_a_probe_in_a_crowd_is_given_back() -> None:
    """A probe that found no place to ask from has learnt nothing: the next one probes."""
    asking = Asking()
    asking.world.state.breaker("introspection").fail("timeout", LIMIT, asking.world.time.monotonic)
    asking.world.time.advance(1)
    crowded = Unavailable("crowded", fault="crowd")
    assert asking.ask(crowded) is crowded
    assert asking.ask(GOOD) is GOOD


def test_while_the_server_is_down() -> None:
    """A server that is down is asked about twice a second, however many want to know."""
    asking = Asking(0.5)
    asked = 0
    for _ in range(6_000):  # a hundred questions a second, for a minute
        flow = ask(asking.world.state, QUESTION)
        with suppress(StopIteration):
            next(flow)
            asked += 1
            flow.send(REFUSED)
        flow.close()
        asking.world.time.advance(0.01)
    assert asked <= 10 + 60 / 0.5


def test_when_the_server_is_back() -> None:
    """The first question to be answered comes well within a second of the server's return, whatever the dice show."""
    for chance in (0.0, 0.5, 1.0):
        asking = Asking(chance, retries=0)
        asking.until_open(TIMEOUT, took=5.0)
        came_back = asking.world.time.monotonic
        while isinstance(play_if_wanted(asking), Unavailable):
            asking.world.time.advance(0.01)
        assert asking.world.time.monotonic - came_back < 0.65


def test_a_crowd_in_haste_does_not_shut_it_again() -> None:
    """Who has waited through an outage has no time left at its end: what fails then says nothing about the server."""
    asking = Asking()
    asking.until_open(TIMEOUT, took=5.0)
    asking.world.time.advance(1.0)
    state = asking.world.state
    for number in range(3 * LIMIT):
        flow = ask(state, replace(QUESTION, body=b"token=%d" % number))
        assert next(flow) is not None
        asking.world.time.advance(0.01)
        with suppress(StopIteration):
            flow.send(TIMEOUT)
        flow.close()
    assert asking.ask(GOOD) is GOOD
    assert not state.breaker("introspection").status(asking.world.time.monotonic).open


def play_if_wanted(asking: Asking) -> HTTPResponse | Unavailable:
    """Ask, and answer well where a question gets through."""
    flow = ask(asking.world.state, QUESTION)
    try:
        next(flow)
        flow.send(GOOD)
    except StopIteration as done:
        outcome: HTTPResponse | Unavailable = done.value
        return outcome
    raise AssertionError


def test_weights_add_up() -> None:
    """Two attempts that hang are all of the deadline: then the breaker is open."""
    assert HANGS * 2 == LIMIT


def test_a_lost_transport_is_asked_again() -> None:
    """A connection that ends under the question is lost, whatever it ends with."""
    lost = Unavailable("transport")
    assert Asking().ask(lost, GOOD) is GOOD
    assert Asking().until_open(lost) == LIMIT // 2


@pytest.mark.parametrize(("took", "count"), [(1.25, 2), (1.2, 100)])
def test_how_long_a_hanging_server_takes(took: float, count: int) -> None:
    """A timeout after a quarter of all the time there is was waited for; one before that is our own haste."""
    assert Asking(timeout=5.0).until_open(TIMEOUT, took=took) == count


def test_nonsense_about_different_tokens_opens_it() -> None:
    """Many different questions whose answers cannot be read are the server's doing."""
    asking = Asking(retries=0)
    for number in range(LIMIT):
        asking.ask(Unavailable("too_large"), request=replace(QUESTION, body=b"token=%d" % number))
    outcome = asking.ask()
    assert isinstance(outcome, Unavailable)
    assert outcome.cause == "circuit_open"


@pytest.mark.parametrize(
    ("failure", "cause"), [(REFUSED, "connect"), (answer({}, status=503), "status_503")], ids=["connect", "503"]
)
def test_what_a_breaker_says_it_has_seen(failure: Answer, cause: str) -> None:
    """Of an endpoint is told what went wrong there last."""
    asking = Asking(retries=0)
    asking.ask(failure)
    assert asking.world.state.breaker("introspection").status(asking.world.time.monotonic).last_cause == cause


def test_the_longest_wait_that_is_waited_for() -> None:
    """A ``Retry-After`` of two seconds is waited for, and one of three is not."""
    for seconds, naps in ((2, [LONGEST_WAIT]), (3, [])):
        asking = Asking(0.0)
        asking.ask(answer({}, status=503, retry_after=str(seconds)))
        assert asking.naps == naps


@pytest.mark.parametrize(
    "ending", [None, Unavailable("crowded", fault="crowd"), TIMEOUT], ids=["cancelled", "crowd", "haste"]
)
def test_the_right_to_probe_is_not_given_back_by_others(ending: Answer | None) -> None:
    """While one question probes, the end of an older one that has learnt nothing lets no other through."""
    asking = Asking()
    state, now = asking.world.state, asking.world.time
    older = ask(state, QUESTION)
    next(older)
    state.breaker("introspection").fail("timeout", LIMIT, now.monotonic)
    now.advance(1)
    probe = ask(state, QUESTION)
    assert next(probe) is QUESTION
    with suppress(StopIteration):
        if ending is not None:
            older.send(ending)
    older.close()
    outcome = asking.ask()
    assert isinstance(outcome, Unavailable)
    assert outcome.cause == "circuit_open"
    probe.close()


def test_failures_of_questions_from_before_an_answer() -> None:
    """A question that was asked before the server answered another one says nothing of the server when it fails."""
    asking = Asking()
    older = [ask(asking.world.state, QUESTION) for _ in range(LIMIT)]
    for flow in older:
        next(flow)
    asking.world.time.advance(1)
    assert asking.ask(GOOD) is GOOD
    for flow in older:
        flow.send(REFUSED)
        flow.close()
    assert asking.ask(GOOD) is GOOD
