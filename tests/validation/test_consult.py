"""The second level: one question for all workers, and no answer that the authorization server has not given lately."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any, cast

import pytest

from resource_server import Assurance
from resource_server._protocol.messages import HTTPRequest
from resource_server._protocol.revocation import Revocation
from resource_server._validation.consult import CLAIM, CLOCK_SKEW, MAX_WAIT, greet
from resource_server._validation.flow import Recall, Release, Remember, Sleep, StoreCall
from resource_server._validation.validate import Presented, validate
from resource_server._validation.verdict import Active, Inactive, Unavailable, Verdict
from tests.support.jwt import AUDIENCE, NOW, REMOVED, access_token
from tests.support.play import REFUSED, TIMEOUT, answer, digest, no, unsupported, yes
from tests.support.shelf import Shelf, Worker

TOKEN = "canary-token"
YES, NO = ("introspection", yes()), ("introspection", no())


@pytest.fixture
def shelf() -> Shelf:
    """What two workers share."""
    return Shelf()


@pytest.fixture
def one(shelf: Shelf) -> Worker:
    """The one that asks first."""
    return Worker(shelf)


@pytest.fixture
def two(shelf: Shelf) -> Worker:
    """The one that comes after it."""
    return Worker(shelf)


def subject(verdict: Verdict) -> str | None:
    """Return whose token it is."""
    assert isinstance(verdict, Active)
    return verdict.principal.subject


def kinds(shelf: Shelf) -> list[type]:
    """Return what the store was asked, in order."""
    return [type(call) for call in shelf.calls]


def test_yes_is_asked_for_once(one: Worker, two: Worker) -> None:
    """What one worker was told, the other need not ask; it is the authorization server's own word for both."""
    first = one.validate(TOKEN, ("introspection", yes(nested={"list": [1, {"a": None}]}, text="\u00fc")))
    second = two.validate(TOKEN)
    assert isinstance(first, Active)
    assert isinstance(second, Active)
    assert second.principal == first.principal
    assert second.principal.assurance is Assurance.INTROSPECTED
    assert second.name == first.name


def test_no_is_asked_for_once(one: Worker, two: Worker) -> None:
    """So is a no."""
    one.validate(TOKEN, NO)
    assert two.validate(TOKEN) == Inactive("inactive")


def test_tokens_do_not_meet(one: Worker, two: Worker) -> None:
    """What is known about a token is known about that token only."""
    one.validate(TOKEN, ("introspection", yes(sub="first")))
    assert subject(two.validate(TOKEN + "2", ("introspection", yes(sub="second")))) == "second"
    assert subject(one.validate(TOKEN + "2")) == "second"
    assert subject(two.validate(TOKEN)) == "first"


def test_servers_with_another_secret_share_nothing(shelf: Shelf, one: Worker) -> None:
    """A server that does not have the secret asks for itself."""
    one.validate(TOKEN, YES)
    assert Worker(shelf, cache_secret="another secret of 32 bytes or more").validate(TOKEN, NO) == Inactive("inactive")


@pytest.mark.parametrize("shared", [REFUSED, TIMEOUT, answer({"error": "invalid_client"}, status=401)])
def test_outage_and_fault_are_not_shared(shelf: Shelf, one: Worker, two: Worker, shared: Any) -> None:
    """No answer is nothing to tell: the claim is given back, and the next worker asks."""
    assert isinstance(one.validate(TOKEN, ("introspection", shared)), Unavailable)
    assert kinds(shelf) == [Recall, Release]
    assert subject(two.validate(TOKEN, YES)) == "subject-1"


@pytest.mark.parametrize(
    "refused", [{"exp": int(NOW) - 1}, {"aud": "https://other.example.com"}, {"exp": "tomorrow"}], ids=str
)
def test_what_we_refuse_ourselves_is_not_shared(shelf: Shelf, one: Worker, refused: dict[str, Any]) -> None:
    """A yes that is none for us is judged by each worker for itself."""
    assert isinstance(one.validate(TOKEN, ("introspection", yes(**refused))), Inactive)
    assert kinds(shelf) == [Recall, Release]


