"""What is remembered of a verdict, for how long, and by which clock."""

from __future__ import annotations

import math
import random
from concurrent.futures import ThreadPoolExecutor
from threading import Thread
from typing import Any

import pytest

from resource_server import Assurance, InvalidToken, Principal, Requirement, all_of, authorize
from resource_server._validation.cache import JITTER, MIN_LEAD, VerdictCache
from resource_server._validation.verdict import Active, Inactive, Unavailable
from resource_server.errors import Reason
from tests.support.jwt import NOW, REMOVED
from tests.support.play import World, no, yes

KEY = b"key"


def cache(**options: Any) -> VerdictCache:
    """Make an empty cache."""
    defaults: dict[str, Any] = {"size": 10, "ttl": 60.0, "negative_size": 5, "negative_ttl": 10.0}
    return VerdictCache(**(defaults | options))


def good(expires_in: float | None = 3600.0, **options: Any) -> Active:
    """Make a yes that ends so many seconds after ``NOW``."""
    return Active(Principal(expires_at=None if expires_in is None else NOW + expires_in), **options)


@pytest.mark.rfc("7662-4-b")
@pytest.mark.attack("A-C-8")
def test_a_yes_is_served_for_its_time_however_often_it_is_used() -> None:
    """RFC 7662 §4: the time to live runs from the answer, and no use prolongs it."""
    remembered, verdict = cache(), good()
    remembered.put(KEY, verdict, now=0.0, wall=NOW)
    for now in range(60):
        assert remembered.get(KEY, float(now)) is verdict
    assert remembered.get(KEY, 60.0) is None


@pytest.mark.rfc("7662-4-a")
@pytest.mark.parametrize(
    ("expires_in", "ttl"),
    [(2.0, 2.0), (0.5, 0.5), (3600.0, 60.0), (1e30, 60.0), (None, 60.0)],
    ids=["soon", "sooner", "late", "never in this universe", "unsaid"],
)
def test_a_yes_ends_with_the_token(expires_in: float | None, ttl: float) -> None:
    """RFC 7662 §4: an answer with ``exp`` is not cached beyond it, and one without for the usual time."""
    remembered = cache()
    remembered.put(KEY, good(expires_in), now=100.0, wall=NOW)
    assert remembered.get(KEY, 100.0 + ttl - 0.001) is not None
    assert remembered.get(KEY, 100.0 + ttl) is None


@pytest.mark.parametrize("expires_in", [0.0, -1.0])
def test_an_expired_yes_is_not_remembered(expires_in: float) -> None:
    """A token that is over, and accepted only for the sake of a leeway, is asked about every time."""
    remembered = cache()
    remembered.put(KEY, good(expires_in), now=0.0, wall=NOW)
    assert len(remembered) == 0


@pytest.mark.rfc("7662-4-b")
def test_the_cache_can_be_off() -> None:
    """RFC 7662 §4: with both times at 0, nothing is remembered."""
    remembered = cache(ttl=0.0, negative_ttl=0.0)
    remembered.put(KEY, good(), now=0.0, wall=NOW)
    remembered.put(b"bad", Inactive("inactive"), now=0.0, wall=NOW)
    assert len(remembered) == 0


def test_a_verdict_may_bound_its_own_time() -> None:
    """A verdict made in an outage is remembered more briefly than others, one that is old news not at all."""
    remembered = cache()
    remembered.put(KEY, good(max_ttl=5.0), now=0.0, wall=NOW)
    remembered.put(b"stale", good(max_ttl=0.0), now=0.0, wall=NOW)
    assert remembered.get(KEY, 4.9) is not None
    assert remembered.get(KEY, 5.0) is None
    assert remembered.get(b"stale", 0.0) is None


@pytest.mark.attack("A-C-4", "A-C-10")
def test_a_no_removes_the_yes() -> None:
    """Once a token was called inactive, no earlier yes is found any more, fresh or stale."""
    remembered = cache(stale_if_error=1000.0)
    remembered.put(KEY, good(), now=0.0, wall=NOW)
    remembered.put(KEY, Inactive("inactive"), now=1.0, wall=NOW)
    assert remembered.get(KEY, 1.0) == Inactive("inactive")
    assert remembered.get(KEY, 11.0) is None
    assert remembered.stale(KEY, 11.0) is None


