"""Tokens that are bound to a key or to a certificate, whichever authorization server has bound them.

References: RFC 9449 sections 7 to 9, RFC 8705 section 3
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.scenarios.conftest import Api, MakeApi
from tests.scenarios.holders import CertificateHolder, KeyHolder, make_certificate
from tests.scenarios.judges import Judge, Kind
from tests.support.answer import Answer
from tests.support.headers import parse_challenges
from tests.support.jwt import signing_key

pytestmark = pytest.mark.anyio

each_kind = pytest.mark.parametrize("kind", ["opaque", "jwt"])

BASE = "https://rs.example.test"
"""Where the API is reached."""
THINGS = f"{BASE}/things"
SECRET = "what-nonces-are-made-from-32-bytes-long"
CERTIFICATE = make_certificate("svc.mtls")


@pytest.fixture
def dpop_api(make_api: MakeApi) -> Callable[..., Api]:
    """Make APIs that take proofs."""
    return lambda **options: make_api(**({"dpop": "optional", "external_url": BASE} | options))


@pytest.fixture
def mtls_api(make_api: MakeApi) -> Api:
    """Make an API behind a proxy that passes certificates on."""
    return make_api(mtls="optional", certificate_header="Client-Cert", trusted_proxies=["127.0.0.1"])


def error(answer: Answer, scheme: str) -> str | None:
    """Return the error that a refusal names in its challenge of a scheme."""
    challenges = parse_challenges(answer.header("www-authenticate") or "")
    (challenge,) = [found for found in challenges if found.scheme == scheme]
    return challenge.params.get("error")


@each_kind
@pytest.mark.rfc("9449-7.1-a", "9449-6.2-a")
async def test_proof(kind: Kind, judge: Judge, dpop_api: Callable[..., Api]) -> None:
    """A bound token with a proof of its key is let in, time and again, each time with another proof."""
    api, holder = dpop_api(), KeyHolder(judge)
    token = holder.token(kind)
    for _ in range(2):
        answer = await api.send(token, "DPoP", dpop=holder.proof("GET", THINGS, token=token))
        assert answer.status == 200
        assert answer.json()["scopes"] == ["read"]


@each_kind
@pytest.mark.rfc("9449-7.2-a")
async def test_bound_token_as_bearer(kind: Kind, judge: Judge, dpop_api: Callable[..., Api]) -> None:
    """RFC 9449 section 7.2: a bound token is no bearer token, with or without a proof beside it."""
    api, holder = dpop_api(), KeyHolder(judge)
    token = holder.token(kind)
    proof = holder.proof("GET", THINGS, token=token)
    proofs: tuple[dict[str, str], ...] = ({}, {"dpop": proof})
    for fields in proofs:
        answer = await api.send(token, "Bearer", **fields)
        assert (answer.status, error(answer, "bearer")) == (401, "invalid_token")


@each_kind
@pytest.mark.rfc("9449-4.3-12b")
async def test_thief(kind: Kind, judge: Judge, dpop_api: Callable[..., Api]) -> None:
    """Who has the token and another key has nothing; who has seen a proof has nothing either."""
    api, holder = dpop_api(), KeyHolder(judge)
    thief = KeyHolder(judge, signing_key("ES256", "thief"))
    token = holder.token(kind)
    assert (await api.send(token, "DPoP", dpop=thief.proof("GET", THINGS, token=token))).status == 401
    assert (await api.send(token, "DPoP")).status == 401
    seen = holder.proof("GET", THINGS, token=token)
    assert (await api.send(token, "DPoP", dpop=seen)).status == 200
    again = await api.send(token, "DPoP", dpop=seen)
    assert (again.status, error(again, "dpop")) == (401, "invalid_dpop_proof")


@each_kind
@pytest.mark.rfc("9449-9-a", "9449-11.3-a")
async def test_nonce(kind: Kind, judge: Judge, dpop_api: Callable[..., Api]) -> None:
    """Authorization server and resource server each demand a nonce of their own, and say which."""
    api, holder = dpop_api(dpop_nonce=True, dpop_secret=SECRET), KeyHolder(judge)
    token = holder.token(kind, nonce=True)
    asked = await api.send(token, "DPoP", dpop=holder.proof("GET", THINGS, token=token))
    assert (asked.status, error(asked, "dpop")) == (401, "use_dpop_nonce")
    nonce = asked.header("dpop-nonce")
    answer = await api.send(token, "DPoP", dpop=holder.proof("GET", THINGS, token=token, nonce=nonce))
    assert answer.status == 200


@each_kind
@pytest.mark.rfc("9449-7.2-b")
async def test_ordinary_token(kind: Kind, judge: Judge, dpop_api: Callable[..., Api]) -> None:
    """Where proofs are optional, an unbound token stays good as a bearer token, and is none under DPoP."""
    api, holder, token = dpop_api(), KeyHolder(judge), judge.token(kind)
    assert (await api.send(token, "Bearer")).status == 200
    assert (await api.send(token, "DPoP", dpop=holder.proof("GET", THINGS, token=token))).status == 401
    strict = dpop_api(dpop="required")
    assert (await strict.send(token, "Bearer")).status == 401


@each_kind
@pytest.mark.rfc("8705-3-a")
async def test_certificate(kind: Kind, judge: Judge, mtls_api: Api) -> None:
    """RFC 8705 section 3: a token that is bound to a certificate is good only where that one is shown."""
    holder = CertificateHolder(judge, CERTIFICATE)
    token = holder.token(kind)
    other = CertificateHolder(judge, make_certificate("svc.mtls"))
    assert (await mtls_api.send(token, "Bearer", client_cert=holder.field)).status == 200
    assert (await mtls_api.send(token, "Bearer", client_cert=other.field)).status == 401
    assert (await mtls_api.send(token, "Bearer")).status == 401
