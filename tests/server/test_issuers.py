"""Several authorization servers behind one resource server: each token is one issuer's business."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

import pytest
from fastapi import FastAPI

from mock_as import MockAS
from resource_server import (
    AuthorizationServer,
    Clock,
    ConfigurationError,
    InvalidRequest,
    MissingToken,
    Principal,
    RequestParts,
    ResourceServer,
    SecurityEventRefused,
    VerificationUnavailable,
)
from resource_server._issuers import Issuers
from resource_server._protocol.bearer import Credential
from resource_server._protocol.routing import Mark, find_issuer
from resource_server._reload import Change
from resource_server.errors import EventRefusal
from resource_server.events import RequestRefused, SecurityEventReceived, TokenValidated
from resource_server.fastapi import install, require
from resource_server.requirements import ANY_TOKEN
from resource_server.testing import principal_override
from tests.support.asgi import call
from tests.support.headers import bearer_params
from tests.support.jwt import NOW, REMOVED, signing_key
from tests.support.notices import logout_token
from tests.support.origin import Gate, publishes, says, says_yes
from tests.support.play import active_members
from tests.support.stage import bearer
from tests.support.two import ONE, OTHER, SHARED, Two, issued, unit

pytestmark = pytest.mark.anyio

KEY, OTHER_KEY = signing_key("ES256"), signing_key("ES256", "other")


async def test_each_token_goes_to_its_issuer() -> None:
    """A JWT is judged by the issuer that it names, an opaque token by the one that takes such."""
    two = Two()
    two.one.replies["introspect"] = says_yes(iss=ONE)
    two.other.replies["introspect"] = says_yes(iss=OTHER, sub="subject-1")
    two.other.replies["jwks"] = publishes(KEY)
    assert (await two.ask("opaque")).issuer == ONE
    assert (await two.ask(issued(OTHER, KEY))).issuer == OTHER
    assert (two.one.count("introspect"), two.other.count("introspect")) == (1, 1)
    told = [event.issuer for event in two.events if isinstance(event, TokenValidated)]
    assert told == [ONE, OTHER]


async def test_known_again_without_a_question() -> None:
    """Each issuer's cache answers for its own tokens."""
    two = Two()
    two.one.replies["introspect"] = says_yes()
    for _ in range(3):
        assert (await two.ask("opaque")).subject == "subject of opaque"
    assert two.one.count("introspect") == 1


@pytest.mark.attack("A-K-5")
@pytest.mark.parametrize("issuer", ["https://attacker.example.com", f"{ONE}/", "http://one.example.com", "", [ONE], 1])
async def test_an_issuer_that_is_not_listed(issuer: Any) -> None:
    """It is refused before anything is looked up or asked for, and its name is told to nobody."""
    two = Two()
    assert await two.refusal(issued(issuer, KEY)) == "wrong_issuer"
    assert (two.one.requests, two.other.requests) == ([], [])
    [event] = two.events
    assert isinstance(event, RequestRefused)
    assert (event.issuer, event.reason, event.error) == ("", "wrong_issuer", "invalid_token")
    assert "attacker" not in repr(event)


async def test_what_nobody_takes() -> None:
    """An opaque token where all tokens are JWTs has no issuer."""
    two = Two({"token_format": "jwt"})
    assert await two.refusal("opaque") == "wrong_issuer"
    assert (two.one.requests, two.other.requests) == ([], [])


async def test_prefixes() -> None:
    """Where both take opaque tokens, they are told by their prefixes."""
    two = Two({"token_prefix": "one_"}, {"token_prefix": "two_", "token_format": "any"})
    two.one.replies["introspect"] = two.other.replies["introspect"] = says_yes()
    assert (await two.ask("two_1")).subject == "subject of two_1"
    assert (two.one.count("introspect"), two.other.count("introspect")) == (0, 1)
    assert await two.refusal("three_1") == "wrong_issuer"


@pytest.mark.rfc("8725-3.8-a")
@pytest.mark.attack("A-J-6", "A-K-5")
async def test_the_same_kid_at_two_issuers() -> None:
    """A key counts for the issuer that publishes it: a token that names one and is signed by the other is refused."""
    twin = signing_key("ES256", "twin")
    published = {"kid": "the-same"}
    two = Two(strategy="jwks")
    two.one.replies["jwks"] = says(200, {"keys": [KEY.jwk(**published)]})
    two.other.replies["jwks"] = says(200, {"keys": [twin.jwk(**published)]})
    assert (await two.ask(issued(ONE, KEY, head=published))).issuer == ONE
    assert (await two.ask(issued(OTHER, twin, head=published))).issuer == OTHER
    assert await two.refusal(issued(ONE, twin, head=published)) == "bad_signature"
    assert await two.refusal(issued(OTHER, KEY, head=published)) == "bad_signature"


