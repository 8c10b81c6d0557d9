"""When nobody answers: what is served instead, for how long, and what it says of itself."""

from __future__ import annotations

from typing import Any

import pytest

from resource_server import Assurance, InvalidToken, Requirement, VerificationUnavailable
from resource_server._validation.validate import FALLBACK_TTL
from resource_server._validation.verdict import Active, Inactive, Unavailable, Verdict
from resource_server._validation.verify_jwt import fetch_keys
from resource_server.events import AuthorizationServerUnavailable, ConfigurationFault
from tests.support.jwt import ISSUER, NOW, REMOVED, access_token, claims, header, sign_hmac, signing_key, with_signature
from tests.support.play import REFUSED, TIMEOUT, World, answer, key_set, no, unsupported, yes

TOKEN = access_token()
KEYS = key_set(signing_key())
OUTAGE = ("introspection", REFUSED)
REFUSED_CREDENTIALS = ("introspection", answer({"error": "invalid_client"}, status=401))


def assurance(verdict: Verdict) -> Assurance | None:
    """Say how well-founded a yes is."""
    return verdict.principal.assurance if isinstance(verdict, Active) else None


def with_keys(**options: Any) -> World:
    """Make a server that has its issuer's keys."""
    world = World(**options)
    world.play(fetch_keys(world.state), ("jwks", KEYS))
    return world


def test_a_verdict_of_an_outage_is_soon_asked_again() -> None:
    """A fallback's yes is cached for seconds only, so that a revocation is seen soon after the recovery."""
    world = with_keys(cache_ttl=600.0)
    world.validate(TOKEN, OUTAGE)
    assert assurance(world.cached(TOKEN) or REFUSED) is Assurance.LOCAL
    world.time.advance(FALLBACK_TTL - 0.1)
    assert world.cached(TOKEN) is not None
    world.time.advance(0.1)
    assert world.cached(TOKEN) is None


@pytest.mark.attack("A-K-12")
@pytest.mark.parametrize("token", [TOKEN, "opaque"])
def test_a_crowd_lets_nobody_in(token: str) -> None:
    """Callers can make a crowd, so neither a signature nor an earlier yes is enough because of one."""
    crowded = Unavailable("crowded", fault="crowd")
    world = with_keys(stale_if_error=600.0, fallback_on_configuration_fault=True, cache_ttl=1.0)
    world.validate("opaque", ("introspection", yes()))
    world.time.advance(2)
    assert world.validate(token, ("introspection", crowded)) == crowded
    assert world.events[-1] == AuthorizationServerUnavailable("introspection", "crowded", None, ISSUER)


def test_a_verdict_of_an_outage_ends_with_the_token() -> None:
    """RFC 7662 §4: no yes is remembered beyond ``exp``, a fallback's neither."""
    world = with_keys()
    world.validate(access_token(exp=int(NOW) + 2), OUTAGE)
    world.time.advance(2)
    assert world.cached(TOKEN) is None


def test_local_verification_is_cached_as_usual_where_it_is_the_rule() -> None:
    """Where the authorization server wants its JWTs verified locally, that is no emergency."""
    world = with_keys(cache_ttl=600.0)
    world.validate(TOKEN, ("introspection", unsupported()))
    world.time.advance(299)
    assert assurance(world.cached(TOKEN) or REFUSED) is Assurance.LOCAL


@pytest.mark.parametrize("token", ["opaque", TOKEN], ids=["opaque", "JWT"])
@pytest.mark.parametrize("strategy", ["introspect", "introspect_then_jwks", "jwks_then_introspect"])
def test_stale_if_error(strategy: str, token: str) -> None:
    """A recent yes is served in an outage for ``stale_if_error`` beyond its time, and says that it is stale."""
    world = World(strategy=strategy, cache_ttl=10.0, stale_if_error=20.0, jwt_profile="rfc9068")
    no_keys = [("jwks", REFUSED)] if strategy == "jwks_then_introspect" and token == TOKEN else []
    assert assurance(world.validate(token, *no_keys, ("introspection", yes()))) is Assurance.INTROSPECTED
    for _ in range(2):
        world.time.advance(14.9)
        assert assurance(world.validate(token, *no_keys, OUTAGE)) is Assurance.STALE
        assert world.cached(token) is None
    world.time.advance(0.2)
    if strategy == "introspect_then_jwks" and token == TOKEN:
        no_keys = [("jwks", REFUSED)]
        assert world.validate(token, OUTAGE, *no_keys) == REFUSED
    else:
        assert world.validate(token, *no_keys, OUTAGE) == REFUSED


