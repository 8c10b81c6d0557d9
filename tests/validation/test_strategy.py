"""The strategy, rung by rung: who is asked about which token, in which order, and what comes of it."""

from __future__ import annotations

import pytest

from resource_server import InvalidToken, Requirement, VerificationUnavailable
from resource_server._protocol.jws import parse_jws
from resource_server._protocol.messages import HTTPResponse
from resource_server._validation.consult import Question
from resource_server._validation.grant import Tie
from resource_server._validation.validate import Presented, validate
from resource_server._validation.verdict import Active, Inactive, Unavailable, Verdict
from resource_server.principal import tie_of
from tests.support.jwt import ISSUER, access_token, signing_key
from tests.support.play import REFUSED, TIMEOUT, Answer, Script, World, answer, digest, key_set, no, unsupported, yes

OPAQUE = "opaque-token"
JWT = access_token()

OUTAGES: dict[str, Answer] = {
    "connect": REFUSED,
    "timeout": TIMEOUT,
    "429": answer({}, status=429, retry_after="7"),
    "500": answer({"error": "server_error"}, status=500),
    "502": answer(b"<html>", status=502, content_type="text/html"),
    "503": answer({}, status=503),
    "not JSON": answer(b"{"),
    "an array": answer([]),
    "active is a string": answer({"active": "true"}),
    "active is 1": answer({"active": 1}),
    "active is null": answer({"active": None}),
    "active is NaN": answer(b'{"active": NaN}'),
    "active stands twice": answer(b'{"active": false, "active": true}'),
    "active is missing": answer({}),
    "html with a yes": answer({"active": True}, content_type="text/html"),
    "UTF-16 with a yes": answer({"active": True}, content_type="application/json; charset=utf-16"),
    "no content type": HTTPResponse(200, (), b'{"active": true}'),
    "204": HTTPResponse(204),
    "206 with a yes": answer({"active": True}, status=206),
    "201 with a yes": answer({"active": True}, status=201),
}
FAULTS: dict[str, Answer] = {
    "400": answer({"error": "invalid_request"}, status=400),
    "401": answer({"error": "invalid_client"}, status=401),
    "403": answer({}, status=403),
    "404": answer({}, status=404),
    "405": answer({}, status=405),
    "304": HTTPResponse(304),
    "302": HTTPResponse(302, (("location", "https://canary.example.com/"),)),
}
ANSWERS: list[tuple[str, Answer]] = [
    ("yes", yes()),
    ("no", no()),
    *(("outage", reply) for reply in OUTAGES.values()),
    *(("fault", reply) for reply in FAULTS.values()),
    ("unsupported", unsupported()),
]
ANSWER_IDS = ["active", "inactive", *OUTAGES, *FAULTS, "unsupported_token_type"]

# For each kind of answer from the introspection endpoint: who was asked in the end, and what came of it.
# "i" is a question to the introspection endpoint, "k" one for the key set; "/k" fetches it in the background.
ASKED_ONLY = {
    "yes": ("i", "introspected"),
    "no": ("i", "inactive"),
    "outage": ("i", "unavailable"),
    "fault": ("i", "unavailable"),
    "unsupported": ("i", "unavailable"),
}
WITH_FALLBACK = {
    "yes": ("i/k", "introspected"),
    "no": ("i/k", "inactive"),
    "outage": ("ik/k", "local"),
    "fault": ("i/k", "unavailable"),
    "unsupported": ("ik/k", "local"),
}
NEVER_ASKED = dict.fromkeys(ASKED_ONLY, ("k", "local"))
TABLE = {
    ("introspect", OPAQUE): ASKED_ONLY,
    ("introspect", JWT): ASKED_ONLY,
    ("introspect_then_jwks", OPAQUE): ASKED_ONLY,
    ("introspect_then_jwks", JWT): WITH_FALLBACK,
    ("jwks", OPAQUE): dict.fromkeys(ASKED_ONLY, ("", "malformed")),
    ("jwks", JWT): NEVER_ASKED,
    ("jwks_then_introspect", OPAQUE): ASKED_ONLY,
    ("jwks_then_introspect", JWT): NEVER_ASKED,
}
WITHOUT_KEYS = {
    ("introspect_then_jwks", JWT): WITH_FALLBACK
    | {"outage": ("ik/k", "unavailable"), "unsupported": ("ik/k", "unavailable")},
    ("jwks", JWT): dict.fromkeys(ASKED_ONLY, ("k", "unavailable")),
    ("jwks_then_introspect", JWT): {kind: ("k" + calls, outcome) for kind, (calls, outcome) in ASKED_ONLY.items()},
}