@pytest.mark.rfc("8725-3.1-b")
async def test_the_algorithms_are_each_issuers_own() -> None:
    """What one of them may sign with does not let the other do so."""
    rsa = signing_key("RS256")
    two = Two({"algorithms": ["ES256"]}, {"algorithms": ["ES256", "RS256"]}, strategy="jwks")
    two.one.replies["jwks"] = two.other.replies["jwks"] = publishes(KEY, rsa)
    assert (await two.ask(issued(OTHER, rsa))).issuer == OTHER
    assert await two.refusal(issued(ONE, rsa)) == "algorithm_not_allowed"


@pytest.mark.rfc("7662-2.2-j")
@pytest.mark.attack("A-K-5")
async def test_nothing_is_looked_up_at_the_other() -> None:
    """The same token under both is two entries: what one has said is never the answer of the other."""
    two = Two()
    one, other = two.server._cores()
    two.one.replies["introspect"] = says_yes()
    await two.ask("opaque")
    assert one.digest(b"opaque") != other.digest(b"opaque")
    assert (len(one.state.cache), len(other.state.cache)) == (1, 0)
    assert one.state.flight("jwks") != other.state.flight("jwks")


@pytest.mark.rfc("7662-2.2-j")
def test_nothing_is_shared_in_the_store() -> None:
    """With one secret for all, names and values in the store are each issuer's own."""
    two = Two(cache_url="redis://127.0.0.1:1", cache_secret="canary-" * 8)
    one, other = (core.state.vault for core in two.server._cores())
    assert one is not None
    assert other is not None
    assert one.name("token", "1") != other.name("token", "1")
    name = one.name("token", "1")
    assert other.open(one.seal({"a": 1}, name=name, token=b"t"), name=name, token=b"t") is None


async def test_an_answer_of_another_issuer() -> None:
    """An issuer that answers in the name of another one is not believed."""
    two = Two()
    two.one.replies["introspect"] = says_yes(iss=OTHER)
    assert await two.refusal("opaque") == "wrong_issuer"


@pytest.mark.attack("A-K-7")
async def test_metadata_of_the_other() -> None:
    """Metadata that name another issuer are not used, and no key behind them is fetched."""
    two = Two({"introspection_endpoint": REMOVED, "jwks_uri": REMOVED})
    document = {"issuer": OTHER, "introspection_endpoint": f"{OTHER}/introspect", "jwks_uri": f"{OTHER}/jwks"}
    two.one.replies["oauth-authorization-server"] = says(200, document)
    two.other.replies.update(introspect=says_yes(), jwks=publishes(OTHER_KEY))
    assert await two.refusal(issued(ONE, OTHER_KEY)) == "unavailable"
    assert two.other.requests == []


@pytest.mark.attack("A-K-7")
async def test_keys_of_the_other() -> None:
    """An issuer that points to the keys of another can have its own tokens signed with them, and nobody else's."""
    two = Two({"jwks_uri": f"{OTHER}/jwks"}, strategy="jwks")
    two.one.replies["jwks"] = publishes(KEY)
    two.other.replies["jwks"] = publishes(OTHER_KEY)
    assert (await two.ask(issued(ONE, OTHER_KEY))).issuer == ONE
    assert await two.refusal(issued(OTHER, KEY)) == "unknown_key"


async def test_a_slow_issuer_slows_nobody_else() -> None:
    """While one of them does not answer, and all places for its questions are taken, the other answers at once."""
    two = Two(max_concurrent_calls=1)
    gate = Gate(says_yes(sub="anna"))
    two.one.replies["introspect"] = gate
    two.other.replies.update(introspect=says_yes(sub="subject-1"), jwks=publishes(KEY))
    waiting = [asyncio.ensure_future(two.ask(f"opaque-{n}")) for n in range(3)]
    await gate.arrived()
    assert (await two.ask(issued(OTHER, KEY))).issuer == OTHER
    assert not any(task.done() for task in waiting)
    gate.open()
    assert {principal.issuer for principal in await asyncio.gather(*waiting)} == {ONE}
    await two.server.aclose()


