"""A revoked token is dead whoever says otherwise, a newer one is not, and what is remembered is bounded."""

from __future__ import annotations

import time
from base64 import urlsafe_b64decode
from dataclasses import replace
from typing import Any

import pytest

from resource_server import Assurance, Principal
from resource_server._protocol.jws import JWS, parse_jws
from resource_server._protocol.revocation import Revocation, RevocationKind
from resource_server._validation.revocations import SWEEP_EVERY, Revocations, own_claims
from resource_server._validation.validate import Presented
from resource_server._validation.verdict import Active, Inactive
from resource_server._validation.verify_jwt import fetch_keys
from resource_server.principal import FrozenDict
from tests.support.jwt import NOW, REMOVED, access_token, ecdsa_twin, signing_key, with_signature
from tests.support.play import REFUSED, World, digest, key_set, yes

LONG = NOW + 86_400
ASKED, LEARNT, ASKED_LATER = 90.0, 100.0, 110.0
KEY = signing_key("ES256")


def revocation(kind: RevocationKind = "sub", value: str = "alice", **changes: Any) -> Revocation:
    """Make one that was made just now."""
    return replace(Revocation(kind, value, NOW, LONG), **changes)


def noted(*revocations: Revocation, **options: Any) -> Revocations:
    """Have learnt of some."""
    found = Revocations(**options)
    for each in revocations:
        assert found.add(each, now=LEARNT, wall=NOW)
    return found


def verdict(asked_at: float = ASKED, assurance: Assurance = Assurance.INTROSPECTED, **claims: Any) -> Active:
    """Make a yes about a token of alice's."""
    said: dict[str, Any] = {
        "sub": "alice",
        "sid": "session-1",
        "client_id": "app",
        "jti": "token-1",
        "iat": NOW - 60,
    } | claims
    said = {name: value for name, value in said.items() if value is not REMOVED}
    principal = Principal(
        subject=said.get("sub"),
        client_id=said.get("client_id"),
        token_id=said.get("jti"),
        assurance=assurance,
        claims=FrozenDict(said),
    )
    return Active(principal, asked_at=asked_at, name="0123")


@pytest.mark.parametrize(
    ("kind", "value"),
    [("token", "0123"), ("jti", "token-1"), ("sub", "alice"), ("sid", "session-1"), ("client_id", "app")],
)
@pytest.mark.attack("A-C-4")
def test_each_kind_condemns(kind: RevocationKind, value: str) -> None:
    """A token is named by itself, by its ``jti``, and by whom, which session and which client it is for."""
    assert noted(revocation(kind, value)).condemns(verdict())


@pytest.mark.parametrize("kind", ["token", "jti", "sub", "sid", "client_id"])
def test_others_are_left_alone(kind: RevocationKind) -> None:
    """What is revoked is another token's, or has another kind."""
    assert not noted(revocation(kind, "other")).condemns(verdict())
    assert not noted(revocation(kind, "other")).condemns(verdict(sub=REMOVED, sid=7, client_id=REMOVED, jti=REMOVED))
    assert not noted(revocation(kind, "other")).condemns(verdict(sid=["other"]))


def test_nothing_revoked() -> None:
    """Without a revocation every yes stands."""
    found = Revocations()
    assert not found.condemns(verdict())
    assert len(found) == 0


@pytest.mark.parametrize(
    ("issued_at", "asked_at", "condemned"),
    [
        (NOW - 1, ASKED_LATER, True),
        (NOW - 0.5, ASKED, True),
        (NOW - 0.5, ASKED_LATER, False),
        (NOW, ASKED, False),
        (REMOVED, ASKED, True),
        (REMOVED, LEARNT, True),
        (REMOVED, ASKED_LATER, False),
    ],
)
def test_older_and_newer_tokens(issued_at: Any, asked_at: float, *, condemned: bool) -> None:
    """``iat`` tells older tokens from newer ones; where it does not, an answer to a later question does."""
    assert noted(revocation()).condemns(verdict(asked_at, iat=issued_at)) is condemned


@pytest.mark.parametrize("assurance", list(Assurance))
def test_a_signature_knows_of_no_revocation(assurance: Assurance) -> None:
    """Verified later is not asked later; an answer that was asked for later stays so in an outage."""
    condemned = noted(revocation()).condemns(verdict(ASKED_LATER, assurance, iat=REMOVED))
    assert condemned is (assurance is Assurance.LOCAL)


