"""Mutations of what shows that the sender holds a key: the DPoP proof, and what ties it to token and request.

References: RFC 9449 sections 4.2, 4.3 and 7.1, RFC 3986 section 6.2, RFC 7638
"""

from __future__ import annotations

import hmac
import json
from functools import cache
from hashlib import sha256
from random import Random
from typing import Any

from cryptography.hazmat.primitives.asymmetric import rsa

from tests.differential.contents import ALGORITHMS, CONFIRMATIONS, set_member
from tests.differential.draft import Draft, OddKey, offset
from tests.differential.registry import Registry
from tests.differential.spellings import SPELLINGS
from tests.differential.values import JUNK, TIMES, junk, shown
from tests.differential.worlds import NEUTRAL_POINT
from tests.support.jwt import AUDIENCE, REMOVED, SigningKey, b64uint, b64url, signing_key, thumbprint

ORIGIN = AUDIENCE
"""The external URL of the resource server, without a path."""
EXCHANGES, PROOFS = Registry(), Registry()
"""What happens between token and request, before the proof is made; and what happens to the proof."""

TYPES: tuple[Any, ...] = (
    *("DPOP+JWT", "DPoP+jwt", "application/dpop+jwt", "Application/DPoP+JWT", "at+jwt", "JWT", "dpop", "dpop+jwt "),
    *("", "application/application/dpop+jwt", "dpop+jwt; v=1", "text/dpop+jwt", "dpop+jwt+jwt", "dpo\u0440+jwt"),
)
PATHS = (
    *(
        "/things",
        "/things",
        "/things",
        "/",
        "",
        "/things/",
        "/a%20b",
        "/a%2fb",
        "/a%2Fb",
        "/%7Euser",
        "/~user",
        "/a//b",
    ),
    *("/a;b", "/a:b@c", "/a!$&'()*+,=b", "/%74hings", "/a%C3%A9", "/things%3Fx", "/THINGS", "/a%", "/a|b", "/a%zz"),
)
QUERIES = ("", "", "", "x=1", "access_token=x", "?", "a=%20&b=#")
METHODS = ("GET", "GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS")
_HOST = ORIGIN.removeprefix("https://")
_URIS = (
    *("https://{host}{path}", "HTTPS://{host}{path}", "https://{HOST}{path}", "https://{host}:443{path}"),
    *("https://{host}:{path}", "https://{host}:0443{path}", "https://{host}:80{path}", "https://{host}:8443{path}"),
    *("http://{host}{path}", "http://{host}:443{path}", "https://{host}.{path}", "https://evil.example{path}"),
    *("https://user@{host}{path}", "https://user:pass@{host}{path}", "https://{host}@evil.example{path}", "{path}"),
    *("//{host}{path}", "{host}{path}", "https:{host}{path}", "https:/{host}{path}", "https:///{host}{path}"),
    *("https:\\\\{host}{path}", "https://{host}\\{path}", " https://{host}{path}", "https://{host}{path} "),
    *("https://{host}{path}\n", "htt\tps://{host}{path}", "https://{host}{path}?x=1", "https://{host}{path}?"),
    *("https://{host}{path}#f", "https://{host}{path}#", "https://{host}{path}?x#y", "https://{host}{path}/"),
    *("https://{host}/.{path}", "https://{host}/x/..{path}", "https://{host}{path}/.", "https://{host}{path}/../x"),
    *("https://{host}/%2e{path}", "https://{host}/x/%2E%2e{path}", "https://{host}/{path}", "https://{host}{path}%20"),
    *("https://%72s.example.com{path}", "https://rs\u3002example\u3002com{path}", "https://r\u00f6s.example.com{path}"),
    *("ws://{host}{path}", "wss://{host}{path}", "urn:x", "https://", "https://{host}{path}\u00e9", "*"),
)
_RESPELT = {
    "t": "%74",
    "a": "%61",
    "~": "%7e",
    "%7E": "~",
    "%2f": "%2F",
    "%2F": "%2f",
    "/": "%2F",
    "%20": " ",
    "b": "B",
}