async def test_tenants_of_the_mock(mock_as: MockAS) -> None:
    """End to end: two issuers at one address, of which one hangs while the other is asked for its metadata and keys."""
    first, second = mock_as.tenant("first"), mock_as.tenant("second")
    server = ResourceServer(
        authorization_servers=[
            AuthorizationServer(issuer=first.issuer),
            AuthorizationServer(issuer=second.issuer, token_format="jwt"),
        ],
        audience=mock_as.options.audience,
        client_id="rs",
        client_secret=mock_as.credentials("rs")[1],
        transport=mock_as.transport(),
        clock=Clock(wall=mock_as.clock.now),
    )
    async with server:
        assert (first.requests("discovery").count, second.requests("discovery").count) == (1, 1)
        with first.hold("introspect") as gate:
            held = asyncio.ensure_future(server.authenticate(bearer(first.token(sub="anna", format="opaque").value)))
            await gate.arrived(1)
            token = second.token(sub="otto", format="jwt")
            assert (await server.authenticate(bearer(token.value))).subject == "otto"
            assert not held.done()
            gate.release()
            assert (await held).subject == "anna"
        assert second.requests("introspect").count == 1
        second.revoke(token)
        assert (await server.authenticate(bearer(token.value))).subject == "otto"  # still in this issuer's cache


async def test_an_outage_of_one() -> None:
    """It is told of as that issuer's, and takes neither the service nor the other's callers down with it."""
    two = Two(strategy="introspect", unavailable_status=503)
    two.other.replies["introspect"] = says_yes(sub="subject-1", exp=int(NOW) + 3600)
    for number in range(10):
        with pytest.raises(VerificationUnavailable):
            await two.ask(f"opaque-{number}")
    await two.ask(issued(OTHER, KEY))
    health = two.server.health()
    assert health.status == "degraded"
    assert {(check.issuer, check.name, check.status) for check in health.checks} == {
        (ONE, "introspection", "down"),
        (OTHER, "introspection", "ready"),
    }
    assert [check["issuer"] for check in health.as_dict()["checks"]] == [ONE, OTHER]
    two.other.replies.clear()
    for number in range(10):
        with pytest.raises(VerificationUnavailable):
            await two.ask(issued(OTHER, KEY, jti=str(number)))
    assert two.server.health().status == "down"


async def test_requests_that_bring_no_good_token() -> None:
    """What is wrong with a request itself is refused as ever, in nobody's name."""
    two = Two()
    with pytest.raises(MissingToken):
        await two.server.authenticate(RequestParts("GET", ()))
    with pytest.raises(MissingToken):
        await two.server.authenticate(RequestParts("GET", [(b"authorization", b"DPoP token")]))
    twice = [(b"authorization", b"Bearer token")] * 2
    with pytest.raises(InvalidRequest):
        await two.server.authenticate(RequestParts("GET", twice))
    assert [event.issuer for event in two.events] == ["", "", ""]


async def test_a_lease_asks_the_same_issuer() -> None:
    """A token behind a stream is validated again where it was validated first."""
    two = Two()
    two.other.replies.update(introspect=says_yes(sub="subject-1"), jwks=publishes(KEY))
    token = issued(OTHER, KEY)
    principal = await two.ask(token)
    fresh = await two.server.revalidate(as_presented(token))
    assert fresh.issuer == principal.issuer == OTHER
    two.server.revoke(sub="subject-1", issuer=OTHER)
    async with principal.lease(token) as lease:
        assert await lease.ended() == "revoked"


def as_presented(token: str) -> Credential:
    """Return a token as a lease presents it."""
    return Credential("bearer", token.encode())


@pytest.mark.parametrize("named", [{"sub": "alice"}, {"client_id": "client-1"}])
async def test_revoked_everywhere_or_at_one_issuer(named: dict[str, Any]) -> None:
    """Without an issuer a subject or a client is meant wherever it is known; with one, only there."""
    two = Two()
    two.one.replies["introspect"] = says_yes(sub="alice", iat=int(NOW) - 60)
    two.other.replies.update(introspect=says_yes(sub="alice", iat=int(NOW) - 60), jwks=publishes(KEY))
    token = issued(OTHER, KEY, sub="alice", iat=int(NOW) - 60)
    two.server.revoke(**named, issuer=OTHER)
    assert await two.refusal(token) == "revoked"
    assert (await two.ask("opaque")).subject == "alice"
    two.server.revoke(**named)
    assert await two.refusal("opaque") == "revoked"


async def test_a_revoked_token() -> None:
    """A token is revoked at the issuer that it names, and an opaque one at the one that takes such."""
    two = Two({"strategy": "introspect"}, {"strategy": "jwks"})
    two.one.replies["introspect"] = says_yes()
    token = issued(OTHER, KEY)
    two.server.revoke(token=token)
    two.server.revoke(token=b"opaque")
    assert [len(core.state.revocations) for core in two.server._cores()] == [1, 1]
    two.server.revoke(token=issued("https://else.example.com", KEY))  # of nobody that is known: at each of them
    assert [len(core.state.revocations) for core in two.server._cores()] == [2, 2]
    two.other.replies["jwks"] = publishes(KEY)
    assert (await two.refusal(token), await two.refusal("opaque")) == ("revoked", "revoked")


