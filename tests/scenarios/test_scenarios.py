"""What a request meets, whichever authorization server is asked: ours, and one that nobody here wrote.

The same assertions hold for all of them, so that the mock cannot agree with a mistake of the resource server.
"""

from __future__ import annotations

from typing import Literal

import pytest

from resource_server.events import AuthorizationServerUnavailable, ConfigurationFault
from tests.scenarios.conftest import Api, MakeApi
from tests.scenarios.judges import Judge, Kind
from tests.support.promises import assert_refused, assert_unavailable

pytestmark = pytest.mark.anyio

each_kind = pytest.mark.parametrize("kind", ["opaque", "jwt"])

HOUR = 3600


@each_kind
async def test_good(kind: Kind, judge: Judge, api: Api) -> None:
    """A good token is let in, and the scope that was granted is the scope that is seen."""
    answer = await api.get(judge.token(kind))
    assert answer.status == 200
    assert answer.json()["scopes"] == ["read"]
    introspected = kind == "opaque" or judge.introspects_jwts
    assert answer.json()["assurance"] == ("introspected" if introspected else "local")
    assert not api.saw(AuthorizationServerUnavailable)


async def test_no_token(api: Api) -> None:
    """RFC 6750 section 3.1: who presents nothing is told the scheme, and no error."""
    assert_refused(await api.get(None), 401, scope="read")


@pytest.mark.parametrize("token", ["never-issued", "a.b.c", "x" * 3000])
async def test_garbage(token: str, api: Api) -> None:
    """What nobody issued is not good, and no outage."""
    assert_refused(await api.get(token), 401, "invalid_token")
    assert not api.saw(AuthorizationServerUnavailable)


@each_kind
async def test_expired(kind: Kind, judge: Judge, api: Api) -> None:
    """A token ends with its lifetime, whether it was seen before or not."""
    seen, unseen = judge.token(kind), judge.token(kind)
    assert (await api.get(seen)).status == 200
    judge.advance(HOUR + 1)
    assert_refused(await api.get(seen), 401, "invalid_token")
    assert_refused(await api.get(unseen), 401, "invalid_token")
    assert (await api.get(judge.token(kind))).status == 200


async def test_revoked(judge: Judge, api: Api) -> None:
    """A revoked token is refused when the answer about it is no longer remembered, and at once when there is none."""
    seen, unseen = judge.token("opaque"), judge.token("opaque")
    assert (await api.get(seen)).status == 200
    judge.revoke(seen)
    judge.revoke(unseen)
    assert_refused(await api.get(unseen), 401, "invalid_token")
    assert (await api.get(seen)).status == 200
    judge.advance(api.server.settings.cache_ttl + 1)
    assert_refused(await api.get(seen), 401, "invalid_token")


@each_kind
async def test_wrong_audience(kind: Kind, judge: Judge, api: Api) -> None:
    """RFC 9068 section 4: a token for another resource server is no token for this one."""
    assert_refused(await api.get(judge.token_for_another(kind)), 401, "invalid_token")


@each_kind
async def test_wrong_scope(kind: Kind, judge: Judge, api: Api) -> None:
    """RFC 6750 section 3.1: a token that grants too little is told what would be enough."""
    assert_refused(await api.get(judge.token(kind), "/both"), 403, "insufficient_scope", scope="read write")
    assert (await api.get(judge.token(kind, "write read"), "/both")).status == 200


async def test_rotated_key(judge: Judge, make_api: MakeApi) -> None:
    """A key that is new is fetched when a token names it; one that is gone vouches for nothing any more."""
    api = make_api(strategy="jwks")
    old, unseen = judge.token("jwt"), judge.token("jwt")
    assert (await api.get(old)).status == 200
    judge.rotate()
    judge.advance(HOUR / 2)
    assert (await api.get(judge.token("jwt"))).status == 200
    assert_refused(await api.get(unseen), 401, "invalid_token")


@each_kind
async def test_signature_broken(kind: Kind, judge: Judge, api: Api) -> None:
    """A token that was tampered with is not the one that was issued."""
    token = judge.token(kind)
    broken = token[:-8] + ("A" if token[-8] != "A" else "B") + token[-7:]
    assert_refused(await api.get(broken), 401, "invalid_token")


async def test_caller_that_may_not_introspect(judge: Judge, make_api: MakeApi) -> None:
    """RFC 7662 section 2.2: a caller that may not ask is told that every token is inactive, and believes it."""
    client_id, secret = judge.denied
    api = make_api(strategy="introspect", client_id=client_id, client_secret=secret)
    assert_refused(await api.get(judge.token("opaque")), 401, "invalid_token")


async def test_refresh_token(judge: Judge, api: Api) -> None:
    """A refresh token is no access token, even where introspection calls it active."""
    assert_refused(await api.get(judge.refresh_token()), 401, "invalid_token")


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
async def test_wrong_credentials(
    method: Literal["client_secret_basic", "client_secret_post"], judge: Judge, make_api: MakeApi
) -> None:
    """RFC 7662 section 2.3: that our own credentials are refused is our fault, and never the caller's."""
    api = make_api(client_secret="not-the-secret", client_auth_method=method)
    assert_unavailable(await api.get(judge.token("opaque")))
    assert api.saw(ConfigurationFault)


async def test_jwt_that_is_not_introspected(judge: Judge, make_api: MakeApi) -> None:
    """RFC 7662 says nothing of ``unsupported_token_type``: who answers it has said that the JWT speaks for itself."""
    api, without_keys = make_api(), make_api(strategy="introspect")
    token = judge.token("jwt")
    assert (await api.get(token)).status == 200
    assert not api.saw(AuthorizationServerUnavailable)
    alone = await without_keys.get(token)
    assert alone.status == 200 if judge.introspects_jwts else alone.status in {401, 503}


async def test_outage(mortal: Judge) -> None:
    """That nobody answers says nothing about a token: a JWT speaks for itself, an opaque one cannot be judged."""
    api = Api(mortal)
    try:
        opaque, jwts = [mortal.token("opaque") for _ in "ab"], [mortal.token("jwt") for _ in "ab"]
        await api.server.start()
        for token in (opaque[0], jwts[0]):
            assert (await api.get(token)).status == 200
        mortal.die()
        assert (await api.get(jwts[1])).status == 200
        assert (await api.get(opaque[0])).status == 200
        assert_unavailable(await api.get(opaque[1]))
        assert api.saw(AuthorizationServerUnavailable)
    finally:
        await api.server.aclose()
