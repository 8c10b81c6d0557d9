"""How many questions one client may cause."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resource_server._validation.limiter import CLIENTS, Limiter, client_of

ALICE, BOB = "192.0.2.1", "192.0.2.2"


@pytest.mark.attack("A-S-7")
def test_a_burst_and_then_a_rate() -> None:
    """A client may ask for so many at once, then one whenever its allowance has grown by one."""
    limiter = Limiter(2.0, 3)
    assert [limiter.charge(ALICE, 100.0) for _ in range(4)] == [None, None, None, pytest.approx(0.5)]
    assert limiter.charge(ALICE, 100.4) == pytest.approx(0.1)
    assert limiter.charge(ALICE, 100.5) is None
    assert limiter.charge(ALICE, 100.5) == pytest.approx(0.5)


def test_the_allowance_grows_to_the_burst_and_no_further() -> None:
    """A quiet night is no licence for a noisy morning."""
    limiter = Limiter(1.0, 2)
    limiter.charge(ALICE, 0.0)
    assert [limiter.charge(ALICE, 1e6) for _ in range(3)] == [None, None, pytest.approx(1.0)]


def test_each_client_has_its_own() -> None:
    """What one client has used up, another has not."""
    limiter = Limiter(1.0, 1)
    assert [limiter.charge(peer, 0.0) for peer in (ALICE, BOB, ALICE)] == [None, None, pytest.approx(1.0)]


def test_a_charge_can_be_taken_back() -> None:
    """What has turned out to be no trouble is as if it had not been charged; nobody gets more than was charged."""
    limiter = Limiter(1.0, 1)
    for _ in range(3):
        assert limiter.charge(ALICE, 0.0) is None
        limiter.refund(ALICE)
    limiter.refund(BOB)
    limiter.refund(None)
    assert [limiter.charge(peer, 0.0) for peer in (ALICE, ALICE)] == [None, pytest.approx(1.0)]
    assert len(limiter) == 1


@pytest.mark.parametrize("peer", [None, ""])
def test_nobody_is_charged_where_nobody_is_known(peer: str | None) -> None:
    """Behind a UNIX socket there is no address: all clients would share one allowance."""
    limiter = Limiter(1.0, 1)
    assert [limiter.charge(peer, 0.0) for _ in range(10)] == [None] * 10
    assert len(limiter) == 0


def test_no_limit() -> None:
    """Without a rate nothing is limited, and nobody is remembered."""
    limiter = Limiter(None, 1)
    assert [limiter.charge(ALICE, 0.0) for _ in range(10)] == [None] * 10
    assert len(limiter) == 0


@pytest.mark.attack("A-S-7")
def test_the_clients_remembered_are_bounded() -> None:
    """Whoever has many addresses fills no memory; the client charged last is still known."""
    limiter = Limiter(1.0, 1)
    for number in range(CLIENTS + 100):
        limiter.charge(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}", 0.0)
    limiter.charge(ALICE, 0.0)
    assert len(limiter) == CLIENTS
    assert limiter.charge(ALICE, 0.0) is not None


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("2001:db8::1", "2001:db8:0:0:ffff::1", True),
        ("2001:db8:0:1::1", "2001:db8:0:2::1", False),
        ("::ffff:192.0.2.1", ALICE, True),
        ("::ffff:192.0.2.1", "::ffff:192.0.2.2", False),
        ("fe80::1%eth0", "fe80::2", True),
        (ALICE, BOB, False),
        ("testclient", "testclient", True),
        ("not:an:address", "not:an:address", True),
        ("x" * 64 + "1", "x" * 64 + "2", True),
        ("not:" * 16 + "1", "not:" * 16 + "2", True),
    ],
)
def test_who_is_behind_an_address(one: str, other: str, same: bool) -> None:  # noqa: FBT001 - a parameter
    """An IPv6 customer has a /64 at least, so that is one client; an IPv4 address is the same in either spelling."""
    assert (client_of(one) == client_of(other)) is same


@given(moments=st.lists(st.floats(0, 100), max_size=200).map(sorted), rate=st.floats(0.1, 50), burst=st.integers(1, 20))
def test_never_more_than_the_allowance(moments: list[float], rate: float, burst: int) -> None:
    """Whenever requests come, in no stretch of time are there more questions than the burst and the rate allow."""
    limiter = Limiter(rate, burst)
    charged = [moment for moment in moments if limiter.charge(ALICE, moment) is None]
    for index, first in enumerate(charged):
        for count, last in enumerate(charged[index:], start=1):
            assert count <= burst + (last - first) * rate + 1e-6


@given(moments=st.lists(st.floats(0, 100), max_size=100).map(sorted), rate=st.floats(0.1, 50))
def test_whoever_waits_as_told_is_not_refused_again(moments: list[float], rate: float) -> None:
    """After the seconds that a refusal names, the question may be asked."""
    limiter = Limiter(rate, 2)
    for moment in moments:
        wait = limiter.charge(ALICE, moment)
        if wait is not None:
            assert limiter.charge(ALICE, moment + wait + 1e-6) is None
            break


@pytest.mark.attack("A-C-14")
def test_threads() -> None:
    """Many threads together take no more than one alone could."""
    limiter = Limiter(0.001, 25)
    with ThreadPoolExecutor(8) as threads:
        outcomes = list(threads.map(lambda _: limiter.charge(ALICE, 0.0), range(400)))
    assert outcomes.count(None) == 25


def test_a_network_has_64_bits() -> None:
    """RFC 4291 §2.5.1: the interface has the last 64 bits, the network all before them, to the last one."""
    assert client_of("2001:db8:0:2::1") == client_of("2001:db8:0:2:ffff::")
    assert client_of("2001:db8:0:2::1") != client_of("2001:db8:0:3::1")


def test_what_only_looks_like_an_address() -> None:
    """A text with a colon that is no address is taken as it stands."""
    assert client_of("not:an:address") == "not:an:address"
