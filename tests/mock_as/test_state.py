"""What an issuer consists of, and how it goes back to what it was."""

from __future__ import annotations

import pytest

from mock_as import Client, MockAS, Resource, UsageError, Wish
from mock_as.state import KEEPABLE
from mock_as.tokens.rules import Rule


def _disturb(mock: MockAS) -> None:
    mock.token("alice")
    mock.clients["new"] = Client(id="new", secret="new-secret")
    del mock.users["alice"]
    mock.resources["https://api.example.test"] = Resource(uri="https://api.example.test")
    mock.clock.advance(60)
    mock.keys.rotate()
    mock.fault("jwks", 503)
    mock.pending.codes.put("code", "value", 60)
    mock.rules = (Rule(claims={"tenant": "acme"}),)
    mock.metadata_edits["jwks_uri"] = None
    mock.configure(lifetime=1)


def _facts(mock: MockAS) -> list[object]:
    return [
        len(mock.tokens),
        sorted(mock.clients),
        sorted(mock.users),
        sorted(mock.resources),
        mock.clock.offset,
        mock.keys.jwks(),
        [fault.id for fault in mock.faults],
        mock.pending.codes.get("code"),
        mock.rules,
        dict(mock.metadata_edits),
        mock.options,
    ]


def test_reset_goes_back_to_the_beginning() -> None:
    """After a reset nothing is left of what a test did."""
    mock = MockAS(seed=1)
    first, token = _facts(mock), mock.token("alice", format="opaque")
    _disturb(mock)
    assert _facts(mock) != first
    mock.reset()
    assert _facts(mock) == first
    assert mock.token("alice", format="opaque").value == token.value


def test_reset_brings_the_first_faults_back() -> None:
    """The faults that a server was made with come back at a reset, as fresh as at the start; others do not."""
    mock = MockAS(faults=[Wish(endpoint="jwks", action=503, times=1)])
    [first] = mock.faults
    assert first.happen() is not None
    mock.clear_faults()
    mock.fault("introspect", "inactive")
    mock.reset()
    [again] = mock.faults
    assert (again.id, again.plan, again.applied) == (first.id, first.plan, 0)
    assert list(mock.tenant().faults) == []


def test_faults_to_begin_with_are_judged() -> None:
    """A fault that cannot be is refused when the server is made, with its place among the others."""
    with pytest.raises(UsageError, match="did you mean 'jwks'") as refused:
        MockAS(faults=[Wish(endpoint="token", action=503), Wish(endpoint="jwsk", action=503)])
    assert refused.value.field == "faults[1].endpoint"


def test_reset_keeps_what_it_is_told_to(mock: MockAS) -> None:
    """What is to be kept stays, and the rest goes."""
    _disturb(mock)
    mock.reset(keep=["clients", "keys"])
    assert "new" in mock.clients
    assert "alice" in mock.users
    with pytest.raises(UsageError, match="keep"):
        mock.reset(keep=["everything"])


@pytest.mark.parametrize("part", KEEPABLE)
def test_everything_that_can_be_kept_has_a_reset(mock: MockAS, part: str) -> None:
    """Each part that a reset can leave alone is reset by itself, and no other with it."""
    parts = {name: getattr(mock, name) for name in KEEPABLE}
    first = {name: held.dump() for name, held in parts.items()}
    _disturb(mock)
    disturbed = {name: held.dump() for name, held in parts.items()}
    assert [name for name in KEEPABLE if disturbed[name] == first[name]] == []
    mock.reset(keep=set(KEEPABLE) - {part})
    assert {name: held.dump() for name, held in parts.items()} == {**disturbed, part: first[part]}


def test_snapshot_brings_everything_back(mock: MockAS) -> None:
    """What was there at a snapshot is there again after it was restored, as often as that is done."""
    token = mock.token("bob", format="opaque")
    before = _facts(mock)
    snapshot = mock.snapshot()
    for _ in range(2):
        _disturb(mock)
        mock.revoke(token)
        mock.restore(snapshot)
        assert _facts(mock) == before
        record = mock.tokens.find(token)
        assert record is not None
        assert not record.revoked


def test_snapshot_brings_chance_back() -> None:
    """After a snapshot was restored, a seeded mint makes the same tokens again."""
    mock = MockAS(seed=7)
    mock.token()
    snapshot = mock.snapshot()
    first = mock.token(format="opaque")
    mock.restore(snapshot)
    again = mock.token(format="opaque")
    assert (again.value, again.id) == (first.value, first.id)


def test_latest_snapshot(mock: MockAS) -> None:
    """Without a name it is the latest snapshot that is restored; without a snapshot nothing is."""
    with pytest.raises(UsageError, match=r"^snapshot: there is none"):
        mock.restore()
    mock.snapshot()
    mock.clock.advance(5)
    latest = mock.snapshot()
    mock.clock.advance(5)
    assert mock.restore() == latest
    assert mock.clock.offset == 5


def test_unknown_snapshot(mock: MockAS) -> None:
    """A snapshot that was never made cannot be restored, and nothing changes."""
    token = mock.token()
    mock.snapshot()
    with pytest.raises(UsageError, match=r"^snapshot: 'snapshot-9' is unknown"):
        mock.restore("snapshot-9")
    assert mock.tokens.find(token) is not None


def test_options_can_be_changed_until_the_reset(mock: MockAS) -> None:
    """An option that is none, or cannot have a value, is refused by name; another holds until the reset."""
    mock.configure(token_format="opaque", lifetime=5)
    assert mock.token().format == "opaque"
    with pytest.raises(UsageError, match="colour"):
        mock.configure(colour="blue")
    with pytest.raises(UsageError, match="lifetime"):
        mock.configure(lifetime=0)
    assert mock.options.lifetime == 5
    mock.reset()
    assert mock.token().format == "jwt"


@pytest.mark.rfc("as-6")
def test_seed_makes_what_follows_reproducible(mock: MockAS) -> None:
    """After the same seed come the same texts and the same chances."""
    made: list[tuple[str, float]] = []
    for _ in range(2):
        mock.seed(42)
        made.append((mock.chance.text(16), mock.chance.fraction()))
    assert made[0] == made[1]
    assert 0 <= made[0][1] < 1
    mock.seed(None)
    assert mock.chance.text(16) != made[0][0]