@EXCHANGES.add
def scheme_of_bound(draft: Draft) -> str:
    """Send a bound token under another scheme."""
    draft.scheme = draft.random.choice(("Bearer", "bearer", "dpop", "DPOP", "dPoP", "DPoP ", "Basic", "DPoP,", "DPoPx"))
    return repr(draft.scheme)


@EXCHANGES.add
def binding(draft: Draft) -> str:
    """Bind the token in another way, or not at all."""
    own: Any = thumbprint(signing_key("ES256", "client"))
    choices: tuple[Any, ...] = (
        *(REMOVED, {"jkt": own[:-1]}, {"jkt": own + "="}, {"jkt": own.upper()}, {"jkt": [own]}, {"JKT": own}, own),
        *({"jkt": own, "x5t#S256": "x"}, {"jkt": own, "kid": "x"}, {"jkt": own, "x": 1}, {"jkt": f" {own}"}),
    )
    return set_member(draft.claims, "cnf", draft.random.choice((*choices, *choices, *CONFIRMATIONS)))


@EXCHANGES.add
def other_owner(draft: Draft) -> str:
    """Bind the token to another key than the one at hand."""
    other = signing_key("ES256", "other-client")
    draft.claims["cnf"] = {"jkt": thumbprint(other)}
    return ""


@EXCHANGES.add
def odd_owner(draft: Draft) -> str:
    """Bind the token to a key that no proof should have: to be owner of it is no feat, or nobody can tell."""
    name = draft.random.choice(list(odd_keys()))
    draft.odd_key = odd_keys()[name]
    required = {
        "RSA": ("e", "kty", "n"),
        "EC": ("crv", "kty", "x", "y"),
        "OKP": ("crv", "kty", "x"),
        "oct": ("k", "kty"),
    }
    members = {member: draft.odd_key.jwk[member] for member in required[draft.odd_key.jwk["kty"]]}
    named = sha256(json.dumps(members, separators=(",", ":")).encode()).digest()
    draft.claims["cnf"] = {"jkt": b64url(named)}
    return name


@EXCHANGES.add
def unbound_bearer(draft: Draft) -> str:
    """Send an ordinary bearer token, and a proof beside it."""
    draft.claims.pop("cnf", None)
    draft.scheme = "Bearer"
    return ""


@PROOFS.add
def proof_typ(proof: Draft) -> str:
    """Spell the type in another way, or name another one, or none."""
    return set_member(proof.head, "typ", proof.random.choice((REMOVED, *TYPES, *TYPES, *JUNK)))


@PROOFS.add
def proof_alg(proof: Draft) -> str:
    """Name another algorithm than the one that signs."""
    return set_member(proof.head, "alg", proof.random.choice((REMOVED, *ALGORITHMS, *JUNK)))


@PROOFS.add
def proof_alg_of_family(proof: Draft) -> str:
    """Sign with another algorithm of the key's type, and say so."""
    families = {
        "RSA": ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
        "OKP": ("EdDSA", "Ed25519"),
        "EC": (proof.key.algorithm,),
    }
    proof.sign_as = proof.random.choice(families[public(proof.key)["kty"]])
    return set_member(proof.head, "alg", proof.sign_as)


@PROOFS.add
def proof_key(proof: Draft) -> str:
    """Send another key than the one that signs."""
    name = proof.random.choice(("ES256", "ES384", "Ed25519"))
    proof.head["jwk"] = public(signing_key(name, "other-client"))
    return name


@PROOFS.add
def proof_signer(proof: Draft) -> str:
    """Sign with another key than the one that is sent."""
    proof.signer = signing_key(proof.key.algorithm, "other-client").sign
    return proof.key.algorithm


@PROOFS.add
def key_member(proof: Draft) -> str:
    """Add a member to the key: some say what it is for, some are secrets, some mean nothing."""
    key = proof.random.choice((proof.key, signing_key("ES256", "other-client")))
    members: tuple[tuple[str, Any], ...] = (
        *(("d", key.private_jwk()["d"]), ("k", "AAAA"), ("p", "AAAA"), ("oth", []), ("d", ""), ("d", None)),
        *(("use", "sig"), ("use", "enc"), ("use", None), ("key_ops", ["verify"]), ("key_ops", ["sign"])),
        *(("key_ops", "verify"), ("key_ops", []), ("alg", proof.key.algorithm), ("alg", "ES384"), ("alg", None)),
        *(("alg", "none"), ("kid", "x"), ("kid", 5), ("kid", None), ("ext", True), ("x5c", ["AAAA"]), ("crit", [])),
        *(("x5t#S256", "x"), ("iss", "x"), ("exp", 1), ("\u00e9", "x"), ("nbf", None), ("ext", False)),
    )
    name, value = proof.random.choice(members)
    proof.head["jwk"] = public(proof.key)
    return set_member(proof.head["jwk"], name, value)


