"""RFC 9449 as a client meets it: an API, its authorization server, and tokens that are bound to the client's key."""

from __future__ import annotations

from typing import Annotated, Any

import httpx
import pytest
from fastapi import Depends, WebSocket
from fastapi.middleware.cors import CORSMiddleware

from mock_as import MockAS, Token
from resource_server import Principal
from resource_server.fastapi import require
from tests.support.answer import Answer
from tests.support.api import API
from tests.support.asgi import RawHeaders, call, handshake
from tests.support.headers import parse_challenges
from tests.support.promises import PRESENTED, assert_keeps_secrets

pytestmark = pytest.mark.anyio

BASE = "https://api.example.test"
THINGS = f"{BASE}/things"
Reader = Annotated[Principal, require("read")]
PAST_ALL = 120.0
"""Seconds after which no proof is good."""


async def _anybody() -> None: ...


async def _writer(principal: Annotated[Principal, require("write")]) -> str | None:
    return principal.subject


def api_of(mock_as: MockAS, **options: Any) -> API:
    """Make an API that takes proofs."""
    return API(mock_as, **({"dpop": "optional", "external_url": BASE} | options))


def bound(mock_as: MockAS, **facts: Any) -> Token:
    """Mint a token that is bound to a key made for it."""
    said: dict[str, Any] = {"sub": "alice", "scope": "read", "token_type": "DPoP"}
    token = mock_as.token(**(said | facts))
    PRESENTED.add(token.value)
    return token


def fields(token: Token, method: str = "GET", url: str = THINGS, **claims: Any) -> list[tuple[bytes, bytes]]:
    """Write the header fields that send a token with a new proof, whose claims are changed as asked."""
    assert token.prover is not None
    proof = token.prover.proof(method, url, token=token.value, **claims)
    return [(b"authorization", b"DPoP " + token.value.encode()), (b"dpop", proof.encode())]


async def send(api: API, headers: RawHeaders, method: str = "GET", path: str = "/things", **sent: Any) -> Answer:
    """Send a request; neither its token nor its proof is in the answer."""
    PRESENTED.update(value.decode("latin-1") for name, value in headers if name == b"dpop" and value)
    answer = await call(api.app, method, path, headers=headers, **sent)
    assert_keeps_secrets(repr(answer))
    return answer


def assert_refused(answer: Answer, error: str | None, scheme: str = "dpop") -> None:
    """Assert a 401 whose first challenge is of this scheme and has this error, which no other one has."""
    assert answer.status == 401
    first, *others = parse_challenges(answer.header("www-authenticate") or "")
    assert (first.scheme, first.params.get("error")) == (scheme, error)
    assert all("error" not in challenge.params for challenge in others)
    for challenge in (first, *others):
        assert ("algs" in challenge.params) == (challenge.scheme == "dpop")
    assert answer.json().get("error") == error
    assert answer.header("cache-control") == "no-store"


@pytest.mark.rfc("9449-7.1-a", "9449-6.2-a", "9449-as-a")
@pytest.mark.parametrize("token_format", ["jwt", "opaque"])
@pytest.mark.parametrize("dpop", ["optional", "required"])
async def test_a_bound_token_with_proofs(token_format: Any, dpop: str, mock_as: MockAS) -> None:
    """RFC 9449 §7.1: a token is accepted with a new proof for each request, and known again without a question."""
    api, token = api_of(mock_as, dpop=dpop), bound(mock_as, format=token_format)
    for _ in range(3):
        assert (await send(api, fields(token))).status == 200
    assert api.introspections == 1
    assert (await send(api, fields(token, "HEAD"), "HEAD")).status == 200
    assert (await send(api, fields(token, "DELETE"), "DELETE")).status == 200


@pytest.mark.rfc("9449-6.2-a", "9449-7.2-a")
@pytest.mark.parametrize("strategy", ["jwks", "introspect", "introspect_then_jwks", "jwks_then_introspect"])
async def test_every_way_to_validate(strategy: str, mock_as: MockAS) -> None:
    """RFC 9449 §6: the key is the one that the JWT or its introspection names, whichever is asked."""
    api, token = api_of(mock_as, strategy=strategy), bound(mock_as)
    assert (await send(api, fields(token))).status == 200
    assert_refused(await send(api, [(b"authorization", b"Bearer " + token.value.encode())]), "invalid_token", "bearer")


