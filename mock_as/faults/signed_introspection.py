"""Signed answers of introspection that a resource server must refuse.

An answer that the client did not ask to be signed is signed first.

References: RFC 9701 section 5
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from mock_as.faults.action import DAY, Action, Scene
from mock_as.faults.documents import Document, read_claims, read_members, sign
from mock_as.messages import Answer
from mock_as.tokens.defects import ATTACKER, OTHER_ISSUER

_HERE = frozenset({"introspect"})

Rewrite = Callable[[Answer, Scene, Document], Answer]


def _action(description: str, rewrite: Rewrite) -> Action:
    """Describe an action that makes another answer of the claims of the right one."""

    def spoil(answer: Answer, scene: Scene) -> Answer:
        members = read_members(answer)
        if members is None:
            return answer
        claims = {"iss": scene.issuer, "aud": scene.caller, "iat": int(scene.now), "token_introspection": members}
        return rewrite(answer, scene, read_claims(answer) or claims)

    return Action(description, spoil, _HERE)


def _with_claim(name: str, new: Callable[[Scene], Any]) -> Rewrite:
    return lambda answer, scene, claims: sign(answer, scene, {**claims, name: new(scene)})


def _plain_json(answer: Answer, _scene: Scene, claims: Document) -> Answer:
    return answer.with_headers({"content-type": "application/json"}).with_json(claims["token_introspection"])


def _bad_signature(answer: Answer, scene: Scene, claims: Document) -> Answer:
    signed = sign(answer, scene, claims)
    message, dot, signature = signed.body.rpartition(b".")
    # The first character: of the last one, some bits may mean nothing.
    first = b"A" if not signature.startswith(b"A") else b"B"
    return replace(signed, body=message + dot + first + signature[1:])


def _unknown_kid(answer: Answer, scene: Scene, claims: Document) -> Answer:
    return sign(answer, scene, claims, kid=scene.keys.unpublished().kid)


def _not_nested(answer: Answer, scene: Scene, claims: Document) -> Answer:
    outside = {name: value for name, value in claims.items() if name != "token_introspection"}
    return sign(answer, scene, {**claims["token_introspection"], **outside})


@functools.cache
def _nobodys_key() -> Any:  # noqa: ANN401 - a key of joserfc
    from joserfc.jwk import ECKey  # noqa: PLC0415 - only a test that asks for it pays for it

    return ECKey.generate_key("P-256", {"kid": "nobodys"}, private=True)


def _jwe_unknown_key(answer: Answer, scene: Scene, claims: Document) -> Answer:
    from joserfc import jwe  # noqa: PLC0415 - see above

    signed, key = sign(answer, scene, claims), _nobodys_key()
    header = {"alg": "ECDH-ES", "enc": "A256GCM", "kid": "nobodys", "cty": "JWT", "typ": "token-introspection+jwt"}
    return replace(signed, body=jwe.encrypt_compact(header, signed.body, key).encode())


ACTIONS: dict[str, Action] = {
    "plain_json": _action("The answer is JSON without a signature, although a signed one was asked for.", _plain_json),
    "bad_signature": _action("The signature is wrong.", _bad_signature),
    "wrong_typ": _action(
        "The JWT says that it is an access token.",
        lambda answer, scene, claims: sign(answer, scene, claims, typ="at+jwt"),
    ),
    "wrong_aud": _action("The answer is for another resource server.", _with_claim("aud", lambda _scene: ATTACKER)),
    "wrong_iss": _action("The answer is by another issuer.", _with_claim("iss", lambda _scene: OTHER_ISSUER)),
    "alg_none": _action(
        "The answer says that it needs no signature, and has none.",
        lambda answer, scene, claims: sign(answer, scene, claims, alg="none"),
    ),
    "unknown_kid": _action("The key that signs is not published.", _unknown_kid),
    "not_nested": _action("What it says of the token stands beside what it says of itself.", _not_nested),
    "jwe_unknown_key": _action("The answer is encrypted for somebody else.", _jwe_unknown_key),
    "old_iat": _action("The answer is a day old.", _with_claim("iat", lambda scene: int(scene.now) - DAY)),
}
