"""The blocking resource server: the same verdicts as in an event loop, from any thread."""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator
from functools import partial
from inspect import signature
from pathlib import Path
from threading import Barrier

import httpx
import pytest
import respx

from resource_server import (
    Assurance,
    BlockingResourceServer,
    ConfigurationError,
    InsufficientScope,
    InvalidToken,
    MissingToken,
    Principal,
    RequestParts,
    ResourceServer,
    VerificationUnavailable,
    all_of,
)
from resource_server._runtime.thread_feed import FeedThreads
from resource_server.requirements import Requirement
from tests.support.blocking import BlockingGate, BlockingOrigin, BlockingStage, interrupted, outcomes, run, until
from tests.support.jwt import REMOVED, access_token, signing_key
from tests.support.origin import publishes, says, says_no, says_yes
from tests.support.play import INTROSPECTION, OPTIONS, SECRET, Time, active_members, options
from tests.support.sockets import ok, raw_server
from tests.support.stage import bearer


@pytest.fixture
def switching() -> Iterator[None]:
    """Let threads take turns as often as can be."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(before)


def subject(outcome: object) -> str | None:
    """Return whose principal this is."""
    return outcome.subject if isinstance(outcome, Principal) else repr(outcome)


def test_a_good_token() -> None:
    """A token is introspected once, and then known."""
    stage = BlockingStage(introspect=says_yes())
    for _ in range(3):
        principal = stage.server.authenticate(bearer("token"))
        assert (principal.subject, principal.assurance) == ("subject of token", Assurance.INTROSPECTED)
    assert stage.origin.count("introspect") == 1


def test_refusals() -> None:
    """What is refused in an event loop is refused here, with the same error."""
    stage = BlockingStage(introspect=says_no())
    with pytest.raises(MissingToken):
        stage.server.authenticate(RequestParts("GET", []))
    with pytest.raises(InvalidToken) as refused:
        stage.server.authenticate(bearer("token"))
    assert refused.value.reason == "inactive"
    stage.origin.replies["introspect"] = says_yes(scope="read")
    with pytest.raises(InsufficientScope):
        stage.server.authenticate(bearer("other"), Requirement(scopes=all_of("write")))
    assert stage.server.render(refused.value).status == 401


def test_an_outage() -> None:
    """An outage is answered as configured, is not remembered, and is over when it is over."""
    stage = BlockingStage({"unavailable_status": 503}, introspect=says(503))
    with pytest.raises(VerificationUnavailable):
        stage.server.authenticate(bearer("token"))
    stage.origin.replies["introspect"] = says_yes()
    assert stage.server.authenticate(bearer("token")).subject == "subject of token"


def test_the_fallback() -> None:
    """With introspection down, the issuer's keys vouch for a JWT."""
    key = signing_key("ES256")
    stage = BlockingStage(introspect=says(503), jwks=publishes(key))
    assert stage.server.authenticate(bearer(access_token(key))).assurance is Assurance.LOCAL


def test_a_token_in_use_never_waits() -> None:
    """Shortly before its end a token in use is asked about in the background, once."""
    stage = BlockingStage({"cache_ttl": 100.0}, introspect=says_yes())
    stage.server.authenticate(bearer("token"))
    gate = BlockingGate(says_yes(scope="renewed"))
    stage.origin.replies["introspect"] = gate
    stage.time.advance(99)
    for _ in range(5):
        assert "renewed" not in stage.server.authenticate(bearer("token")).scopes
    gate.arrived()
    gate.open()
    until(lambda: "renewed" in stage.server.authenticate(bearer("token")).scopes)
    assert gate.waiting == 1