@pytest.mark.rfc("9449-7.2-a")
async def test_in_an_outage(mock_as: MockAS) -> None:
    """RFC 9449 §7.2: in an outage a bound token is as little a bearer token as ever."""
    api, token = api_of(mock_as), bound(mock_as)
    mock_as.fault("introspect", "timeout")
    answer = await send(api, fields(token))
    assert (answer.status, answer.json()["assurance"]) == (200, "local")
    assert_refused(await send(api, [(b"authorization", b"Bearer " + token.value.encode())]), "invalid_token", "bearer")
    assert_refused(await send(api, fields(token)[:1]), "invalid_dpop_proof")


@pytest.mark.rfc("9449-7.2-a")
@pytest.mark.attack("A-D-3", "A-D-9")
@pytest.mark.parametrize("token_format", ["jwt", "opaque"])
async def test_bearer_downgrade(token_format: Any, mock_as: MockAS) -> None:
    """RFC 9449 §7.2: a stolen token is refused as a bearer token, with a proof or without, and when it is known."""
    api, token = api_of(mock_as), bound(mock_as, format=token_format)
    stolen = [(b"authorization", b"Bearer " + token.value.encode())]
    for _ in range(2):
        assert_refused(await send(api, stolen), "invalid_token", "bearer")
        assert_refused(await send(api, [*stolen, fields(token)[1]]), "invalid_token", "bearer")
        assert (await send(api, fields(token))).status == 200
    assert api.entered.total() == 2


@pytest.mark.rfc("9449-7.2-b", "9449-4.3-12b")
@pytest.mark.attack("A-D-3")
async def test_an_unbound_token_under_the_scheme_dpop(mock_as: MockAS) -> None:
    """RFC 9449 §7.2: a token that is bound to no key is refused under the scheme DPoP, also with a good proof."""
    api, plain, other = api_of(mock_as), mock_as.token(scope="read"), bound(mock_as)
    assert other.prover is not None
    proof = other.prover.proof("GET", THINGS, token=plain.value)
    headers = [(b"authorization", b"DPoP " + plain.value.encode()), (b"dpop", proof.encode())]
    assert_refused(await send(api, headers), "invalid_token")
    assert (await send(api, [(b"authorization", b"Bearer " + plain.value.encode())])).status == 200


@pytest.mark.rfc("9449-4.3-12a", "9449-4.3-12b")
@pytest.mark.attack("A-D-5")
async def test_stolen_tokens_and_stolen_proofs(mock_as: MockAS) -> None:
    """RFC 9449 §4.3: neither a thief's proof for the victim's token nor the victim's proof for another one is good."""
    api, victim, thief = api_of(mock_as), bound(mock_as), bound(mock_as, sub="mallory")
    assert thief.prover is not None
    made = thief.prover.proof("GET", THINGS, token=victim.value).encode()
    assert_refused(await send(api, [fields(victim)[0], (b"dpop", made)]), "invalid_token")
    assert_refused(await send(api, [fields(thief)[0], fields(victim)[1]]), "invalid_token")
    assert_refused(await send(api, fields(victim, ath="A" * 43)), "invalid_dpop_proof")
    assert api.entered.total() == 0


@pytest.mark.rfc("9449-4.3-12b")
@pytest.mark.parametrize("defect", ["dpop_other_key", "cnf_unsupported"])
async def test_tokens_that_are_bound_to_something_else(defect: Any, mock_as: MockAS) -> None:
    """RFC 9449 §4.3: a token is good with the key it is bound to, and where nobody knows that, with none."""
    api, token = api_of(mock_as), bound(mock_as, defect=defect)
    headers = fields(token) if token.prover else [(b"authorization", b"DPoP " + token.value.encode())]
    assert_refused(await send(api, headers), "invalid_token")


@pytest.mark.rfc("9449-4.3-1", "9449-4.3-2")
@pytest.mark.parametrize("proofs", [0, 2])
async def test_not_one_proof(proofs: int, mock_as: MockAS) -> None:
    """RFC 9449 §4.3: no proof and two proofs are refused, in two fields or in one."""
    api, token = api_of(mock_as), bound(mock_as)
    authorization, _ = fields(token)
    several = [fields(token)[1] for _ in range(proofs)]
    assert_refused(await send(api, [authorization, *several]), "invalid_dpop_proof")
    joined = b", ".join(value for _, value in several)
    assert_refused(await send(api, [authorization, (b"dpop", joined)]), "invalid_dpop_proof")