@PROOFS.add
def key_shape(proof: Draft) -> str:
    """Send a key that is none, or a weak one, or one in another spelling."""
    jwk = public(proof.key)
    changes: tuple[dict[str, Any], ...] = (
        *(
            {"kty": "oct", "k": "AAAA"},
            {"kty": "rsa"},
            {"kty": None},
            {"kty": "OKP", "crv": "X25519"},
            {"crv": "P-521"},
        ),
        *({"crv": "p-256"}, {"crv": None}, {"crv": "secp256k1"}, {"e": b64uint(1)}, {"e": "AQAB="}, {"e": "AAEAAQ"}),
        *({"x": NEUTRAL_POINT}, {"x": b64url(bytes(32))}, {"y": b64url(bytes(32))}, {"n": b64uint(2**1023 + 1)}),
    )
    spelt: dict[str, Any] = {name: f"{jwk[name]}=" for name in ("x", "n") if name in jwk}
    short: dict[str, Any] = {name: b64url(b"\x00" * 31) for name in ("x", "y") if name in jwk}
    change: dict[str, Any] = proof.random.choice((*changes, spelt, short))
    proof.head["jwk"] = jwk | change
    return shown(change)


@PROOFS.add
def key_whole(proof: Draft) -> str:
    """Put something else in the place of the key."""
    jwk = public(proof.key)
    return set_member(proof.head, "jwk", proof.random.choice((REMOVED, [jwk], str(jwk), {"keys": [jwk]}, *JUNK)))


@PROOFS.add
def proof_parameter(proof: Draft) -> str:
    """Add a header parameter."""
    parameters: tuple[tuple[str, Any], ...] = (
        *(("kid", "x"), ("kid", 5), ("crit", ["jwk"]), ("crit", []), ("b64", False), ("jku", "https://evil.example")),
        *(("x5c", ["AAAA"]), ("cty", "JWT"), ("zip", "DEF"), ("nonce", "x"), ("x", "x" * 3000)),
    )
    return set_member(proof.head, *proof.random.choice(parameters))


@PROOFS.add
def proof_claim(proof: Draft) -> str:
    """Put something else where a claim must be."""
    return set_member(proof.claims, proof.random.choice(("jti", "htm", "htu", "iat", "ath")), junk(proof.random))


@PROOFS.add
def proof_more(proof: Draft) -> str:
    """Add a claim that a proof need not have."""
    claims: tuple[tuple[str, Any], ...] = (
        *(
            ("nonce", "x"),
            ("nonce", ""),
            ("nonce", 5),
            ("nonce", None),
            ("aud", AUDIENCE),
            ("aud", "other"),
            ("aud", 5),
        ),
        *(("iss", "client"), ("iss", 5), ("sub", "x"), ("exp", offset(-1)), ("exp", offset(60)), ("exp", "x")),
        *(("nbf", offset(-1)), ("nbf", offset(60)), ("nbf", "x"), ("x", [1, {"y": None}]), ("ATH", "x"), ("exp", 0)),
    )
    return set_member(proof.claims, *proof.random.choice(claims))


@PROOFS.add
def proof_time(proof: Draft) -> str:
    """Date the proof near a limit."""
    times = (*TIMES, -302, -300.5, -299.5, 4, 5, 6, 5.5, 34, 35, 36, 0.25, -1e9, 1e12)
    return set_member(proof.claims, "iat", offset(proof.random.choice(times)))


@PROOFS.add
def proof_method(proof: Draft) -> str:
    """Name another method."""
    own = proof.method
    return set_member(
        proof.claims, "htm", proof.random.choice((*METHODS, own.lower(), f"{own} ", own[:-1], own.title()))
    )


