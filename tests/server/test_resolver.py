"""Authorization servers that the application finds by the issuers that tokens name."""

from __future__ import annotations

import asyncio
import shutil
import ssl
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any, cast

import pytest

from resource_server import (
    AuthorizationServer,
    ConfigurationError,
    Event,
    InvalidToken,
    RequestParts,
    ResourceServer,
    SecurityEventRefused,
    TooManyTokens,
    VerificationUnavailable,
    _resolved,
)
from resource_server._core import Core
from resource_server._issuers import Issuers
from resource_server._line import Line
from resource_server._options.authorization_server import is_async
from resource_server._resolved import Resolved
from resource_server.events import AuthorizationServerUnavailable, ConfigurationFault, RevocationsForgotten
from resource_server.testing import principal_override
from tests.support.jwt import NOW, signing_key
from tests.support.notices import logout_token
from tests.support.origin import Origin, publishes
from tests.support.play import Time
from tests.support.stage import bearer
from tests.support.two import ONE, OTHER, SHARED, ByHost, issued, refusal, unit

pytestmark = pytest.mark.anyio

KEY, OTHER_KEY = signing_key("ES256"), signing_key("ES256", "other")
Resolve = Callable[[str], Awaitable[AuthorizationServer | None]]


class Tenants:
    """The application's table of issuers: what it says of each, and what it was asked."""

    def __init__(self, *issuers: str) -> None:
        """Trust some issuers."""
        self.known: dict[str, Any] = {issuer: unit(issuer) for issuer in issuers}
        self.asked: list[str] = []
        self.gate = asyncio.Event()
        self.gate.set()

    async def __call__(self, issuer: str) -> AuthorizationServer | None:
        """Look an issuer up; what is noted as an exception is raised."""
        self.asked.append(issuer)
        await self.gate.wait()
        found = self.known.get(issuer)
        if isinstance(found, Exception):
            raise found
        return cast("AuthorizationServer | None", found)


class Stage:
    """A resource server that asks a table; each issuer signs with a key of its own.

    Args:
        tenants: the table.
        options: options of the resource server.
    """

    def __init__(self, tenants: Resolve, **options: Any) -> None:
        """Begin with nothing known."""
        self.one, self.other = Origin(jwks=publishes(KEY)), Origin(jwks=publishes(OTHER_KEY))
        self.time = Time()
        self.events: list[Event] = []
        said: dict[str, Any] = SHARED | {"strategy": "jwks"} | options
        self.server = ResourceServer(
            authorization_servers=tenants,
            transport=ByHost({"one.example.com": self.one, "other.example.com": self.other}),
            clock=self.time.clock,
            observer=self.events.append,
            **said,
        )

    async def subject(self, token: str) -> str | None:
        """Present a token, and return its subject."""
        return (await self.server.authenticate(bearer(token))).subject

    async def refusal(self, token: str) -> str | None:
        """Present a token that is refused, and return the reason."""
        return await refusal(self.server, token)

    @property
    def resolved(self) -> Resolved:
        """What has been resolved."""
        judge = self.server._judge
        assert isinstance(judge, Issuers)
        assert isinstance(judge._table, Resolved)
        return judge._table


async def test_asked_once_about_an_issuer() -> None:
    """The first token of an issuer has it resolved, for all who come meanwhile and afterwards."""
    tenants = Tenants(ONE, OTHER)
    stage = Stage(tenants)
    tenants.gate.clear()
    crowd = [asyncio.ensure_future(stage.subject(issued(ONE, KEY, jti=str(number)))) for number in range(20)]
    await asyncio.sleep(0)
    tenants.gate.set()
    assert set(await asyncio.gather(*crowd)) == {"subject-1"}
    assert await stage.subject(issued(ONE, KEY, jti="late")) == "subject-1"
    assert await stage.subject(issued(OTHER, OTHER_KEY)) == "subject-1"
    assert tenants.asked == [ONE, OTHER]
    await stage.server.aclose()
    await stage.server.aclose()