def test_a_yes_removes_the_no() -> None:
    """A token that has become good is not refused by what was remembered of it."""
    remembered = cache()
    remembered.put(KEY, Inactive("inactive"), now=0.0, wall=NOW)
    remembered.put(KEY, good(), now=1.0, wall=NOW)
    assert isinstance(remembered.get(KEY, 1.0), Active)
    assert len(remembered) == 1


@pytest.mark.attack("A-C-5")
@pytest.mark.parametrize("fault", ["outage", "configuration"])
def test_an_outage_changes_nothing(fault: Any) -> None:
    """That nobody answered is not remembered, and takes nothing away."""
    remembered = cache()
    remembered.put(b"new", Unavailable("timeout", fault=fault), now=0.0, wall=NOW)
    remembered.put(KEY, good(), now=0.0, wall=NOW)
    remembered.put(KEY, Unavailable("timeout", fault=fault), now=0.0, wall=NOW)
    assert len(remembered) == 1
    assert remembered.get(KEY, 0.0) is not None


@pytest.mark.parametrize("reason", ["inactive", "expired", "bad_signature", "wrong_audience"])
def test_a_no_is_remembered_for_a_shorter_time(reason: Reason) -> None:
    """A bad token that is sent again and again is refused unasked, for a few seconds each."""
    remembered = cache()
    remembered.put(KEY, Inactive(reason), now=0.0, wall=NOW)
    assert remembered.get(KEY, 9.999) == Inactive(reason)
    assert remembered.get(KEY, 10.0) is None


def test_an_unknown_key_is_not_remembered_and_removes_the_yes() -> None:
    """A key that is unknown now may be published in a moment; but a yes under a key that is gone is over."""
    remembered = cache()
    remembered.put(KEY, good(), now=0.0, wall=NOW)
    remembered.put(KEY, Inactive("unknown_key"), now=0.0, wall=NOW)
    assert len(remembered) == 0


def ends(remembered: VerdictCache, now: float = 0.0) -> tuple[float, float]:
    """Return the soft and the hard end of what is remembered."""
    entry = remembered.find(KEY, now)
    assert entry is not None
    return entry.soft_end, entry.hard_end


@pytest.mark.parametrize(
    ("took", "lead"), [(0.0, 60 * MIN_LEAD), (0.5, 60 * MIN_LEAD), (2.0, 4.0), (100.0, 30.0)], ids=str
)
def test_a_yes_is_due_again_ahead_of_its_end(took: float, lead: float) -> None:
    """Twice the time that the last answer took is enough for the next one; never more than half of its time."""
    remembered = cache()
    remembered.put(KEY, good(), now=0.0, wall=NOW, took=took)
    assert ends(remembered) == (60.0 - lead, 60.0)


@pytest.mark.parametrize(("expires_in", "again"), [(60.0, False), (30.0, False), (61.0, True), (None, True)])
def test_what_ends_with_the_token_is_not_asked_about_ahead(expires_in: float | None, again: bool) -> None:  # noqa: FBT001 - a parameter
    """A question whose answer cannot prolong anything is not asked."""
    remembered = cache()
    remembered.put(KEY, good(expires_in), now=0.0, wall=NOW)
    soft_end, hard_end = ends(remembered)
    assert (soft_end < hard_end) is again


def test_a_no_is_not_asked_about_ahead() -> None:
    """Nobody waits eagerly for the answer about a bad token."""
    remembered = cache()
    remembered.put(KEY, Inactive("inactive"), now=0.0, wall=NOW)
    assert ends(remembered)[0] == math.inf


def test_the_permission_to_ask_ahead_is_given_once_for_each_answer() -> None:
    """One request asks again, those that come with it do not, and after the next answer it begins anew."""
    remembered = cache()
    for _ in range(2):
        remembered.put(KEY, good(), now=0.0, wall=NOW)
        seen = [remembered.find(KEY, 59.0) for _ in range(3)]
        assert [entry is not None and remembered.take_refresh(KEY, entry) for entry in seen] == [True, False, False]
        later = remembered.find(KEY, 59.5)
        assert later is not None
        assert (later.soft_end, later.hard_end) == (math.inf, 60.0)
        remembered.put(KEY, Unavailable("timeout"), now=59.6, wall=NOW)
        assert ends(remembered, 59.7) == (math.inf, 60.0)


