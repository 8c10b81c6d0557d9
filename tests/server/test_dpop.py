"""Tokens that are bound to a key, through a whole server: its cache, its challenges, its loops, threads and workers."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from resource_server import Principal, RequestParts, Requirement
from resource_server._core import Core, Unknown, Unproven
from resource_server._protocol.bearer import Credential
from resource_server._protocol.dpop import MAX_AHEAD
from resource_server.errors import (
    BearerTokenError,
    InvalidDPoPProof,
    InvalidToken,
    MissingToken,
    UseDPoPNonce,
    VerificationUnavailable,
)
from resource_server.events import RequestRefused
from resource_server.testing import principal_override
from tests.support.blocking import BlockingStage
from tests.support.headers import parse_challenges
from tests.support.jwt import NOW, REMOVED, access_token, signing_key, thumbprint
from tests.support.origin import publishes, says_yes
from tests.support.play import yes
from tests.support.proofs import BASE, client_key, proof, proven
from tests.support.shelf import Shelf, Worker
from tests.support.stage import Stage, bearer
from tests.support.vectors import example

pytestmark = pytest.mark.anyio

CNF = {"jkt": thumbprint(client_key())}
WINDOW = 60.0
DPOP: dict[str, Any] = {"dpop": "optional", "external_url": BASE, "dpop_window": WINDOW}


def stage(cnf: Any = CNF, **changes: Any) -> Stage:
    """Make a server whose authorization server says of every token that it is bound so."""
    return Stage(DPOP | changes, introspect=says_yes(cnf=cnf))


async def refused(on: Stage, request: RequestParts, requirement: Requirement | None = None) -> BearerTokenError:
    """Send a request that is refused."""
    with pytest.raises(BearerTokenError) as caught:
        await on.server.authenticate(request, requirement or Requirement())
    return caught.value


def challenges(on: Stage, error: BearerTokenError) -> list[tuple[str, str | None]]:
    """Return the scheme and the error of each challenge, as it is sent."""
    fields = [value for name, value in on.server.render(error).headers if name == b"www-authenticate"]
    assert len(fields) == 1
    found = parse_challenges(fields[0].decode())
    assert all(("algs" in challenge.params) == (challenge.scheme == "dpop") for challenge in found)
    return [(challenge.scheme, challenge.params.get("error")) for challenge in found]


@pytest.mark.rfc("9449-6.2-a", "9449-7.1-a")
async def test_an_introspected_token() -> None:
    """RFC 9449 §6.2: the key of a token is the one that introspection names."""
    on = stage()
    principal = await on.server.authenticate(proven(proof()))
    assert principal.confirmation == CNF
    assert (await refused(on, bearer("bound"))).reason == "binding_mismatch"
    assert (await refused(on, proven(proof(client_key("thief"))))).reason == "binding_mismatch"


@pytest.mark.rfc("9449-6.2-a")
@pytest.mark.parametrize(("token_type", "good"), [("DPoP", True), ("Bearer", False), ("pop", False)])
async def test_the_type_that_introspection_names(token_type: str, good: bool) -> None:  # noqa: FBT001 - a row of the table
    """RFC 9449 §6.2: a token_type that is there must be DPoP; announced without a key, a token is good for nobody."""
    on = Stage(DPOP, introspect=says_yes(cnf=CNF, token_type=token_type))
    if good:
        await on.server.authenticate(proven(proof()))
    else:
        assert isinstance(await refused(on, proven(proof())), InvalidToken)
    announced = Stage(DPOP, introspect=says_yes(token_type="DPoP"))
    assert isinstance(await refused(announced, proven(proof())), InvalidToken)
    assert isinstance(await refused(announced, bearer("bound")), InvalidToken)


@pytest.mark.rfc("9449-7.2-a", "9449-4.3-12b")
async def test_a_token_that_is_verified_here() -> None:
    """RFC 9449 §6.1: the key of a JWT is the one that its own cnf names."""
    on = Stage(DPOP | {"strategy": "jwks"}, jwks=publishes(signing_key()))
    token = access_token(cnf=CNF)
    assert (await on.server.authenticate(proven(proof(token=token), token=token))).subject == "subject-1"
    assert (await refused(on, bearer(token))).reason == "binding_mismatch"
    for cnf in ({"jkt": [CNF["jkt"]]}, {"jkt": 1}, {}):
        malformed = access_token(cnf=cnf)
        assert (await refused(on, proven(proof(token=malformed), token=malformed))).reason == "binding_mismatch"


@pytest.mark.rfc("9449-7.2-a")
@pytest.mark.attack("A-C-3", "A-D-9", "A-D-3")
async def test_a_hit_is_judged_like_the_first() -> None:
    """RFC 9449 §7: what is remembered is a verdict about the token; its proof is judged with every request."""
    on = stage()
    await on.server.authenticate(proven(proof()))
    for request, reason in (
        (bearer("bound"), "binding_mismatch"),
        (proven(), "proof_missing"),
        (proven(proof(method="POST")), "proof_mismatch"),
        (proven(proof(iat=NOW - WINDOW - 1)), "proof_stale"),
        (proven(proof(client_key("thief"))), "binding_mismatch"),
    ):
        assert (await refused(on, request)).reason == reason
    await on.server.authenticate(proven(proof()))
    assert on.origin.count("introspect") == 1


@pytest.mark.rfc("9449-11.1-a")
async def test_a_proof_is_good_once() -> None:
    """RFC 9449 §11.1: the same proof again is refused, also where the first request had to wait for the answer."""
    on, used = stage(), proof()
    found = await asyncio.gather(*(on.server.authenticate(proven(used)) for _ in range(10)), return_exceptions=True)
    assert sum(isinstance(one, Principal) for one in found) == 1
    assert {one.reason for one in found if isinstance(one, InvalidDPoPProof)} == {"proof_replayed"}
    on.time.advance(WINDOW + MAX_AHEAD + 1)
    assert (await refused(on, proven(used))).reason == "proof_stale"


async def test_a_refused_request_has_used_its_proof() -> None:
    """A proof that was good is used, whatever becomes of the request; one that was not is not."""
    on, used = stage(), proof()
    assert (await refused(on, proven(used, method="POST"))).reason == "proof_mismatch"
    assert (await refused(on, proven(used), Requirement(audience="another"))).reason == "wrong_audience"
    assert (await refused(on, proven(used))).reason == "proof_replayed"


@pytest.mark.rfc("9449-7.1-a", "9449-7.2-c")
async def test_challenges_where_both_schemes_are_on() -> None:
    """RFC 9449 §7.2: both are challenged; the scheme that was used is told the error, and without a token nobody is."""
    on = stage()
    missing = await refused(on, RequestParts("GET", ()))
    assert isinstance(missing, MissingToken)
    assert challenges(on, missing) == [("bearer", None), ("dpop", None)]
    assert challenges(on, await refused(on, bearer("bound"))) == [("bearer", "invalid_token"), ("dpop", None)]
    assert challenges(on, await refused(on, proven())) == [("dpop", "invalid_dpop_proof"), ("bearer", None)]
    thief = await refused(on, proven(proof(client_key("thief"))))
    assert challenges(on, thief) == [("dpop", "invalid_token"), ("bearer", None)]


@pytest.mark.rfc("9449-7.1-a", "9449-7.2-c")
async def test_challenges_where_proofs_are_demanded() -> None:
    """RFC 9449 §7.1: only the scheme that can help is challenged, with the algorithms a proof may have."""
    on = Stage(DPOP | {"dpop": "required", "dpop_algorithms": ("ES256", "PS256")}, introspect=says_yes())
    assert challenges(on, await refused(on, RequestParts("GET", ()))) == [("dpop", None)]
    unbound = await refused(on, bearer("plain"))
    assert (unbound.reason, challenges(on, unbound)) == ("not_bound", [("dpop", "invalid_token")])
    [(_, value)] = [field for field in on.server.render(unbound).headers if field[0] == b"www-authenticate"]
    assert parse_challenges(value.decode())[0].params["algs"] == "ES256 PS256"


async def test_where_proofs_are_off() -> None:
    """Where a server takes no proofs, the scheme is unknown to it, and a bound token is good for nobody."""
    on = Stage(introspect=says_yes(cnf=CNF))
    unknown = await refused(on, proven(proof()))
    assert isinstance(unknown, MissingToken)
    assert challenges(on, unknown) == [("bearer", None)]
    assert challenges(on, await refused(on, bearer("bound"))) == [("bearer", "invalid_token")]
    assert on.origin.count("introspect") == 1


async def test_a_route_of_its_own() -> None:
    """A route can demand what its server does not, and refuse what it takes."""
    on = Stage(DPOP, introspect=says_yes())
    await on.server.authenticate(bearer("plain"))
    strict = await refused(on, bearer("plain"), Requirement(dpop="required"))
    assert (strict.reason, challenges(on, strict)) == ("not_bound", [("dpop", "invalid_token")])
    without = await refused(on, proven(proof()), Requirement(dpop="off"))
    assert challenges(on, without) == [("bearer", None)]


@pytest.mark.rfc("9449-7.1-c")
async def test_scripts_can_read_the_challenge() -> None:
    """RFC 9449 §7.1: a refusal names the fields that a script of another origin must be able to read."""
    on = stage()
    fields = dict(on.server.render(await refused(on, proven())).headers)
    exposed = {name.strip().lower() for name in fields[b"access-control-expose-headers"].decode().split(",")}
    assert {"www-authenticate", "dpop-nonce"} <= exposed


@pytest.mark.rfc("9449-9-a", "9449-11.3-a", "9449-7.1-a")
@pytest.mark.attack("A-D-8")
async def test_a_nonce_is_asked_for() -> None:
    """RFC 9449 §9: the refusal brings one nonce in one field; the request with it is good."""
    on = stage(dpop_nonce=True)
    error = await refused(on, proven(proof()))
    assert isinstance(error, UseDPoPNonce)
    assert challenges(on, error) == [("dpop", "use_dpop_nonce"), ("bearer", None)]
    [nonce] = [value for name, value in on.server.render(error).headers if name == b"dpop-nonce"]
    principal = await on.server.authenticate(proven(proof(nonce=nonce.decode())))
    assert on.server.dpop_nonce(principal) == nonce.decode()
    on.time.advance(WINDOW)
    assert on.server.dpop_nonce(principal) != nonce.decode()
    again = await refused(on, proven(proof(nonce="made up", iat=on.time.wall)))
    assert again.reason == "proof_nonce"


async def test_nonces_are_the_same_in_all_workers() -> None:
    """RFC 9449 §9: what one worker gives out the next one takes, with the same secret, and else not."""
    first, second, stranger = (
        stage(dpop_nonce=True),
        stage(dpop_nonce=True),
        stage(dpop_nonce=True, dpop_secret="x" * 32),
    )
    error = await refused(first, proven(proof()))
    assert isinstance(error, UseDPoPNonce)
    await second.server.authenticate(proven(proof(nonce=error.nonce)))
    assert (await refused(stranger, proven(proof(nonce=error.nonce)))).reason == "proof_nonce"


async def test_reasons_are_told_and_secrets_are_not() -> None:
    """The log is told why; neither a proof nor what is in it stands there, or in what the client is told."""
    on = stage(dpop_nonce=True, verbose_errors=True)
    sent = proof(jti="canary-jti", nonce="canary-nonce", method="POST")
    for request in (proven(sent), proven("canary"), proven(sent, sent), proven(proof(nonce="canary"))):
        error = await refused(on, request)
        told = repr((on.events, error, error.args, on.server.render(error)))
        assert "canary" not in told
        assert sent not in told
    reasons = [event.reason for event in on.events if isinstance(event, RequestRefused)]
    assert reasons == ["proof_mismatch", "proof_invalid", "proof_invalid", "proof_nonce"]


async def test_who_was_let_in_shows_nothing_again() -> None:
    """A stream is looked at again without a proof: there is no request that could bring one."""
    on = stage()
    request = proven(proof())
    principal = await on.server.authenticate(request)
    async with principal.lease(request) as lease:
        assert lease.reason is None
    again = await on.server.revalidate(Credential("dpop", b"bound"))
    assert again.confirmation == CNF


async def test_who_acts_in_a_test_shows_nothing() -> None:
    """A principal that stands in for every caller needs no proof, whatever a route demands."""
    on = stage(dpop="required")
    with principal_override(on.server, subject="alice", cnf=CNF):
        principal = await on.server.authenticate(RequestParts("GET", ()), Requirement(dpop="required"))
    assert principal.subject == "alice"


async def test_options_that_change_forget_no_proof() -> None:
    """Where the options change while the server runs, a proof that was used stays used."""
    on, used = stage(), proof()
    await on.server.authenticate(proven(used))
    intake, settings = on.server._core.intake, on.server.settings
    intake.reconfigure(settings.model_copy(update={"dpop": "required"}))
    assert (await refused(on, proven(used))).reason == "proof_replayed"
    assert (await refused(on, RequestParts("GET", ()))).schemes == ("DPoP",)


@pytest.mark.rfc("9449-4.3-12a")
async def test_the_example_of_the_rfc() -> None:
    """RFC 9449 §7.1 and §6.2: the request that the RFC prints, with the answer that it prints."""
    printed = example(9449)["request"]
    changes = {"external_url": "https://resource.example.org", "issuer": "https://server.example.com"}
    answer = printed["introspection"] | {"aud": REMOVED, "scope": REMOVED, "client_id": REMOVED}
    on = Stage(DPOP | changes | {"require_audience": False}, introspect=says_yes(**answer))
    on.time.wall = float(printed["iat"])
    request = proven(printed["proof"], token=printed["access_token"], path=b"/protectedresource")
    assert (await on.server.authenticate(request)).subject == "someone@example.com"
    assert (await refused(on, request)).reason == "proof_replayed"


def test_several_event_loops() -> None:
    """Loops in several threads share one memory: of all of them one request with a proof is let in."""
    on, used = stage(), proof()

    def judge(_: int) -> bool:
        try:
            asyncio.run(on.server.authenticate(proven(used)))
        except InvalidDPoPProof:
            return False
        return True

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(judge, range(8))) == 1


def test_threads() -> None:
    """The blocking server judges proofs alike, and lets one thread of many in with one."""
    on = BlockingStage(DPOP, introspect=says_yes(cnf=CNF))
    used = proof()

    def judge(_: int) -> str | None:
        try:
            return on.server.authenticate(proven(used)).subject
        except InvalidDPoPProof as error:
            return error.reason

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(judge, range(40)))
    assert sorted(set(map(str, found))) == ["proof_replayed", "subject of bound"]
    assert found.count("subject of bound") == 1
    with pytest.raises(InvalidToken):
        on.server.authenticate(bearer("bound"))
    on.server.close()


def core_of(worker: Worker) -> Core:
    """Return the part of a worker that judges."""
    return worker.server._core


def send(worker: Worker, request: RequestParts, *script: Any) -> Principal:
    """Send a request to a worker by hand, with what it asks its authorization server."""
    core = core_of(worker)
    known: Any = core.begin(request, Requirement())
    if isinstance(known, Unknown):
        unknown = known
        known = core.complete(unknown, worker.play(core.find_out(unknown.presented), *script))
    if isinstance(known, Unproven):
        unproven = known
        known = core.accept(unproven, worker.play(core.use_once(unproven)))
    assert isinstance(known, Principal)
    return known


@pytest.mark.rfc("9449-11.1-a")
def test_workers_with_one_store() -> None:
    """RFC 9449 §11.1: a proof that one worker has let in is used at all of them."""
    shelf = Shelf()
    first, second = (Worker(shelf, **DPOP) for _ in range(2))
    used = proof()
    assert send(first, proven(used), ("introspection", yes(cnf=CNF))).subject == "subject-1"
    send(second, proven(proof()))
    for worker in (first, second):
        with pytest.raises(InvalidDPoPProof) as caught:
            send(worker, proven(used))
        assert caught.value.reason == "proof_replayed"
        assert caught.value.schemes == ("DPoP", "Bearer")


@pytest.mark.rfc("9449-11.1-a")
@pytest.mark.attack("A-D-2")
def test_a_store_that_is_silent() -> None:
    """Where nobody can tell whether a proof was used elsewhere, it is refused as in an outage, and stays used here."""
    shelf = Shelf()
    worker = Worker(shelf, **DPOP, unavailable_status=503)
    send(worker, proven(proof()), ("introspection", yes(cnf=CNF)))
    shelf.is_up = False
    used = proof()
    with pytest.raises(VerificationUnavailable):
        send(worker, proven(used))
    shelf.is_up = True
    with pytest.raises(InvalidDPoPProof):
        send(worker, proven(used))
    send(worker, proven(proof()))


def test_workers_that_remember_by_themselves() -> None:
    """Where each worker is to remember by itself, the store is not asked about proofs."""
    shelf = Shelf()
    first, second = (Worker(shelf, **DPOP, dpop_replay="worker") for _ in range(2))
    used = proof()
    send(first, proven(used), ("introspection", yes(cnf=CNF)))
    assert send(second, proven(used)).subject == "subject-1"
    with pytest.raises(InvalidDPoPProof):
        send(second, proven(used))