@pytest.mark.attack("A-K-5")
@pytest.mark.rfc("8725-3.8-a")
async def test_each_has_its_own_keys() -> None:
    """A token that names one issuer and is signed by another is refused, resolved or not."""
    stage = Stage(Tenants(ONE, OTHER))
    await stage.subject(issued(OTHER, OTHER_KEY))
    assert await stage.refusal(issued(ONE, OTHER_KEY)) == "unknown_key"


async def test_one_that_is_not_trusted() -> None:
    """The resolver's no is remembered for a while."""
    tenants = Tenants()
    stage = Stage(tenants, negative_cache_ttl=10.0)
    for _ in range(3):
        assert await stage.refusal(issued(ONE, KEY)) == "wrong_issuer"
    assert tenants.asked == [ONE]
    stage.time.advance(10)
    tenants.known[ONE] = unit(ONE)
    assert await stage.subject(issued(ONE, KEY)) == "subject-1"
    await stage.server.aclose()


@pytest.mark.parametrize(
    "issuer",
    [
        "nonsense",
        "http://one.example.com",
        "https://user:password@one.example.com",
        "https://one.example.com?a=b",
        "https://one.example.com/#a",
        "https://",
        "",
        f"https://one.example.com/{'a' * 2048}",
        [ONE],
        None,
    ],
    ids=lambda issuer: repr(issuer)[:30],
)
async def test_what_cannot_be_an_issuer(issuer: Any) -> None:
    """The application is asked about well-formed issuer URLs only."""
    tenants = Tenants(ONE)
    stage = Stage(tenants)
    assert await stage.refusal(issued(issuer, KEY)) == "wrong_issuer"
    assert tenants.asked == []


async def test_a_token_that_names_nobody() -> None:
    """Opaque tokens have no issuer here; what is not known cannot be listed either."""
    stage = Stage(Tenants(ONE), resource="https://rs.example.com")
    assert await stage.refusal("opaque") == "wrong_issuer"
    assert stage.server.settings.issuers == ()
    assert stage.server.protected_resource is not None
    assert "authorization_servers" not in stage.server.protected_resource.document
    assert (stage.server.metadata, stage.server.health().status) == (None, "ready")


@pytest.mark.parametrize("status", [401, 503])
async def test_an_outage_of_the_resolver(status: Any) -> None:
    """What the application raises is an outage: answered as one, reported without what was sent, and not remembered."""
    tenants = Tenants()
    stage = Stage(tenants, unavailable_status=status)
    tenants.known[ONE] = OSError(f"canary {ONE}")
    if status == VerificationUnavailable.status:
        with pytest.raises(VerificationUnavailable):
            await stage.subject(issued(ONE, KEY))
    else:
        assert await stage.refusal(issued(ONE, KEY)) == "unavailable"
    assert stage.events[0] == AuthorizationServerUnavailable("resolver", "resolver_failed", None, "")
    assert "canary" not in repr(stage.events)
    tenants.known[ONE] = unit(ONE)
    assert await stage.subject(issued(ONE, KEY)) == "subject-1"
    await stage.server.aclose()


async def test_the_health_of_the_resolver() -> None:
    """While it fails the server is degraded: those it has found go on, and are told of beside it."""
    tenants = Tenants(ONE)
    stage = Stage(tenants)
    assert stage.server.health().as_dict() == {
        "status": "ready",
        "checks": [{"name": "resolver", "status": "ready", "reason": None, "age_seconds": None}],
    }
    await stage.subject(issued(ONE, KEY))
    tenants.known[OTHER] = OSError()
    stage.time.advance(1)
    await stage.refusal(issued(OTHER, OTHER_KEY))
    health = stage.server.health()
    assert health.status == "degraded"
    assert [(check.name, check.status, check.reason, check.issuer) for check in health.checks] == [
        ("resolver", "degraded", "resolver_failed", None),
        ("jwks", "ready", None, ONE),
    ]
    tenants.known[OTHER] = unit(OTHER)
    stage.time.advance(1)
    await stage.subject(issued(OTHER, OTHER_KEY))
    assert stage.server.health().status == "ready"
    await stage.server.aclose()


