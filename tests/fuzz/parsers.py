"""Every parser of what strangers send: nothing but its own kinds of refusal, and nothing taken for what it is not.

A probe makes one input from a seeded generator, hands it to a parser, and asserts what holds whatever the input was.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from random import Random

from resource_server import InvalidRequest, InvalidToken, Principal, RequestParts, parse_challenges
from resource_server._protocol import answers, bearer, introspection, jwks, jws, metadata, security_event, shape
from resource_server._protocol.claims import ClaimRules, judge_claims, judge_time
from resource_server._protocol.jwt_access_token import REQUIRED_CLAIMS
from resource_server._protocol.messages import Unavailable
from resource_server._protocol.revocation import Revocation
from resource_server._protocol.strict_json import StrictJSONError, loads
from resource_server._validation.verdict import Active
from resource_server.principal import Assurance
from tests.fuzz import binding
from tests.fuzz.mutate import b64url, mutate, mutate_json, mutate_jws, noise, written
from tests.fuzz.responses import respond
from tests.support.headers import HeaderSyntaxError
from tests.support.headers import parse_challenges as parse_again
from tests.support.jwt import AUDIENCE, ISSUER, NOW, access_token, claims, signing_key
from tests.support.local import judge_with, local_state

Probe = Callable[[Random], None]

_KEYS = [signing_key(name, "fuzz") for name in ("ES256", "Ed25519", "RS256")]
TOKENS = [access_token(key).encode() for key in _KEYS]
_SIGNED = {token.rpartition(b".")[0] for token in TOKENS}
STATE = local_state(*_KEYS)
_KEY_SET = {
    "keys": [*(key.jwk() for key in _KEYS), {"kty": "oct", "k": "AAAA"}, {"kty": "OKP", "crv": "X25519", "x": "A"}]
}
_RULES = ClaimRules(issuer=ISSUER, audience=frozenset({AUDIENCE}), required=REQUIRED_CLAIMS["rfc9068"])
_ANSWER = {"active": True, "token_type": "Bearer", "username": "x", "cnf": {"jkt": "x"}, **claims()}
_METADATA = {
    "issuer": ISSUER,
    "jwks_uri": f"{ISSUER}/jwks",
    "introspection_endpoint": f"{ISSUER}/introspect",
    "token_endpoint": f"{ISSUER}/token",
    "authorization_endpoint": f"{ISSUER}/authorize",
    "scopes_supported": ["read"],
}
_NOTICE = {
    "iss": ISSUER,
    "aud": AUDIENCE,
    "jti": "x",
    "iat": int(NOW),
    "sub_id": {"format": "iss_sub", "iss": ISSUER, "sub": "x"},
    "events": {"https://schemas.openid.net/secevent/caep/event-type/session-revoked": {"event_timestamp": int(NOW)}},
}
_NOTICE_HEAD = {"typ": "secevent+jwt", "alg": "ES256", "kid": "x"}
_NOTICE_RULES = security_event.NoticeRules(
    issuer=ISSUER, audience=frozenset({AUDIENCE}), algorithms=frozenset({"ES256"}), memory=3600.0
)
_CHALLENGES = (
    b'Bearer realm="api", error="invalid_token", scope="read write"',
    b'DPoP algs="ES256", Bearer realm=x , Basic realm="a \\"b\\"" , Negotiate abc==',
)


def probe_json(random: Random) -> None:
    """What is read is what every reader reads; all else is refused as one kind of error."""
    text = written(random, mutate_json(random, _ANSWER)) if random.random() < 0.9 else noise(random)
    try:
        value = loads(text)
    except StrictJSONError:
        return
    assert value == json.loads(text, parse_constant=_impossible)


def probe_header(random: Random) -> None:
    """A credential is token68 and stands in the request; all else is nothing, or a refusal."""
    values = (b"Bearer " + random.choice(TOKENS), b"DPoP " + TOKENS[0], b"Bearer abc", b"Basic eDp5")
    fields = [
        (random.choice((b"authorization", b"Authorization", b"dpop", b"x")), mutate(random, random.choice(values)))
        for _ in range(random.choice((1, 1, 1, 2)))
    ]
    query, form = (mutate(random, b"a=b&access_token=abc%2Fdef&c") for _ in "qf")
    methods = bearer.TokenMethods(query=random.random() < 0.3, form=random.random() < 0.3)
    try:
        found = bearer.extract_credential(RequestParts("GET", fields, query, form), methods)
    except (InvalidRequest, InvalidToken):
        return
    if found is not None:
        assert found.token
        assert found.token.isascii()
        assert not set(found.token) & set(b' ,;"\\\t\r\n\x00')


def probe_jws(random: Random) -> None:
    """Only what the issuer has signed is accepted, to the letter but for the signature's own two forms."""
    token = mutate_jws(random, random.choice(TOKENS)) if random.random() < 0.95 else noise(random)
    parsed = jws.parse_jws(token)
    assert isinstance(jws.is_misspelt(token), bool)
    if token.isascii():
        shape.judge_shape(token, parsed, shape.ANY_SHAPE)
    verdict, _ = judge_with(STATE, token)
    if isinstance(verdict, Active):
        assert parsed is not None
        assert parsed.signing_input in _SIGNED


