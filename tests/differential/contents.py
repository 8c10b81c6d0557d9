"""Mutations of what a token says: its header and its claims.

References: RFC 7515 section 4, RFC 7519 section 4.1, RFC 9068 sections 2 and 4, RFC 8725 section 3
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.differential.draft import Draft, offset
from tests.differential.registry import Registry
from tests.differential.values import JUNK, junk, moment, shown
from tests.support.jwt import AUDIENCE, ISSUER, REMOVED, public_pem, sign_hmac, signing_key

CONTENTS = Registry()
_add = CONTENTS.add

TYPES: tuple[Any, ...] = (
    *("at+jwt", "AT+JWT", "At+Jwt", "application/at+jwt", "Application/AT+jwt", "APPLICATION/at+jwt"),
    *("JWT", "jwt", "", "at+jwt ", " at+jwt", "at+jwt;charset=utf-8", "application/application/at+jwt"),
    *("dpop+jwt", "logout+jwt", "secevent+jwt", "token-introspection+jwt", "at +jwt", "at-jwt", "at+jwt\x00"),
    *("text/at+jwt", "/at+jwt", "application/", "\uff41t+jwt", "at+jw\u0442", "AT\u207aJWT", "application/jwt"),
)
ALGORITHMS: tuple[Any, ...] = (
    *("none", "None", "NONE", "HS256", "HS512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
    *("ES256", "ES384", "ES512", "ES256K", "Ed25519", "EdDSA", "Ed448", "rs256", "es256", "eddsa", "ES256 ", ""),
    *("ML-DSA-44", "RSA-OAEP", "dir", "RS1", "ES", "Ed", "RS", "toString", "__proto__"),
)
ISSUERS = (
    *(f"{ISSUER}/", f"{ISSUER}:443", "https://AS.example.com", "HTTPS://as.example.com", "http://as.example.com"),
    *(f"{ISSUER}.", f" {ISSUER}", f"{ISSUER} ", f"{ISSUER}/tenant", f"{ISSUER}#", f"{ISSUER}?", "as.example.com"),
    *("https://as.example.com.evil.example", "https://%61s.example.com", "https://as\u2024example.com", ISSUER[:-1]),
)
AUDIENCES: tuple[Any, ...] = (
    *([AUDIENCE], [AUDIENCE, AUDIENCE], ["other", AUDIENCE], [AUDIENCE, "other"], [f"{AUDIENCE}/"], [[AUDIENCE]]),
    *([AUDIENCE, 5], [5, AUDIENCE], [AUDIENCE, None], [AUDIENCE, [AUDIENCE]], [AUDIENCE, {}], [AUDIENCE, ""], [""]),
    *(f"{AUDIENCE}/", AUDIENCE.upper(), f"{AUDIENCE} other", f"other {AUDIENCE}", AUDIENCE[:-1], f" {AUDIENCE}"),
    *({"aud": AUDIENCE}, {AUDIENCE: 1}, [AUDIENCE.upper()], [f"{AUDIENCE},other"], ["other"] * 40, {"0": AUDIENCE}),
    *(["other"] * 600 + [AUDIENCE], "*", ["*"]),
)
SCOPES: tuple[Any, ...] = (
    *("read", "read write", "read  write", " read", "read ", "", "re\tad", 'a"b', "\u00e9", "READ", "read,write"),
    *(["read", "write"], ["read write"], ["read", 5], [], {}, {"read": True}, 5, None, True),
)
FOREIGN: tuple[tuple[str, Any], ...] = (
    *(("at_hash", "x"), ("c_hash", "x"), ("s_hash", "x"), ("nonce", "x"), ("events", {}), ("token_introspection", {})),
    *(("token_use", "id"), ("token_use", "access"), ("token_use", "access_token"), ("token_use", 5)),
    *(("typ", "Bearer"), ("typ", "Refresh"), ("typ", "ID"), ("typ", "Logout"), ("typ", "Offline"), ("typ", 5)),
    *(("token_type", "Bearer"), ("token_type", "refresh_token"), ("token_type", "access_token"), ("token_type", 5)),
    *(("token_type", None), ("token_use", None), ("events", None), ("at_hash", None), ("token_type", "mac")),
)
EXTRA: tuple[tuple[str, Any], ...] = (
    *(("acr", "high"), ("acr", 5), ("acr", None), ("acr", ["high"]), ("amr", ["pwd"]), ("amr", "pwd")),
    *(("auth_time", 1), ("auth_time", "1"), ("auth_time", None), ("auth_time", 0), ("auth_time", -1)),
    *(("auth_time", 1_699_999_000), ("auth_time", 1_699_999_000.5), ("auth_time", True), ("active", False)),
    *(("roles", ["a", "b"]), ("groups", {"a": [1, 2, {"b": None}]}), ("\u00e9", "\u4e2d"), ("", ""), ("x", 1e20)),
    *(("azp", 5), ("authorization_details", [{"type": "x"}]), ("act", {"sub": "y"}), ("tenant", None), ("sid", "x")),
    *(("__proto__", {"iss": "x"}), ("constructor", "x"), ("toString", 1), ("big", 10**30), ("tiny", 1e-300)),
)
CONFIRMATIONS: tuple[Any, ...] = (
    *({}, {"jkt": "x"}, {"jkt": 5}, {"jkt": None}, {"jkt": ""}, {"x5t#S256": "x"}, {"jkt": "x", "x5t#S256": "y"}),
    *({"jwk": {}}, {"kid": "x"}, {"unknown": 1}, [], "x", None, 5, True, [{"jkt": "x"}]),
)
HEADER_PARAMETERS: tuple[tuple[str, Any], ...] = (
    *(("jku", "https://evil.example/jwks"), ("x5u", "https://evil.example/x"), ("x5c", ["AAAA"]), ("x5t", "x")),
    *(("jwk", {"kty": "oct"}), ("jwk", 5), ("zip", "DEF"), ("enc", "A128GCM"), ("cty", "JWT"), ("cty", 5), ("iat", 1)),
    *(("crit", []), ("crit", ["exp"]), ("crit", ["b64"]), ("crit", None), ("crit", "exp"), ("crit", 0), ("crit", {})),
    *(("b64", True), ("b64", False), ("b64", None), ("nonce", "x"), ("\u00e9", "x"), ("", 1), ("__proto__", {})),
    *(("apu", "x"), ("iss", "evil"), ("p2c", 10**6), ("long", "x" * 3000)),
)
KIDS: tuple[Any, ...] = (
    *(REMOVED, "", "unknown", "ES256 ", "es256", "../../etc/passwd", "' OR 1=1", "\u00e9", "x" * 500, "oct"),
    *("small-order", "off-curve", "nothing", "same", "RS256", "ES256", "Ed25519", "RS256-bare", "__proto__"),
)


@_add
def typ(draft: Draft) -> str:
    """Spell the type in another way, or name another one, or none."""
    value = draft.random.choice((REMOVED, *TYPES, *TYPES, *JUNK))
    return set_member(draft.head, "typ", value)


@_add
def alg(draft: Draft) -> str:
    """Name another algorithm than the one that signs."""
    return set_member(draft.head, "alg", draft.random.choice((REMOVED, *ALGORITHMS, *ALGORITHMS, *JUNK)))


@_add
def alg_of_family(draft: Draft) -> str:
    """Sign with another algorithm of the key's type, and say so."""
    families = {"R": ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"), "P": ("RS256", "PS384", "PS512")}
    names = families.get(draft.key.algorithm[0], ("EdDSA", "Ed25519") if draft.key.algorithm[1] == "d" else ())
    name = draft.random.choice(names) if names else "ES384"
    if names:
        draft.sign_as = name
    return set_member(draft.head, "alg", name)


@_add
def hmac(draft: Draft) -> str:
    """Sign with the public key as a shared secret."""
    draft.head["alg"] = draft.random.choice(("HS256", draft.key.algorithm))
    draft.token_edits.append(lambda _: sign_hmac(draft.head, draft.claims, public_pem(draft.key)))
    return str(draft.head["alg"])


@_add
def kid(draft: Draft) -> str:
    """Name another key, or none, or nothing that could be one."""
    return set_member(draft.head, "kid", draft.random.choice((*KIDS, *KIDS, *JUNK)))


@_add
def stranger(draft: Draft) -> str:
    """Sign with a key that the issuer does not have, under the name of one that it has."""
    own = draft.key
    draft.signer = signing_key(own.algorithm, "stranger").sign
    return own.algorithm


@_add
def head_parameter(draft: Draft) -> str:
    """Add a header parameter."""
    name, value = draft.random.choice(HEADER_PARAMETERS)
    return set_member(draft.head, name, value)


@_add
def issuer(draft: Draft) -> str:
    """Name another issuer, or the right one in another spelling."""
    return set_member(
        draft.claims, "iss", draft.random.choice((*ISSUERS, *ISSUERS, [ISSUER], {ISSUER: 1}, *JUNK, REMOVED))
    )


@_add
def audience(draft: Draft) -> str:
    """Name another audience, or ours in another shape."""
    return set_member(draft.claims, "aud", draft.random.choice((*AUDIENCES, *AUDIENCES, *JUNK, REMOVED)))


@_add
def text_claim(draft: Draft) -> str:
    """Put something else where a text must be."""
    return set_member(draft.claims, draft.random.choice(("sub", "client_id", "jti")), junk(draft.random))


@_add
def expiry(draft: Draft) -> str:
    """Let the token end near now."""
    return set_member(draft.claims, "exp", moment(draft.random))


@_add
def not_before(draft: Draft) -> str:
    """Let the token begin near now."""
    return set_member(draft.claims, "nbf", moment(draft.random))


@_add
def issued_at(draft: Draft) -> str:
    """Date the token near now."""
    return set_member(draft.claims, "iat", moment(draft.random))


@_add
def time_claim(draft: Draft) -> str:
    """Put something else where a time must be."""
    return set_member(draft.claims, draft.random.choice(("exp", "nbf", "iat", "auth_time")), junk(draft.random))


@_add
def scope(draft: Draft) -> str:
    """Write the scope in another shape."""
    return set_member(draft.claims, "scope", draft.random.choice((REMOVED, *SCOPES)))


@_add
def foreign_claim(draft: Draft) -> str:
    """Add what access tokens do not have, and other tokens have."""
    return set_member(draft.claims, *draft.random.choice(FOREIGN))


@_add
def extra_claim(draft: Draft) -> str:
    """Add what an access token may have."""
    return set_member(draft.claims, *draft.random.choice(EXTRA))


@_add
def confirmation(draft: Draft) -> str:
    """Bind the token to something, or to nothing in particular."""
    return set_member(draft.claims, "cnf", draft.random.choice(CONFIRMATIONS))


def set_member(members: dict[str, Any], name: str, value: Any) -> str:
    """Set a member, or take it away; return what was done."""
    if value is REMOVED:
        members.pop(name, None)
    else:
        members[name] = value
    return f"{name}={shown(value)}"


def _twice(name: str, value: bytes, *, first: bool) -> Callable[[bytes], bytes]:
    member = b'"' + name.encode() + b'":' + value
    return lambda text: b"{" + member + b"," + text[1:] if first else text[:-1] + b"," + member + b"}"


_TWICE = {
    "alg": b'"none"',
    "kid": b'"other"',
    "typ": b'"JWT"',
    "iss": b'"https://evil.example"',
    "aud": b'"https://other.example"',
    "sub": b'"admin"',
    "exp": str(offset(60)).encode(),
}
_WHOLE: dict[str, Callable[[bytes], bytes]] = {
    "nothing": lambda _: b"",
    "null": lambda _: b"null",
    "array": lambda text: b"[" + text + b"]",
    "string": lambda _: b'"x"',
    "number": lambda _: b"5",
    "empty object": lambda _: b"{}",
    "byte order mark": lambda text: b"\xef\xbb\xbf" + text,
    "utf-16": lambda text: text.decode("latin-1").encode("utf-16"),
    "blanks": lambda text: b" \r\n\t" + text.replace(b",", b" ,\n") + b" \n",
    "form feed": lambda text: text + b"\x0c",
    "trailing comma": lambda text: text[:-1] + b",}",
    "comment": lambda text: text[:-1] + b"/**/}",
    "text after": lambda text: text + b"{}",
    "nul after": lambda text: text + b"\x00",
    "single quotes": lambda text: text.replace(b'"', b"'"),
    "not utf-8": lambda text: text[:-1] + b',"x":"\xff"}',
    "overlong utf-8": lambda text: text[:-1] + b',"x":"\xc0\xaf"}',
    "surrogate bytes": lambda text: text[:-1] + b',"x":"\xed\xa0\x80"}',
    "lone surrogate": lambda text: text[:-1] + b',"x":"\\ud800"}',
    "surrogate pair": lambda text: text[:-1] + b',"x":"\\ud83d\\udd11"}',
    "control character": lambda text: text[:-1] + b',"x":"\x01"}',
    "escape": lambda text: text.replace(b'"a', b'"\\u0061'),
    "bad escape": lambda text: text[:-1] + b',"x":"\\x41"}',
    "NaN": lambda text: text[:-1] + b',"x":NaN}',
    "Infinity": lambda text: text[:-1] + b',"x":-Infinity}',
    "overflow": lambda text: text[:-1] + b',"x":1e999}',
    "many digits": lambda text: text[:-1] + b',"x":' + b"9" * 40 + b"}",
    "few digits": lambda text: text[:-1] + b',"x":' + b"9" * 30 + b"}",
    "leading zero": lambda text: text[:-1] + b',"x":01}',
    "plus": lambda text: text[:-1] + b',"x":+1}',
    "hexadecimal": lambda text: text[:-1] + b',"x":0x1}',
    "deep": lambda text: text[:-1] + b',"x":' + b"[" * 40 + b"]" * 40 + b"}",
    "quite deep": lambda text: text[:-1] + b',"x":' + b"[" * 20 + b"]" * 20 + b"}",
    "very deep": lambda text: text[:-1] + b',"x":' + b"[" * 300 + b"]" * 300 + b"}",
    "long": lambda text: text[:-1] + b',"x":"' + b"y" * 7000 + b'"}',
    "exponents": lambda text: text.replace(b"1700003600", b"1.7000036e9").replace(b"1700000000", b"17E8"),
    "fractions": lambda text: text.replace(b"1700003600", b"1700003600.0"),
}


@_add
def head_text(draft: Draft) -> str:
    """Write the header as another text: it may mean the same, or nothing."""
    return _edit_text(draft, draft.head_edits)


@_add
def payload_text(draft: Draft) -> str:
    """Write the payload as another text."""
    return _edit_text(draft, draft.payload_edits)


@_add
def member_twice(draft: Draft) -> str:
    """Let a member stand twice, the other value before or after."""
    name, first = draft.random.choice(list(_TWICE)), draft.random.random() < 0.5
    edits = draft.head_edits if name in draft.head else draft.payload_edits
    edits.append(_twice(name, _TWICE[name], first=first))
    return f"{name} {'first' if first else 'last'}"


def _edit_text(draft: Draft, edits: list[Callable[[bytes], bytes]]) -> str:
    name = draft.random.choice(list(_WHOLE))
    edits.append(_WHOLE[name])
    return name
