"""One request from its header to its principal, and what is remembered and told on the way."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import pytest

from resource_server import (
    Assurance,
    BearerTokenError,
    InsufficientScope,
    InvalidRequest,
    InvalidToken,
    MissingToken,
    RequestParts,
    Requirement,
    VerificationUnavailable,
    all_of,
)
from resource_server.events import RequestRefused, RequestUnverifiable, TokenValidated
from tests.support.headers import bearer_params
from tests.support.jwt import ISSUER, NOW, access_token, signing_key
from tests.support.origin import Reply, publishes, says, says_no, says_yes
from tests.support.stage import Stage, bearer

pytestmark = pytest.mark.anyio

READ = Requirement(scopes=all_of("read"))


@pytest.mark.rfc("6750-2.1-a")
async def test_a_good_token_has_a_principal() -> None:
    """RFC 6750 §2.1: the token of the ``Authorization`` header is asked about, and its principal returned."""
    stage = Stage(introspect=says_yes())
    principal = await stage.server.authenticate(bearer("good"), READ)
    assert (principal.subject, principal.client_id) == ("subject of good", "client-1")
    assert principal.scopes == {"read", "write"}
    assert principal.assurance is Assurance.INTROSPECTED


async def test_a_hit_asks_nobody() -> None:
    """A warm hit makes no call, and tells no validation."""
    stage = Stage(introspect=says_yes())
    first = await stage.server.authenticate(bearer("good"))
    assert await stage.server.authenticate(bearer("good")) is first
    assert stage.origin.count("introspect") == 1
    assert [type(event) for event in stage.events] == [TokenValidated]


async def test_the_same_bad_token_is_asked_about_once() -> None:
    """Ten times the same bad token: ten refusals and one question."""
    stage = Stage(introspect=says_no())
    for _ in range(10):
        with pytest.raises(InvalidToken):
            await stage.server.authenticate(bearer("bad"))
    assert stage.origin.count("introspect") == 1


@pytest.mark.rfc("7662-4-b")
async def test_without_a_cache_everything_is_asked() -> None:
    """RFC 7662 §4: with ``cache_ttl=0`` every request is one question."""
    stage = Stage({"cache_ttl": 0.0, "negative_cache_ttl": 0.0}, introspect=says_yes())
    for _ in range(3):
        await stage.server.authenticate(bearer("good"))
    assert stage.origin.count("introspect") == 3


@pytest.mark.rfc("7662-4-b")
@pytest.mark.attack("A-C-4")
async def test_a_revocation_is_seen_within_the_time_to_live() -> None:
    """RFC 7662 §4: a revoked token is accepted for no longer than ``cache_ttl``."""
    stage = Stage({"cache_ttl": 30.0}, introspect=says_yes())
    await stage.server.authenticate(bearer("token"))
    stage.origin.replies["introspect"] = says_no()
    stage.time.advance(29.9)
    await stage.server.authenticate(bearer("token"))
    stage.time.advance(0.1)
    with pytest.raises(InvalidToken):
        await stage.server.authenticate(bearer("token"))


@pytest.mark.rfc("7662-4-a")
async def test_no_accept_after_exp_also_in_an_outage() -> None:
    """RFC 7662 §4: past ``exp`` nothing helps, whoever is out of reach."""
    options = {"cache_ttl": 300.0, "stale_if_error": 300.0}
    stage = Stage(options, introspect=says_yes(exp=int(NOW) + 2))
    await stage.server.authenticate(bearer("token"))
    stage.origin.replies["introspect"] = says(503)
    stage.time.advance(2.1)
    with pytest.raises(InvalidToken):
        await stage.server.authenticate(bearer("token"))


@pytest.mark.rfc("9068-4-e", "7662-2.2-d")
@pytest.mark.parametrize("strategy", ["introspect", "jwks"])
@pytest.mark.parametrize(("expired_for", "accepted"), [(4, True), (5, False)])
async def test_leeway_is_held_to(strategy: str, expired_for: int, accepted: bool) -> None:  # noqa: FBT001 - a parameter
    """RFC 7519 §4.1.4: a token is accepted past its ``exp`` for as long as clocks may differ, and not a moment more."""
    key, exp = signing_key(), int(NOW) - expired_for
    stage = Stage({"strategy": strategy, "leeway": 5.0}, introspect=says_yes(exp=exp), jwks=publishes(key))
    token = access_token(key, exp=exp) if strategy == "jwks" else "opaque"
    with nullcontext() if accepted else pytest.raises(InvalidToken):
        await stage.server.authenticate(bearer(token))


async def test_leeway_holds_for_a_hit_as_well() -> None:
    """What was remembered is judged with the same leeway as what was just found out."""
    stage = Stage({"leeway": 5.0, "cache_ttl": 300.0}, introspect=says_yes(exp=int(NOW) + 2))
    await stage.server.authenticate(bearer("token"))
    stage.time.wall += 6.9
    await stage.server.authenticate(bearer("token"))
    assert stage.origin.count("introspect") == 1
    stage.time.wall += 0.1
    with pytest.raises(InvalidToken):
        await stage.server.authenticate(bearer("token"))


@pytest.mark.rfc("7662-2.3-a")
@pytest.mark.parametrize("status", [400, 401, 403, 429, 500, 503])
async def test_recovery_is_seen_by_the_next_request(status: int) -> None:
    """RFC 7662 §2.3: an error answer is no verdict, so the next request asks again and is served."""
    stage = Stage(introspect=says(status))
    with pytest.raises(InvalidToken):
        await stage.server.authenticate(bearer("token"))
    stage.origin.replies["introspect"] = says_yes()
    await stage.server.authenticate(bearer("token"))
    assert stage.origin.count("introspect") == 2


REFUSALS: dict[str, tuple[RequestParts, Requirement, type[BearerTokenError], Any]] = {
    "no token": (RequestParts("GET", []), READ, MissingToken, RequestRefused(401, None, None, None, ISSUER)),
    "Basic": (
        RequestParts("GET", [(b"authorization", b"Basic eDp5")]),
        READ,
        MissingToken,
        RequestRefused(401, None, None, None, ISSUER),
    ),
    "two headers": (
        RequestParts("GET", [(b"authorization", b"Bearer a")] * 2),
        READ,
        InvalidRequest,
        RequestRefused(400, "invalid_request", "malformed", None, ISSUER),
    ),
    "too long": (
        bearer("x" * 16_385),
        READ,
        InvalidToken,
        RequestRefused(401, "invalid_token", "too_long", None, ISSUER),
    ),
}


@pytest.mark.parametrize(("request_", "requirement", "kind", "event"), REFUSALS.values(), ids=REFUSALS)
@pytest.mark.attack("A-J-18")
async def test_what_is_refused_at_the_door(
    request_: RequestParts, requirement: Requirement, kind: type[BearerTokenError], event: RequestRefused
) -> None:
    """A request without one proper token is refused before anybody is asked, and told as what it is."""
    stage = Stage(introspect=says_yes())
    with pytest.raises(kind):
        await stage.server.authenticate(request_, requirement)
    assert stage.origin.requests == []
    assert stage.events == [event]


@pytest.mark.rfc("6750-3.1-c", "6750-3.1-e", "9700-2.3-b")
async def test_scope_is_judged_last_and_on_every_request() -> None:
    """RFC 6750 §3.1: a bad token is 401 whatever it lacks; a good one that grants too little is 403, cached or not."""
    stage = Stage(introspect=says_yes(scope="read"))
    needs_write = Requirement(scopes=all_of("read", "write"))
    for _ in range(2):
        with pytest.raises(InsufficientScope) as refused:
            await stage.server.authenticate(bearer("token"), needs_write)
        assert refused.value.scope == ("read", "write")
    await stage.server.authenticate(bearer("token"), READ)
    assert stage.origin.count("introspect") == 1
    stage.origin.replies["introspect"] = says_no()
    with pytest.raises(InvalidToken):
        await stage.server.authenticate(bearer("bad"), needs_write)


async def test_a_missing_token_is_told_the_scope_it_needs() -> None:
    """A client that has no token learns from the refusal what to ask for."""
    stage = Stage()
    with pytest.raises(MissingToken) as refused:
        await stage.server.authenticate(RequestParts("GET", []), READ)
    response = stage.server.render(refused.value)
    assert bearer_params(dict(response.headers)[b"www-authenticate"].decode()) == {"realm": "api", "scope": "read"}


@pytest.mark.parametrize("status", [401, 503])
async def test_an_outage_is_told_as_one(status: int) -> None:
    """A request that nobody can judge is told as unverifiable, never as a bad token, whatever its status."""
    stage = Stage({"unavailable_status": status}, introspect=says(503, retry_after="9"))
    with pytest.raises(VerificationUnavailable if status == 503 else InvalidToken):
        await stage.server.authenticate(bearer("token"))
    *_, validated, refused = stage.events
    assert isinstance(validated, TokenValidated)
    assert (validated.outcome, validated.assurance, validated.reason) == ("unavailable", None, "status_503")
    assert refused == RequestUnverifiable(status, validated.fingerprint, ISSUER)


@pytest.mark.rfc("9110-10.2.3-a")
async def test_a_503_says_when_to_come_back() -> None:
    """RFC 9110 §10.2.3: the authorization server's ``Retry-After`` is handed on, and nobody is challenged."""
    stage = Stage({"unavailable_status": 503}, introspect=says(429, retry_after="9"))
    with pytest.raises(VerificationUnavailable) as refused:
        await stage.server.authenticate(bearer("token"))
    headers = dict(stage.server.render(refused.value).headers)
    assert headers[b"retry-after"] == b"9"
    assert b"www-authenticate" not in headers