def test_unsupported_token_type_is_not_shared(shelf: Shelf) -> None:
    """That the server wants its JWTs verified locally is no verdict."""
    verdict = Worker(shelf).validate(access_token(), ("introspection", unsupported()))
    assert isinstance(verdict, Unavailable)
    assert kinds(shelf) == [Recall, Release]


@pytest.mark.parametrize("option", ["cache_ttl", "negative_cache_ttl"])
def test_nothing_is_shared_for_no_time(shelf: Shelf, option: str) -> None:
    """Where answers are not kept here, they are not kept there."""
    Worker(shelf, **{option: 0.0}).validate(TOKEN, YES if option == "cache_ttl" else NO)
    assert kinds(shelf) == [Recall, Release]


def test_answer_ends_after_its_time(shelf: Shelf, one: Worker, two: Worker) -> None:
    """A shared answer is as old as its question, and ends when the first worker's own does."""
    one.validate(TOKEN, YES)
    shelf.advance(45.0)
    found = two.validate(TOKEN)
    assert isinstance(found, Active)
    assert found.max_ttl == pytest.approx(15.0)
    assert found.asked_at == pytest.approx(two.time.monotonic - 45.0 - CLOCK_SKEW)
    shelf.advance(15.0)
    assert two.validate(TOKEN, NO) == Inactive("inactive")


def test_no_ends_after_its_own_time(shelf: Shelf, one: Worker, two: Worker) -> None:
    """A shared no lasts as long as one's own."""
    one.validate(TOKEN, NO)
    shelf.advance(10.0)
    assert subject(two.validate(TOKEN, YES)) == "subject-1"


def test_answer_ends_with_the_token(shelf: Shelf, one: Worker, two: Worker) -> None:
    """A token that ends sooner takes its answer along."""
    one.validate(TOKEN, ("introspection", yes(exp=int(NOW) + 5)))
    [(_, end)] = shelf.values.values()
    assert end == pytest.approx(one.time.monotonic + 5)
    two.time.wall += 6.0
    assert two.validate(TOKEN) == Inactive("expired")


def test_answer_without_an_end(one: Worker, two: Worker) -> None:
    """A token without ``exp`` is asked about again after the usual time."""
    one.validate(TOKEN, ("introspection", yes(exp=REMOVED)))
    found = two.validate(TOKEN)
    assert isinstance(found, Active)
    assert found.max_ttl == pytest.approx(60.0)


@pytest.mark.attack("A-C-13", "A-C-8")
@pytest.mark.parametrize(("first", "ttl"), [(YES, 60.0), (NO, 10.0)], ids=["yes", "no"])
def test_store_cannot_make_an_answer_younger(
    shelf: Shelf, one: Worker, two: Worker, first: tuple[str, Any], ttl: float
) -> None:
    """Whoever writes to the store can lengthen a value's life or put an old one back, and it is as old as it is."""
    one.validate(TOKEN, first)
    [(name, (value, _))] = shelf.values.items()
    shelf.advance(ttl)
    shelf.values[name] = (value, shelf.times[0].monotonic + 1e6)
    assert subject(two.validate(TOKEN, ("introspection", yes(sub="asked")))) == "asked"


@pytest.mark.attack("A-C-10")
def test_a_shared_yes_does_not_bring_back_what_was_inactive(one: Worker, two: Worker, shelf: Shelf) -> None:
    """A worker that was told no, and could not tell the others, does not believe their earlier yes: it asks again."""
    token = access_token()
    told = {"sub": REMOVED, "jti": REMOVED}
    shelf.is_up = False
    assert two.validate(token, ("introspection", no())) == Inactive("inactive")
    shelf.is_up = True
    one.validate(token, ("introspection", yes(**told)))
    assert two.validate(token, ("introspection", no())) == Inactive("inactive")
    assert one.validate(token) == Inactive("inactive")