@pytest.mark.rfc("9449-4.3-3", "9449-4.3-8", "9449-4.3-9", "9449-4.3-11")
@pytest.mark.parametrize(
    "claims",
    [
        {"jti": None},
        {"htm": None},
        {"htu": None},
        {"iat": None},
        {"ath": None},
        {"htm": "POST"},
        {"htm": "get"},
        {"htu": f"{BASE}/other"},
        {"htu": f"{THINGS}/"},
        {"htu": f"{THINGS}?a=b"},
        {"htu": "https://evil.example.test/things"},
        {"htu": "http://api.example.test/things"},
        {"iat": 0},
        {"iat": "1700000000"},
        {"jti": "x" * 100_000},
    ],
)
async def test_claims(claims: dict[str, Any], mock_as: MockAS) -> None:
    """RFC 9449 §4.3: a proof that lacks a claim, or is for another request or moment, is refused."""
    api, token = api_of(mock_as), bound(mock_as)
    assert_refused(await send(api, fields(token, **claims)), "invalid_dpop_proof")
    assert api.entered.total() == 0


@pytest.mark.rfc("9449-4.3-8")
async def test_head_is_not_get(mock_as: MockAS) -> None:
    """RFC 9449 §4.3: a proof for GET is none for HEAD, though one endpoint answers both."""
    api, token = api_of(mock_as), bound(mock_as)
    assert (await send(api, fields(token, "GET"), "HEAD")).status == 401
    assert (await send(api, fields(token, "HEAD"))).status == 401


@pytest.mark.rfc("9449-4.3-9b")
async def test_the_host_of_a_request_decides_nothing(mock_as: MockAS) -> None:
    """RFC 9449 §4.3: the address of a request is where the server is configured to be, whatever its headers say."""
    api, token = api_of(mock_as), bound(mock_as)
    evil = "evil.example.test"
    said = [(b"host", evil.encode()), (b"x-forwarded-host", evil.encode()), (b"forwarded", f"host={evil}".encode())]
    assert_refused(await send(api, [*said, *fields(token, url=f"https://{evil}/things")]), "invalid_dpop_proof")
    assert (await send(api, [*said, *fields(token)])).status == 200


@pytest.mark.rfc("9449-4.3-9")
async def test_the_path_as_it_was_sent(mock_as: MockAS) -> None:
    """RFC 9449 §4.3: the path is compared as it was sent, in its normal form, without the query."""
    api = api_of(mock_as)

    @api.app.get("/files/{name:path}", dependencies=[require("read")])
    async def file(name: str) -> str:
        return name

    token = bound(mock_as)
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(api.app), base_url="http://internal.test:8000"
    ) as client:
        for path, named, status in (
            ("/files/a%2Fb", "/files/a%2fb", 200),
            ("/files/a%2Fb", "/files/a/b", 401),
            ("/files/%7Euser", "/files/~user", 200),
            ("/files/c%20d?q=1", "/files/c%20d", 200),
            ("/files/%C3%A9", "/files/%c3%a9", 200),
            ("/files/c%20d?q=1", "/files/c%20d?q=1", 401),
        ):
            headers = dict(fields(token, htu=BASE + named))
            assert (await client.get(path, headers=headers)).status_code == status, (path, named)


@pytest.mark.rfc("9449-11.1-a")
async def test_replay(mock_as: MockAS) -> None:
    """RFC 9449 §11.1: a proof is good once; after its time it is too old."""
    api, token = api_of(mock_as), bound(mock_as)
    headers = fields(token)
    assert (await send(api, headers)).status == 200
    assert_refused(await send(api, headers), "invalid_dpop_proof")
    mock_as.clock.advance(PAST_ALL)
    assert_refused(await send(api, headers), "invalid_dpop_proof")
    assert (await send(api, fields(token))).status == 200
    assert api.entered.total() == 2