def outcome_of(verdict: Verdict) -> str:
    """Name a verdict: how well-founded the yes is, why it is a no, or that nobody can tell."""
    if isinstance(verdict, Active):
        return verdict.principal.assurance.value
    return verdict.reason if isinstance(verdict, Inactive) else "unavailable"


def script_for(calls: str, introspection: Answer, jwks: Answer) -> Script:
    """Write the script of exactly these calls."""
    answers = {"i": ("introspection", introspection), "k": ("jwks", jwks)}
    return [answers[call] for call in calls.partition("/")[0]]


@pytest.mark.attack("A-K-12", "A-I-3", "A-I-4")
@pytest.mark.rfc("7662-2.3-a", "7662-2.2-a", "7662-2.2-b")
@pytest.mark.parametrize(("kind", "reply"), ANSWERS, ids=ANSWER_IDS)
@pytest.mark.parametrize(("strategy", "token"), TABLE, ids=lambda value: "JWT" if value == JWT else value)
def test_with_keys(strategy: str, token: str, kind: str, reply: Answer) -> None:
    """Only an outage, or a server that wants it so, makes a JWT's own signature decide; a no and a 4xx are final."""
    calls, outcome = TABLE[strategy, token][kind]
    world = World(strategy=strategy)
    verdict = world.validate(token, *script_for(calls, reply, key_set(signing_key())))
    assert outcome_of(verdict) == outcome
    assert world.background == ([(ISSUER, "jwks")] if "/k" in calls else [])


@pytest.mark.parametrize(("kind", "reply"), ANSWERS, ids=ANSWER_IDS)
@pytest.mark.parametrize(("strategy", "token"), WITHOUT_KEYS, ids=lambda value: "JWT" if value == JWT else value)
def test_without_keys(strategy: str, token: str, kind: str, reply: Answer) -> None:
    """Where no keys can be had either, nobody can tell: that is an outage, and never a no."""
    calls, outcome = WITHOUT_KEYS[strategy, token][kind]
    world = World(strategy=strategy)
    verdict = world.validate(token, *script_for(calls, reply, answer({}, status=500)))
    assert outcome_of(verdict) == outcome


def test_key_that_nobody_knows() -> None:
    """A JWT that the server leaves to its signature, made by a key that it does not publish, is a no, not a fault."""
    world = World(strategy="jwks_then_introspect")
    other_keys = key_set(signing_key(name="another"))
    verdict = world.validate(JWT, ("jwks", other_keys), ("introspection", unsupported()))
    assert outcome_of(verdict) == "unknown_key"
    assert world.events == []


@pytest.mark.attack("A-C-5")
@pytest.mark.parametrize("reply", [*OUTAGES.values(), *FAULTS.values()], ids=[*OUTAGES, *FAULTS])
def test_recovery_is_immediate(reply: Answer) -> None:
    """RFC 7662 §2.3: an error is not a no, so nothing of it is remembered and the next answer counts at once."""
    world = World(strategy="introspect")
    assert isinstance(world.validate(OPAQUE, ("introspection", reply)), Unavailable)
    assert world.cached(OPAQUE) is None
    if isinstance(reply, HTTPResponse):
        # A server that asks to be left alone for a time is left alone for that time, and no longer.
        world.time.advance(float(reply.header("retry-after") or 0))
    assert isinstance(world.validate(OPAQUE, ("introspection", yes())), Active)


@pytest.mark.parametrize(("kind", "reply"), ANSWERS, ids=ANSWER_IDS)
@pytest.mark.parametrize("status", [401, 503])
def test_what_a_client_sees(kind: str, reply: Answer, status: int) -> None:
    """An outage is a 401, or where so configured a 503 with a time to wait; a no is a 401 either way."""
    world = World(strategy="introspect", unavailable_status=status)
    verdict = world.validate(OPAQUE, ("introspection", reply))
    if kind == "yes":
        assert world.admit(verdict).subject == "subject-1"
    elif kind == "no" or status == 401:
        with pytest.raises(InvalidToken) as refused:
            world.admit(verdict)
        assert refused.value.reason == ("inactive" if kind == "no" else "unavailable")
    else:
        with pytest.raises(VerificationUnavailable) as unavailable:
            world.admit(verdict)
        assert unavailable.value.retry_after == (7.0 if reply is OUTAGES["429"] else 5.0)