async def test_a_resolver_that_takes_too_long() -> None:
    """Its time is ``timeout``."""
    tenants = Tenants(ONE)
    stage = Stage(tenants, timeout=0.02)
    tenants.gate.clear()
    assert await stage.refusal(issued(ONE, KEY)) == "unavailable"
    assert stage.events[0] == AuthorizationServerUnavailable("resolver", "timeout", None, "")
    stage.server._judge.settings = stage.server.settings.model_copy(update={"timeout": 20.0})  # as after a reload
    assert stage.server._resolving is not None
    assert stage.server._resolving._timeout() == 20.0


@pytest.mark.parametrize(
    ("found", "cause"),
    [(unit(OTHER), "issuer_mismatch"), ("nonsense", "issuer_mismatch"), (unit(ONE, timeout=-1.0), "unacceptable")],
    ids=["another", "no authorization server", "bad options"],
)
async def test_a_resolver_that_is_mistaken(found: Any, cause: str) -> None:
    """What cannot be used is a fault of the configuration, and no token is judged by it."""
    tenants = Tenants()
    tenants.known[ONE] = found
    stage = Stage(tenants)
    assert await stage.refusal(issued(ONE, KEY)) == "unavailable"
    assert stage.events[0] == ConfigurationFault("resolver", cause, "")


async def test_asked_again_after_a_while() -> None:
    """An issuer in use is asked about again: trusted no more it is refused, and else it keeps what is known."""
    tenants = Tenants(ONE)
    stage = Stage(tenants)
    token = issued(ONE, KEY)
    await stage.subject(token)
    [core] = stage.server._cores()
    stage.time.advance(300)
    await stage.subject(token)
    tenants.known[ONE] = unit(ONE, cache_ttl=1.0)
    stage.time.advance(300)
    await stage.subject(token)
    assert stage.server._cores() == [core]
    assert (core.settings.cache_ttl, len(tenants.asked)) == (1.0, 3)
    del tenants.known[ONE]
    stage.time.advance(300)
    assert await stage.refusal(token) == "wrong_issuer"
    assert stage.server._cores() == []
    await stage.server.aclose()


async def test_certificates_when_asked_again(tmp_path: Path) -> None:
    """An issuer with files of certificates of its own gets connections anew with what is in them then."""
    found = ssl.get_default_verify_paths().cafile
    assert found is not None
    file = tmp_path / "ca.pem"
    shutil.copy(found, file)
    tenants = Tenants(OTHER)
    tenants.known[ONE] = unit(ONE, ca_file=file)
    stage = Stage(tenants)
    for _ in range(2):
        await stage.subject(issued(ONE, KEY))
        await stage.subject(issued(OTHER, OTHER_KEY))
        stage.time.advance(300)
    assert [core.connections for core in stage.server._cores()] == [1, 0]
    await stage.server.aclose()


async def test_an_outage_when_asked_again() -> None:
    """While nobody can say whether an issuer is still trusted, its tokens go on; the question is repeated."""
    tenants = Tenants(ONE)
    stage = Stage(tenants)
    token = issued(ONE, KEY)
    await stage.subject(token)
    tenants.known[ONE] = OSError()
    stage.time.advance(300)
    for _ in range(3):
        await stage.subject(token)
    assert len(tenants.asked) == 2
    stage.time.advance(10)
    await stage.subject(token)
    assert len(tenants.asked) == 3
    await stage.server.aclose()


async def test_the_one_not_used_longest_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    """There is room for so many; one with revocations stays, unless all have them, which is told."""
    monkeypatch.setattr("resource_server._resolved.RESOLVED", 1)
    tenants = Tenants(ONE, OTHER)
    stage = Stage(tenants, timeout=0.2)
    await stage.subject(issued(ONE, KEY))
    assert await stage.subject(issued(OTHER, OTHER_KEY)) == "subject-1"
    assert [core.settings.issuer for core in stage.server._cores()] == [OTHER]
    stage.server.revoke(sub="somebody", issuer=OTHER)
    await stage.subject(issued(ONE, KEY))
    assert [core.settings.issuer for core in stage.server._cores()] == [OTHER]
    stage.server.revoke(sub="somebody", issuer=ONE)
    await stage.subject(issued(ONE, KEY))
    assert [core.settings.issuer for core in stage.server._cores()] == [ONE]
    assert RevocationsForgotten("") in stage.events
    await stage.server.aclose()


