"""Judge a JWT with keys that are already there: the path of a token on which nobody is asked.

References: RFC 9068 section 4
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from resource_server import Clock
from resource_server._protocol.claims import ClaimRules
from resource_server._protocol.jwks import ALGORITHMS, process_jwks_response
from resource_server._protocol.jws import parse_jws
from resource_server._protocol.jwt_access_token import REQUIRED_CLAIMS, JWTProfile
from resource_server._protocol.messages import HTTPResponse, Unavailable
from resource_server._validation.cache import Tombstones, VerdictCache
from resource_server._validation.flow import Effect, Join
from resource_server._validation.revocations import Revocations
from resource_server._validation.state import IssuerState, Policy
from resource_server._validation.verdict import Inactive, Verdict
from resource_server._validation.verify_jwt import verify_jwt
from tests.support.jwt import AUDIENCE, ISSUER, NOW, SigningKey, encoded, jwks


def json_response(document: Any, *, status: int = 200, content_type: str = "application/json") -> HTTPResponse:
    """Make an answer out of a JSON value, or of bytes as they stand."""
    return HTTPResponse(status, (("content-type", content_type),), encoded(document))


def local_state(
    *keys: SigningKey | Mapping[str, Any],
    issuer: str = ISSUER,
    profile: JWTProfile = "rfc9068",
    algorithms: Iterable[str] = ALGORITHMS,
    leeway: float = 0.0,
    now: float = NOW,
) -> IssuerState:
    """Make what a server knows about an issuer whose key set it has just fetched."""
    rules = ClaimRules(issuer=issuer, audience=frozenset({AUDIENCE}), required=REQUIRED_CLAIMS[profile])
    policy = Policy(
        issuer=issuer,
        strategy="jwks",
        client=None,
        introspection_rules=rules,
        jwt_rules=rules,
        jwt_profile=profile,
        algorithms=frozenset(algorithms),
        leeway=leeway,
    )
    cache = VerdictCache(size=1, ttl=60.0, negative_size=1, negative_ttl=10.0)
    state = IssuerState(
        policy,
        cache=cache,
        tombstones=Tombstones(1),
        revocations=Revocations(),
        clock=Clock(lambda: now, lambda: 0.0),
        report=lambda *_: None,
        digest=lambda content: content,
    )
    published = process_jwks_response(json_response(jwks(*keys)), now)
    if not isinstance(published, Unavailable):
        state.keys.accept(published, None, 0.0)
    return state


def judge(token: str | bytes, *keys: SigningKey | Mapping[str, Any], **options: Any) -> Verdict:
    """Judge a token as ``strategy="jwks"`` does, with these keys and no others.

    Args:
        token: what a client sent.
        keys: the issuer's key set, all of which has been fetched.
        options: as for :func:`local_state`.
    """
    state = local_state(*keys, **options)
    verdict, effects = judge_with(state, token)
    # To look again at the issuer's own key set is all that a token may cause.
    assert all(isinstance(effect, Join) and effect.key == state.flight("jwks") for effect in effects)
    return verdict


def judge_with(state: IssuerState, token: str | bytes) -> tuple[Verdict, list[Effect]]:
    """Judge a token, and return also everything that was to be asked; nothing new is ever learnt from it."""
    jws = parse_jws(token.encode() if isinstance(token, str) else token)
    if jws is None:
        return Inactive("malformed"), []
    flow, effects = verify_jwt(state, jws), list[Effect]()
    try:
        effects.append(next(flow))
        while True:
            effects.append(flow.send(None))
    except StopIteration as done:
        return done.value, effects