def test_revoked_at_nobody() -> None:
    """An issuer that is not trusted here is a mistake of the caller's, with one issuer as with several."""
    with pytest.raises(ValueError, match="none of the issuers"):
        Two().server.revoke(sub="alice", issuer="https://else.example.com")
    single = ResourceServer(issuer=ONE, **SHARED)
    single.revoke(sub="alice", issuer=ONE)
    with pytest.raises(ValueError, match="not the issuer"):
        single.revoke(sub="alice", issuer=OTHER)


async def test_events_are_received_from_each() -> None:
    """A logout token counts at the issuer that it names; one of somebody else is refused with no question asked."""
    two = Two()
    two.one.replies["jwks"] = publishes(signing_key("ES256"))
    assert await two.server.receive(logout_token(iss=ONE).encode()) == 1
    assert [len(core.state.revocations) for core in two.server._cores()] == [1, 0]
    asked = len(two.one.requests)
    elsewhere = logout_token(iss="https://else.example.com")
    refusals: list[tuple[str, EventRefusal]] = [(elsewhere, "invalid_issuer"), ("no JWT", "invalid_request")]
    for token, error in refusals:
        with pytest.raises(SecurityEventRefused) as refused:
            await two.server.receive(token.encode())
        assert refused.value.error == error
        assert two.events[-1] == SecurityEventReceived(error, 0, "")
    assert len(two.one.requests) == asked


async def test_behind_an_application() -> None:
    """An application sees nothing of it but the caller's issuer; a refusal is challenged as ever."""
    two = Two(resource="https://rs.example.com")
    two.other.replies.update(introspect=says_yes(sub="subject-1"), jwks=publishes(KEY))
    app = FastAPI()
    install(app, two.server)

    @app.get("/things")
    async def things(principal: Annotated[Principal, require("read")]) -> str | None:
        return principal.issuer

    answer = await call(app, "GET", "/things", token=issued(OTHER, KEY))
    assert (answer.status, answer.json()) == (200, OTHER)
    refused = await call(app, "GET", "/things", token=issued("https://else.example.com", KEY))
    challenge = bearer_params(refused.header("www-authenticate") or "")
    assert (refused.status, challenge["error"]) == (401, "invalid_token")
    told = await call(app, "GET", "/.well-known/oauth-protected-resource")
    assert told.json()["authorization_servers"] == [ONE, OTHER]
    await two.server.aclose()


async def test_an_acting_principal() -> None:
    """A principal that acts in a test is let in without a token, and judged by the route's demands."""
    two = Two()
    with principal_override(two.server, scopes="read") as principal:
        assert await two.server.authenticate(RequestParts("GET", ())) == principal
        assert principal.issuer == ONE
    with pytest.raises(MissingToken):
        await two.server.authenticate(RequestParts("GET", ()))


async def test_the_start_is_nobodys_hostage() -> None:
    """All are asked at once at the start: one that hangs keeps no other from being ready."""
    two = Two({"timeout": 0.05}, strategy="jwks", timeout=20.0)
    two.one.replies["jwks"] = Gate(publishes(KEY))
    two.other.replies["jwks"] = publishes(KEY)
    async with two.server:
        other = two.server._cores()[1]
        assert other.state.keys.usable(two.time.monotonic, 60)


def test_what_it_shows_of_itself() -> None:
    """The issuers, and nothing secret."""
    two = Two()
    assert repr(two.server) == f"ResourceServer(issuers=({ONE!r}, {OTHER!r}))"
    assert two.server.settings.issuers == (ONE, OTHER)
    assert two.server.metadata is None
    assert repr(unit(ONE, client_secret="canary")) == f"AuthorizationServer(issuer={ONE!r})"


def test_units_are_values() -> None:
    """Two that say the same are equal, whatever made them."""
    assert unit(ONE) == unit(ONE)
    assert hash(unit(ONE)) == hash(unit(ONE, client_id="rs"))
    assert unit(ONE) != unit(ONE, client_id="rs")
    assert unit(ONE) != ONE