def test_start_fetches_ahead(respx_mock: respx.MockRouter) -> None:
    """Metadata and keys are there before the first request; a failure stops nothing."""
    issuer = OPTIONS["issuer"]
    metadata = {
        "issuer": issuer,
        "introspection_endpoint": INTROSPECTION,
        "jwks_uri": "https://as.example.com/jwks",
    }
    respx_mock.get(url__regex=r".*/\.well-known/.*").respond(200, json=metadata)
    respx_mock.get("https://as.example.com/jwks").respond(500)
    respx_mock.post(INTROSPECTION).respond(200, json=active_members())
    chosen = {name: value for name, value in OPTIONS.items() if name not in {"introspection_endpoint", "jwks_uri"}}
    with BlockingResourceServer(observer=lambda _: None, clock=Time().clock, **chosen) as server:
        assert server.metadata is not None
        assert server.metadata.introspection_endpoint == INTROSPECTION
        assert server.authenticate(bearer("token")).subject == "subject-1"
    assert server._lines()[0]._opened is None
    assert server.authenticate(bearer("token")).subject == "subject-1"
    server.close()


def test_a_start_in_an_outage() -> None:
    """A start in an outage ends, and the first request after it is judged; without a start too."""
    found = {"introspection_endpoint": REMOVED, "jwks_uri": REMOVED, "strategy": "introspect_then_jwks"}
    metadata = {
        "issuer": OPTIONS["issuer"],
        "introspection_endpoint": INTROSPECTION,
        "jwks_uri": "https://as.example.com/jwks",
    }
    for starts in (True, False):
        stage = BlockingStage(found)
        for place in ("oauth-authorization-server", "openid-configuration"):
            stage.origin.replies[place] = says(503)
        if starts:
            stage.server.start()
        with pytest.raises(InvalidToken):
            stage.server.authenticate(bearer("token"))
        stage.origin.replies |= {"oauth-authorization-server": says(200, metadata), "introspect": says_yes()}
        stage.time.advance(4.0)
        assert stage.server.authenticate(bearer("token")).subject == "subject of token"


def test_a_start_takes_no_longer_than_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the authorization server has left of the time is all that catching up with the other workers has."""
    patience: list[float] = []
    monkeypatch.setattr(FeedThreads, "catch_up", lambda _, within: patience.append(within))
    gate = BlockingGate(says(200))
    found = {"introspection_endpoint": REMOVED, "timeout": 0.1, "cache_url": "redis://127.0.0.1:1/0"}
    stage = BlockingStage(found, **{"oauth-authorization-server": gate})
    stage.server.start()
    assert patience == [0.0]
    gate.open()
    stage.server.close()


def test_both_servers_have_the_same_verbs() -> None:
    """Whatever one server offers the other one does, with the same arguments."""
    verbs = {name for name in dir(ResourceServer) if name[0] != "_"} - {"aclose"} | {"close"}
    assert {name for name in dir(BlockingResourceServer) if name[0] != "_"} == verbs
    for name in sorted(verbs - {"close", "from_env"}):
        here, there = getattr(BlockingResourceServer, name), getattr(ResourceServer, name)
        if callable(here):
            assert list(signature(here).parameters.values()) == list(signature(there).parameters.values()), name


def test_closing_what_was_never_opened() -> None:
    """A server that has asked nothing has nothing to close."""
    BlockingResourceServer(**OPTIONS).close()


def test_a_callers_client() -> None:
    """A client of the caller's is asked with, and stays open."""
    transport = httpx.MockTransport(lambda _: httpx.Response(200, json=active_members()))
    with httpx.Client(transport=transport) as client:
        with BlockingResourceServer(client=client, clock=Time().clock, **options(strategy="introspect")) as server:
            assert server.authenticate(bearer("token")).subject == "subject-1"
        assert not client.is_closed


def test_options() -> None:
    """The options are those of the other server, and are judged in the same way."""
    with pytest.raises(ConfigurationError, match="cache_ttl"):
        BlockingResourceServer(**options(cache_ttl=-1))
    with pytest.raises(TypeError, match="no_option"):
        BlockingResourceServer(**options(no_option=1))
    shown = repr(BlockingResourceServer(**OPTIONS))
    assert shown.startswith("BlockingResourceServer(issuer=")
    assert SECRET not in shown


