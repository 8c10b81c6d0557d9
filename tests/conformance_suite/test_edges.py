"""What a clause says where its own conditions cannot be made, or where a target does not come back."""

from __future__ import annotations

import pytest

from mock_as import MockAS
from resource_server.conformance import stand
from resource_server.conformance.authorization_server import AuthorizationServer
from resource_server.conformance.clause import Outcome, clause, judged
from resource_server.conformance.clauses import SWEEP, http, patience
from resource_server.conformance.run import Plan, open_stand, try_clause
from resource_server.conformance.target import Target
from resource_server.conformance.wire import Connection
from tests.conformance_suite.mutants import BrokenChallenge, CrashesInAnOutage
from tests.conformance_suite.small_server import Claims, Receive, Refused, Scope, Send, SmallServer
from tests.conformance_suite.stands import judge, judge_one, served


class NeverComesBack(SmallServer):
    """Lets nobody in any more after the authorization server has failed once."""

    failed = False

    async def claims_of(self, token: str) -> Claims:
        """Refuse where it has failed."""
        if self.failed:
            raise self.unavailable(token)
        return await super().claims_of(token)

    def unavailable(self, token: str) -> Refused:
        """Remember it."""
        self.failed = True
        return super().unavailable(token)


class UnreadableChallenge(SmallServer):
    """Writes what is no challenge at all."""

    def challenge(self, refused: Refused) -> str:
        """Put a quotation mark in front."""
        return '"' + super().challenge(refused)


class HidesVisibly(SmallServer):
    """Answers 404 for what is hidden, in other words than for what is not there."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Say that it is hidden."""
        if scope["type"] == "lifespan" or scope["path"] != "/hidden":
            await super().__call__(scope, receive, send)
            return
        await send({"type": "http.response.start", "status": 404, "headers": [(b"content-length", b"6")]})
        await send({"type": "http.response.body", "body": b"hidden"})


class MetadataOfAnother(SmallServer):
    """Publishes metadata of another resource than the one that their URL is made of."""

    def challenge(self, refused: Refused) -> str:
        """Name them."""
        where = "https://api.example.test/.well-known/oauth-protected-resource/orders"
        return f'{super().challenge(refused)}, resource_metadata="{where}"'

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Publish them."""
        if not scope.get("path", "").startswith("/.well-known/"):
            await super().__call__(scope, receive, send)
            return
        body = b'{"resource": "https://api.example.test/bills"}'
        head = [(b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": head})
        await send({"type": "http.response.body", "body": body})


class NoDpop(SmallServer):
    """Knows no scheme but Bearer."""


def test_a_target_that_does_not_come_back_fails_for_that(issuer: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is waited for once, and a clause that needs it well is left undecided."""
    monkeypatch.setattr(stand, "_MENDED", 0.2)
    assert judge_one(NeverComesBack, issuer, "field-recovery").outcome.verdict == "failed"
    assert judge_one(NeverComesBack, issuer, "7662-2.3-c").outcome.verdict == "undecided"


@pytest.mark.parametrize(
    ("name", "claims", "told"),
    [
        ("7662-4-a", {"leeway_seconds": 60}, "the leeway is too long to wait for"),
        ("7662-4-b", {"cache_seconds": 60}, "that is too long to wait for"),
    ],
)
def test_what_would_take_too_long_is_left_undecided(
    issuer: str, name: str, claims: dict[str, float], told: str
) -> None:
    """A target may say that it remembers for a minute; the suite does not sit it out."""
    outcome = judge_one(SmallServer, issuer, name, claims=claims).outcome
    assert (outcome.verdict, outcome.observed) == ("undecided", told)