@PROOFS.add
def proof_uri(proof: Draft) -> str:
    """Name another address, or the right one in another spelling."""
    path, form = proof.path, proof.random.choice(_URIS)
    if proof.random.random() < 0.3:
        old, new = proof.random.choice(list(_RESPELT.items()))
        path, form = path.replace(old, new), "https://{host}{path}"
    return set_member(proof.claims, "htu", form.format(host=_HOST, HOST=_HOST.upper(), path=path))


@PROOFS.add
def proof_hash(proof: Draft) -> str:
    """Name another token, or the right one in another spelling."""
    own = str(proof.claims.get("ath") or "x")
    choices = (
        own + "=",
        own[:-1],
        own.swapcase(),
        own[:-1] + chr(ord(own[-1]) ^ 1),
        f" {own}",
        [own],
        b64url(b"x" * 32),
    )
    return set_member(proof.claims, "ath", proof.random.choice(choices))


_PROOF_FIELDS: dict[str, Any] = {
    "none": lambda _, __: [],
    "empty": lambda _, __: [(b"dpop", b"")],
    "twice": lambda _, proof: [(b"dpop", proof)] * 2,
    "in one field": lambda _, proof: [(b"dpop", proof + b", " + proof)],
    "comma": lambda _, proof: [(b"dpop", proof + b",")],
    "empty first": lambda _, proof: [(b"dpop", b""), (b"dpop", proof)],
    "blanks": lambda _, proof: [(b"dpop", b"  " + proof + b"\t ")],
    "name": lambda _, proof: [(b"DPoP", proof)],
    "scheme": lambda _, proof: [(b"dpop", b"DPoP " + proof)],
    "other name": lambda _, proof: [(b"dpop-proof", proof)],
    "quoted": lambda _, proof: [(b"dpop", b'"' + proof + b'"')],
    "word after": lambda _, proof: [(b"dpop", proof + b" x")],
}


@PROOFS.add
def proof_fields(proof: Draft) -> str:
    """Send the proof in other header fields."""
    name = proof.random.choice(list(_PROOF_FIELDS))
    proof.fields = _PROOF_FIELDS[name]
    return name


for _name in ("signature", "flipped_bit", "ecdsa_form", "pss_salt", "flipped_character", "last_character", "shape"):
    PROOFS.named[_name] = SPELLINGS.named[_name]


def public(key: SigningKey) -> dict[str, Any]:
    """Write the key as a proof carries it: its public members, and nothing about it."""
    return key.jwk(kid=REMOVED, use=REMOVED, alg=REMOVED)


@cache
def odd_keys() -> dict[str, OddKey]:
    """Return keys that no proof should have, by their names."""
    short = SigningKey(rsa.generate_private_key(public_exponent=65537, key_size=1024), "RS256", "short")  # noqa: S505 - to be refused
    curve, edwards = signing_key("ES256", "client"), signing_key("Ed25519", "client")
    return {
        "small order": OddKey(
            "EdDSA", {"kty": "OKP", "crv": "Ed25519", "x": NEUTRAL_POINT}, lambda _: bytes([1]) + bytes(63)
        ),
        "short": OddKey("RS256", public(short), short.sign),
        "padded": OddKey("ES256", public(curve) | {"x": f"{public(curve)['x']}="}, curve.sign),
        "other alphabet": OddKey(
            "EdDSA", public(edwards) | {"x": public(edwards)["x"].replace("-", "+").replace("_", "/")}, edwards.sign
        ),
        "longer": OddKey("ES256", public(curve) | {"y": f"AAAA{public(curve)['y']}"}, curve.sign),
        "secret": OddKey(
            "HS256", {"kty": "oct", "k": "AAAA"}, lambda content: hmac.digest(bytes(3), content, "sha256")
        ),
    }


def client_key(random: Random) -> SigningKey:
    """Return the key of a client, seldom one of RSA, which takes long to sign."""
    return signing_key(
        random.choice(("ES256",) * 6 + ("Ed25519",) * 4 + ("ES384", "ES512", "RS256", "PS256")), "client"
    )
