"""The numbers of a server say what was counted and what is held, and cost no question."""

from __future__ import annotations

import gc
import math
from contextlib import suppress
from typing import Any

import httpx
import pytest

from resource_server import BearerTokenError, Event, ResourceServer
from resource_server._protocol.messages import Unavailable
from resource_server._reload import compare
from resource_server._validation.breaker import LIMIT, BreakerStatus
from resource_server._validation.feed import Feed, Page
from resource_server._validation.revocations import Revocations
from resource_server._validation.state import Clock
from resource_server._validation.validate import Presented, validate
from resource_server._validation.vault import Vault
from resource_server.events import AuthorizationServerAsked, RequestRefused
from resource_server.statistics import GAUGES, OTHER, Growth, Labels, Names, Statistics, measure, values, worst
from tests.support.jwt import ISSUER, access_token, signing_key
from tests.support.origin import fails, publishes, says, says_no, says_yes
from tests.support.play import INTROSPECTION
from tests.support.stage import Stage, bearer
from tests.support.two import ONE, Two
from tests.support.two import OTHER as TWO

pytestmark = pytest.mark.anyio


def numbers(**changes: Any) -> Statistics:
    """Make the numbers of an issuer of whom nothing is known, with changes."""
    nothing: dict[str, Any] = {
        "issuer": ISSUER,
        "hits": 0,
        "negative_hits": 0,
        "misses": 0,
        "cached_active": 0,
        "cached_inactive": 0,
        "in_flight": 0,
        "breakers": {},
        "key_set_age_seconds": None,
        "keys": 0,
        "clock_skew_seconds": None,
        "revocations": 0,
        "revocations_waiting": 0,
        "feed_up": None,
        "store_up": None,
    }
    return Statistics(**(nothing | changes))


async def present(server: ResourceServer, token: str) -> None:
    """Send a request, whatever comes of it."""
    with suppress(BearerTokenError):
        await server.authenticate(bearer(token))


async def test_what_a_request_finds_is_counted() -> None:
    """A request finds a token that is known to be good, or to be bad, or one of which nothing is known."""
    stage = Stage({"cache_ttl": 60.0}, introspect=says_yes(), jwks=publishes(signing_key()))
    for _ in range(3):
        await present(stage.server, "good")
    stage.origin.replies["introspect"] = says_no()
    for _ in range(2):
        await present(stage.server, "bad")
    (told,) = stage.server.statistics()
    assert (told.issuer, told.hits, told.negative_hits, told.misses) == (ISSUER, 2, 1, 2)
    assert (told.cached_active, told.cached_inactive) == (1, 1)
    stage.time.advance(61.0)
    await present(stage.server, "good")
    await present(stage.server, "bad")
    (told,) = stage.server.statistics()
    assert (told.hits, told.negative_hits, told.misses) == (2, 1, 4)


async def test_looking_again_is_no_request() -> None:
    """What looks a token up for itself counts nothing."""
    stage = Stage(introspect=says_yes(), jwks=publishes(signing_key()))
    await present(stage.server, "good")
    stage.server.revoke(token="good")
    (told,) = stage.server.statistics()
    assert (told.hits, told.negative_hits, told.misses) == (0, 0, 1)
    assert told.revocations == 1


async def test_a_reload_counts_on() -> None:
    """Other options forget verdicts, and no count."""
    stage = Stage(introspect=says_yes(), jwks=publishes(signing_key()))
    for _ in range(3):
        await present(stage.server, "good")
    cache = stage.server._core.state.cache
    with_other = stage.server._core.settings.model_copy(update={"cross_check": False})
    change = compare(stage.server._core.settings, with_other)
    assert change is not None
    stage.server._core.reconfigure(change)
    assert stage.server._core.state.cache is not cache
    await present(stage.server, "good")
    (told,) = stage.server.statistics()
    assert (told.hits, told.misses, told.cached_active) == (2, 2, 1)


async def test_the_keys_and_the_clock() -> None:
    """Keys have an age, and the other side's clock is compared with ours."""
    ahead = says(200, {"active": False}, date="Tue, 14 Nov 2023 22:23:20 GMT")
    stage = Stage(introspect=ahead, jwks=publishes(signing_key()))
    (told,) = stage.server.statistics()
    assert (told.key_set_age_seconds, told.keys, told.clock_skew_seconds) == (None, 0, None)
    await stage.server.start()
    await present(stage.server, "bad")
    stage.time.advance(7.0)
    (told,) = stage.server.statistics()
    assert told.key_set_age_seconds == pytest.approx(7.0)
    assert told.keys == 1
    assert told.clock_skew_seconds == pytest.approx(1_700_000_600 - (stage.time.wall - 7.0))