def test_no_permission_for_what_is_gone() -> None:
    """What was forgotten, or found to be bad, is not asked about ahead."""
    remembered = cache()
    remembered.put(KEY, good(), now=0.0, wall=NOW)
    entry = remembered.find(KEY, 59.0)
    assert entry is not None
    remembered.put(KEY, Inactive("inactive"), now=59.0, wall=NOW)
    assert not remembered.take_refresh(KEY, entry)


def test_one_of_many_threads_asks_ahead() -> None:
    """Threads that find a token due at the same moment cause one question."""
    remembered = cache()
    remembered.put(KEY, good(), now=0.0, wall=NOW)
    entry = remembered.find(KEY, 59.0)
    assert entry is not None
    with ThreadPoolExecutor(8) as threads:
        assert sum(threads.map(lambda _: remembered.take_refresh(KEY, entry), range(64))) == 1


@pytest.mark.parametrize(("chance", "share"), [(0.0, 1.0), (0.5, 1 - JITTER / 2), (1.0, 1 - JITTER)])
def test_times_are_spread(chance: float, share: float) -> None:
    """Tokens that came together do not fall due together: each may end a little early, and never late."""
    remembered = cache(chance=lambda: chance)
    remembered.put(KEY, good(), now=0.0, wall=NOW)
    assert ends(remembered)[1] == pytest.approx(60.0 * share)
    remembered.put(KEY, Inactive("inactive"), now=0.0, wall=NOW)
    assert ends(remembered)[1] == pytest.approx(10.0 * share)


def test_discard() -> None:
    """One token can be forgotten, whatever is known of it; the others stay."""
    remembered = cache()
    for key, verdict in ((KEY, good()), (b"bad", Inactive("inactive")), (b"other", good())):
        remembered.put(key, verdict, now=0.0, wall=NOW)
    remembered.discard(KEY)
    remembered.discard(b"bad")
    assert [remembered.get(key, 0.0) is not None for key in (KEY, b"bad", b"other")] == [False, False, True]
    assert [remembered.knows(key) for key in (KEY, b"other")] == [False, True]


def test_a_token_is_known_beyond_its_time() -> None:
    """That a token was good a moment ago is still known when it is to be asked about anew; of a bad one it is not."""
    remembered = cache()
    remembered.put(KEY, good(), now=0.0, wall=NOW)
    assert remembered.find(KEY, 60.0) is None
    assert remembered.knows(KEY)
    remembered.put(KEY, Inactive("inactive"), now=60.0, wall=NOW)
    assert not remembered.knows(KEY)


@pytest.mark.parametrize(("now", "known"), [(59.0, True), (89.0, True), (90.0, False)])
def test_stale(now: float, known: bool) -> None:  # noqa: FBT001 - a parameter
    """A yes past its time is known for ``stale_if_error`` longer, to those who ask for it by that name."""
    remembered = cache(stale_if_error=30.0)
    remembered.put(KEY, good(), now=0.0, wall=NOW)
    assert (remembered.stale(KEY, now) is not None) is known


def test_nothing_is_stale_by_default() -> None:
    """Without ``stale_if_error`` a yes past its time is gone, and a no never was a yes."""
    remembered = cache()
    remembered.put(KEY, good(), now=0.0, wall=NOW)
    remembered.put(b"bad", Inactive("inactive"), now=0.0, wall=NOW)
    assert remembered.stale(KEY, 60.0) is None
    assert remembered.stale(b"bad", 0.0) is None


def test_a_flood_of_bad_tokens_pushes_no_good_one_out() -> None:
    """Yes and no live in segments of their own, each bounded, each forgetting its least recently used."""
    remembered = cache()
    for number in range(10):
        remembered.put(b"good-%d" % number, good(), now=0.0, wall=NOW)
    for number in range(1000):
        remembered.put(b"bad-%d" % number, Inactive("inactive"), now=0.0, wall=NOW)
    assert len(remembered) == 15
    assert all(remembered.get(b"good-%d" % number, 1.0) for number in range(10))
    assert [number for number in range(1000) if remembered.get(b"bad-%d" % number, 1.0)] == [*range(995, 1000)]


def test_clear() -> None:
    """Everything can be forgotten at once."""
    remembered = cache()
    remembered.put(KEY, good(), now=0.0, wall=NOW)
    remembered.put(b"bad", Inactive("inactive"), now=0.0, wall=NOW)
    remembered.clear()
    assert (len(remembered), remembered.get(KEY, 0.0), remembered.get(b"bad", 0.0)) == (0, None, None)