def has_connections(line: Line) -> bool:
    """Look whether there are any at this moment."""
    return line.is_open


async def test_connections_of_one_that_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are closed once nobody can wait for them any more, or when the server is."""
    monkeypatch.setattr("resource_server._resolved.RESOLVED", 1)
    moments = [1000.0]
    monkeypatch.setattr("resource_server._facade.monotonic", lambda: moments[0])
    stage = Stage(Tenants(ONE, OTHER))
    await stage.subject(issued(ONE, KEY))
    [one] = stage.server._lines()
    await stage.subject(issued(OTHER, OTHER_KEY))
    assert has_connections(one)
    await stage.subject(issued(OTHER, OTHER_KEY, jti="2"))
    assert has_connections(one)
    moments[0] += 10
    await stage.subject(issued(OTHER, OTHER_KEY, jti="3"))
    assert not has_connections(one)
    [other] = stage.server._lines()
    await stage.subject(issued(ONE, KEY))
    assert has_connections(other)
    await stage.server.aclose()
    assert not has_connections(other)


async def test_connections_of_one_that_is_gone_in_another_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each event loop closes its own."""
    monkeypatch.setattr("resource_server._facade.monotonic", lambda: 1000.0)
    stage = Stage(Tenants(ONE, OTHER))
    await stage.subject(issued(ONE, KEY))
    [line] = stage.server._lines()
    monkeypatch.setattr(type(line), "is_open", True)  # as where another loop has some too
    stage.server._dropped = [(0.0, line.core)]
    await stage.server._close_outlived()
    assert len(line._drivers) == 0
    assert [core for _, core in stage.server._dropped] == [line.core]


async def test_the_resolvers_noes_are_bounded() -> None:
    """However many issuers are made up, only so many are remembered as not trusted."""
    stage = Stage(Tenants(), negative_cache_size=3)
    for number in range(10):
        await stage.refusal(issued(f"https://{number}.example.com", KEY))
        assert len(stage.resolved._absent) <= 3
    stage.time.advance(60)
    await stage.refusal(issued("https://last.example.com", KEY))
    assert len(stage.resolved._absent) <= 3


async def test_what_was_revoked_before_it_was_resolved() -> None:
    """A revocation counts for an issuer that becomes known later, and for no other one than was meant."""
    stage = Stage(Tenants(ONE, OTHER))
    stage.server.revoke(sub="subject-1", issuer=ONE)
    assert await stage.refusal(issued(ONE, KEY)) == "revoked"
    assert await stage.subject(issued(OTHER, OTHER_KEY)) == "subject-1"
    stage.server.revoke(sub="subject-1")
    assert await stage.refusal(issued(OTHER, OTHER_KEY)) == "revoked"
    await stage.server.aclose()


async def test_what_is_revoked_while_it_is_resolved(monkeypatch: pytest.MonkeyPatch) -> None:
    """A revocation that comes between the making of what judges an issuer's tokens and its first use counts too."""
    stage = Stage(Tenants(ONE))
    stage.server.revoke(sub="subject-2")

    def note_and_revoke(core: Core, issuer: str, standing: list[Any]) -> None:
        note_standing(core, issuer, standing)
        if len(standing) == 1:
            stage.server.revoke(sub="subject-1")

    note_standing = _resolved._note_standing
    monkeypatch.setattr(_resolved, "_note_standing", note_and_revoke)
    assert await stage.refusal(issued(ONE, KEY)) == "revoked"
    assert await stage.refusal(issued(ONE, KEY, sub="subject-2", jti="2")) == "revoked"
    await stage.server.aclose()


async def test_a_token_is_revoked_at_an_issuer_that_is_known() -> None:
    """Where nothing is known of its issuer yet, that is said, and not forgotten in silence."""
    stage = Stage(Tenants(ONE))
    token = issued(ONE, KEY)
    with pytest.raises(ValueError, match="no issuer that is known here yet"):
        stage.server.revoke(token=token)
    await stage.subject(token)
    stage.server.revoke(token=token)
    assert await stage.refusal(token) == "revoked"
    await stage.subject(issued(ONE, KEY, jti="2"))
    stage.server.revoke(token=issued(ONE, KEY, jti="2").encode(), issuer=ONE)
    assert await stage.refusal(issued(ONE, KEY, jti="2")) == "revoked"
    await stage.server.aclose()