@pytest.mark.parametrize("date", ["", "soon", "Tue, 99 Nov 2023 22:23:20 GMT"])
async def test_a_date_that_says_nothing(date: str) -> None:
    """An answer that does not tell the time says nothing about its clock."""
    stage = Stage(introspect=says(200, {"active": False}, date=date), jwks=publishes(signing_key()))
    await present(stage.server, "bad")
    assert [told.clock_skew_seconds for told in stage.server.statistics()] == [None]


async def test_what_is_known_of_a_clock_stays() -> None:
    """An answer that does not tell the time takes nothing back of what another one has told."""
    ahead = says(200, {"active": False}, date="Tue, 14 Nov 2023 22:23:20 GMT")
    stage = Stage(introspect=ahead, jwks=publishes(signing_key()))
    await present(stage.server, "bad")
    (before,) = stage.server.statistics()
    assert before.clock_skew_seconds is not None
    stage.origin.replies["introspect"] = says(200, {"active": False}, date="")
    await present(stage.server, "another")
    assert [told.clock_skew_seconds for told in stage.server.statistics()] == [before.clock_skew_seconds]


async def test_a_date_out_of_a_cache() -> None:
    """An answer that was made earlier, such as keys out of a cache in between, says nothing about a clock either."""
    old = says(200, {"active": False}, date="Tue, 14 Nov 2023 22:23:20 GMT", age="3600")
    stage = Stage(introspect=old, jwks=publishes(signing_key()))
    await present(stage.server, "bad")
    assert [told.clock_skew_seconds for told in stage.server.statistics()] == [None]


async def test_the_breakers() -> None:
    """An endpoint is asked, left alone, or about to be tried."""
    stage = Stage({"strategy": "introspect"}, introspect=fails(httpx.ConnectError("no")))
    breaker = stage.server._core.state.breaker("introspection")
    seen = []
    for weight, later in ((0, 0.0), (LIMIT, 0.0), (0, 1.0)):
        if weight:
            breaker.fail("connect", weight, stage.time.monotonic)
        stage.time.advance(later)
        seen.append(stage.server.statistics()[0].breakers["introspection"])
    assert seen == ["closed", "open", "half_open"]
    assert set(stage.server.statistics()[0].breakers) == {"introspection", "jwks", "metadata", "token"}


async def test_a_question_under_way_is_counted() -> None:
    """A question is under way from the moment it is asked until it is answered."""
    stage = Stage({"strategy": "introspect"})
    core = stage.server._core
    flow = validate(core.state, Presented(b"x", b"token"))
    flow.send(None)
    assert stage.server.statistics()[0].in_flight == 1
    flow.close()
    assert stage.server.statistics()[0].in_flight == 0


def test_a_process_that_was_forked_off_has_nothing_under_way() -> None:
    """The threads that wait for an answer are not in a process that was forked off."""
    state = Stage().server._core.state
    state.in_flight.add(object())
    state._leave_to_parent()
    assert not state.in_flight


@pytest.mark.parametrize(
    ("seen", "up"),
    [
        ([], None),
        ([(-math.inf, -math.inf)], None),
        ([(5.0, -math.inf)], True),
        ([(5.0, 6.0)], False),
        ([(5.0, 4.0), (5.0, 6.0)], False),
        ([(5.0, 4.0), (-math.inf, -math.inf)], True),
    ],
)
def test_the_store(seen: list[tuple[float, float]], *, up: bool | None) -> None:
    """The store is up where it has answered last in every event loop that has asked it."""
    stores = [
        BreakerStatus(open=False, retry_at=0.0, last_success=good, last_failure=bad, last_cause=None)
        for good, bad in seen
    ]
    assert measure(Stage().server._core.state, 0.0, stores=stores).store_up is up


def test_what_goes_round() -> None:
    """Nobody knows how it goes among the workers before it was tried."""
    vault = Vault(b"x" * 32, ("a",))
    feed = Feed(vault, Revocations(), clock=Clock(), memory=60.0, report=lambda _: None)
    state = Stage().server._core.state
    assert measure(state, 0.0, feed=feed).feed_up is None
    steps = feed.hear()
    steps.send(None)
    steps.send(Unavailable("connect"))
    assert measure(state, 0.0, feed=feed).feed_up is False
    steps.send(None)
    steps.send(Page())
    assert measure(state, 0.0, feed=feed).feed_up is True


async def test_each_issuer_by_itself() -> None:
    """Of several authorization servers each has numbers of its own."""
    two = Two()
    assert {told.issuer for told in two.server.statistics()} == {ONE, TWO}


async def test_one_more_observer() -> None:
    """An observer that comes later hears what the others hear, and one that fails is in nobody's way."""
    stage = Stage(introspect=says_no(), jwks=publishes(signing_key()))
    heard: list[Event] = []

    def fails_at(_: Event) -> None:
        raise ValueError

    stage.server.observe(fails_at)
    stage.server.observe(heard.append)
    await present(stage.server, "bad")
    assert any(isinstance(event, AuthorizationServerAsked) for event in heard)
    assert [event for event in heard if isinstance(event, RequestRefused)] == [
        event for event in stage.events if isinstance(event, RequestRefused)
    ]