def test_a_recent_yes_is_preferred_to_a_signature() -> None:
    """What the authorization server said a while ago is worth more than what only the token says."""
    world = with_keys(cache_ttl=1.0, stale_if_error=10.0)
    world.validate(TOKEN, ("introspection", yes()))
    world.time.advance(2)
    assert assurance(world.validate(TOKEN, OUTAGE)) is Assurance.STALE
    world.time.advance(10)
    assert assurance(world.validate(TOKEN, OUTAGE)) is Assurance.LOCAL


def test_a_fallbacks_yes_never_becomes_a_stale_one() -> None:
    """Nobody has asked the authorization server about this token: to call the answer stale would be a promotion."""
    world = with_keys(stale_if_error=3600.0)
    for _ in range(3):
        verdict = world.validate(TOKEN, OUTAGE)
        assert assurance(verdict) is Assurance.LOCAL
        with pytest.raises(InvalidToken):
            world.admit(verdict, Requirement(assurance=Assurance.STALE))
        world.time.advance(FALLBACK_TTL + 1)


def test_a_stale_yes_is_still_judged_by_its_times() -> None:
    """RFC 7662 §4: ``stale_if_error`` stretches the cache and never the token."""
    world = World(strategy="introspect", cache_ttl=1.0, stale_if_error=3600.0)
    world.validate("opaque", ("introspection", yes(exp=int(NOW) + 30)))
    world.time.advance(31)
    verdict = world.validate("opaque", OUTAGE)
    with pytest.raises(InvalidToken) as refused:
        world.admit(verdict)
    assert refused.value.reason == "expired"


@pytest.mark.attack("A-K-2", "A-K-12")
def test_fallback_max_age() -> None:
    """The last good keys are trusted for ``fallback_max_age`` while no new ones can be had, and not a second longer."""
    world = with_keys(fallback_max_age=900.0)
    world.time.advance(900)
    token = access_token(now=NOW + 900)
    assert assurance(world.validate(token, OUTAGE, ("jwks", REFUSED))) is Assurance.LOCAL
    world.time.advance(5.1)
    assert world.validate(token, OUTAGE, ("jwks", TIMEOUT)) == REFUSED


@pytest.mark.parametrize("strategy", ["jwks", "jwks_then_introspect"])
def test_fallback_max_age_does_not_bound_what_is_fresh(strategy: str) -> None:
    """A bound that is shorter than the key set's own freshness does not make a healthy server refuse anybody."""
    world = World(strategy=strategy, fallback_max_age=1.0)
    for question in ([("jwks", KEYS)], [], []):
        assert assurance(world.validate(TOKEN, *question)) is Assurance.LOCAL
        world.time.advance(50)


@pytest.mark.parametrize("allowed", [False, True])
def test_a_configuration_fault_falls_back_only_where_told(allowed: bool) -> None:  # noqa: FBT001 - a parameter
    """Our own credentials refused is nobody's outage: no fallback and nothing stale, unless the operator says so."""
    world = with_keys(fallback_on_configuration_fault=allowed)
    verdict = world.validate(TOKEN, REFUSED_CREDENTIALS)
    assert assurance(verdict) is (Assurance.LOCAL if allowed else None)
    assert allowed or verdict == Unavailable("status_401", fault="configuration")


@pytest.mark.parametrize("allowed", [False, True])
def test_a_configuration_fault_serves_nothing_stale_unless_told(allowed: bool) -> None:  # noqa: FBT001 - as above
    """The same holds for an earlier yes."""
    world = World(strategy="introspect", cache_ttl=1.0, stale_if_error=60.0, fallback_on_configuration_fault=allowed)
    world.validate("opaque", ("introspection", yes()))
    world.time.advance(2)
    assert assurance(world.validate("opaque", REFUSED_CREDENTIALS)) is (Assurance.STALE if allowed else None)


@pytest.mark.parametrize(
    ("strategy", "reply", "event"),
    [
        ("introspect_then_jwks", REFUSED, AuthorizationServerUnavailable("introspection", "connect", None, ISSUER)),
        (
            "introspect",
            answer({}, status=503, retry_after="30"),
            AuthorizationServerUnavailable("introspection", "status_503", 30.0, ISSUER),
        ),
        ("introspect", answer({}, status=401), ConfigurationFault("introspection", "status_401", ISSUER)),
        ("introspect", answer({}, status=404), ConfigurationFault("introspection", "status_404", ISSUER)),
    ],
    ids=["outage with a fallback", "outage", "credentials refused", "wrong endpoint"],
)
def test_every_fault_is_reported(strategy: str, reply: Any, event: object) -> None:
    """An outage is told as an outage even where a fallback hides it, and a configuration fault as one."""
    world = with_keys(strategy=strategy)
    world.validate(TOKEN, ("introspection", reply))
    assert world.events == [event]


