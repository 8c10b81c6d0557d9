"""The freshness of a key set: when it is fetched, how long it is trusted, and what no failure takes away."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any

import pytest

from resource_server._protocol import jose
from resource_server._protocol.answers import max_age
from resource_server._protocol.jwks import PublicKey, process_jwks_response
from resource_server._protocol.jws import JWS, parse_jws
from resource_server._protocol.messages import Unavailable
from resource_server._validation.keys import (
    AHEAD,
    DEFAULT_FRESH,
    FAILURE_HOLDS,
    LOOKS_WINDOW,
    MAX_CANDIDATES,
    MAX_FRESH,
    MAX_LOOKS,
    MIN_FRESH,
    QUICK_LOOKS,
    QUICK_SPACING,
    RENEW_SPACING,
    RETRY_AFTER_FAILURE,
    SLOW_SPACING,
    KeyRing,
)
from tests.support.jwt import REMOVED, SigningKey, access_token, jwks, signing_key
from tests.support.play import REFUSED, answer

LONG_AGO = -1e6
OLD, NEW, NEWER = (signing_key("ES256", name) for name in ("old", "new", "newer"))


def public(*keys: Any) -> tuple[PublicKey, ...]:
    """Read keys as the product does."""
    found = process_jwks_response(answer(jwks(*keys)), 0.0)
    assert not isinstance(found, Unavailable)
    return found


def parsed(token: str) -> JWS:
    """Take a token apart."""
    jws = parse_jws(token.encode())
    assert jws is not None
    return jws


def ring(*keys: Any, fresh_for: float | None = None) -> KeyRing:
    """Make a key ring that was filled long ago, and again just now."""
    filled = KeyRing()
    for now in (LONG_AGO, 0.0):
        filled.accept(public(*keys), fresh_for, now)
    return filled


def test_an_empty_ring() -> None:
    """Without keys everybody may try to fetch them at any time, and none are trusted, however long the bound."""
    keys = KeyRing()
    for now in (0.0, 1.0):
        assert keys.needs_fetch(now, 1e9)
        assert not keys.usable(now, 1e9)
        keys.fail(REFUSED, now)


@pytest.mark.rfc("9111-jwks-a")
@pytest.mark.attack("A-K-9")
@pytest.mark.parametrize(
    ("cache_control", "fresh_for"),
    [
        ("max-age=5", MIN_FRESH),
        ("max-age=0", MIN_FRESH),
        ("no-store", MIN_FRESH),
        ("max-age=900, public", 900.0),
        ("max-age=1000000000", MAX_FRESH),
        ("max-age=" + "9" * 400, MAX_FRESH),
        ("max-age=NaN", DEFAULT_FRESH),
        ("max-age=-1", DEFAULT_FRESH),
        ("max-age=60, max-age=900", DEFAULT_FRESH),
        ("public", DEFAULT_FRESH),
        ("", DEFAULT_FRESH),
    ],
)
def test_freshness(cache_control: str, fresh_for: float) -> None:
    """RFC 9111 §5.2.2: ``max-age`` is honoured between a floor and a ceiling; nonsense is as good as nothing."""
    keys = ring(OLD, fresh_for=max_age(answer({}, cache_control=cache_control)))
    assert not keys.needs_fetch(fresh_for - 0.001, 0.0)
    assert keys.needs_fetch(fresh_for, 0.0)


@pytest.mark.attack("A-K-2")
def test_a_failure_takes_nothing_away() -> None:
    """After a failed fetch the last good set serves on, and no token waits for the next attempt while it may."""
    keys = ring(OLD)
    keys.fail(REFUSED, DEFAULT_FRESH)
    assert keys.fault == REFUSED
    assert keys.candidates(parsed(access_token(OLD)))
    assert not keys.needs_fetch(DEFAULT_FRESH + FAILURE_HOLDS, 900.0)
    keys.fail(REFUSED, 899.0)
    assert not keys.needs_fetch(900.0, 900.0)
    assert keys.needs_fetch(900.001, 900.0)


@pytest.mark.attack("A-C-4")
def test_a_failure_of_long_ago_is_no_outage() -> None:
    """Where nobody came for a while after a failure, the next token waits for a fetch: its key may be gone."""
    keys = ring(OLD)
    keys.fail(REFUSED, DEFAULT_FRESH)
    assert keys.needs_fetch(DEFAULT_FRESH + RETRY_AFTER_FAILURE + FAILURE_HOLDS, 900.0)


def test_a_set_in_use_is_renewed_before_it_is_stale() -> None:
    """A while before its end, permission to fetch a set anew is given to one caller, and not to the next."""
    keys = ring(OLD, fresh_for=100.0)
    assert not keys.take_renewal(100 * AHEAD - 0.001)
    assert keys.take_renewal(100 * AHEAD)
    assert not keys.take_renewal(100 * AHEAD + RENEW_SPACING - 0.001)
    assert keys.take_renewal(100 * AHEAD + RENEW_SPACING)
    assert not keys.needs_fetch(99.9, 0.0)


@pytest.mark.parametrize(
    ("failed_at", "wait"),
    [(80.0, RENEW_SPACING), (98.0, 2.0), (99.5, RETRY_AFTER_FAILURE), (200.0, RETRY_AFTER_FAILURE)],
    ids=["fresh", "nearly stale", "as good as stale", "stale"],
)
def test_a_renewal_that_failed_is_repeated(failed_at: float, wait: float) -> None:
    """It is tried again, a little later while the set is fresh, soon when it is not, and never at once."""
    keys = ring(OLD, fresh_for=100.0)
    assert keys.take_renewal(failed_at)
    keys.fail(REFUSED, failed_at)
    assert not keys.take_renewal(failed_at + wait - 0.001)
    assert keys.take_renewal(failed_at + wait)


def test_a_success_forgets_the_failure() -> None:
    """What went wrong before says nothing about a set that has just been fetched."""
    keys = ring(OLD)
    keys.fail(REFUSED, 0.0)
    keys.accept(public(OLD), None, 1.0)
    assert keys.fault is None


def test_nothing_is_fetched_ahead_right_after_a_failure() -> None:
    """To have keys before they are needed is worth an attempt, and not one for every token that passes by."""
    keys = KeyRing()
    assert keys.take_renewal(0.0)
    keys.fail(REFUSED, 0.0)
    assert not keys.take_renewal(RETRY_AFTER_FAILURE - 0.001)
    assert keys.take_renewal(RETRY_AFTER_FAILURE)
    assert keys.needs_fetch(0.001, 0.0)


@pytest.mark.parametrize(
    ("now", "bound", "trusted"),
    [(MIN_FRESH - 1, 0.0, True), (MIN_FRESH, 0.0, False), (900.0, 900.0, True), (900.001, 900.0, False)],
    ids=["fresh", "stale", "at the bound", "beyond it"],
)
def test_trust(now: float, bound: float, trusted: bool) -> None:  # noqa: FBT001 - a parameter
    """Keys are trusted while they are fresh, and beyond that as long as the operator says."""
    assert ring(OLD, fresh_for=0.0).usable(now, bound) is trusted


@pytest.mark.attack("A-K-9")
def test_an_unknown_key_id_causes_one_fetch_at_a_time() -> None:
    """Permission to look for an unknown key is given once; whoever comes while the fetch runs waits for it too."""
    keys = ring(OLD)
    assert [keys.may_look(1.0) for _ in range(3)] == [True, True, True]
    keys.accept(public(OLD), None, 1.5)
    assert not keys.may_look(1.0 + QUICK_SPACING - 0.001)
    assert keys.may_look(1.0 + QUICK_SPACING)


def flood(keys: KeyRing, begin: float, seconds: int) -> list[float]:
    """Send an invented key id every tenth of a second, and return when that caused a fetch."""
    fetched: list[float] = []
    for tenth in range(seconds * 10):
        now = begin + tenth / 10
        if keys.may_look(now):
            fetched.append(now)
            keys.accept(public(OLD), None, now)
    return fetched


@pytest.mark.attack("A-K-9")
def test_fruitless_looks_for_unknown_keys_are_few() -> None:
    """A flood of invented key ids causes two fetches at first and then one in half a minute: a new key is in it."""
    fetched = flood(ring(OLD), 0.0, 300)
    assert fetched[:QUICK_LOOKS] == [0.0, QUICK_SPACING]
    assert all(0 <= later - before - SLOW_SPACING <= 0.11 for before, later in pairwise(fetched[1:]))
    assert len(fetched) == QUICK_LOOKS + 9


@pytest.mark.attack("A-K-9")
@pytest.mark.parametrize("begin", [0.0, 0.5, 20.0, 59.0])
def test_no_minute_sees_more_looks(begin: float) -> None:
    """Also where the flood begins with the process, whose first fetch counts, no minute sees more than three."""
    keys = KeyRing()
    keys.accept(public(OLD), None, 0.0)
    fetched = [0.0, *flood(keys, begin, 300)]
    for first in fetched:
        assert sum(first <= moment < first + LOOKS_WINDOW for moment in fetched) <= MAX_LOOKS


@pytest.mark.attack("A-K-9")
def test_new_keys_lift_the_cooldown() -> None:
    """A fetch that brought a new key was no waste, so the next rotation may come at once."""
    keys = ring(OLD)
    assert keys.may_look(1.0)
    keys.accept(public(OLD, NEW), None, 1.5)
    assert keys.may_look(1.6)
    keys.accept(public(NEW, NEWER), None, 1.7)
    assert keys.may_look(1.8)
    keys.accept(public(NEWER), None, 1.9)
    assert not keys.may_look(2.0)


def test_a_failed_look_for_an_unknown_key_may_be_repeated_soon() -> None:
    """A fetch that failed has told nothing about the unknown key, so it costs a short wait and not the long one."""
    keys, now = ring(OLD), 1.0
    for _ in range(MAX_LOOKS + 1):
        assert keys.may_look(now)
        keys.fail(REFUSED, now)
        assert not keys.may_look(now + RETRY_AFTER_FAILURE - 0.001)
        now += RETRY_AFTER_FAILURE
    assert keys.may_look(now)


def test_a_look_that_was_given_up_is_as_good_as_none() -> None:
    """A fetch that ended without an outcome, as when its event loop closed, leaves no trace."""
    keys = ring(OLD)
    for _ in range(MAX_LOOKS + 1):
        assert keys.may_look(1.0)
        keys.leave()
    keys.leave()
    assert keys.may_look(1.0)


def test_a_look_that_was_given_up_is_over() -> None:
    """Nobody waits for a fetch that was given up, and the next one is not counted as its repetition."""
    keys = ring(OLD)
    assert keys.may_look(1.0)
    keys.leave()
    keys.accept(public(OLD), None, 1.0)
    assert keys.may_look(1.1)


@pytest.mark.attack("A-J-7")
def test_what_a_sender_can_cause_at_most() -> None:
    """Three fetches a minute for key ids that nobody knows, and four signatures for a token without one."""
    assert (MAX_LOOKS, LOOKS_WINDOW, MAX_CANDIDATES) == (3, 60.0, 4)


@pytest.mark.attack("A-C-14")
def test_one_of_many_threads_renews() -> None:
    """Permission to renew is given to one of the threads that ask for it at the same moment."""
    keys = ring(OLD, fresh_for=100.0)
    with ThreadPoolExecutor(8) as threads:
        assert sum(threads.map(lambda _: keys.take_renewal(99.0), range(64))) == 1


def test_candidates_by_key_id() -> None:
    """RFC 7515 §4.1.4: a key id selects; another key of the same type is no substitute."""
    keys = ring(OLD, NEW)
    assert [key.key_id for key in keys.candidates(parsed(access_token(NEW)))] == [NEW.kid]
    assert keys.candidates(parsed(access_token(OLD, head={"kid": "other"}))) == ()


@pytest.mark.attack("A-J-7")
@pytest.mark.parametrize("count", [1, 2, 50])
def test_candidates_without_a_key_id(count: int) -> None:
    """A token without a key id is tried with a few keys of its kind, and its sender cannot make it many."""
    keys = ring(*(OLD.jwk(kid=f"key-{number}") for number in range(count)), signing_key("RS256"))
    found = keys.candidates(parsed(access_token(OLD, head={"kid": REMOVED})))
    assert len(found) == min(count, MAX_CANDIDATES)


@pytest.mark.rfc("8725-3.1-a")
@pytest.mark.parametrize(("declared", "count"), [("RS512", 0), ("RS256", 1), (REMOVED, 1)])
def test_one_key_one_algorithm(declared: Any, count: int) -> None:
    """RFC 8725 §3.1: a key is used with the algorithm it names; one that names none, with those of its type."""
    key = signing_key("RS256")
    assert len(ring(key.jwk(alg=declared)).candidates(parsed(access_token(key)))) == count


@pytest.mark.attack("A-J-6")
@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_two_keys_under_one_id(order: tuple[int, ...]) -> None:
    """Keys that share an id are all tried, so that the order of the set decides nothing."""
    same = [OLD.jwk(kid="same"), NEW.jwk(kid="same")]
    keys = ring(*(same[index] for index in order), signing_key("RS256").jwk(kid="same"))
    for signer in (OLD, NEW):
        jws = parsed(access_token(signer, head={"kid": "same"}))
        assert keys.verifies(jws, keys.candidates(jws))
    stranger = parsed(access_token(NEWER, head={"kid": "same"}))
    assert not keys.verifies(stranger, keys.candidates(stranger))


@pytest.mark.rfc("8725-3.4-a")
@pytest.mark.attack("A-K-4")
def test_a_key_off_its_curve_verifies_nothing() -> None:
    """RFC 8725 §3.4: a point that is not on the curve is no key, and the others stay usable."""
    broken = OLD.jwk(kid="broken", y=NEW.jwk()["y"])
    keys = ring(broken, OLD)
    jws = parsed(access_token(OLD, head={"kid": "broken"}))
    assert [keys.verifies(jws, keys.candidates(jws)) for _ in range(2)] == [False, False]
    good = parsed(access_token(OLD))
    assert keys.verifies(good, keys.candidates(good))


@pytest.mark.attack("A-K-10")
def test_the_same_key_id_with_another_key() -> None:
    """After a key was replaced under the same id, the new one verifies and the old one no longer does."""
    keys = ring(OLD.jwk(kid="1"))
    before, after = (parsed(access_token(signer, head={"kid": "1"})) for signer in (OLD, NEW))
    assert keys.verifies(before, keys.candidates(before))
    keys.accept(public(NEW.jwk(kid="1")), None, 1.0)
    assert keys.verifies(after, keys.candidates(after))
    assert not keys.verifies(before, keys.candidates(before))


def test_an_imported_key_is_kept_as_long_as_it_is_published(monkeypatch: pytest.MonkeyPatch) -> None:
    """Importing costs more than verifying, so it is done once per key, and keys that are gone are let go."""
    imported: list[str | None] = []
    real = jose.import_key

    def counting(key: PublicKey) -> Any:
        imported.append(key.key_id)
        return real(key)

    monkeypatch.setattr(jose, "import_key", counting)
    keys = ring(OLD, NEW)

    def verify(signer: SigningKey) -> bool:
        jws = parsed(access_token(signer))
        return keys.verifies(jws, keys.candidates(jws))

    assert verify(OLD)
    assert verify(OLD)
    assert verify(NEW)
    keys.accept(public(NEW), None, 1.0)
    assert verify(NEW)
    keys.accept(public(OLD, NEW), None, 2.0)
    assert verify(OLD)
    assert imported == [OLD.kid, NEW.kid, OLD.kid]


def test_the_repr_tells_no_key() -> None:
    """A key is shown by its id and algorithms only."""
    (key,) = public(OLD)
    assert OLD.jwk()["x"] not in repr(key)


def test_a_new_ring_may_look() -> None:
    """Before the first fetch nothing has failed, and a key id may cause a fetch."""
    keys = KeyRing()
    assert keys.fault is None
    assert keys.may_look(0.0)


@pytest.mark.attack("A-K-9")
def test_a_look_counts_for_just_its_window() -> None:
    """A look, and the very first fetch, count for a minute and not a moment longer."""
    keys = ring(OLD)
    for now in (0.0, QUICK_SPACING):
        assert keys.may_look(now)
        keys.accept(public(OLD), None, now)
    keys.accept(public(OLD), None, LOOKS_WINDOW - 1)
    assert keys.may_look(LOOKS_WINDOW)
    began = KeyRing()
    began.accept(public(OLD), None, 0.0)
    for now in (10.0, 10.0 + QUICK_SPACING):
        assert began.may_look(now)
        began.accept(public(OLD), None, now)
    assert not began.may_look(LOOKS_WINDOW - 0.001)
    assert began.may_look(LOOKS_WINDOW)