async def test_what_a_question_tells() -> None:
    """Told of a question are where it went, what came back, and how long that took; nothing that was in it."""
    stage = Stage({"strategy": "introspect"}, introspect=says(503, {}))
    heard: list[Event] = []
    stage.server.observe(heard.append)
    await present(stage.server, access_token())
    stage.origin.replies["introspect"] = fails(httpx.ReadTimeout("no"))
    await present(stage.server, access_token())
    asked = [event for event in heard if isinstance(event, AuthorizationServerAsked)]
    host = INTROSPECTION.split("/")[2]
    assert [(event.endpoint, event.method, event.address, event.port) for event in asked] == [
        ("introspection", "POST", host, 443)
    ] * len(asked)
    assert (asked[0].status, asked[0].cause) == (503, None)
    assert (asked[-1].status, asked[-1].cause) == (None, "timeout")


def test_the_first_values_are_named() -> None:
    """A label has so many values, and one for all the rest."""
    names = Names(2)
    assert [names(value) for value in ("a", "b", "c", "a", "d")] == ["a", "b", OTHER, "a", OTHER]


@pytest.mark.parametrize(
    ("cause", "label"),
    [
        ("timeout", "timeout"),
        ("status_503", "status_503"),
        ("status_418", "status_4xx"),
        ("status_599", "status_5xx"),
        ("status_999", OTHER),
        ("Bad Words; \n", OTHER),
        ("", OTHER),
        (None, OTHER),
        ("x" * 41, OTHER),
    ],
)
def test_a_cause_is_a_word(cause: str | None, label: str) -> None:
    """Statuses are told apart as far as that helps, and what is no word is not said at all."""
    assert Labels().cause(cause) == label


@pytest.mark.parametrize(
    ("status", "cause", "outcome"),
    [(200, None, "2xx"), (302, None, "3xx"), (404, None, "4xx"), (429, None, "429"), (503, None, "5xx"),
     (999, None, OTHER), (None, "timeout", "timeout")],
)  # fmt: skip
def test_the_outcome_of_a_question(status: int | None, cause: str | None, outcome: str) -> None:
    """An answer is known by the hundred of its status, and none by its cause."""
    assert Labels().outcome(status, cause) == outcome


def test_growth() -> None:
    """Counters grow by what is new; an issuer that was let go of and came back begins anew."""
    growth, server = Growth(), Labels()
    taken = [list(growth.take(server, [numbers(hits=hits)])) for hits in (3, 5, 2)]
    assert [[count for _, result, count in each if result == "hit"] for each in taken] == [[3], [2], [2]]
    del server
    gc.collect()
    assert not growth._last


def test_growth_remembers_nobody_who_is_gone() -> None:
    """However many issuers come and go, only those that are there are remembered."""
    growth, server = Growth(), Labels()
    for number in range(3):
        assert len(list(growth.take(server, [numbers(issuer=f"https://{number}.example.com", misses=1)]))) == 3
    assert list(growth._last[server]) == ["https://2.example.com"]


def test_refusals_leave_the_causes_their_places() -> None:
    """Whoever has requests refused, or answers with odd statuses, hides no cause of an outage."""
    labels = Labels()
    for number in range(100):
        labels.reason(f"reason_{number}")
    assert {labels.cause(f"status_{number}") for number in range(600, 1000)} == {OTHER}
    assert labels.cause("timeout") == "timeout"


def test_issuers_without_a_name_are_told_together() -> None:
    """Beyond those that are named, a gauge shows all issuers together: their sum, the worst, or the farthest."""
    labels = Labels()
    for number in range(20):
        labels.issuer(f"https://{number}.example.com")
    rest = [
        numbers(issuer="https://x.example.com", in_flight=2, keys=3, clock_skew_seconds=-9.0, key_set_age_seconds=1.0),
        numbers(issuer="https://y.example.com", in_flight=3, keys=1, clock_skew_seconds=4.0, key_set_age_seconds=5.0),
    ]
    shown = {gauge.name: values(gauge, rest, labels) for gauge in GAUGES}
    assert shown["in_flight"] == {(OTHER,): 5.0}
    assert shown["keys"] == {(OTHER,): 1.0}
    assert shown["clock_skew_seconds"] == {(OTHER,): -9.0}
    assert shown["key_set_age_seconds"] == {(OTHER,): 5.0}
    assert shown["store_up"] == {}


def test_the_worst() -> None:
    """Of several servers the worst counts; of none, nothing is wrong."""
    assert worst(["ready", "down", "degraded"]) == "down"
    assert worst([]) == "ready"
