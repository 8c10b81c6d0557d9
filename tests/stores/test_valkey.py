"""What the store does for its workers: one answer for all of them, one of them finding it out, nothing twice."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

import pytest

from resource_server._validation.flow import AddOnce, Recall, Recalled, Release, Remember
from resource_server.stores.scripts import MAX_VALUE_BYTES
from tests.stores.stores import KINDS, Kind, Subject, subject
from tests.support.valkey import Valkey

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("kind", KINDS)]
CLAIMED, SOMEBODY_ELSE = Recalled(claimed=True), Recalled()


async def remembered(store: Subject, name: bytes) -> bytes | None:
    """Return what the store holds."""
    found = await store.perform(Recall(name, 0.001))
    assert isinstance(found, Recalled)
    return found.value


async def test_first_claims_and_others_wait(valkey: Valkey, kind: Kind, name: bytes) -> None:
    """Where there is no value, whoever comes first is to find it out, and everybody else learns that."""
    async with subject(kind, valkey.url) as one, subject(kind, valkey.url) as two:
        assert await one.perform(Recall(name, 60.0)) == CLAIMED
        assert await two.perform(Recall(name, 60.0)) == SOMEBODY_ELSE
        assert await two.perform(Recall(name, 60.0)) == SOMEBODY_ELSE


async def test_nobody_waits_for_himself(valkey: Valkey, kind: Kind, name: bytes) -> None:
    """Who has the claim and asks again, because it was lost on the way, has it still, and anew for its whole time."""
    async with subject(kind, valkey.url) as one, subject(kind, valkey.url) as two:
        assert await one.perform(Recall(name, 1.0)) == CLAIMED
        assert await one.perform(Recall(name, 60.0)) == CLAIMED
        with valkey.client() as client:
            assert 50_000 < client.pttl(name + b":claim") <= 60_000
        assert await two.perform(Recall(name, 60.0)) == SOMEBODY_ELSE


async def test_value_is_shared_with_its_time_to_live(valkey: Valkey, kind: Kind, name: bytes) -> None:
    """A value is everybody's, with the time it has left by the store's clock."""
    async with subject(kind, valkey.url) as one, subject(kind, valkey.url) as two:
        await one.perform(Recall(name, 60.0))
        await one.perform(Remember(name, b"\x00value\r\n", 100.0))
        found = await two.perform(Recall(name, 60.0))
        assert isinstance(found, Recalled)
        assert found.value == b"\x00value\r\n"
        assert 50.0 < found.ttl <= 100.0


async def test_value_that_ends_too_soon_counts_as_absent(valkey: Valkey, kind: Kind, name: bytes) -> None:
    """Who wants to renew is not put off with what is about to end, and is to find it out."""
    async with subject(kind, valkey.url) as one, subject(kind, valkey.url) as two:
        await one.perform(Remember(name, b"old", 100.0))
        assert await two.perform(Recall(name, 60.0, min_ttl=101.0)) == CLAIMED
        await two.perform(Remember(name, b"new", 100.0))
        assert await remembered(one, name) == b"new"


async def test_remembering_ends_the_claim(valkey: Valkey, kind: Kind, name: bytes) -> None:
    """With the answer the claim is gone: when the value has gone too, somebody finds it out anew."""
    async with subject(kind, valkey.url) as one, subject(kind, valkey.url) as two:
        await one.perform(Recall(name, 60.0))
        await one.perform(Remember(name, b"value", 60.0))
        with valkey.client() as client:
            client.delete(name)
        assert await two.perform(Recall(name, 60.0)) == CLAIMED


async def test_release_gives_the_claim_to_the_next(valkey: Valkey, kind: Kind, name: bytes) -> None:
    """A worker that learnt nothing lets another one ask at once."""
    async with subject(kind, valkey.url) as one, subject(kind, valkey.url) as two:
        await one.perform(Recall(name, 60.0))
        await one.perform(Release(name))
        assert await two.perform(Recall(name, 60.0)) == CLAIMED


async def test_release_of_another_ones_claim_does_nothing(valkey: Valkey, kind: Kind, name: bytes) -> None:
    """Only whoever has the claim can give it back."""
    async with subject(kind, valkey.url) as one, subject(kind, valkey.url) as two:
        await one.perform(Recall(name, 60.0))
        await two.perform(Release(name))
        assert await two.perform(Recall(name, 60.0)) == SOMEBODY_ELSE


async def test_claim_of_a_dead_worker_ends(valkey: Valkey, kind: Kind, name: bytes) -> None:
    """A claim ends by itself after the time it was taken for."""
    async with subject(kind, valkey.url) as one:
        await one.perform(Recall(name, 60.0))
        with valkey.client() as client:
            assert 50_000 < client.pttl(name + b":claim") <= 60_000


async def test_late_answer_replaces_nothing(valkey: Valkey, kind: Kind, name: bytes) -> None:
    """Who lost the claim is late: what is there by now is newer, and stays."""
    async with subject(kind, valkey.url) as late, subject(kind, valkey.url) as quick:
        await quick.perform(Remember(name, b"newer", 60.0))
        await late.perform(Remember(name, b"older", 60.0))
        assert await remembered(quick, name) == b"newer"


async def test_replacing_answer_overrules_and_ends_the_claim(valkey: Valkey, kind: Kind, name: bytes) -> None:
    """A no takes the place of a yes, and of the yes that is still on its way."""
    async with subject(kind, valkey.url) as slow, subject(kind, valkey.url) as quick:
        await slow.perform(Recall(name, 60.0))
        await quick.perform(Remember(name, b"no", 60.0, replace=True))
        await slow.perform(Remember(name, b"yes", 60.0))
        assert await remembered(slow, name) == b"no"


@pytest.mark.attack("A-C-13")
async def test_enormous_value_is_not_fetched(valkey: Valkey, kind: Kind, name: bytes) -> None:
    """A value longer than any of ours counts as absent, and does not cross the network."""
    with valkey.client() as client:
        client.set(name, b"x" * (MAX_VALUE_BYTES + 1), ex=60)
    async with subject(kind, valkey.url) as one:
        assert await one.perform(Recall(name, 60.0)) == CLAIMED


@pytest.mark.attack("A-C-13")
async def test_value_of_another_type_is_no_answer(valkey: Valkey, kind: Kind, name: bytes) -> None:
    """Something that is no text at our place gives no answer, and no exception."""
    with valkey.client() as client:
        client.rpush(name, b"one")
        client.expire(name, 60)
    async with subject(kind, valkey.url) as one:
        assert await one.perform(Recall(name, 60.0)) is None
        assert one.status.last_cause == "refused"


async def test_value_without_an_end_counts_as_absent(valkey: Valkey, kind: Kind, name: bytes) -> None:
    """A value that never ends was not written by us."""
    with valkey.client() as client:
        client.set(name, b"for ever")
    async with subject(kind, valkey.url) as one:
        assert await one.perform(Recall(name, 60.0)) == CLAIMED


async def test_added_once(valkey: Valkey, kind: Kind, name: bytes) -> None:
    """Of all workers that add a name one is the first, and it ends after its time."""
    async with subject(kind, valkey.url) as one, subject(kind, valkey.url) as two:
        answers = [await store.perform(AddOnce(name, 60.0)) for store in (one, two, one)]
        assert answers == [True, False, False]
    with valkey.client() as client:
        assert 50_000 < client.pttl(name) <= 60_000


async def test_concurrent_claims_are_one(valkey: Valkey, kind: Kind, name: bytes) -> None:
    """However many workers ask at the same moment, one is to find it out."""
    async with AsyncExitStack() as stack:
        stores = [await stack.enter_async_context(subject(kind, valkey.url)) for _ in range(20)]
        answers = await asyncio.gather(*(store.perform(Recall(name, 60.0)) for store in stores))
        assert answers.count(CLAIMED) == 1
        assert answers.count(SOMEBODY_ELSE) == 19


async def test_each_call_is_one_round_trip(own_valkey: Valkey, kind: Kind, name: bytes) -> None:
    """A look that claims, a value and a release are one command each."""
    async with subject(kind, own_valkey.url) as one:
        await one.perform(Release(name))
        with own_valkey.client() as client:
            client.config_resetstat()
            for call in (Recall(name, 60.0), Remember(name, b"value", 60.0), Recall(name, 60.0), AddOnce(name, 1.0)):
                await one.perform(call)
            commands = client.info("commandstats")
            assert commands["cmdstat_eval"]["calls"] == 4
            asked = {kind for kind in commands if kind.startswith("cmdstat_") and "|" not in kind}
            by_scripts = {"cmdstat_pttl", "cmdstat_set", "cmdstat_get", "cmdstat_del", "cmdstat_strlen"}
            assert asked - by_scripts <= {"cmdstat_eval", "cmdstat_info"}


async def test_unix_socket(valkey: Valkey, kind: Kind, name: bytes) -> None:
    """A store on this machine is reached by its socket."""
    async with subject(kind, f"unix://{valkey.socket}?db=1") as one:
        assert await one.perform(AddOnce(name, 60.0)) is True
    with valkey.client() as client:
        client.select(1)
        assert client.exists(name)


async def test_used_again_after_it_was_closed(valkey: Valkey, kind: Kind, name: bytes) -> None:
    """A closed store opens new connections when it is used again."""
    async with subject(kind, valkey.url) as one:
        await one.close()
        assert await one.perform(AddOnce(name, 60.0)) is True
        await one.close()
        await one.close()


async def test_calls_that_go_together_fail_alone(valkey: Valkey, kind: Kind, name: bytes) -> None:
    """Of many calls at one moment each has its own answer, and one that fails takes no other along."""
    names = [name + b"%d" % number for number in range(40)]
    with valkey.client() as client:
        client.rpush(names[20], b"no text")
        client.expire(names[20], 60)
    async with subject(kind, valkey.url) as one:
        answers = await asyncio.gather(*(one.perform(Recall(each, 60.0)) for each in names))
        assert answers == [None if each == names[20] else CLAIMED for each in names]
        values = [one.perform(Remember(each, b"value of " + each, 60.0)) for each in names]
        assert await asyncio.gather(*values) == [None] * 40
        assert await remembered(one, names[39]) == b"value of " + names[39]