@pytest.mark.attack("A-C-13")
def test_answer_from_the_future_is_none(shelf: Shelf, one: Worker, two: Worker) -> None:
    """A worker whose clock is wrong makes no answer that lasts longer: a small difference is borne, a great one not."""
    one.time.wall += CLOCK_SKEW
    one.validate(TOKEN, YES)
    assert subject(two.validate(TOKEN)) == "subject-1"
    one.time.wall += 1.0
    one.validate(TOKEN + "2", YES)
    assert two.validate(TOKEN + "2", NO) == Inactive("inactive")


Tamper = Callable[[Shelf, Worker], None]


def replaced_by(make: Callable[[bytes], bytes]) -> Tamper:
    """Change every value in the store."""

    def tamper(shelf: Shelf, _worker: Worker) -> None:
        shelf.values = {name: (make(value), end) for name, (value, end) in shelf.values.items()}

    return tamper


def moved_from_another_token(shelf: Shelf, worker: Worker) -> None:
    """Put the yes about one token where the answer about another is."""
    worker.validate("good", YES)
    shelf.values[worker.name(TOKEN)] = shelf.values.pop(worker.name("good"))


def taken_from_another_issuer(shelf: Shelf, _worker: Worker) -> None:
    """Put another issuer's yes about the token where this one's answer is."""
    other_shelf = Shelf()
    other = Worker(other_shelf, issuer="https://other.example.com")
    other.validate(TOKEN, YES)
    [taken] = other_shelf.values.values()
    shelf.values = dict.fromkeys(shelf.values, taken)


TAMPERING: dict[str, Tamper] = {
    "a changed bit": replaced_by(lambda value: value[:-1] + bytes([value[-1] ^ 1])),
    "cut off": replaced_by(lambda value: value[:-1]),
    "nothing": replaced_by(lambda _value: b""),
    "another format": replaced_by(lambda value: b"\x02" + value[1:]),
    "plain JSON": replaced_by(lambda _value: json.dumps({"answered_at": NOW, "claims": {"sub": "admin"}}).encode()),
    "a pickle": replaced_by(lambda _value: b"\x80\x04cos\nsystem\n(S'true'\ntR."),
    "moved from another token": moved_from_another_token,
    "taken from another issuer": taken_from_another_issuer,
}


@pytest.mark.attack("A-C-13")
@pytest.mark.parametrize("tampering", TAMPERING)
def test_tampered_value_is_a_miss(shelf: Shelf, one: Worker, two: Worker, tampering: str) -> None:
    """Whatever somebody writes to the store: no yes comes of it, and the next answer takes its place."""
    one.validate(TOKEN, YES)
    TAMPERING[tampering](shelf, one)
    assert subject(two.validate(TOKEN, ("introspection", yes(sub="asked")))) == "asked"
    assert subject(one.validate(TOKEN)) == "asked"


@pytest.mark.attack("A-C-13")
def test_no_cannot_be_made_a_yes(shelf: Shelf, one: Worker, two: Worker) -> None:
    """Somebody who keeps an old yes and puts it back after the no is found out when it is past its time."""
    one.validate(TOKEN, YES)
    old = dict(shelf.values)
    shelf.advance(60.0)
    one.validate(TOKEN, NO)
    shelf.values = {name: (value, shelf.times[0].monotonic + 60.0) for name, (value, _) in old.items()}
    assert two.validate(TOKEN, NO) == Inactive("inactive")


def test_waits_for_the_worker_that_asks(shelf: Shelf, one: Worker, two: Worker) -> None:
    """While one worker asks, the other waits a little, a little longer, and finds the answer."""
    shelf.perform(Recall(one.name(TOKEN), CLAIM), one)
    two.meanwhile = [lambda: None, lambda: None, lambda: None, lambda: told(shelf, one)]
    assert subject(two.validate(TOKEN)) == "subject-1"
    assert two.naps == [0.01, 0.02, 0.04, 0.05]


def told(shelf: Shelf, worker: Worker) -> None:
    """Let the worker that has the claim come to its answer."""
    shelf.claims.clear()
    worker.validate(TOKEN, YES)