@pytest.mark.rfc("7662-4-a")
@pytest.mark.parametrize("jump", [-86_400.0, -1.0, 0.0, 1.0])
def test_the_time_to_live_runs_by_the_monotonic_clock(jump: float) -> None:
    """Somebody who sets the clock back prolongs no entry, and who sets it forward a little ends none early."""
    world = World(strategy="introspect", cache_ttl=60.0)
    world.validate("opaque", ("introspection", yes()))
    world.time.wall += jump
    world.time.monotonic += 59.9
    assert world.cached("opaque") is not None
    world.time.monotonic += 0.1
    assert world.cached("opaque") is None


@pytest.mark.rfc("7662-4-a", "7662-2.2-d")
@pytest.mark.attack("A-C-4")
def test_exp_runs_by_the_wall_clock_also_on_a_hit() -> None:
    """A token is over when its ``exp`` has come by the clock it is dated by, cached or not."""
    world = World(strategy="introspect")
    world.validate("opaque", ("introspection", yes(exp=int(NOW) + 50)))
    world.time.wall += 50
    hit = world.cached("opaque")
    assert isinstance(hit, Active)
    with pytest.raises(InvalidToken) as refused:
        world.admit(hit)
    assert refused.value.reason == "expired"


@pytest.mark.rfc("9700-2.3-a", "9700-2.3-b")
@pytest.mark.attack("A-C-3")
def test_a_hit_is_judged_for_each_request_anew() -> None:
    """RFC 9700 §2.3: what a route demands is judged on every request; a hit for one route is no pass for another."""
    world = World(strategy="introspect")
    world.validate("opaque", ("introspection", yes(scope="read", aud=["https://rs.example.com", "a"])))
    hit = world.cached("opaque")
    assert isinstance(hit, Active)
    principal = world.admit(hit, Requirement(assurance=Assurance.INTROSPECTED))
    authorize(principal, Requirement(scopes=all_of("read"), audience="a"))
    with pytest.raises(Exception, match="insufficient_scope"):
        authorize(principal, Requirement(scopes=all_of("read", "write")))
    with pytest.raises(InvalidToken):
        authorize(principal, Requirement(audience="b"))


@pytest.mark.attack("A-C-11")
def test_nobody_edits_what_is_remembered() -> None:
    """The principal is read-only at every depth, so that the next request sees what the answer said."""
    world = World(strategy="introspect")
    world.validate("opaque", ("introspection", yes(realm_access={"roles": ["user"]}, cnf=REMOVED)))
    hit = world.cached("opaque")
    assert isinstance(hit, Active)
    principal = world.admit(hit)
    with pytest.raises(AttributeError):
        principal.subject = "mallory"  # type: ignore[misc]
    claims: Any = principal.claims
    with pytest.raises(TypeError):
        claims["sub"] = "mallory"
    with pytest.raises(TypeError):
        claims["realm_access"]["roles"] = ["admin"]
    with pytest.raises(AttributeError):
        claims["realm_access"]["roles"].append("admin")
    with pytest.raises(AttributeError):
        principal.scopes.add("admin")  # type: ignore[attr-defined]
    again = world.admit(hit)
    assert (again.subject, again.claims["realm_access"]["roles"]) == ("subject-1", ("user",))


def test_a_no_is_found_again() -> None:
    """The same bad token, sent ten times, is asked about once."""
    world = World(strategy="introspect")
    world.validate("opaque", ("introspection", no()))
    assert world.cached("opaque") == Inactive("inactive")


@pytest.mark.attack("A-C-14")
def test_threads() -> None:
    """Several threads may use one cache: every entry found is the key's own, and the bounds hold."""
    remembered = cache(size=50, negative_size=50)
    wrong: list[object] = []

    def work(seed: int) -> None:
        chance = random.Random(seed)  # noqa: S311 - the same numbers in every run
        for _ in range(3000):
            number = chance.randrange(200)
            key = b"%d" % number
            found = remembered.get(key, 0.0)
            if isinstance(found, Active) and found.principal.subject != str(number):
                wrong.append(found)
            verdict = Active(Principal(subject=str(number))) if number % 2 else Inactive("inactive")
            remembered.put(key, verdict, now=0.0, wall=NOW)

    threads = [Thread(target=work, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert len(remembered) == 100
    assert math.isclose(len(remembered._active), 50)