async def test_events_have_their_issuer_resolved() -> None:
    """A logout token of an issuer that is not known yet counts; one of an issuer that is not trusted does not."""
    tenants = Tenants(ONE)
    stage = Stage(tenants)
    assert await stage.server.receive(logout_token(iss=ONE, key=KEY).encode()) == 1
    assert await stage.refusal(issued(ONE, KEY, sub="alice", sid="session-1", iat=int(NOW) - 60)) == "revoked"
    with pytest.raises(SecurityEventRefused) as refused:
        await stage.server.receive(logout_token(iss=OTHER, key=KEY).encode())
    assert refused.value.error == "invalid_issuer"
    stage.time.advance(60)
    tenants.known[OTHER] = OSError()
    with pytest.raises(VerificationUnavailable):
        await stage.server.receive(logout_token(iss=OTHER, key=KEY).encode())
    await stage.server.aclose()


@pytest.mark.parametrize("status", [401, 429])
@pytest.mark.attack("A-S-7")
async def test_one_client_has_only_so_many_looked_up(status: Any) -> None:
    """Who makes up issuers is refused beyond ``rate_limit``; who names one that is trusted is not charged for it."""
    tenants = Tenants(ONE)
    stage = Stage(tenants, rate_limit=1.0, rate_limit_burst=2, rate_limited_status=status)

    def sent(issuer: str) -> RequestParts:
        return bearer(issued(issuer, KEY))._replace(peer="192.0.2.1")

    await stage.server.authenticate(sent(ONE))
    for number in range(2):
        with pytest.raises(InvalidToken) as refused:
            await stage.server.authenticate(sent(f"https://{number}.example.com"))
        assert refused.value.reason == "wrong_issuer"
    refusal = InvalidToken if status == InvalidToken.status else TooManyTokens
    with pytest.raises(refusal):
        await stage.server.authenticate(sent("https://2.example.com"))
    assert len(tenants.asked) == 3
    await stage.server.authenticate(sent(ONE))
    await stage.server.aclose()


class Half:
    """A callable whose class inherits how it is called."""

    async def __call__(self, issuer: str) -> None:
        """Trust nobody."""


class Whole(Half):
    """As above."""


def test_what_is_async() -> None:
    """A function, a method or an object: what counts is whether the call is to be awaited."""
    assert is_async(Tenants())
    assert is_async(Whole())
    assert is_async(Whole().__call__)
    assert is_async(partial(Whole().__call__, ONE))
    assert not is_async({}.get)
    assert not is_async(lambda _: None)


async def test_an_acting_principal_needs_no_issuer() -> None:
    """In a test nobody is asked about anything."""
    tenants = Tenants()
    stage = Stage(tenants)
    with principal_override(stage.server, scopes="read") as principal:
        assert await stage.server.authenticate(bearer("opaque")) == principal
    assert tenants.asked == []


async def test_a_caller_who_leaves() -> None:
    """One who gives up waiting ends nobody else's wait."""
    tenants = Tenants(ONE)
    stage = Stage(tenants)
    tenants.gate.clear()
    first, second = (asyncio.ensure_future(stage.subject(issued(ONE, KEY, jti=jti))) for jti in "12")
    await asyncio.sleep(0)
    first.cancel()
    tenants.gate.set()
    assert await second == "subject-1"
    assert tenants.asked == [ONE]
    await stage.server.aclose()


def test_it_must_be_async() -> None:
    """A function that would hold up the event loop is refused when the server is made."""
    with pytest.raises(ConfigurationError, match="takes an async function"):
        ResourceServer(authorization_servers=lambda _: None, **SHARED)


def test_the_oldest_of_standing_revocations_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    """There are never more of them than there is room for, and what is forgotten is told."""
    monkeypatch.setattr("resource_server._resolved.STANDING", 3)
    stage = Stage(Tenants(ONE))
    for number in range(10):
        stage.server.revoke(sub=str(number))
    assert [standing.revocation.value for standing in stage.resolved._standing] == ["7", "8", "9"]
    assert stage.events == [RevocationsForgotten("")] * 7