def test_worker_that_learns_nothing_lets_the_next_ask(shelf: Shelf, one: Worker, two: Worker) -> None:
    """A leader that was not answered releases, and whoever looks next asks."""
    shelf.perform(Recall(one.name(TOKEN), CLAIM), one)
    two.meanwhile = [lambda: shelf.perform(Release(one.name(TOKEN)), one)]
    assert subject(two.validate(TOKEN, YES)) == "subject-1"
    assert two.naps == [0.01]


def test_dead_worker_costs_a_bounded_wait(shelf: Shelf, one: Worker, two: Worker) -> None:
    """Nobody waits longer than the bound for a worker that does not come back, whatever the claim says."""
    shelf.perform(Recall(one.name(TOKEN), 3600.0), one)
    assert subject(two.validate(TOKEN, YES)) == "subject-1"
    assert MAX_WAIT <= sum(two.naps) <= MAX_WAIT + 0.05


def test_dead_worker_leaves_time_to_ask(shelf: Shelf, one: Worker) -> None:
    """Where there is little time, no more than half of it is spent on a claim whose worker may be dead."""
    hasty = Worker(shelf, timeout=0.4)
    shelf.perform(Recall(one.name(TOKEN), 3600.0), one)
    assert subject(hasty.validate(TOKEN, YES)) == "subject-1"
    assert 0.2 <= sum(hasty.naps) <= 0.25


def test_slow_store_does_not_lengthen_the_wait(shelf: Shelf, one: Worker, two: Worker) -> None:
    """The bound is in time that passes, and not only in naps."""
    shelf.perform(Recall(one.name(TOKEN), 3600.0), one)
    two.meanwhile = [lambda: shelf.advance(MAX_WAIT)]
    assert subject(two.validate(TOKEN, YES)) == "subject-1"
    assert two.naps == [0.01]


def test_no_time_left_to_wait(shelf: Shelf, one: Worker, two: Worker) -> None:
    """Where the deadline comes first, nobody waits: the authorization server is asked."""
    shelf.perform(Recall(one.name(TOKEN), CLAIM), one)
    flow = validate(two.state, Presented(digest(TOKEN), TOKEN.encode()))
    nap = flow.send(shelf.perform(cast("StoreCall", flow.send(None)), two))
    assert nap == Sleep(0.01)
    there_was_time = False
    request = flow.send(there_was_time)
    assert isinstance(request, HTTPRequest)
    assert request.endpoint == "introspection"
    flow.close()


def test_store_that_dies_while_one_waits(shelf: Shelf, one: Worker, two: Worker) -> None:
    """A store that says nothing any more is looked at once more, and waited for no longer."""
    shelf.perform(Recall(one.name(TOKEN), CLAIM), one)
    two.meanwhile = [lambda: setattr(shelf, "is_up", False)]
    assert subject(two.validate(TOKEN, YES)) == "subject-1"
    assert two.naps == [0.01, 0.02]


def test_one_look_without_an_answer(shelf: Shelf, one: Worker, two: Worker) -> None:
    """While another worker asks, a store that is silent for once is looked at again."""

    def falls_silent() -> None:
        shelf.is_up = False

    def speaks() -> None:
        shelf.is_up = True
        told(shelf, one)

    shelf.perform(Recall(one.name(TOKEN), CLAIM), one)
    two.meanwhile = [falls_silent, speaks]
    assert subject(two.validate(TOKEN)) == "subject-1"
    assert two.naps == [0.01, 0.02]


def test_store_that_is_down(shelf: Shelf, one: Worker, two: Worker) -> None:
    """Without a store every worker asks for itself."""
    shelf.is_up = False
    assert subject(one.validate(TOKEN, YES)) == "subject-1"
    assert two.validate(TOKEN, NO) == Inactive("inactive")


def test_late_yes_does_not_overrule_a_no(shelf: Shelf, one: Worker, two: Worker) -> None:
    """A worker that was given its yes before another one was given a no tells nobody of it."""
    flow = validate(one.state, Presented(digest(TOKEN), TOKEN.encode()))
    flow.send(shelf.perform(cast("StoreCall", flow.send(None)), one))
    shelf.advance(CLAIM)
    two.validate(TOKEN, NO)
    remember: Any = flow.send(yes())
    assert isinstance(remember, Remember)
    shelf.perform(remember, one)
    assert two.validate(TOKEN) == Inactive("inactive")