def test_clocks_may_differ_by_the_leeway() -> None:
    """A token dated a little after the revocation may have been issued before it, by a clock that is ahead."""
    tolerant = noted(revocation(), leeway=5.0)
    assert tolerant.condemns(verdict(ASKED, iat=NOW + 4))
    assert not tolerant.condemns(verdict(ASKED_LATER, iat=NOW + 4))
    assert not tolerant.condemns(verdict(ASKED, iat=NOW + 5))


@pytest.mark.parametrize("kind", ["token", "jti"])
def test_a_token_is_revoked_for_good(kind: RevocationKind) -> None:
    """No date and no later answer brings one token back."""
    value = {"token": "0123", "jti": "token-1"}[kind]
    found = noted(Revocation(kind, value, NOW - 3600, LONG))
    assert found.condemns(verdict(ASKED_LATER, iat=NOW))


def test_late_news_takes_nothing_back() -> None:
    """One that is older, but to be remembered for longer, makes an earlier one last longer and reach no less far."""
    found = noted(revocation())
    assert found.add(revocation(before=NOW - 600, until=LONG + 60), now=ASKED_LATER, wall=NOW)
    assert found.all() == [revocation(until=LONG + 60)]
    assert found.condemns(verdict(ASKED, iat=NOW - 60))
    assert not found.condemns(verdict(LEARNT + 1, iat=REMOVED))


def test_newer_news_counts_from_now() -> None:
    """One that reaches further is not known to answers that were asked for before we learnt of it."""
    found = noted(revocation())
    assert found.add(revocation(before=NOW + 60), now=ASKED_LATER, wall=NOW)
    assert found.condemns(verdict(LEARNT + 1, iat=REMOVED))


def test_the_same_again_is_no_news() -> None:
    """What is known already, and what is over, is not noted and wakes nobody."""
    found, woken = noted(revocation()), list[int]()
    found.listen(lambda: woken.append(1))
    assert not found.add(revocation(), now=ASKED_LATER, wall=NOW)
    assert not found.add(revocation(value="bob", until=NOW), now=ASKED_LATER, wall=NOW)
    assert (len(found), woken) == (1, [])


def test_who_listens_is_woken() -> None:
    """Each revocation wakes everybody who listens, until they do no longer."""
    found, woken = Revocations(), list[str]()
    end = found.listen(lambda: woken.append("first"))
    found.listen(lambda: woken.append("second"))
    found.add(revocation(), now=LEARNT, wall=NOW)
    end()
    end()
    found.add(revocation(value="bob"), now=LEARNT, wall=NOW)
    assert woken == ["first", "second", "second"]


def test_looked_up_by_place() -> None:
    """What is remembered of one place can be looked up."""
    found = noted(revocation())
    assert found.get(("sub", "alice")) == revocation()
    assert found.get(("sub", "bob")) is None


def test_the_oldest_is_forgotten_and_that_is_said_once() -> None:
    """Beyond the limit the oldest goes; whoever is to know is told the first time."""
    told: list[int] = []
    found = noted(*(revocation(value=str(number)) for number in range(5)), size=3, on_full=lambda: told.append(1))
    assert [known.value for known in found.all()] == ["2", "3", "4"]
    assert (found.forgotten, told) == (2, [1])


def test_what_is_known_takes_no_room_twice() -> None:
    """To remember longer what is known forgets nothing else."""
    found = noted(revocation(), revocation(value="bob"), size=2)
    assert found.add(revocation(until=LONG + 1), now=LEARNT, wall=NOW)
    assert (len(found), found.forgotten) == (2, 0)


def test_what_is_over_is_let_go() -> None:
    """Those that are over make room in passing, at most once a minute."""
    found = noted(revocation(until=NOW + 1), revocation(value="bob"))
    assert found.add(revocation(value="carol"), now=LEARNT, wall=NOW + 2)
    assert len(found) == 3
    assert found.add(revocation(value="dave"), now=LEARNT, wall=NOW + SWEEP_EVERY)
    assert {known.value for known in found.all()} == {"bob", "carol", "dave"}
    assert found.forgotten == 0