SECRET_SIGNED = sign_hmac(header(signing_key(), alg="HS256"), claims(), b"a" * 32)


@pytest.mark.attack("A-C-5")
@pytest.mark.parametrize(
    "token",
    [
        pytest.param(access_token(head={"typ": "JWT"}), id="another typ"),
        pytest.param(access_token(jti=REMOVED), id="a claim is missing"),
        pytest.param(access_token(iss="https://other.example.com"), id="another issuer"),
        pytest.param(access_token(aud=REMOVED), id="no audience"),
        pytest.param(SECRET_SIGNED, id="another algorithm"),
        pytest.param(access_token(signing_key("RS256", "new")), id="an unknown key"),
    ],
)
def test_what_cannot_be_judged_locally_is_an_outage(token: str) -> None:
    """A JWT that only the authorization server can judge is unverifiable in an outage, and good again after it."""
    world = with_keys(require_audience=False, cross_check=False)
    fetch = [("jwks", REFUSED)] if token == access_token(signing_key("RS256", "new")) else []
    assert world.validate(token, OUTAGE, *fetch) == REFUSED
    assert world.cached(token) is None
    assert assurance(world.validate(token, ("introspection", yes()))) is Assurance.INTROSPECTED


@pytest.mark.parametrize(
    ("token", "reason"),
    [
        (with_signature(TOKEN, b"x" * 256), "bad_signature"),
        (access_token(exp=int(NOW)), "expired"),
    ],
    ids=["forged", "expired"],
)
def test_what_is_certain_is_no_outage(token: str, reason: Any) -> None:
    """A forged or expired JWT is bad whoever is out of reach, also where an outage would be a 503."""
    world = with_keys(unavailable_status=503)
    verdict = world.validate(token, OUTAGE)
    assert verdict == Inactive(reason)
    with pytest.raises(InvalidToken):
        world.admit(verdict)


def test_a_token_that_is_not_good_yet_waits() -> None:
    """A JWT before its ``nbf`` is refused in an outage as it would be otherwise, and good when its time has come."""
    world = with_keys()
    verdict = world.validate(access_token(nbf=int(NOW) + 3), OUTAGE)
    with pytest.raises(InvalidToken) as refused:
        world.admit(verdict)
    assert refused.value.reason == "not_yet_valid"
    world.time.advance(3)
    assert world.admit(verdict).subject == "subject-1"


def test_a_route_that_needs_an_introspected_token_refuses_the_fallback() -> None:
    """A route that demands the authorization server's own yes sees the outage: 401, or 503 where so configured."""
    world = with_keys()
    verdict = world.validate(TOKEN, OUTAGE)
    with pytest.raises(InvalidToken) as refused:
        world.admit(verdict, Requirement(assurance=Assurance.INTROSPECTED))
    assert refused.value.reason == "unavailable"
    with pytest.raises(VerificationUnavailable):
        world.admit(verdict, Requirement(assurance=Assurance.INTROSPECTED, unavailable_status=503))


@pytest.mark.attack("A-K-12")
@pytest.mark.parametrize(
    ("reply", "falls_back"),
    [
        *((Unavailable(cause), True) for cause in ("connect", "timeout", "connection_lost", "protocol", "too_large")),
        *((answer({}, status=status), True) for status in (408, 425, 429, 500, 502, 503, 504, 204)),
        (answer(b"<html>"), True),
        (answer({"active": "true"}), True),
        (Unavailable("circuit_open", 1.0), True),
        *((answer({}, status=status), False) for status in (301, 400, 401, 403, 404, 405)),
        (Unavailable("crowded", fault="crowd"), False),
        (no(), False),
    ],
    ids=repr,
)
def test_what_is_an_outage(reply: Any, falls_back: bool) -> None:  # noqa: FBT001 - a parameter
    """The signature decides where nobody has answered, never where somebody has, or where we are the crowd."""
    verdict = with_keys().validate(TOKEN, ("introspection", reply))
    assert (assurance(verdict) is Assurance.LOCAL) == falls_back
    assert falls_back or not isinstance(verdict, Active)


def test_a_breaker_that_is_open_is_an_outage() -> None:
    """While the endpoint is left alone the ladder is the same, and nobody is asked."""
    world = with_keys(stale_if_error=600.0, cache_ttl=1.0)
    world.validate("opaque", ("introspection", yes()))
    world.validate(TOKEN, ("introspection", answer({}, status=503, retry_after="30")))
    world.time.advance(10.0)
    assert assurance(world.validate(TOKEN)) is Assurance.LOCAL
    assert assurance(world.validate("opaque")) is Assurance.STALE
    assert world.validate("unknown") == Unavailable("circuit_open", 20.0)