def test_no_overrules_a_yes_that_is_shared(shelf: Shelf, one: Worker, two: Worker) -> None:
    """A worker that renews its answer and is told no ends the yes for everybody."""
    one.validate(TOKEN, YES)
    shelf.advance(31.0)
    one.play(validate(one.state, Presented(digest(TOKEN), TOKEN.encode(), ahead=True)), NO)
    assert two.validate(TOKEN) == Inactive("inactive")


def test_renewal_wants_a_younger_answer(shelf: Shelf, one: Worker, two: Worker) -> None:
    """To renew an answer another one of the same age is of no use; one that another worker has just got is."""
    ahead = Presented(digest(TOKEN), TOKEN.encode(), ahead=True)
    one.validate(TOKEN, YES)
    shelf.advance(31.0)
    assert subject(two.play(validate(two.state, ahead), ("introspection", yes(sub="newer")))) == "newer"
    assert subject(one.play(validate(one.state, ahead))) == "newer"


def test_answer_is_as_old_as_its_question(shelf: Shelf, one: Worker, two: Worker) -> None:
    """What was revoked while the answer was on its way is not good for anybody, wherever the answer lies."""
    flow = validate(one.state, Presented(digest(TOKEN), TOKEN.encode()))
    flow.send(shelf.perform(cast("StoreCall", flow.send(None)), one))
    shelf.advance(0.2)
    revocation = Revocation("sub", "subject-1", before=two.time.wall, until=two.time.wall + 3600)
    two.state.revocations.add(revocation, now=two.time.monotonic, wall=two.time.wall)
    shelf.advance(0.2)
    remember: Any = flow.send(yes())
    shelf.perform(remember, one)
    assert two.validate(TOKEN, NO) == Inactive("inactive")


@pytest.mark.parametrize("ahead", [0.5, CLOCK_SKEW - 0.1])
def test_a_clock_ahead_makes_no_answer_younger_than_a_revocation(
    shelf: Shelf, one: Worker, two: Worker, ahead: float
) -> None:
    """An answer from before a revocation is not taken for a later one because its worker's clock is ahead."""
    one.time.wall += ahead
    one.validate(TOKEN, YES)
    shelf.advance(0.1)
    revocation = Revocation("sub", "subject-1", before=two.time.wall, until=two.time.wall + 3600)
    two.state.revocations.add(revocation, now=two.time.monotonic, wall=two.time.wall)
    shelf.advance(0.1)
    assert two.validate(TOKEN, NO) == Inactive("inactive")


def test_answer_older_than_a_revocation_is_replaced(one: Worker, two: Worker, shelf: Shelf) -> None:
    """A shared yes that a revocation outdates is a question, and the answer to it is for everybody."""
    one.validate(TOKEN, YES)
    shelf.advance(1.0)
    for worker in (one, two):
        revocation = Revocation("sub", "subject-1", before=worker.time.wall, until=worker.time.wall + 3600)
        worker.state.revocations.add(revocation, now=worker.time.monotonic, wall=worker.time.wall)
    shelf.advance(CLOCK_SKEW + 0.1)
    assert subject(two.validate(TOKEN, YES)) == "subject-1"
    assert subject(one.validate(TOKEN)) == "subject-1"


def test_each_worker_judges_for_itself(shelf: Shelf, one: Worker) -> None:
    """What is shared are the claims: a worker that demands more of them refuses."""
    one.validate(TOKEN, ("introspection", yes(aud=[AUDIENCE, "https://other.example.com"])))
    picky = Worker(shelf, scope_claims=("permissions",))
    found = picky.validate(TOKEN)
    assert isinstance(found, Active)
    assert found.principal.scopes == frozenset()
    strict = Worker(shelf)
    rules = replace(strict.state.policy.introspection_rules, audience=frozenset({"https://third.example.com"}))
    strict.state.policy = replace(strict.state.policy, introspection_rules=rules)
    assert strict.validate(TOKEN) == Inactive("wrong_audience")