@pytest.mark.rfc("9449-11.1-a")
@pytest.mark.attack("A-D-2")
async def test_a_full_memory(mock_as: MockAS) -> None:
    """RFC 9449 §11.1: who fills the memory of proofs has nothing forgotten; further proofs are refused for a while."""
    api, token = api_of(mock_as, dpop_replay_size=3), bound(mock_as)
    used = [fields(token) for _ in range(3)]
    assert [(await send(api, headers)).status for headers in used] == [200] * 3
    assert_refused(await send(api, fields(token)), "invalid_dpop_proof")
    for headers in used:
        assert_refused(await send(api, headers), "invalid_dpop_proof")
    mock_as.clock.advance(PAST_ALL)
    assert (await send(api, fields(token))).status == 200


@pytest.mark.rfc("9449-9-a", "9449-11.3-a", "9449-4.3-10", "9449-7.1-c")
@pytest.mark.attack("A-D-8")
async def test_nonce(mock_as: MockAS) -> None:
    """RFC 9449 §9: a proof is good with the nonce that a refusal has brought, and each answer brings the next."""
    api, token = api_of(mock_as, dpop_nonce=True), bound(mock_as)
    first = await send(api, fields(token))
    assert_refused(first, "use_dpop_nonce")
    nonce = first.header("dpop-nonce")
    answer = await send(api, fields(token, nonce=nonce))
    assert (answer.status, answer.header("dpop-nonce")) == (200, nonce)
    mock_as.clock.advance(PAST_ALL)
    late = await send(api, fields(token, nonce=nonce))
    assert_refused(late, "use_dpop_nonce")
    assert late.header("dpop-nonce") not in {None, nonce}
    others = await send(api, fields(bound(mock_as), nonce=late.header("dpop-nonce")))
    assert_refused(others, "use_dpop_nonce")
    for exposing in (first, answer, late):
        exposed = (exposing.header("access-control-expose-headers") or "").lower()
        assert "dpop-nonce" in exposed


@pytest.mark.rfc("9449-7.2-c")
async def test_challenges(mock_as: MockAS) -> None:
    """RFC 9449 §7.2: without a token both schemes are challenged without an error, or the one that can help."""
    answer = await send(api_of(mock_as), [])
    assert_refused(answer, None, "bearer")
    assert [found.scheme for found in parse_challenges(answer.header("www-authenticate") or "")] == ["bearer", "dpop"]
    strict = await send(api_of(mock_as, dpop="required"), [])
    assert [found.scheme for found in parse_challenges(strict.header("www-authenticate") or "")] == ["dpop"]
    assert strict.header("dpop-nonce") is None


async def test_insufficient_scope(mock_as: MockAS) -> None:
    """RFC 6750 §3.1: a good token with a good proof that grants too little is told so under the scheme it used."""
    answer = await send(api_of(mock_as), fields(bound(mock_as), url=f"{BASE}/both"), path="/both")
    assert answer.status == 403
    first = parse_challenges(answer.header("www-authenticate") or "")[0]
    assert (first.scheme, first.params["error"], first.params["scope"]) == ("dpop", "insufficient_scope", "read write")


async def test_routes_of_their_own(mock_as: MockAS) -> None:
    """A route says for itself whether a proof must come, may come or is of no use, whatever its server does."""
    api = api_of(mock_as)

    @api.app.get("/strict", dependencies=[require("read", dpop="required")])
    async def strict() -> str:
        return "strict"

    @api.app.get("/plain", dependencies=[require("read", dpop="off")])
    async def plain() -> str:
        return "plain"

    token = bound(mock_as)
    bearer = [(b"authorization", b"Bearer " + mock_as.token(scope="read").value.encode())]
    assert (await send(api, fields(token, url=f"{BASE}/strict"), path="/strict")).status == 200
    assert_refused(await send(api, bearer, path="/strict"), "invalid_token")
    assert (await send(api, bearer, path="/plain")).status == 200
    refused = await send(api, fields(token, url=f"{BASE}/plain"), path="/plain")
    assert_refused(refused, None, "bearer")


async def test_one_proof_for_one_request(mock_as: MockAS) -> None:
    """However many dependencies of a route ask who is calling, the request's proof is used once."""
    api = api_of(mock_as)

    @api.app.get("/many", dependencies=[require(), require("read")])
    async def many(first: Annotated[Principal, require("read", "write")], second: Reader) -> bool:
        return first is second

    token = bound(mock_as, scope="read write")
    answer = await send(api, fields(token, url=f"{BASE}/many"), path="/many")
    assert (answer.status, answer.json()) == (200, True)