def test_a_flood_of_revocations_costs_no_more_each() -> None:
    """Twice as many as are remembered are noted in a time that does not grow with their square."""
    found, started = Revocations(20_000), time.process_time()
    for number in range(40_000):
        found.add(revocation(value=str(number)), now=LEARNT, wall=NOW)
    assert len(found) == 20_000
    assert time.process_time() - started < 5.0


def parsed(token: str) -> JWS:
    """Take a token apart."""
    jws = parse_jws(token.encode())
    assert jws is not None
    return jws


def test_what_a_jwt_says_beyond_the_answer() -> None:
    """Only what a revocation may name, is well typed, and is not in the answer already."""
    jws = parsed(access_token(KEY, sid="session-1", jti="token-1", client_id=5, iat=7, other="x"))
    assert own_claims(jws, {"sub": "subject-1", "iat": 8}) == {"jti": "token-1", "sid": "session-1", "iat": 7}
    assert own_claims(jws, {"sub": "subject-1", "iat": 7, "jti": "token-1", "sid": "session-1"}) is None


@pytest.mark.parametrize("issued_at", [True, "7", REMOVED])
def test_a_date_of_another_type_is_none(issued_at: Any) -> None:
    """What is no number dates nothing."""
    claims = {"sub": "subject-1", "jti": "token-1", "client_id": "client-1"}
    assert own_claims(parsed(access_token(KEY, iat=issued_at)), claims) is None


def test_no_jwt_says_nothing_of_itself() -> None:
    """An opaque token says nothing, and neither does a JWS that holds no claims."""
    assert own_claims(None, {}) is None
    assert own_claims(replace(parsed(access_token(KEY)), payload=b"[]"), {}) is None


def test_the_earlier_date_counts() -> None:
    """Where the answer and the token differ about its date, the token is as old as either says."""
    newer = replace(verdict(ASKED, iat=NOW + 60), own=FrozenDict(iat=NOW - 60))
    assert noted(revocation()).condemns(newer)
    assert noted(revocation()).condemns(replace(newer, own=None)) is False


@pytest.mark.attack("A-J-14")
def test_an_answer_without_jti_does_not_hide_the_token() -> None:
    """The token's own ``jti`` and ``sid`` name it, where the authorization server does not repeat them."""
    for revoked in (revocation("jti", "hidden"), revocation("sid", "hidden")):
        world = World(strategy="introspect")
        world.state.revocations.add(revoked, now=2_000.0, wall=NOW)
        token = access_token(KEY, jti="hidden", sid="hidden", iat=int(NOW) - 60)
        assert world.validate(token, ("introspection", yes())) == Inactive("revoked")


@pytest.mark.attack("A-J-14", "A-C-10")
@pytest.mark.parametrize("strategy", ["introspect", "introspect_then_jwks", "jwks", "jwks_then_introspect"])
def test_the_twin_of_a_revoked_token(strategy: str) -> None:
    """Both spellings of an ECDSA signature are dead, whether a server is asked or the key vouches for it."""
    world = World(strategy=strategy)
    world.play(fetch_keys(world.state), ("jwks", key_set(KEY)))
    token = access_token(KEY)
    twin = with_signature(token, ecdsa_twin(urlsafe_b64decode(token.rpartition(".")[2] + "=="), KEY))
    world.server.revoke(token=token)
    asked = [] if strategy.startswith("jwks") else [("introspection", yes())]
    assert world.validate(twin, *asked) == Inactive("revoked")
    assert world.validate(token, *asked) == Inactive("revoked")


@pytest.mark.attack("A-C-10", "A-K-12")
@pytest.mark.parametrize("named", [{"jti": "token-1"}, {"sub": "subject-1"}, {"client_id": "client-1"}])
def test_stronger_than_the_key_set_in_an_outage(named: dict[str, str]) -> None:
    """Where nobody can be asked and the signature is right, the revocation still stands."""
    world = World()
    world.server.revoke(**named)  # type: ignore[arg-type] # each is text
    token = access_token(KEY)
    script = (("introspection", REFUSED), ("jwks", key_set(KEY)))
    assert world.validate(token, *script) == Inactive("revoked")


@pytest.mark.attack("A-C-10")
def test_stronger_than_a_stale_answer() -> None:
    """An old yes that would bridge an outage does not bridge a revocation."""
    world = World(strategy="introspect", stale_if_error=3600.0, cache_ttl=1.0)
    assert isinstance(world.validate("opaque", ("introspection", yes(iat=int(NOW)))), Active)
    world.time.advance(2)
    world.server.revoke(sub="subject-1")
    assert world.validate("opaque", ("introspection", REFUSED)) == Inactive("revoked")


