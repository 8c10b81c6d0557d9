"""Many requests at once: one question per token, and everybody's own answer."""

from __future__ import annotations

import asyncio
import random
from threading import Barrier, Thread

import pytest

from resource_server import ANY_TOKEN, InvalidToken, Principal, ResourceServer
from resource_server._core import Unknown
from tests.support.jwt import access_token, signing_key
from tests.support.origin import Gate, Origin, publishes, says, says_no, says_yes
from tests.support.play import OPTIONS, Time, options
from tests.support.stage import Stage, bearer

pytestmark = pytest.mark.anyio


async def crowd(stage: Stage, token: str, size: int, gate: Gate) -> list[Principal | BaseException]:
    """Let many requests with one token come while the authorization server takes its time."""
    requests = [asyncio.ensure_future(stage.server.authenticate(bearer(token))) for _ in range(size)]
    await gate.arrived()
    await asyncio.sleep(0)
    gate.open()
    return await asyncio.gather(*requests, return_exceptions=True)


@pytest.mark.attack("A-C-12")
async def test_five_hundred_at_once_are_one_question() -> None:
    """500 requests with one token that nobody knows yet ask once, and all get the same principal."""
    gate = Gate(says_yes())
    stage = Stage(introspect=gate)
    results = await crowd(stage, "token", 500, gate)
    assert all(isinstance(result, Principal) and result.subject == "subject of token" for result in results)
    assert stage.origin.count("introspect") == 1
    assert len(stage.events) == 1


@pytest.mark.attack("A-C-12", "A-C-5")
async def test_a_failure_is_shared_once_and_not_remembered() -> None:
    """All who waited for an answer that did not come are refused, each for itself; the next one asks again."""
    gate = Gate(says(503))
    stage = Stage(introspect=gate)
    results = await crowd(stage, "token", 50, gate)
    assert all(isinstance(result, InvalidToken) and result.reason == "unavailable" for result in results)
    assert len({id(result) for result in results}) == 50
    assert stage.origin.count("introspect") == 1
    stage.origin.replies["introspect"] = says_yes()
    assert (await stage.server.authenticate(bearer("token"))).subject == "subject of token"


@pytest.mark.attack("A-C-12")
async def test_the_leaders_client_goes_away() -> None:
    """The request that caused the question is cancelled; those that came after it are answered by the same one."""
    gate = Gate(says_yes())
    stage = Stage(introspect=gate)
    leader = asyncio.ensure_future(stage.server.authenticate(bearer("token")))
    await gate.arrived()
    followers = [asyncio.ensure_future(stage.server.authenticate(bearer("token"))) for _ in range(10)]
    await asyncio.sleep(0)
    leader.cancel()
    gate.open()
    results = await asyncio.gather(leader, *followers, return_exceptions=True)
    assert isinstance(results[0], asyncio.CancelledError)
    assert [result.subject for result in results[1:] if isinstance(result, Principal)] == ["subject of token"] * 10
    assert stage.origin.count("introspect") == 1


@pytest.mark.attack("A-C-12")
async def test_everybody_goes_away() -> None:
    """When nobody waits any more the question is still finished, and its answer serves whoever comes next."""
    gate = Gate(says_yes())
    stage = Stage(introspect=gate)
    leader = asyncio.ensure_future(stage.server.authenticate(bearer("token")))
    await gate.arrived()
    leader.cancel()
    with pytest.raises(asyncio.CancelledError):
        await leader
    late = asyncio.ensure_future(stage.server.authenticate(bearer("token")))
    await asyncio.sleep(0)
    gate.open()
    assert (await late).subject == "subject of token"
    assert stage.origin.count("introspect") == 1