def probe_claims(random: Random) -> None:
    """Claims are judged as a principal of ours, or refused."""
    value = mutate_json(random, _ANSWER)
    if not isinstance(value, dict):
        return
    judged = judge_claims(value, _RULES, random.choice((Assurance.LOCAL, Assurance.INTROSPECTED)))
    if isinstance(judged, Principal):
        assert (judged.issuer, value["iss"]) == (ISSUER, ISSUER)
        assert AUDIENCE in judged.audience
        assert all(isinstance(text, str) for text in (judged.subject, judged.client_id, *judged.scopes))
        judge_time(judged, NOW, 0.0)


def probe_key_set(random: Random) -> None:
    """A key set is keys that can only verify, or a fault; a key that cannot be used is none."""
    found = jwks.process_jwks_response(respond(random, _KEY_SET), NOW)
    if isinstance(found, Unavailable):
        return
    for key in found:
        assert dict(key.members).keys() <= {"kty", "crv", "x", "y", "n", "e"}
        assert key.algorithms <= set(jwks.ALGORITHMS)
    if random.random() < 0.05:
        from resource_server._protocol.jose import import_key  # noqa: PLC0415 - as the product does, when it is needed

        for key in found:
            import_key(key)


def probe_introspection(random: Random) -> None:
    """Only an answer that says ``"active": true`` as JSON does is a yes."""
    response = respond(random, _ANSWER)
    answer = introspection.process_introspection_response(response, NOW)
    if isinstance(answer, dict):
        assert response.status == 200
        assert json.loads(response.body)["active"] is True
        judge_claims(answer, _RULES, Assurance.INTROSPECTED)
    elif answer == "inactive":
        assert json.loads(response.body)["active"] is False


def probe_metadata(random: Random) -> None:
    """Metadata is this issuer's, and its endpoints are https."""
    found = metadata.process_metadata_response(respond(random, _METADATA), ISSUER, NOW, allow_insecure_http=False)
    if isinstance(found, metadata.Metadata):
        assert found.issuer == ISSUER
        endpoints = (found.jwks_uri, found.introspection_endpoint, found.token_endpoint, found.authorization_endpoint)
        assert all(url is None or url.lower().startswith("https://") for url in endpoints)


def probe_answer_fields(random: Random) -> None:
    """Header fields of an answer are read as numbers that make sense, or as nothing."""
    response = respond(random, {})
    for seconds in (answers.retry_after(response, NOW), answers.max_age(response)):
        assert seconds is None or seconds >= 0


def probe_challenge(random: Random) -> None:
    """What is read from a challenge is what another reader reads, where that one is no stricter."""
    value = mutate(random, random.choice(_CHALLENGES)).decode("latin-1")
    try:
        found = parse_challenges(value)
    except ValueError:
        return
    try:
        again = parse_again(value)
    except HeaderSyntaxError:
        return
    read = [(challenge.scheme, dict(challenge.params), challenge.token68) for challenge in found]
    assert read == [tuple(challenge) for challenge in again]


def probe_security_event(random: Random) -> None:
    """A notice is revocations, or refused for a reason; its signature is judged elsewhere."""
    head, payload = (written(random, mutate_json(random, part)) for part in (_NOTICE_HEAD, _NOTICE))
    parsed = jws.parse_jws(b".".join((b64url(head), b64url(payload), b"AAAA")))
    if parsed is None:
        return
    found = security_event.judge_notice(parsed, _NOTICE_RULES, NOW)
    assert isinstance(found, str) or all(isinstance(revocation, Revocation) for revocation in found)


PROBES: dict[str, Probe] = {
    "header": probe_header,
    "json": probe_json,
    "jws": probe_jws,
    "claims": probe_claims,
    "jwks": probe_key_set,
    "introspection": probe_introspection,
    "metadata": probe_metadata,
    "answer fields": probe_answer_fields,
    "challenge": probe_challenge,
    "security event": probe_security_event,
    "dpop": binding.probe_dpop,
    "address": binding.probe_address,
    "certificate": binding.probe_certificate,
    "signed answer": binding.probe_signed_answer,
    "jwe": binding.probe_jwe,
    "token response": binding.probe_token_response,
    "routing": binding.probe_routing,
}


def _impossible(name: str) -> None:
    raise AssertionError(f"{name} is no JSON, and was read")


def run(name: str, seed: str, count: int) -> None:
    """Hand a parser inputs.

    Args:
        name: the parser's name in :data:`PROBES`.
        seed: begins the series; what fails in it is told by the number of the input.
        count: how many.
    """
    probe = PROBES[name]
    for number in range(count):
        try:
            probe(Random(f"{seed}-{number}"))  # noqa: S311 - the same inputs in every run
        except Exception as error:
            error.add_note(f"{name}: input {seed}-{number}")
            raise
