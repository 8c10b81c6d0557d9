"""Have a token judged as the service would judge it, and say what its refusal comes of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

from resource_server._core import Unknown
from resource_server._doctor.finding import Check, Finding, because, broken, fine, passed_over
from resource_server._doctor.unit import Unit
from resource_server._protocol.jws import is_cut_off
from resource_server._protocol.plain import plain, plain_list
from resource_server._protocol.sample import Sample
from resource_server._protocol.strict_json import StrictJSONError, loads_object
from resource_server._validation.decrypt import find_jwt
from resource_server._validation.verdict import Active
from resource_server._validation.verify_jwt import verify_jwt
from resource_server.errors import BearerTokenError, Reason, VerificationUnavailable
from resource_server.principal import Principal
from resource_server.requirements import ANY_TOKEN

_MENDS: dict[Reason, tuple[str, str]] = {
    "algorithm_not_allowed": (
        "its signature algorithm is not allowed",
        "allow it in RESOURCE_SERVER_ALGORITHMS, if it is one that you trust",
    ),
    "bad_signature": ("its signature is wrong", "get it anew: it was changed, cut off or put together by hand"),
    "binding_mismatch": (
        "it is bound to a certificate that was not shown",
        "call the API with that certificate, and let the proxy pass it on (RESOURCE_SERVER_CERTIFICATE_HEADER)",
    ),
    "expired": ("it has ended", "get a new one; if it is new, compare the clocks"),
    "inactive": ("the authorization server calls it inactive", "get a new one: it has ended or was revoked"),
    "malformed": ("it is no token that this server could understand", "look whether all of it was copied"),
    "not_bound": (
        "it is bound to nothing, which RESOURCE_SERVER_SENDER_CONSTRAINED demands",
        "let clients ask for tokens with DPoP or with a certificate",
    ),
    "not_encrypted": ("it is not encrypted", "let the authorization server encrypt its tokens"),
    "not_yet_valid": ("it is not valid yet", "compare the clocks"),
    "proof_missing": (
        "it is bound to a key, so that each request needs a proof",
        "nothing: a client that has the key sends a DPoP proof",
    ),
    "too_long": ("it is too long", "raise RESOURCE_SERVER_MAX_TOKEN_LENGTH"),
    "unknown_key": ("the key that has signed it is not published", "get a new one; look at the key set"),
    "wrong_issuer": ("it is of another issuer", "get one of the issuer in RESOURCE_SERVER_ISSUER"),
    "wrong_type": (
        "it is of another type than an access token (RFC 9068)",
        "send the access token, no ID token; if the issuer types them JWT, set RESOURCE_SERVER_JWT_PROFILE=lenient",
    ),
}
_CLOCK: frozenset[Reason] = frozenset({"expired", "not_yet_valid"})


async def judge_token(unit: Unit, sample: Sample | None, before: Sequence[Finding]) -> list[Finding]:
    """Judge a token as the service would, for a route that demands nothing.

    Args:
        unit: the authorization server.
        sample: the token.
        before: what was found already, and may be the cause.
    """
    if sample is None:
        return [passed_over("token", "no token was given: --token-file FILE, or - for the standard input")]
    failed: set[Check] = {finding.check for finding in before if finding.verdict == "failed"}
    try:
        principal = await decide(unit, sample)
    except VerificationUnavailable:
        return [_unverifiable(failed)]
    except BearerTokenError as error:
        culprit = _culprit(error.reason, failed)
        return [because("token", culprit) if culprit is not None else await _refused(unit, sample, error)]
    who = plain(principal.subject if principal.subject is not None else principal.client_id)
    scopes = plain_list(sorted(principal.scopes))
    return [fine("token", f"accepted ({principal.assurance}): subject {who}, scopes {scopes}")]


async def decide(unit: Unit, sample: Sample) -> Principal:
    """Judge a request with a token, as the service would.

    Raises:
        BearerTokenError: it is refused.
        VerificationUnavailable: it cannot be verified.
    """
    core = unit.core
    unknown = cast("Unknown", core.begin(sample.request(), ANY_TOKEN))  # for nothing is known yet
    known = core.complete(unknown, await unit.run(lambda: core.find_out(unknown.presented)))
    return known if isinstance(known, Principal) else known.principal


def claims_of(unit: Unit, sample: Sample | None) -> Mapping[str, Any] | None:
    """Return what is said of the token: by itself where it is a JWT, else by the last introspection."""
    if sample is None:
        return None
    jws = find_jwt(unit.state, sample.value)
    if jws is not None:
        return jws.claims()
    answer = unit.record.answer("introspection")
    try:
        return None if answer is None else loads_object(answer.body)
    except StrictJSONError:
        return None


def _culprit(reason: Reason | None, failed: set[Check]) -> Check | None:
    if reason in _CLOCK and "clock" in failed:
        return "clock"
    if reason == "unavailable" and "introspection" in failed:
        return "introspection"
    return "jwks" if reason in {"unknown_key", "unavailable"} and "jwks" in failed else None


def _unverifiable(failed: set[Check]) -> Finding:
    culprit = _culprit("unavailable", failed)
    if culprit is not None:
        return because("token", culprit)
    says = "it could not be verified: the authorization server gave no answer to rely on"
    return broken("token", says, "look at the log of the authorization server at this moment")


async def _refused(unit: Unit, sample: Sample, error: BearerTokenError) -> Finding:
    reason = error.reason
    if reason == "wrong_audience":
        return _wrong_audience(unit, sample)
    if reason == "unavailable" or reason is None:
        return _unverifiable(set())
    says, mend = _MENDS.get(reason, ("it is refused", "look at what it says: resource-server inspect"))
    if reason == "wrong_issuer":
        says += f", {plain((claims_of(unit, sample) or {}).get('iss'))}"
    if reason == "inactive" and await _looks_good(unit, sample):
        says = "the authorization server calls it inactive, though its signature and its times are good"
        mend = "it was revoked; or this client may not see it: allow our client to introspect tokens for this audience"
    if reason == "inactive" and is_cut_off(sample.value):
        says, mend = "it begins like a JWT, and its end is missing", "look whether all of it was copied"
    return broken("token", f"refused with {error.status}: {says} ({reason})", mend)


async def _looks_good(unit: Unit, sample: Sample) -> bool:
    jws = find_jwt(unit.state, sample.value)
    return jws is not None and isinstance(await unit.run(lambda: verify_jwt(unit.state, jws)), Active)


def _wrong_audience(unit: Unit, sample: Sample) -> Finding:
    claims = claims_of(unit, sample) or {}
    named = claims.get("aud")
    theirs = plain_list(named if isinstance(named, list) else [] if named is None else [named])
    ours = plain_list(unit.settings.audience)
    says = f"refused with 401: its audience is {theirs}, and ours is {ours} (wrong_audience)"
    mend = "let clients ask for a token for this API, or set RESOURCE_SERVER_AUDIENCE to what the issuer puts into aud"
    if named is None:
        mend = "let the authorization server tell aud, or say RESOURCE_SERVER_REQUIRE_AUDIENCE=false if it never does"
    return broken("token", says, mend)