@pytest.mark.rfc("7662-2.2-j")
@pytest.mark.attack("A-C-1")
async def test_two_servers_share_nothing() -> None:
    """RFC 7662 §2.2: an answer may depend on who asks, so servers with other credentials share no answer."""
    origin = Origin(introspect=says_yes())
    servers = [ResourceServer(transport=origin, clock=Time().clock, **options(client_id=name)) for name in ("a", "b")]
    await asyncio.gather(*(server.authenticate(bearer("token")) for server in servers for _ in range(5)))
    assert origin.count("introspect") == 2
    assert len({request.headers["authorization"] for request in origin.requests}) == 2
    origin.replies["introspect"] = says_no()
    late = ResourceServer(transport=origin, clock=Time().clock, **OPTIONS)
    with pytest.raises(InvalidToken):
        await late.authenticate(bearer("token"))


NEAR = ["token", "Token", "token=", "token==", "tokeN", "token.", "-token", "token" * 2, "t", "toke", "token0"]


@pytest.mark.attack("A-C-1")
async def test_tokens_that_are_nearly_the_same() -> None:
    """The exact bytes of a token name it: nothing is cut off, folded or trimmed."""
    stage = Stage(introspect=says_yes())
    for _ in range(2):
        found = await asyncio.gather(*(stage.server.authenticate(bearer(token)) for token in NEAR))
        assert [principal.subject for principal in found] == [f"subject of {token}" for token in NEAR]
    assert stage.origin.count("introspect") == len(NEAR)


@pytest.mark.attack("A-C-1")
def test_a_million_pairs_of_tokens_that_are_nearly_the_same() -> None:
    """Cut, extended, or with one character changed or in the other case: none is remembered in another one's place."""
    token = "Token-0123456789.abcdefghij_ABCDEFGHIJ~" * 8
    near = {token[:end] for end in range(1, len(token) + 1)} | {token + "=" * more for more in range(1, 4)}
    for at, character in enumerate(token):
        near |= {token[:at] + other + token[at + 1 :] for other in ("x", "0", "-", character.swapcase())}
    assert len(near) * (len(near) - 1) // 2 > 10**6
    core = Stage(introspect=says_yes()).server._core
    unknown = [core.begin(bearer(spelling), ANY_TOKEN) for spelling in near]
    keys = {found.presented.key for found in unknown if isinstance(found, Unknown)}
    assert len(keys) == len(near)
    assert {len(key) for key in keys} == {32}


@pytest.mark.attack("A-C-1")
async def test_a_name_of_a_flow_is_no_token() -> None:
    """A token that is spelled like something internal is a token."""
    stage = Stage({"strategy": "introspect"}, introspect=says_yes())
    for token in ("jwks", "metadata", "start", "background"):
        assert (await stage.server.authenticate(bearer(token))).subject == f"subject of {token}"


async def interleave(server: ResourceServer, seed: int, *, tasks: int, rounds: int) -> int:
    """Authenticate at random among a thousand tokens, and count the principals that are somebody else's."""
    chance = random.Random(seed)  # noqa: S311 - the same numbers in every run

    async def work() -> int:
        wrong = 0
        for _ in range(rounds):
            token = f"token-{chance.randrange(1000)}"
            principal = await server.authenticate(bearer(token))
            wrong += principal.subject != f"subject of {token}"
        return wrong

    return sum(await asyncio.gather(*(work() for _ in range(tasks))))


@pytest.mark.attack("A-C-2", "A-F-11")
async def test_a_principal_is_always_its_own_tokens() -> None:
    """A thousand tokens, 64 tasks and a cache that is too small for them: nobody is ever taken for somebody else."""
    stage = Stage({"cache_size": 300}, introspect=says_yes())
    assert await interleave(stage.server, 1, tasks=64, rounds=80) == 0
    assert len(stage.server._core.state.cache) <= 300


