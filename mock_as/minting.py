"""Make tokens: honest ones, and every kind of wrong one that a resource server must refuse.

References: RFC 9068 section 2, RFC 7515 section 7.1
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from mock_as.errors import UsageError, unknown
from mock_as.keys import DEFAULT_ALGORITHM, KeyRing, SigningKey
from mock_as.tokens import FORMATS, TokenFormat

OTHER_ISSUER = "https://other-as.example.test"
OTHER_AUDIENCE = "https://other-api.example.test"
ATTACKER = "https://attacker.example.test"

_HOUR = 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What a token shall be; :meth:`mock_as.issuer.Issuer.token` says what each part means."""

    sub: str | None = None
    client_id: str = "svc"
    scope: str | Iterable[str] | None = "read"
    format: TokenFormat | None = None
    aud: str | Iterable[str] | None = None
    expires_in: float | None = None
    nbf_in: float | None = None
    iat_in: float | None = None
    alg: str = DEFAULT_ALGORITHM
    claims: Mapping[str, Any] | None = None
    header: Mapping[str, Any] | None = None
    key: str | None = None
    known: bool | None = None
    defect: str | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot be made."""
        if self.format is not None and self.format not in FORMATS:
            raise unknown("format", self.format, FORMATS)
        if self.defect is not None and self.defect not in DEFECTS:
            raise unknown("defect", self.defect, DEFECTS)
        if self.format == "opaque" and not self.suits_opaque:
            raise UsageError("defect", f"{self.defect!r} needs format='jwt': an opaque token has no inside")

    @property
    def suits_opaque(self) -> bool:
        """Whether the token can be opaque: its defect, if any, is one that introspection can show."""
        return self.defect is None or not DEFECTS[self.defect].jwt_only


def encode_claims(claims: Mapping[str, Any], name: str = "claims") -> bytes:
    """Write claims, or a header, as JSON.

    Args:
        claims: the members.
        name: what they are, for the message of the error.

    Raises:
        UsageError: JSON has no such value.
    """
    try:
        return json.dumps(claims, separators=(",", ":")).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise UsageError(name, f"cannot be written as JSON: {error}") from error


@dataclass(slots=True, kw_only=True)
class Draft:
    """A token in the making; a defect changes whatever part of it is to be wrong."""

    issuer: str
    client_id: str
    now: int
    claims: dict[str, Any]
    keys: KeyRing
    key: SigningKey
    header: dict[str, Any] = field(default_factory=dict[str, Any])
    sign: Callable[[bytes], bytes] | None = None
    payload: Callable[[dict[str, Any]], bytes] = encode_claims
    segments: Callable[[list[str]], list[str]] = lambda parts: parts

    def serialize(self) -> str:
        """Return the JWT as it is sent."""
        message = f"{_base64url(encode_claims(self.header, 'header'))}.{_base64url(self.payload(self.claims))}"
        signature = (self.sign or self.key.sign)(message.encode())
        return ".".join(self.segments([*message.split("."), _base64url(signature)]))


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def merge(members: dict[str, Any], overrides: Mapping[str, Any] | None) -> None:
    """Let the test have the last word.

    Args:
        members: the claims or the header, changed in place.
        overrides: what to set; ``None`` as a value removes a member.
    """
    for name, value in (overrides or {}).items():
        if value is None:
            members.pop(name, None)
        else:
            members[name] = value


def as_scope(scope: str | Iterable[str] | None) -> str:
    """Return scopes as the one text that a token has them in."""
    return scope if isinstance(scope, str) else " ".join(scope or ())


def as_audience(audience: str | Iterable[str]) -> str | list[str]:
    """Return an audience as a text, or several as a list.

    Raises:
        UsageError: there is none.
    """
    values = [audience] if isinstance(audience, str) else list(audience)
    if not values:
        raise UsageError("audience", "there must be one at least")
    return values[0] if len(values) == 1 else values


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What the server decides about a token that nobody orders."""

    issuer: str
    audience: str | list[str]
    lifetime: float
    now: float
    jti: str
    keys: KeyRing


