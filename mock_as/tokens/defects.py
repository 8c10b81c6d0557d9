"""What can be wrong with a token.

One table says all of it; the documentation and the console read the descriptions from it.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from typing import Any, NamedTuple

from joserfc.jws import JWSRegistry

from mock_as.base64url import base64url
from mock_as.errors import UsageError
from mock_as.keys.signing import DEFAULT_ALGORITHM, generate_key
from mock_as.tokens.drafts import Draft, encode_claims, merge

OTHER_ISSUER = "https://other-as.example.test"
OTHER_AUDIENCE = "https://other-api.example.test"
ATTACKER = "https://attacker.example.test"

_HOUR = 3600
_CENTURY = 100 * 365 * 24 * _HOUR
_PADDING = 64 * 1024
_CONFUSED = {"ES256": "ES384", "ES384": "ES512", "ES512": "ES256", "RS256": "PS256", "PS256": "RS256"}

Apply = Callable[[Draft], None]


class Defect(NamedTuple):
    """A way for a token to be wrong."""

    apply: Apply
    description: str
    """What is wrong with it, in one sentence whose subject is the token."""
    jwt_only: bool = True
    """It is in a part that an opaque token does not have."""
    forged: bool = True
    """The server would never have issued it as a JWT, so that introspection calls it inactive."""


def _claims(**changes: Any) -> Apply:  # noqa: ANN401 - a claim holds any value
    return lambda draft: merge(draft.claims, changes)


def _times(**offsets: int) -> Apply:
    return lambda draft: draft.claims.update({name: draft.now + seconds for name, seconds in offsets.items()})


def _header(**changes: Any) -> Apply:  # noqa: ANN401 - a header parameter holds any value
    return lambda draft: merge(draft.header, changes)


def _claim_as(name: str, convert: Callable[[Any], Any]) -> Apply:
    def apply(draft: Draft) -> None:
        try:
            draft.claims[name] = convert(draft.claims.get(name, ""))
        except TypeError:
            raise UsageError("defect", f"the {name} of the token is already too wrong for it") from None

    return apply


def _payload(write: Callable[[dict[str, Any]], bytes]) -> Apply:
    def apply(draft: Draft) -> None:
        draft.payload = write

    return apply


def _segments(change: Callable[[list[str]], list[str]]) -> Apply:
    def apply(draft: Draft) -> None:
        draft.segments = change

    return apply


def _text(change: Callable[[str], str]) -> Apply:
    def apply(draft: Draft) -> None:
        draft.text = change

    return apply


# ------------------------------------------------------------------------------------------------------ in the claims


def _iss_slash(draft: Draft) -> None:
    issuer = draft.issuer
    draft.claims["iss"] = issuer.removesuffix("/") if issuer.endswith("/") else f"{issuer}/"


def _scp(draft: Draft) -> None:
    draft.claims["scp"] = str(draft.claims.pop("scope", "")).split()


def _dpop_other_key(draft: Draft) -> None:
    draft.proof_key = generate_key(DEFAULT_ALGORITHM)
    draft.claims["cnf"] = {"jkt": draft.keys.unpublished(DEFAULT_ALGORITHM).thumbprint()}


def _id_token(draft: Draft) -> None:
    draft.header["typ"] = "JWT"
    changes = {"aud": draft.client_id, "nonce": "n-0S6_WzA2Mj", "auth_time": draft.now, "azp": draft.client_id}
    merge(draft.claims, {**changes, "scope": None, "client_id": None})


def _refresh_token(draft: Draft) -> None:
    draft.header["typ"] = "JWT"
    draft.claims |= {"aud": draft.issuer, "typ": "Refresh"}


def _logout_token(draft: Draft) -> None:
    draft.header["typ"] = "logout+jwt"
    events: dict[str, Any] = {"http://schemas.openid.net/event/backchannel-logout": {}}
    merge(draft.claims, {"aud": draft.client_id, "events": events, "scope": None, "client_id": None})


# --------------------------------------------------------------------------------------------------- in the signature


def _bad_signature(draft: Draft) -> None:
    honest = draft.key.sign

    def sign(message: bytes) -> bytes:
        signature = honest(message)
        return bytes([signature[0] ^ 1]) + signature[1:]

    draft.sign = sign


def _other_key(draft: Draft) -> None:
    # Its kid stays that of the published key.
    draft.key = draft.keys.unpublished(draft.key.alg)


def _unknown_kid(draft: Draft) -> None:
    draft.header["kid"] = base64url(hashlib.sha256(f"not {draft.key.kid}".encode()).digest())


def _alg_none(draft: Draft) -> None:
    draft.header["alg"] = "none"
    draft.sign = lambda _message: b""


def _hs256_with_public_key(draft: Draft) -> None:
    secret = draft.key.jwk.as_pem(private=False)
    draft.header["alg"] = "HS256"
    draft.sign = lambda message: hmac.digest(secret, message, "sha256")


def _alg_confusion(draft: Draft) -> None:
    """Use the key with an algorithm that it is not for, really: whoever believes the header can verify it."""
    key = draft.key
    other = _CONFUSED.get(key.alg)
    draft.header["alg"] = other or DEFAULT_ALGORITHM
    if other is not None:
        draft.sign = lambda message: JWSRegistry.algorithms[other].sign(message, key.jwk)


def _own_key(draft: Draft, **header: Any) -> None:  # noqa: ANN401 - a header parameter holds any value
    """Sign with a key of the attacker's, which the header brings along."""
    draft.key = draft.keys.unpublished(draft.key.alg)
    draft.header |= {"kid": draft.key.kid, **header}


def _jwk_header(draft: Draft) -> None:
    _own_key(draft)
    draft.header["jwk"] = draft.key.public()


