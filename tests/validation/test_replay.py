"""Which proofs were used: each is good once, and what is remembered is bounded without forgetting."""

from __future__ import annotations

import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from hashlib import blake2b

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resource_server._validation import forks
from resource_server._validation.replay import _TOLERANCE, UsedProofs, proof_name

TTL = 60.0


def name(number: int) -> bytes:
    """Name a proof."""
    return proof_name("key", str(number))


@pytest.mark.rfc("9449-11.1-a")
def test_once() -> None:
    """RFC 9449 §11.1: the same proof again is refused for as long as it could be used, and is forgotten then."""
    used = UsedProofs(10)
    assert used.add(name(1), 0.0, TTL) is None
    assert used.add(name(1), TTL - 0.1, TTL) == "proof_replayed"
    assert used.add(name(2), TTL, TTL) is None
    assert len(used) == 1


@pytest.mark.rfc("9449-11.1-a")
@pytest.mark.attack("A-D-2")
def test_full_means_refuse() -> None:
    """RFC 9449 §11.1: where there is no room, a new proof is refused; none is forgotten to make room."""
    used = UsedProofs(3)
    assert [used.add(name(number), 0.0, TTL) for number in range(3)] == [None] * 3
    assert [used.add(name(number), 1.0, TTL) for number in range(3, 6)] == ["too_many_proofs"] * 3
    assert [used.add(name(number), 1.0, TTL) for number in range(3)] == ["proof_replayed"] * 3
    assert used.add(name(3), TTL, TTL) is None


@pytest.mark.attack("A-D-2")
@given(st.lists(st.tuples(st.integers(0, 9), st.floats(0, 20)), max_size=60))
def test_no_proof_is_accepted_twice(uses: list[tuple[int, float]]) -> None:
    """Whatever comes in whatever order, no proof is accepted twice within its time, and the bound holds."""
    used, accepted, now = UsedProofs(4), dict[int, float](), 0.0
    for number, later in uses:
        now += later
        if used.add(name(number), now, TTL) is None:
            assert now - accepted.get(number, -TTL) >= TTL
            accepted[number] = now
        assert len(used) <= 4


@pytest.mark.rfc("9449-11.1-a")
def test_a_clock_that_is_set_back() -> None:
    """RFC 9449 §11.1: where the clock is set back old proofs are new again, and are remembered for as much longer."""
    used = UsedProofs(10)
    for ahead in (0.0, 5.0, 5.0 - 0.05):  # set forward, then read at two moments
        used.follow(ahead)
    assert used.add(name(1), 0.0, TTL) is None
    used.follow(5.0 - 100.0)
    assert used.add(name(2), 0.0, TTL) is None
    assert used.add(name(1), TTL + 99.9, TTL) == "proof_replayed"
    assert used.add(name(2), TTL + 99.9, TTL) is None
    assert used.add(name(1), TTL + 100.0, TTL) is None


@pytest.mark.rfc("9449-11.1-a")
def test_memory_is_bounded() -> None:
    """RFC 9449 §11.1: however many proofs come, and however long their jti is, what is kept of them is bounded."""
    used = UsedProofs(1_000)
    tracemalloc.start()
    for number in range(20_000):
        used.add(proof_name("key", f"{number}" * 100), number / 100, TTL)
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(used) == 1_000
    assert kept < 1_000_000


def test_names() -> None:
    """A proof is named by its key and its jti: what another client uses is not used up."""
    assert len({proof_name("key", "1"), proof_name("key", "2"), proof_name("other", "1")}) == 3
    assert len(proof_name("key", "é" * 100_000)) == 16
    # Workers of two versions have the same names for the same proofs.
    assert proof_name("key", "1") == blake2b(b"key.1", digest_size=16).digest()


def test_threads() -> None:
    """Of many threads with one proof, one is let in."""
    used = UsedProofs(1_000)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda number: used.add(name(number // 8), 0.0, TTL), range(800)))
    assert found.count(None) == 100


@pytest.mark.attack("A-C-14")
def test_its_lock_is_free_after_a_fork() -> None:
    """A process that is forked off knows what was used before, and waits for no thread that it has not."""
    used = UsedProofs(10)
    forks._before()
    assert used.lock.locked()
    forks._after()
    assert not used.lock.locked()


@pytest.mark.rfc("9449-11.1-a")
def test_a_clock_first_looked_at_was_not_set_back() -> None:
    """RFC 9449 §11.1: the first look at the clock lengthens nothing, and neither does a second one at the same time."""
    used = UsedProofs(10)
    assert used.add(name(1), 0.0, TTL) is None
    used.follow(0.0)
    for _ in range(3):
        used.follow(-100.0)
    assert used.add(name(1), TTL + 99.9, TTL) == "proof_replayed"
    assert used.add(name(1), TTL + 100.0, TTL) is None


@pytest.mark.rfc("9449-11.1-a")
def test_a_clock_that_is_set_back_little_by_little() -> None:
    """RFC 9449 §11.1: steps that are too small to be told from noise add up, and count when they can be told."""
    used = UsedProofs(10)
    used.follow(0.0)
    assert used.add(name(1), 0.0, TTL) is None
    for step in range(1, 101):
        used.follow(-step / 20)
    assert used.add(name(1), TTL + 4.85, TTL) == "proof_replayed"


@pytest.mark.rfc("9449-11.1-a")
def test_as_little_as_two_readings_differ_by() -> None:
    """RFC 9449 §11.1: just the tolerance lengthens nothing, and is not forgotten either."""
    used = UsedProofs(10)
    used.follow(_TOLERANCE)
    assert used.add(name(1), 0.0, TTL) is None
    used.follow(0.0)
    assert used.add(name(1), TTL, TTL) is None
    used.follow(-_TOLERANCE)
    assert used.add(name(1), 2 * TTL + 0.19, TTL) == "proof_replayed"