def draw_up(order: Order, terms: Terms) -> Draft:
    """Write everything that is in a token, wrong where its defect wants it to be.

    Args:
        order: what the token shall be.
        terms: what the server decides about it.

    Returns:
        The token, to be serialized if it is to be a JWT.

    Raises:
        UsageError: a value of the order is not one that a token can have.
    """
    key = _key(order, terms.keys)
    draft = Draft(
        issuer=terms.issuer,
        client_id=order.client_id,
        now=int(terms.now),
        claims=_honest_claims(order, terms),
        keys=terms.keys,
        key=key,
        header={"typ": "at+jwt", "alg": key.alg, "kid": key.kid},
    )
    if order.defect is not None:
        DEFECTS[order.defect].apply(draft)
    merge(draft.claims, order.claims)
    merge(draft.header, order.header)
    return draft


def _honest_claims(order: Order, terms: Terms) -> dict[str, Any]:
    now = int(terms.now)
    scope = as_scope(order.scope)
    claims: dict[str, Any] = {
        "iss": terms.issuer,
        "aud": terms.audience if order.aud is None else as_audience(order.aud),
        "sub": order.client_id if order.sub is None else order.sub,
        "client_id": order.client_id,
        "iat": _after(now, order.iat_in or 0, "iat_in"),
        "exp": _after(now, terms.lifetime, "expires_in"),
        "jti": terms.jti,
    }
    if order.nbf_in is not None:
        claims["nbf"] = _after(now, order.nbf_in, "nbf_in")
    return claims | {"scope": scope} if scope else claims


def _after(now: int, seconds: float, name: str) -> float:
    if not math.isfinite(seconds):
        raise UsageError(name, f"{seconds!r} is not a number of seconds")
    # A whole number of seconds stays an integer, as NumericDate usually is.
    return now + (int(seconds) if seconds == int(seconds) else seconds)


def _key(order: Order, keys: KeyRing) -> SigningKey:
    if order.key is None:
        return keys.signing(order.alg)
    if order.key == "unpublished":
        return keys.unpublished(order.alg)
    return keys.previous(order.alg) if order.key == "previous" else keys.find(order.key)


# ---------------------------------------------------------------------------------------------- what can be wrong


class Defect(NamedTuple):
    """A way for a token to be wrong."""

    apply: Callable[[Draft], None]
    jwt_only: bool
    """It is in a part that an opaque token does not have."""
    forged: bool
    """The server would never have issued it as a JWT, so that introspection calls it inactive."""


def _claims(**changes: Any) -> Callable[[Draft], None]:  # noqa: ANN401 - a claim holds any value
    return lambda draft: merge(draft.claims, changes)


def _times(**offsets: int) -> Callable[[Draft], None]:
    return lambda draft: draft.claims.update({name: draft.now + seconds for name, seconds in offsets.items()})


def _header(**changes: Any) -> Callable[[Draft], None]:  # noqa: ANN401 - a header parameter holds any value
    return lambda draft: merge(draft.header, changes)


def _claim_as(name: str, convert: Callable[[Any], Any]) -> Callable[[Draft], None]:
    def apply(draft: Draft) -> None:
        draft.claims[name] = convert(draft.claims.get(name, ""))

    return apply


def _payload(write: Callable[[dict[str, Any]], bytes]) -> Callable[[Draft], None]:
    def apply(draft: Draft) -> None:
        draft.payload = write

    return apply


def _segments(change: Callable[[list[str]], list[str]]) -> Callable[[Draft], None]:
    def apply(draft: Draft) -> None:
        draft.segments = change

    return apply


def _iss_slash(draft: Draft) -> None:
    issuer = draft.issuer
    draft.claims["iss"] = issuer.removesuffix("/") if issuer.endswith("/") else f"{issuer}/"


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
    digest = hashlib.sha256(f"not {draft.key.kid}".encode()).digest()
    draft.header["kid"] = _base64url(digest)


def _alg_none(draft: Draft) -> None:
    draft.header["alg"] = "none"
    draft.sign = lambda _message: b""