def _jku_header(draft: Draft) -> None:
    _own_key(draft, jku=f"{ATTACKER}/jwks")


def _x5u_header(draft: Draft) -> None:
    _own_key(draft, x5u=f"{ATTACKER}/certificate.pem")


# ------------------------------------------------------------------------------------------------------- in the shape


def _jwe(draft: Draft) -> None:
    from joserfc import jwe  # noqa: PLC0415 - only a test that asks for it pays for it

    key = draft.keys.unpublished(DEFAULT_ALGORITHM)
    header = {"alg": "ECDH-ES", "enc": "A256GCM", "typ": "at+jwt", "cty": "JWT", "kid": key.kid}

    def encrypt(jwt: str) -> str:
        # Its own parameters say that the key is for signatures, which joserfc would insist on.
        return jwe.encrypt_compact(header, jwt.encode(), type(key.jwk).import_key(key.bare()))

    draft.text = encrypt


def _array(claims: dict[str, Any]) -> bytes:
    return b"[" + encode_claims(claims) + b"]"


_CRIT = {"crit": ["https://example.com/unknown"], "https://example.com/unknown": True}


def _seen(apply: Apply, description: str, *, forged: bool = False) -> Defect:
    """Describe a defect of the claims, which introspection shows as well."""
    return Defect(apply, description, jwt_only=False, forged=forged)


DEFECTS: dict[str, Defect] = {
    # in the claims
    "expired": _seen(_times(iat=-2 * _HOUR, exp=-_HOUR), "has expired an hour ago"),
    "not_yet_valid": _seen(_times(nbf=_HOUR, exp=2 * _HOUR), "becomes valid in an hour"),
    "iat_future": _seen(_times(iat=_HOUR, exp=2 * _HOUR), "will be issued in an hour"),
    "no_exp": _seen(_claims(exp=None), "has no `exp`"),
    "exp_string": _seen(_claim_as("exp", str), "has its `exp` as text"),
    "exp_float": _seen(_claim_as("exp", lambda exp: exp + 0.5), "has an `exp` with a fraction, which is legal"),
    "far_future": _seen(_times(exp=_CENTURY), "expires in a hundred years"),
    "wrong_iss": _seen(_claims(iss=OTHER_ISSUER), "names another issuer", forged=True),
    "iss_slash": _seen(_iss_slash, "names the issuer with a slash too many, or too few", forged=True),
    "wrong_aud": _seen(_claims(aud=OTHER_AUDIENCE), "is for another audience"),
    "no_aud": _seen(_claims(aud=None), "names no audience"),
    "scope_list": _seen(_claim_as("scope", str.split), "has its scopes as a list"),
    "scp": _seen(_scp, "has its scopes as a list in `scp`, as some real servers do"),
    "no_scope": _seen(_claims(scope=None), "has no scope"),
    "dpop_other_key": _seen(_dpop_other_key, "is bound to another key than the one its proofs are made with"),
    "cnf_unsupported": _seen(_claims(cnf={"example_method": "x"}), "is bound in a way that nobody knows"),
    # another kind of token
    "refresh_token": _seen(_refresh_token, "is a refresh token, which introspection calls active"),
    "id_token": Defect(_id_token, "is an ID token"),
    "logout_token": Defect(_logout_token, "is a logout token"),
    # in the signature
    "bad_signature": Defect(_bad_signature, "has one bit of its signature flipped"),
    "other_key": Defect(_other_key, "is signed by another key than the one it names"),
    "alg_none": Defect(_alg_none, "has `alg: none` and no signature"),
    "hs256_with_public_key": Defect(_hs256_with_public_key, "is signed with the public key as if that were a secret"),
    "alg_confusion": Defect(_alg_confusion, "is signed with an algorithm that the key is not for"),
    # in the header
    "unknown_kid": Defect(_unknown_kid, "names a key that does not exist"),
    "no_kid": Defect(_header(kid=None), "names no key"),
    "wrong_typ": Defect(_header(typ="JWT"), "has `typ: JWT`"),
    "crit_unknown": Defect(_header(**_CRIT), "demands an extension that nobody knows"),
    "b64_false": Defect(_header(b64=False, crit=["b64"]), "demands an unencoded payload"),
    "jwk_header": Defect(_jwk_header, "brings the key along that verifies it"),
    "jku_header": Defect(_jku_header, "says where to fetch the key that verifies it"),
    "x5u_header": Defect(_x5u_header, "says where to fetch the certificate of the key that verifies it"),
    # in the shape
    "jwe": Defect(_jwe, "is encrypted, to a key that nobody has"),
    "two_parts": Defect(_segments(lambda parts: parts[:2]), "lacks its signature"),
    "five_parts": Defect(_segments(lambda parts: [*parts, *parts[1:]]), "has the shape of an encrypted token"),
    "bad_base64": Defect(
        _segments(lambda parts: [parts[0], f"*{parts[1][1:]}", parts[2]]),
        "has a character that is none of base64url's",
    ),
    "payload_array": Defect(_payload(_array), "has claims in an array"),
    "payload_not_json": Defect(_payload(lambda _claims: b"not JSON"), "has claims that are not JSON"),
    "empty": Defect(_text(lambda _jwt: ""), "is nothing at all"),
    "oversized": Defect(_claims(padding="x" * _PADDING), "is longer than 64 KiB, and otherwise right"),
    "non_ascii": Defect(_text(lambda jwt: f"{jwt[:-1]}\u00e9"), "has a letter that is not ASCII"),
    "whitespace": Defect(_text(lambda jwt: jwt.replace(".", ". ", 1)), "has a space in the middle"),
}
"""What can be wrong, by name."""