@pytest.mark.parametrize(
    ("server", "route", "refusal"), [(401, 503, VerificationUnavailable), (503, 401, InvalidToken)]
)
def test_a_route_decides_for_itself(server: int, route: int, refusal: type[Exception]) -> None:
    """A route's own way to answer an outage wins over the server's."""
    world = World(unavailable_status=server)
    with pytest.raises(refusal):
        world.admit(Unavailable("connect"), Requirement(unavailable_status=route))


@pytest.mark.parametrize("strategy", ["introspect", "introspect_then_jwks", "jwks_then_introspect"])
def test_malformed_jws_is_asked_about(strategy: str) -> None:
    """What only looks like a JWT is opaque: the authorization server may know it."""
    world = World(strategy=strategy)
    assert outcome_of(world.validate("not.a.jwt", ("introspection", yes()))) == "introspected"


@pytest.mark.parametrize("strategy", ["introspect", "introspect_then_jwks", "jwks_then_introspect"])
@pytest.mark.rfc("8725-3.12-a")
def test_other_kinds_of_jwt_are_not_asked_about(strategy: str) -> None:
    """RFC 8725 §3.12: a JWT that names itself another kind of token is refused before anybody is asked."""
    world = World(strategy=strategy)
    token = access_token(head={"typ": "logout+jwt"})
    assert outcome_of(world.validate(token)) == "wrong_type"


def test_strangers_wait_behind_the_known() -> None:
    """A client's unknown tokens are charged; one that was good a moment ago, or is renewed, is not, and goes first."""
    world = World(strategy="introspect", rate_limit=0.001, rate_limit_burst=1, cache_ttl=1.0)

    def send(token: str, *script: tuple[str, Answer], **how: bool) -> Verdict:
        presented = Presented(digest(token), token.encode(), peer="192.0.2.1", **how)
        verdict: Verdict = world.play(validate(world.state, presented), *script)
        return verdict

    assert isinstance(send("known", ("introspection", yes())), Active)
    assert [request.priority for request in world.requests] == [False]
    stranger = send("stranger")
    assert isinstance(stranger, Unavailable)
    assert (stranger.cause, stranger.fault) == ("rate_limited", "crowd")
    for token, how in (("known", {}), ("another", {"ahead": True})):
        assert isinstance(send(token, ("introspection", yes()), **how), Active)
        assert [request.priority for request in world.requests] == [True]


def test_a_server_that_wants_its_tokens_verified_locally() -> None:
    """Where that is not what we are configured for, somebody has to change the configuration."""
    verdict = World(strategy="introspect").validate(JWT, ("introspection", unsupported()))
    assert verdict == Unavailable("unsupported_token_type", fault="configuration")


def test_what_a_principal_is_tied_to() -> None:
    """What a principal's lease goes by is what its verdict goes by: the token's name, its time and its claims."""
    verdict = World(strategy="introspect").validate(JWT, ("introspection", yes()))
    assert isinstance(verdict, Active)
    tie = tie_of(verdict.principal)
    assert isinstance(tie, Tie)
    assert (tie.name, tie.asked_at, tie.own) == (verdict.name, verdict.asked_at, verdict.own)
    assert verdict.own is not None


def test_what_is_asked_shows_no_token() -> None:
    """The representation of a token on its way shows neither it, nor its claims, nor who has sent it."""
    presented = Presented(b"digest", b"canary-token", peer="canary-peer")
    question = Question(b"canary-token", "canary-digest", "canary-name", parse_jws(JWT.encode()), peer="canary-peer")
    for shown in (repr(presented), repr(question)):
        assert "canary" not in shown
        assert "jws" not in shown


def test_a_slow_answer_is_renewed_early() -> None:
    """Where an answer takes four seconds, the next one is asked for eight seconds before this one ends."""
    world = World(strategy="introspect")
    flow = validate(world.state, Presented(digest(OPAQUE), OPAQUE.encode()))
    next(flow)
    world.time.advance(4.0)
    with pytest.raises(StopIteration):
        flow.send(yes())
    entry = world.state.cache._active[digest(OPAQUE)]
    assert entry.hard_end - entry.soft_end == pytest.approx(8.0)