@pytest.mark.parametrize(
    ("reply", "outcome", "assurance", "reason"),
    [
        (says_yes(sub="subject-1"), "active", Assurance.INTROSPECTED, None),
        (says_no(), "inactive", None, "inactive"),
        (says(500), "active", Assurance.LOCAL, None),
    ],
    ids=["yes", "no", "fallback"],
)
async def test_what_was_found_out_is_told(reply: Reply, outcome: str, assurance: Assurance | None, reason: Any) -> None:
    """Every validation is one event: what came of it, which rung answered, and how long it took."""
    stage = Stage(introspect=reply, jwks=publishes(signing_key()))
    with nullcontext() if outcome == "active" else pytest.raises(InvalidToken):
        await stage.server.authenticate(bearer(access_token()))
    (event,) = [event for event in stage.events if isinstance(event, TokenValidated)]
    assert (event.outcome, event.assurance, event.reason, event.seconds) == (outcome, assurance, reason, 0.0)
    assert len(bytes.fromhex(event.fingerprint)) == 6


async def test_events_of_one_token_share_a_fingerprint() -> None:
    """What happened to one token can be joined; two servers name the same token differently."""
    stages = [Stage(introspect=says_no()) for _ in range(2)]
    for stage in stages:
        for _ in range(2):
            with pytest.raises(InvalidToken):
                await stage.server.authenticate(bearer("bad"))
    fingerprints = [{getattr(event, "fingerprint", None) for event in stage.events} for stage in stages]
    assert [len(names) for names in fingerprints] == [1, 1]
    assert fingerprints[0] != fingerprints[1]