async def test_one_proof_where_a_demand_comes_late(mock_as: MockAS) -> None:
    """A demand that is seen only while the request is served is judged with the proof that was used for it."""
    api = api_of(mock_as)

    @api.app.get("/late", dependencies=[require("read")])
    async def late(subject: Annotated[str | None, Depends(_anybody)]) -> str | None:
        return subject

    api.app.dependency_overrides[_anybody] = _writer
    for scope, status in (("read write", 200), ("read", 403)):
        token = bound(mock_as, scope=scope)
        assert (await send(api, fields(token, url=f"{BASE}/late"), path="/late")).status == status


@pytest.mark.rfc("9449-11.5-a")
async def test_a_token_is_no_proof_and_a_proof_is_no_token(mock_as: MockAS) -> None:
    """RFC 9449 §11.5: neither of the two JWTs is taken for the other."""
    api, token = api_of(mock_as), bound(mock_as)
    authorization, (_, proof) = fields(token)
    assert_refused(await send(api, [authorization, (b"dpop", token.value.encode())]), "invalid_dpop_proof")
    assert_refused(await send(api, [(b"authorization", b"DPoP " + proof), (b"dpop", proof)]), "invalid_token")
    assert_refused(await send(api, [(b"authorization", b"Bearer " + proof)]), "invalid_token", "bearer")


@pytest.mark.rfc("9449-7.1-c")
async def test_a_script_of_another_origin(mock_as: MockAS) -> None:
    """RFC 9449 §7.1: behind the usual middleware a script can send a proof, and read the challenge and the nonce."""
    api, token = api_of(mock_as, dpop_nonce=True), bound(mock_as)
    api.app.add_middleware(
        CORSMiddleware, allow_origins=["https://app.example.test"], allow_headers=["authorization", "dpop"]
    )
    origin = (b"origin", b"https://app.example.test")
    asked = [(b"access-control-request-method", b"GET"), (b"access-control-request-headers", b"authorization,dpop")]
    preflight = await send(api, [origin, *asked], "OPTIONS")
    assert preflight.status == 200
    refused = await send(api, [origin, *fields(token)])
    assert_refused(refused, "use_dpop_nonce")
    answer = await send(api, [origin, *fields(token, nonce=refused.header("dpop-nonce"))])
    assert answer.status == 200
    for found in (refused, answer):
        assert found.header("access-control-allow-origin") == "https://app.example.test"
        assert "dpop-nonce" in ",".join(found.all("access-control-expose-headers")).lower()


async def test_a_body_is_not_read_for_a_bad_proof(mock_as: MockAS) -> None:
    """A refusal comes before one byte of the body is read, as for every other credential."""
    api, token = api_of(mock_as), bound(mock_as)
    answer = await send(api, fields(token, "GET"), "POST", body=b"{", content_type="application/json")
    assert_refused(answer, "invalid_dpop_proof")
    assert answer.reads == 0


async def test_a_websocket(mock_as: MockAS) -> None:
    """A WebSocket begins with a GET, and its proof is for that."""
    api, token = api_of(mock_as), bound(mock_as)

    @api.app.websocket("/events")
    async def events(socket: WebSocket, principal: Reader) -> None:
        await socket.accept()
        await socket.send_text(principal.subject or "")

    url = f"{BASE}/events"
    accepted = await handshake(api.app, "/events", headers=fields(token, url=url))
    assert (accepted.accepted, accepted.texts) == (True, ("alice",))
    for headers in (fields(token), fields(token, url=url)[:1], [(b"authorization", b"Bearer " + token.value.encode())]):
        refused = await handshake(api.app, "/events", headers=headers)
        assert refused.answer is not None
        assert (refused.accepted, refused.answer.status) == (False, 401)


async def test_behind_a_prefix(mock_as: MockAS) -> None:
    """Behind a proxy that takes a prefix away, the prefix is part of external_url."""
    api, token = api_of(mock_as, external_url=f"{BASE}/v1"), bound(mock_as)
    assert (await send(api, fields(token, url=f"{BASE}/v1/things"))).status == 200
    assert_refused(await send(api, fields(token)), "invalid_dpop_proof")