@pytest.mark.attack("A-C-13", "A-S-1")
def test_store_reveals_nothing(shelf: Shelf, one: Worker) -> None:
    """Whoever reads the store learns no token, no subject, no client, no issuer, no secret, and not how it ended."""
    one.validate(TOKEN, ("introspection", yes(sub="canary-subject", client_id="canary-client")))
    one.validate("canary-other", NO)
    shown = b"".join(name + value for name, (value, _) in shelf.values.items())
    for canary in (b"canary", b"example.com", b"inactive", b"answered_at", b"claims"):
        assert canary not in shown
    assert not any("canary" in repr(call) for call in shelf.calls)


def test_greeting_changes_nothing(shelf: Shelf, one: Worker) -> None:
    """The first word to the store is one that changes nothing."""
    vault = one.state.vault
    assert vault is not None
    one.play(greet(vault))
    assert kinds(shelf) == [Release]
    assert (shelf.values, shelf.claims) == ({}, {})


def test_a_claim_is_given_back_by_its_name(shelf: Shelf, one: Worker) -> None:
    """What is kept, and what is given back, is the place of that token."""
    one.validate(TOKEN, ("introspection", REFUSED))
    assert [call.name for call in shelf.calls] == [one.name(TOKEN)] * 2
    one.validate(TOKEN, YES)
    assert list(shelf.values) == [one.name(TOKEN)]


def test_greeting_has_a_place_of_its_own(shelf: Shelf, one: Worker) -> None:
    """The greeting gives back a claim that nobody has."""
    vault = one.state.vault
    assert vault is not None
    one.play(greet(vault))
    assert shelf.calls == [Release(vault.name("greeting", ""))]


def test_late_no_overrules_a_yes(shelf: Shelf, one: Worker, two: Worker) -> None:
    """A worker that is told no after another one was told yes ends that for everybody."""
    flow = validate(one.state, Presented(digest(TOKEN), TOKEN.encode()))
    flow.send(shelf.perform(cast("StoreCall", flow.send(None)), one))
    shelf.advance(CLAIM)
    two.validate(TOKEN, YES)
    remember: Any = flow.send(no())
    shelf.perform(remember, one)
    assert two.validate(TOKEN) == Inactive("inactive")


def test_answer_is_good_to_its_last_moment(shelf: Shelf, one: Worker, two: Worker) -> None:
    """An answer that has half a second left is an answer."""
    one.validate(TOKEN, YES)
    shelf.advance(59.5)
    assert subject(two.validate(TOKEN)) == "subject-1"


def test_no_nap_without_a_store(shelf: Shelf, one: Worker) -> None:
    """Where the store says nothing at the first look, nobody waits for it."""
    shelf.is_up = False
    one.validate(TOKEN, YES)
    assert one.naps == []


@pytest.mark.parametrize(("option", "reply"), [("cache_ttl", YES), ("negative_cache_ttl", NO)], ids=["yes", "no"])
def test_a_second_is_worth_sharing(shelf: Shelf, option: str, reply: tuple[str, Any]) -> None:
    """However short the time is that an answer is kept for, the others are told."""
    Worker(shelf, **{option: 1.0}).validate(TOKEN, reply)
    assert kinds(shelf) == [Recall, Remember]


def test_answer_older_than_the_revocation_of_its_token(shelf: Shelf, one: Worker, two: Worker) -> None:
    """A shared yes about a token that is revoked by its text is no answer: the question is asked."""
    one.validate(TOKEN, YES)
    shelf.advance(1.0)
    revocation = Revocation("token", digest(TOKEN).hex(), before=two.time.wall, until=two.time.wall + 3600)
    two.state.revocations.add(revocation, now=two.time.monotonic, wall=two.time.wall)
    shelf.advance(CLOCK_SKEW + 1.0)
    two.validate(TOKEN, YES)
    assert [request.endpoint for request in two.requests] == ["introspection"]