def test_from_env(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The options come from the environment too."""
    monkeypatch.chdir(tmp_path)
    for name in ("issuer", "audience", "client_id", "client_secret"):
        monkeypatch.setenv(f"RESOURCE_SERVER_{name.upper()}", OPTIONS[name])
    transport = BlockingOrigin(introspect=says_yes())
    server = BlockingResourceServer.from_env(
        transport=transport, introspection_endpoint=INTROSPECTION, strategy="introspect", clock=Time().clock
    )
    assert server.authenticate(bearer("token")).subject == "subject of token"


def test_a_store(monkeypatch: pytest.MonkeyPatch) -> None:
    """With ``cache_url`` the store is asked first; one that cannot be reached costs a question and nothing else."""
    stage = BlockingStage({"cache_url": "redis://127.0.0.1:1/0", "cache_timeout": 1.0}, introspect=says_yes())
    assert stage.server.authenticate(bearer("token")).subject == "subject of token"
    assert stage.origin.count("introspect") == 1
    stage.server.close()


@pytest.mark.attack("A-C-12")
def test_many_threads_are_one_question() -> None:
    """A hundred threads with one token that nobody knows yet ask once, and all get the same principal."""
    gate = BlockingGate(says_yes())
    stage = BlockingStage(introspect=gate)
    together = Barrier(100)

    def call() -> Principal:
        together.wait()
        return stage.server.authenticate(bearer("token"))

    threads = [run(call) for _ in range(100)]
    gate.arrived()
    gate.open()
    assert {subject(found) for found in outcomes(threads)} == {"subject of token"}
    assert stage.origin.count("introspect") == 1


@pytest.mark.attack("A-C-12", "A-C-5")
def test_a_failure_is_shared_as_a_value_and_not_remembered() -> None:
    """All who waited for an answer that did not come are refused by exceptions of their own; the next one asks."""
    gate = BlockingGate(says(503))
    stage = BlockingStage(introspect=gate)
    threads = [run(lambda: stage.server.authenticate(bearer("token"))) for _ in range(30)]
    gate.arrived()
    gate.open()
    found = outcomes(threads)
    assert all(isinstance(error, InvalidToken) and error.reason == "unavailable" for error in found)
    assert len({id(error) for error in found}) == 30
    stage.origin.replies["introspect"] = says_yes()
    assert stage.server.authenticate(bearer("token")).subject == "subject of token"


@pytest.mark.attack("A-C-12")
@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_a_request_that_is_killed_takes_nobody_with_it(
    monkeypatch: pytest.MonkeyPatch, error: type[BaseException]
) -> None:
    """A host may kill the thread that asks; those that wait with it are answered, and nothing is remembered of it."""
    gate = BlockingGate(says_yes())
    stage = BlockingStage(introspect=gate)
    exchange = stage.server._lines()[0].driver()._exchange
    monkeypatch.setattr(exchange, "send", interrupted(exchange.send, error()))
    leader = run(lambda: stage.server.authenticate(bearer("token")))
    gate.arrived()
    followers = [run(lambda: stage.server.authenticate(bearer("token"))) for _ in range(10)]
    gate.open()
    assert isinstance(leader.outcome(), error)
    assert [subject(found) for found in outcomes(followers)] == ["subject of token"] * 10
    assert gate.waiting == 2


@pytest.mark.rfc("7662-2.2-j")
@pytest.mark.attack("A-C-1", "A-K-5")
def test_two_issuers_share_no_flight() -> None:
    """The same token, key id and moment at two issuers are two questions and two answers."""
    key = signing_key("ES256")
    gates = [BlockingGate(publishes(key)), BlockingGate(publishes(signing_key("ES256", "other")))]
    stages = [
        BlockingStage({"issuer": issuer, "strategy": "jwks"}, jwks=gate)
        for issuer, gate in zip((OPTIONS["issuer"], "https://other.example.com"), gates, strict=True)
    ]
    flights = {stage.server._core.state.flight("jwks") for stage in stages}
    assert len(flights) == 2
    tokens = [access_token(key), access_token(key, iss="https://other.example.com")]
    threads = [
        run(partial(stage.server.authenticate, bearer(token))) for stage, token in zip(stages, tokens, strict=True)
    ]
    for gate in gates:
        gate.arrived()
        gate.open()
    first, second = outcomes(threads)
    assert isinstance(first, Principal)
    assert isinstance(second, InvalidToken)


def test_the_keys_of_a_burst_are_fetched_once() -> None:
    """Threads with different JWTs at a cold start wait for one fetch."""
    key = signing_key("ES256")
    gate = BlockingGate(publishes(key))
    stage = BlockingStage({"strategy": "jwks"}, jwks=gate)
    threads = [
        run(partial(stage.server.authenticate, bearer(access_token(key, jti=str(number))))) for number in range(30)
    ]
    gate.arrived()
    until(lambda: len(stage.server._lines()[0].driver()._flights._flights) == 31)
    gate.open()
    assert len({found.token_id for found in outcomes(threads) if isinstance(found, Principal)}) == 30
    assert stage.origin.count("jwks") == 1


@pytest.mark.attack("A-C-2", "A-C-14", "A-F-11")
@pytest.mark.usefixtures("switching")
def test_a_principal_is_always_its_own_tokens() -> None:
    """16 threads, a thousand tokens and a cache that is too small for them: nobody is taken for somebody else."""
    stage = BlockingStage({"cache_size": 300}, introspect=says_yes())
    together = Barrier(16)

    def work(seed: int) -> int:
        chance = random.Random(seed)  # noqa: S311 - the same numbers in every run
        wrong = 0
        together.wait()
        for _ in range(150):
            token = f"token-{chance.randrange(1000)}"
            wrong += stage.server.authenticate(bearer(token)).subject != f"subject of {token}"
        return wrong

    assert outcomes([run(partial(work, seed)) for seed in range(16)]) == [0] * 16
    assert len(stage.server._core.state.cache) <= 300


@pytest.mark.attack("A-C-2", "A-C-14", "A-K-9")
@pytest.mark.usefixtures("switching")
def test_a_rotation_under_many_threads() -> None:
    """16 threads with 1 000 tokens while the keys rotate and rotate: every token is accepted as its own."""
    keys = [signing_key("ES256", str(number)) for number in range(3)]
    stage = BlockingStage({"strategy": "jwks", "cache_size": 200}, jwks=publishes(keys[0]))
    tokens = [
        [access_token(key, sub=f"{key.kid}-{number}", jti=f"{key.kid}-{number}") for number in range(333)]
        for key in keys
    ]
    together = Barrier(16)

    def work(seed: int, rotation: int) -> int:
        chance, wrong = random.Random(seed), 0  # noqa: S311 - as above
        together.wait()
        for _ in range(60):
            which, number = chance.randrange(rotation + 1), chance.randrange(333)
            principal = stage.server.authenticate(bearer(tokens[which][number]))
            wrong += principal.subject != f"{keys[which].kid}-{number}"
        return wrong

    for rotation in range(3):
        stage.origin.replies["jwks"] = publishes(*keys[: rotation + 1])
        stage.time.advance(61)
        threads = [run(partial(work, seed, rotation)) for seed in range(16)]
        assert outcomes(threads) == [0] * 16
    assert stage.origin.count("jwks") <= 6


@pytest.mark.attack("A-C-14")
def test_what_a_fork_leaves_behind() -> None:
    """A process that was forked off has no connection and no thread of the other one's, and opens its own."""
    with raw_server(ok(b'{"active": false}')) as origin:
        chosen = options(introspection_endpoint=origin.url, strategy="introspect")
        server = BlockingResourceServer(observer=lambda _: None, **chosen)
        server._start_anew()
        for number in range(2):
            with pytest.raises(InvalidToken):
                server.authenticate(bearer(f"token-{number}"))
            assert server._lines()[0]._opened is not None
            server._start_anew()
            assert server._lines()[0]._opened is None
    assert len(origin.requests) == 2


def test_what_is_abandoned_before_it_was_opened() -> None:
    """A process that forks before it has asked anything has nothing to leave behind."""
    stage = BlockingStage(introspect=says_yes())
    stage.server.authenticate(bearer("token"))
    stage.server._start_anew()
    assert stage.server.authenticate(bearer("other")).subject == "subject of other"