@pytest.mark.parametrize(
    ("servers", "options", "text"),
    [
        ([unit(ONE), unit(ONE)], {}, "more than once"),
        ([unit(ONE), unit(OTHER)], {}, "an opaque token could be of"),
        ([unit(ONE, strategy="jwks"), unit(OTHER)], {"audience": ()}, "needs audience"),
        ([unit("nonsense")], {}, "is not an absolute https URL"),
        ([unit(ONE)], {"issuer": ONE}, "exclude each other"),
        ([unit(ONE, timeout=-1.0)], {}, "timeout"),
        ([ONE], {}, "must consist of authorization servers"),
        ([{"issuer": ONE, "realm": "mine"}], {}, "no option 'realm'"),
        ([{"client_id": "rs"}], {}, "issuer: is required"),
        ("https://one.example.com", {}, "must be a list"),
        ([], {}, "issuer: is required"),
        ([unit(ONE)], {"dpop": "required"}, "needs external_url or resource"),
        (
            [unit(ONE, client_secret="canary")],
            {"dpop": "optional", "dpop_nonce": True, "resource": "https://rs.example.com", "client_secret": REMOVED},
            "needs dpop_secret",
        ),
    ],
)
def test_mistakes(servers: Any, options: dict[str, Any], text: str) -> None:
    """A list that could not work is refused when it is made, and says where the mistake is."""
    said = {name: value for name, value in (SHARED | options).items() if value is not REMOVED}
    with pytest.raises(ConfigurationError) as refused:
        ResourceServer(authorization_servers=servers, **said)
    assert text in str(refused.value)
    assert "canary" not in str(refused.value)


def test_an_option_of_the_whole_server() -> None:
    """What is about the resource server cannot be said of one of its authorization servers."""
    with pytest.raises(TypeError, match="AuthorizationServer has no option 'realm'"):
        AuthorizationServer(issuer=ONE, realm="mine")  # type: ignore[call-arg] # that is the mistake


async def test_what_is_shared_and_what_is_overridden() -> None:
    """An option of the resource server counts for each, unless it says something else of itself."""
    two = Two({"timeout": 1.0}, cache_ttl=7.0, timeout=2.0)
    one, other = two.server._cores()
    assert (one.settings.timeout, other.settings.timeout) == (1.0, 2.0)
    assert one.settings.cache_ttl == other.settings.cache_ttl == 7.0
    assert active_members()["active"]


def test_the_routes_that_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    """There are never more of them than there is room for."""
    monkeypatch.setattr("resource_server._issuers.ROUTES", 3)
    two = Two()
    for number in range(10):
        two.server._judge.begin(bearer(f"opaque-{number}"), ANY_TOKEN)
        assert len(routes(two.server)) <= 3


def test_a_route_that_was_found_before_a_reload(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whose a token was under the old options is not remembered under the new ones."""
    two = Two()
    judge = two.server._judge
    assert isinstance(judge, Issuers)

    def reload_meanwhile(token: bytes, marks: Iterable[Mark]) -> str | None:
        found = find_issuer(token, marks)
        assert judge.reconfigure(Change(two.server.settings, (), (), connections=False, judgement=False)) == ()
        return found

    monkeypatch.setattr("resource_server._issuers.find_issuer", reload_meanwhile)
    judge.begin(bearer("opaque"), ANY_TOKEN)
    assert routes(two.server) == {}


def routes(server: ResourceServer) -> dict[bytes, str]:
    """Look up whose token is known to be whose."""
    judge = server._judge
    assert isinstance(judge, Issuers)
    return judge._routes


def test_found_in_a_file(tmp_path: Path) -> None:
    """Each is a table of a TOML file."""
    file = tmp_path / "options.toml"
    file.write_text(
        f"""
audience = "https://rs.example.com"
[[authorization_servers]]
issuer = "{ONE}"
strategy = "jwks"
[[authorization_servers]]
issuer = "{OTHER}"
client_id = "rs"
client_secret = "canary"
"""
    )
    server = ResourceServer.from_env(env_file=None, toml_file=file)
    assert server.settings.issuers == (ONE, OTHER)
    assert server._cores()[1].settings.client_id == "rs"


def test_found_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Together they are a JSON array in a variable."""
    monkeypatch.setenv("RESOURCE_SERVER_AUDIENCE", "https://rs.example.com")
    monkeypatch.setenv("RESOURCE_SERVER_AUTHORIZATION_SERVERS", f'[{{"issuer": "{ONE}", "strategy": "jwks"}}]')
    assert ResourceServer.from_env(env_file=None).settings.issuers == (ONE,)
    monkeypatch.setenv("RESOURCE_SERVER_AUTHORIZATION_SERVERS", "canary")
    with pytest.raises(ConfigurationError) as refused:
        ResourceServer.from_env(env_file=None)
    assert "canary" not in str(refused.value)