def test_a_token_that_is_not_let_in_shows_nothing_about_its_end(issuer: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where it has ended before it is asked with, the clause is left undecided."""
    monkeypatch.setattr(patience, "_LIFETIME", -1)
    outcome = judge_one(SmallServer, issuer, "7662-4-a").outcome
    assert (outcome.verdict, outcome.observed) == ("undecided", "the token was not let in before it")


def test_metadata_that_nobody_names_cannot_be_judged(issuer: str) -> None:
    """Who claims metadata and names none fails one clause, and leaves the next undecided."""
    features = {"metadata": True, "problem_json": True}
    verdicts = {
        name: judge_one(SmallServer, issuer, name, features=features).outcome.verdict
        for name in ("9728-5.1-a", "9728-3.3-a", "9457-3-a", "9457-3-b")
    }
    assert list(verdicts.values()) == ["failed", "undecided", "failed", "failed"]


def test_metadata_of_another_resource(issuer: str) -> None:
    """RFC 9728 §3.3: what the metadata name has to be what their URL is made of."""
    features = {"metadata": True}
    assert judge_one(MetadataOfAnother, issuer, "9728-5.1-a", features=features).outcome.verdict == "passed"
    assert judge_one(MetadataOfAnother, issuer, "9728-3.3-a", features=features).outcome.verdict == "failed"


def test_who_claims_dpop_is_held_to_it(issuer: str) -> None:
    """A server that knows no proofs lets bound tokens in as bearer tokens, and is found out."""
    features = {"dpop": True}
    assert judge_one(NoDpop, issuer, "9449-7.2-a", features=features).outcome.verdict == "failed"
    routes = {"dpop": "/read"}
    assert judge_one(NoDpop, issuer, "9449-7.1-a", features=features, routes=routes).outcome.verdict == "failed"


def test_a_document_that_is_no_object_has_no_members() -> None:
    """Bodies are read as they come."""
    assert http.members(b"[]") == http.members(b"no JSON") == {}


@pytest.mark.parametrize("name", ["6750-3.1-c", "6750-3.1-f", "9110-11.6.1-b"])
def test_a_challenge_that_cannot_be_read_is_none(issuer: str, name: str) -> None:
    """What it may have been meant to say does not count."""
    assert judge_one(BrokenChallenge, issuer, name).outcome.verdict == "failed"


def test_a_challenge_that_cannot_be_read_has_no_characters(issuer: str) -> None:
    """It is no challenge, and what it says is not looked at."""
    assert judge_one(UnreadableChallenge, issuer, "6750-3-a").outcome.verdict == "failed"
    assert judge_one(UnreadableChallenge, issuer, "9728-5.1-a", features={"metadata": True}).outcome.verdict == "failed"
    assert judge_one(UnreadableChallenge, issuer, "6750-3-d").outcome.verdict == "passed"


def test_one_route_is_enough(issuer: str) -> None:
    """Where there is no other, what is said of all answers is said of those of the one."""
    with served(SmallServer, issuer) as target:
        alone = Target("alone", target.url, {"read": target.routes["read"]}, format="jwt")
        with open_stand(Plan(alone, issuer)) as opened:
            for one in (http.refusals_are_not_stored, patience.outage, *SWEEP):
                assert try_clause(one, opened).outcome.verdict == "passed", one.id


def test_what_is_hidden_is_compared_with_what_is_missing(issuer: str) -> None:
    """A 404 of its own tells that there is something."""
    routes = {"hidden": "/hidden", "missing": "/nothing"}
    assert judge_one(SmallServer, issuer, "9110-15.5.4-a", routes=routes).outcome.verdict == "passed"
    assert judge_one(HidesVisibly, issuer, "9110-15.5.4-a", routes=routes).outcome.verdict == "failed"


def test_a_crash_is_one_in_an_outage_too(issuer: str) -> None:
    """A 503 is right while the authorization server fails, and a 500 never is: the last look at all answers tells."""
    asked = ("field-outage-a", "field-no-crash")
    assert [one.clause.id for one in judge(CrashesInAnOutage, issuer, *asked).failed] == list(asked)
    assert judge(SmallServer, issuer, *asked).whole


def test_a_target_that_is_gone_leaves_a_clause_undecided() -> None:
    """A probe that cannot connect says so, and the suite goes on."""

    def probe(_: stand.Stand) -> Outcome:
        raise ConnectionRefusedError

    gone = stand.Stand(Target("gone", "http://127.0.0.1:1", {}), AuthorizationServer("http://127.0.0.1:1"))
    outcome = try_clause(clause("x", "practice", "low", "practice", "Rule")(probe), gone).outcome
    assert (outcome.verdict, outcome.observed) == (
        "undecided",
        "the target could not be reached: ConnectionRefusedError",
    )


def test_what_a_target_says_moves_no_cursor() -> None:
    """Whatever form the report has, an escape sequence in it is spelled out, and a megabyte is cut."""
    hostile = stand.Stand(Target("hostile", "http://127.0.0.1:1", {}), AuthorizationServer("http://127.0.0.1:1"))
    told = "401 \x1b]8;;http://evil\x1b\\ \u202e\r\n" + "x" * 10_000

    def probe(_: stand.Stand) -> Outcome:
        return judged(met=False, expected="401", observed=told)

    observed = try_clause(clause("x", "practice", "low", "practice", "Rule")(probe), hostile).outcome.observed
    assert observed.startswith(r"401 \x1b]8;;http://evil\x1b\ \u202e\r\nxxx")
    assert observed.isprintable()
    assert len(observed) < 2_100


def test_certificates_are_checked() -> None:
    """A target that speaks TLS has to be one that this machine trusts."""
    with MockAS().serve(tls=True) as url:
        assert Connection(url).send("GET", "/").text == "no response (SSLCertVerificationError)"