def test_a_no_of_ours_is_not_kept_from_the_newer_token() -> None:
    """Another token of the same subject, issued later, is good."""
    world = World(strategy="introspect")
    world.server.revoke(sub="subject-1")
    world.time.advance(5)
    assert isinstance(world.validate("newer", ("introspection", yes(iat=int(NOW) + 5))), Active)


@pytest.mark.attack("A-C-4")
def test_stronger_than_an_answer_on_its_way() -> None:
    """The question was asked before, the answer came after: it does not know of the revocation."""
    world = World(strategy="introspect")
    asked = Presented(digest("opaque"), b"opaque")
    flow = world.server._core.find_out(asked)
    flow.send(None)
    world.time.advance(0.5)
    world.server._core.note(Revocation("sub", "subject-1", NOW, LONG))
    world.time.advance(0.5)
    with pytest.raises(StopIteration) as done:
        flow.send(yes())
    assert done.value.value == Inactive("revoked")


def test_who_listens_for_some_is_woken_by_those() -> None:
    """Who names places is woken by a revocation of one of them, once, and by no other."""
    found, woken = Revocations(), list[str]()
    end = found.listen(lambda: woken.append("mine"), ("sub", "alice"), ("sid", "session-1"))
    other = found.listen(lambda: woken.append("other"), ("sub", "alice"))
    found.add(revocation(value="bob"), now=LEARNT, wall=NOW)
    assert woken == []
    found.add(revocation(), now=LEARNT, wall=NOW)
    assert woken == ["mine", "other"]
    end()
    end()
    found.add(revocation(before=NOW + 60), now=LEARNT, wall=NOW)
    assert woken == ["mine", "other", "other"]
    other()
    assert found._listeners == {}


@pytest.mark.parametrize(("kind", "value"), [("sub", "alice"), ("sid", "session-1"), ("client_id", "app")])
def test_newer_tokens_of_each_kind(kind: RevocationKind, value: str) -> None:
    """Whoever is revoked, not one token alone, may have newer tokens, which are not meant."""
    found = noted(revocation(kind, value))
    assert not found.condemns(verdict(ASKED_LATER, iat=NOW + 1))
    assert found.condemns(verdict(ASKED_LATER, iat=NOW - 1))


def test_newer_news_shortens_nothing() -> None:
    """One that reaches further, but would be forgotten earlier, is remembered for as long as the earlier one."""
    found = noted(revocation())
    assert found.add(revocation(before=NOW + 60, until=LONG - 60), now=ASKED_LATER, wall=NOW)
    assert found.all() == [revocation(before=NOW + 60)]


def test_a_date_with_a_fraction() -> None:
    """RFC 7519 §2: a NumericDate may have a fraction, and is the token's own date none the less."""
    claims = {"sub": "subject-1", "jti": "token-1", "client_id": "client-1", "iat": NOW}
    assert own_claims(parsed(access_token(KEY, iat=NOW + 0.5)), claims) == {"iat": NOW + 0.5}


def test_when_it_is_said_that_one_is_forgotten() -> None:
    """It is said when the first is forgotten, and not again when more is known of another, or there is room."""
    told: list[int] = []
    found = Revocations(2, on_full=lambda: told.append(found.forgotten))
    for value, until in (("a", LONG), ("b", NOW + 70), ("c", LONG)):
        assert found.add(revocation(value=value, until=until), now=LEARNT, wall=NOW)
    assert told == [1]
    assert found.add(revocation(value="c", until=LONG + 1), now=LEARNT, wall=NOW)
    assert found.add(revocation(value="d"), now=LEARNT, wall=NOW + 2 * SWEEP_EVERY)
    assert (told, found.forgotten, len(found)) == ([1], 1, 2)


def test_what_ends_this_moment_is_over() -> None:
    """A revocation is let go at the moment it ends."""
    found = noted(revocation(until=NOW + SWEEP_EVERY))
    assert found.add(revocation(value="bob"), now=LEARNT, wall=NOW + SWEEP_EVERY)
    assert [known.value for known in found.all()] == ["bob"]