def _hs256_with_public_key(draft: Draft) -> None:
    secret = draft.key.jwk.as_pem(private=False)
    draft.header["alg"] = "HS256"
    draft.sign = lambda message: hmac.digest(secret, message, "sha256")


def _own_key(draft: Draft, **header: Any) -> None:  # noqa: ANN401 - a header parameter holds any value
    """Sign with a key of the attacker's, which the header brings along."""
    draft.key = draft.keys.unpublished(draft.key.alg)
    draft.header |= {"kid": draft.key.kid, **header}


def _jwk_header(draft: Draft) -> None:
    _own_key(draft)
    draft.header["jwk"] = draft.key.public()


def _jku_header(draft: Draft) -> None:
    _own_key(draft, jku=f"{ATTACKER}/jwks")


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


DEFECTS: dict[str, Defect] = {
    # in the claims: introspection shows them as well
    "expired": Defect(_times(iat=-2 * _HOUR, exp=-_HOUR), jwt_only=False, forged=False),
    "not_yet_valid": Defect(_times(nbf=_HOUR, exp=2 * _HOUR), jwt_only=False, forged=False),
    "iat_future": Defect(_times(iat=_HOUR, exp=2 * _HOUR), jwt_only=False, forged=False),
    "no_exp": Defect(_claims(exp=None), jwt_only=False, forged=False),
    "exp_string": Defect(_claim_as("exp", str), jwt_only=False, forged=False),
    "exp_float": Defect(_claim_as("exp", lambda exp: exp + 0.5), jwt_only=False, forged=False),
    "wrong_iss": Defect(_claims(iss=OTHER_ISSUER), jwt_only=False, forged=True),
    "iss_slash": Defect(_iss_slash, jwt_only=False, forged=True),
    "wrong_aud": Defect(_claims(aud=OTHER_AUDIENCE), jwt_only=False, forged=False),
    "no_aud": Defect(_claims(aud=None), jwt_only=False, forged=False),
    "scope_list": Defect(_claim_as("scope", str.split), jwt_only=False, forged=False),
    "no_scope": Defect(_claims(scope=None), jwt_only=False, forged=False),
    "refresh_token": Defect(_refresh_token, jwt_only=False, forged=False),
    # another kind of token
    "id_token": Defect(_id_token, jwt_only=True, forged=True),
    "logout_token": Defect(_logout_token, jwt_only=True, forged=True),
    # in the signature
    "bad_signature": Defect(_bad_signature, jwt_only=True, forged=True),
    "other_key": Defect(_other_key, jwt_only=True, forged=True),
    "alg_none": Defect(_alg_none, jwt_only=True, forged=True),
    "hs256_with_public_key": Defect(_hs256_with_public_key, jwt_only=True, forged=True),
    # in the header
    "unknown_kid": Defect(_unknown_kid, jwt_only=True, forged=True),
    "no_kid": Defect(_header(kid=None), jwt_only=True, forged=True),
    "wrong_typ": Defect(_header(typ="JWT"), jwt_only=True, forged=True),
    "crit_unknown": Defect(
        _header(crit=["https://example.com/unknown"], **{"https://example.com/unknown": True}),
        jwt_only=True,
        forged=True,
    ),
    "b64_false": Defect(_header(b64=False, crit=["b64"]), jwt_only=True, forged=True),
    "jwk_header": Defect(_jwk_header, jwt_only=True, forged=True),
    "jku_header": Defect(_jku_header, jwt_only=True, forged=True),
    # in the shape
    "two_parts": Defect(_segments(lambda parts: parts[:2]), jwt_only=True, forged=True),
    "five_parts": Defect(_segments(lambda parts: [*parts, parts[1], parts[2]]), jwt_only=True, forged=True),
    "bad_base64": Defect(_segments(lambda parts: [parts[0], f"*{parts[1][1:]}", parts[2]]), jwt_only=True, forged=True),
    "payload_array": Defect(_payload(lambda claims: b"[" + encode_claims(claims) + b"]"), jwt_only=True, forged=True),
    "payload_not_json": Defect(_payload(lambda _claims: b"not JSON"), jwt_only=True, forged=True),
}