async def test_an_observer_that_raises_decides_nothing() -> None:
    """A broken observer neither lets a token in nor keeps one out."""
    stage = Stage(introspect=says_yes())

    def broken(_: object) -> None:
        raise RuntimeError

    stage.server._core.reports.observer = broken
    assert (await stage.server.authenticate(bearer("good"))).subject == "subject of good"
    stage.origin.replies["introspect"] = says_no()
    with pytest.raises(InvalidToken):
        await stage.server.authenticate(bearer("bad"))


@pytest.mark.rfc("6750-2.3-a", "6750-2.2-a")
async def test_other_places_for_a_token_are_off_by_default() -> None:
    """RFC 6750 §2.2 and §2.3: form and query are looked at only where the operator wants it."""
    request = RequestParts("POST", [], b"access_token=in-query", b"access_token=in-form")
    with pytest.raises(MissingToken):
        await Stage(introspect=says_yes()).server.authenticate(request)
    for option, place in (("query_token", "in-query"), ("form_token", "in-form")):
        stage = Stage({option: True}, introspect=says_yes())
        assert (await stage.server.authenticate(request)).subject == f"subject of {place}"


async def test_a_principal_for_tests_is_judged_like_any_other() -> None:
    """The switch for tests replaces the token only: what a route demands is demanded of it too."""
    stage = Stage()
    genuine = Stage(introspect=says_yes(scope="read"))
    stage.server._core.intake.acting_principal = await genuine.server.authenticate(bearer("token"))
    request = RequestParts("GET", [])
    assert (await stage.server.authenticate(request, READ)).subject == "subject of token"
    with pytest.raises(InsufficientScope):
        await stage.server.authenticate(request, Requirement(scopes=all_of("admin")))
    stage.time.advance(3600)
    with pytest.raises(InvalidToken):
        await stage.server.authenticate(request, READ)