@pytest.mark.attack("A-C-2", "A-C-14")
def test_also_across_threads_and_their_event_loops() -> None:
    """One server in eight threads, each with an event loop of its own: nobody is taken for somebody else either."""
    stage = Stage({"cache_size": 300}, introspect=says_yes())
    wrong: list[int] = []
    failed: list[BaseException] = []
    together = Barrier(8)

    def work(seed: int) -> None:
        together.wait()
        try:
            wrong.append(asyncio.run(interleave(stage.server, seed, tasks=8, rounds=100)))
        except BaseException as error:  # noqa: BLE001 - handed to the main thread
            failed.append(error)

    threads = [Thread(target=work, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (failed, wrong) == ([], [0] * 8)


@pytest.mark.attack("A-K-9")
@pytest.mark.parametrize("strategy", ["jwks", "jwks_then_introspect", "introspect_then_jwks"])
async def test_a_rotation_during_a_burst(strategy: str) -> None:
    """50 tokens of a key that has just been rotated in, all at once: one fetch, and not one false refusal."""
    old, *new = (signing_key("ES256", name) for name in ("old", "new", "newer"))
    stage = Stage({"strategy": strategy}, introspect=says(503), jwks=publishes(old))
    await stage.server.authenticate(bearer(access_token(old)))
    for rotation, key in enumerate(new, start=1):
        gate = Gate(publishes(old, key))
        stage.origin.replies["jwks"] = gate
        tokens = [access_token(key, jti=f"{rotation}-{number}") for number in range(50)]
        requests = [asyncio.ensure_future(stage.server.authenticate(bearer(token))) for token in tokens]
        await gate.arrived()
        for _ in range(10):
            await asyncio.sleep(0)
        gate.open()
        assert len(await asyncio.gather(*requests)) == 50
        assert stage.origin.count("jwks") == 1 + rotation


@pytest.mark.attack("A-K-9")
async def test_a_burst_of_invented_key_ids() -> None:
    """1 000 invented key ids at once cause no more than two fetches, and no other question."""
    key = signing_key("ES256", "old")
    stage = Stage({"strategy": "jwks"}, jwks=publishes(key))
    tokens = [access_token(key, head={"kid": f"kid-{number}"}) for number in range(1000)]
    results = await asyncio.gather(
        *(stage.server.authenticate(bearer(token)) for token in tokens), return_exceptions=True
    )
    assert all(isinstance(result, InvalidToken) and result.reason == "unknown_key" for result in results)
    assert 1 <= stage.origin.count("jwks") <= 2
    assert len(stage.origin.requests) == stage.origin.count("jwks")


async def test_the_keys_of_a_burst_are_fetched_once() -> None:
    """A hundred JWTs at a cold start wait for one fetch."""
    key = signing_key("ES256", "old")
    gate = Gate(publishes(key))
    stage = Stage({"strategy": "jwks"}, jwks=gate)
    requests = [
        asyncio.ensure_future(stage.server.authenticate(bearer(access_token(key, jti=str(number)))))
        for number in range(100)
    ]
    await gate.arrived()
    gate.open()
    assert len({principal.token_id for principal in await asyncio.gather(*requests)}) == 100
    assert stage.origin.count("jwks") == 1


@pytest.mark.attack("A-I-6")
async def test_a_hanging_server_holds_nobody_beyond_the_deadline() -> None:
    """Requests that join a question late wait no longer than the question itself does."""
    gate = Gate(says_yes())
    stage = Stage({"timeout": 0.05}, introspect=gate)
    loop = asyncio.get_running_loop()
    started = loop.time()
    results = await asyncio.gather(
        *(stage.server.authenticate(bearer("token")) for _ in range(20)), return_exceptions=True
    )
    assert all(isinstance(result, InvalidToken) and result.reason == "unavailable" for result in results)
    assert loop.time() - started < 1.0
    assert gate.waiting == 1


@pytest.mark.attack("A-K-2")
async def test_an_outage_of_everything_is_bridged_by_the_last_good_keys() -> None:
    """With introspection and key set both hanging, the keys that are there still verify, in the same time."""
    key = signing_key("ES256", "old")
    stage = Stage({"timeout": 0.05}, introspect=Gate(says_yes()), jwks=publishes(key))
    await stage.server.start()
    stage.origin.replies["jwks"] = Gate(publishes(key))
    stage.time.advance(600)
    principal = await stage.server.authenticate(bearer(access_token(key)))
    assert principal.assurance.value == "local"
