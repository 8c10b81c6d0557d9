"""Mutations of how a token is signed, written and sent.

References: RFC 7515 sections 2 and 5.2, RFC 7518 section 3, RFC 6750 section 2.1, RFC 9110 sections 5.3 and 11.4
"""

from __future__ import annotations

from collections.abc import Callable

from cryptography.hazmat.primitives import hashes

from tests.differential.draft import Draft
from tests.differential.registry import Registry
from tests.support.jwt import der, ecdsa_twin, signing_key

SPELLINGS = Registry()
_add = SPELLINGS.add

Fields = list[tuple[bytes, bytes]]
_ED25519_ORDER = 2**252 + 27742317777372353535851937790883648493
_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
_SIGNATURES: dict[str, Callable[[bytes], bytes]] = {
    "nothing": lambda _: b"",
    "zeros": lambda made: bytes(len(made)),
    "ones": lambda made: b"\xff" * len(made),
    "shorter": lambda made: made[:-1],
    "longer": lambda made: made + b"\x00",
    "longer before": lambda made: b"\x00" + made,
    "first half": lambda made: made[: len(made) // 2],
    "twice": lambda made: made + made,
    "halves swapped": lambda made: made[len(made) // 2 :] + made[: len(made) // 2],
    "backwards": lambda made: made[::-1],
    "first half zero": lambda made: bytes(len(made) // 2) + made[len(made) // 2 :],
    "second half zero": lambda made: made[: len(made) // 2] + bytes(len(made) // 2),
    "plus the order": lambda made: (
        made[:32] + (int.from_bytes(made[32:64], "little") + _ED25519_ORDER).to_bytes(33, "little")[:32]
    ),
}


@_add
def signature(draft: Draft) -> str:
    """Write something else where the signature must be."""
    name = draft.random.choice(list(_SIGNATURES))
    draft.signature_edits.append(_SIGNATURES[name])
    return name


@_add
def flipped_bit(draft: Draft) -> str:
    """Flip a bit of the signature."""
    where = draft.random.random()

    def flip(made: bytes) -> bytes:
        bit = int(where * len(made) * 8)
        return bytes(byte ^ (1 << bit % 8) if i == bit // 8 else byte for i, byte in enumerate(made))

    draft.signature_edits.append(flip)
    return f"{where:.4f}"


@_add
def ecdsa_form(draft: Draft) -> str:
    """Write an ECDSA signature in its other form, which verifies too, or as ASN.1, which is no JWS."""
    if draft.key.algorithm not in {"ES256", "ES384"}:
        return "none"
    name = draft.random.choice(("twin", "der"))

    def rewrite(made: bytes) -> bytes:
        try:
            return ecdsa_twin(made, draft.key) if name == "twin" else der(made)
        except (OverflowError, ValueError):
            return made  # another mutation has been here, and these are not the R and S of this curve

    draft.signature_edits.append(rewrite)
    return name


@_add
def pss_salt(draft: Draft) -> str:
    """Sign by PSS with a salt of another length."""
    if draft.key.algorithm != "PS256":
        return "none"
    length = draft.random.choice((0, 20, 31, 33, 222))
    draft.signer = lambda content: draft.key.sign_pss(content, hashes.SHA256(), length)
    return str(length)


@_add
def other_key(draft: Draft) -> str:
    """Sign with another key of the same issuer."""
    other = draft.random.choice(draft.world.signers)
    draft.signer = other.sign
    return other.kid


@_add
def swapped_part(draft: Draft) -> str:
    """Put one part of another good token in the place of ours."""
    other = Draft.begin(draft.random)
    other.claims["sub"] = "somebody-else"
    which, (token, _, _) = draft.random.randrange(3), other.write()

    def swap(own: str) -> str:
        parts = own.split(".")
        parts[which : which + 1] = [token.split(".")[which]]
        return ".".join(parts)

    draft.token_edits.append(swap)
    return str(which)


@_add
def flipped_character(draft: Draft) -> str:
    """Put another character of the alphabet anywhere in the token: also one that encodes the same bytes."""
    where, character = draft.random.random(), draft.random.choice(_ALPHABET)

    def flip(token: str) -> str:
        position = int(where * len(token))
        return token[:position] + character + token[position + 1 :]

    draft.token_edits.append(flip)
    return f"{where:.4f} {character}"


@_add
def last_character(draft: Draft) -> str:
    """Change the bits that encode nothing, at the end of a part."""
    which, step = draft.random.randrange(3), draft.random.choice((1, 2, 3, 4, 8))

    def bend(token: str) -> str:
        parts = token.split(".")
        part = parts[which % len(parts)]
        if part:
            parts[which % len(parts)] = part[:-1] + _ALPHABET[(_ALPHABET.find(part[-1]) + step) % len(_ALPHABET)]
        return ".".join(parts)

    draft.token_edits.append(bend)
    return f"{which} {step}"


_INSERTED = ("=", "==", "+", "/", "-", "_", ".", "~", ",", ";", " ", "\t", "%", "%2E", '"', "\u00e9", "A", "..", "*")


@_add
def inserted(draft: Draft) -> str:
    """Put a character between two others, or at the end of a part."""
    text, where = draft.random.choice(_INSERTED), draft.random.random()
    at_end = draft.random.randrange(4)

    def insert(token: str) -> str:
        parts = token.split(".")
        if at_end < len(parts):
            parts[at_end] += text
            return ".".join(parts)
        position = int(where * len(token))
        return token[:position] + text + token[position:]

    draft.token_edits.append(insert)
    return f"{text!r} {where:.4f} {at_end}"


_SHAPES: dict[str, Callable[[str], str]] = {
    "no signature": lambda token: token.rpartition(".")[0],
    "empty signature": lambda token: token.rpartition(".")[0] + ".",
    "first part only": lambda token: token.partition(".")[0],
    "four parts": lambda token: token + ".AAAA",
    "five parts": lambda token: token + ".AAAA.AAAA",
    "dot before": lambda token: "." + token,
    "dot after": lambda token: token + ".",
    "empty payload": lambda token: ".".join((token.split(".")[0], "", token.split(".")[-1])),
    "empty header": lambda token: "." + token.partition(".")[2],
    "dots": lambda _: "..",
    "opaque": lambda _: "2YotnFZFEjr1zCsicMWpAA",
    "other alphabet": lambda token: token.replace("-", "+").replace("_", "/"),
    "padding": lambda token: ".".join(part + "=" * (-len(part) % 4) for part in token.split(".")),
    "padding at the end": lambda token: token + "==",
    "upper case": lambda token: token.upper(),
    "quoted": lambda token: f'"{token}"',
    "twice": lambda token: token + token,
    "long": lambda token: token + "A" * 20_000,
    "one character": lambda _: "x",
}


@_add
def shape(draft: Draft) -> str:
    """Write the token in another shape."""
    name = draft.random.choice(list(_SHAPES))
    draft.token_edits.append(_SHAPES[name])
    return name


_SCHEMES = (
    *(
        "bearer",
        "BEARER",
        "bEaReR",
        "Bearer ",
        "Bearer  ",
        "Bearer\t",
        "Token",
        "Basic",
        "Digest",
        "Bearer:",
        "Bearer,",
    ),
    *("", " Bearer", "\tBearer", "Bearers", "Bear er", "B\u00e9arer", "Bearer realm=x,", "Bearer token=", "N_A", "MAC"),
)


@_add
def scheme(draft: Draft) -> str:
    """Write the scheme in another way, or another one."""
    draft.scheme = draft.random.choice(_SCHEMES)
    return repr(draft.scheme)


_FIELDS: dict[str, Callable[[bytes, bytes], Fields]] = {
    "none": lambda _scheme, _token: [],
    "empty": lambda _scheme, _token: [(b"authorization", b"")],
    "scheme only": lambda scheme, _token: [(b"authorization", scheme)],
    "scheme and blank": lambda scheme, _token: [(b"authorization", scheme + b" ")],
    "token only": lambda _scheme, token: [(b"authorization", token)],
    "no blank": lambda scheme, token: [(b"authorization", scheme + token)],
    "blank after": lambda scheme, token: [(b"authorization", scheme + b" " + token + b"  ")],
    "tab after": lambda scheme, token: [(b"authorization", scheme + b" " + token + b"\t")],
    "comma after": lambda scheme, token: [(b"authorization", scheme + b" " + token + b",")],
    "comma before": lambda scheme, token: [(b"authorization", b"," + scheme + b" " + token)],
    "parameter after": lambda scheme, token: [(b"authorization", scheme + b" " + token + b", realm=x")],
    "word after": lambda scheme, token: [(b"authorization", scheme + b" " + token + b" x")],
    "two in one": lambda scheme, token: [(b"authorization", scheme + b" " + token + b", " + scheme + b" " + token)],
    "same twice": lambda scheme, token: [(b"authorization", scheme + b" " + token)] * 2,
    "other first": lambda scheme, token: [(b"authorization", b"Basic eDp5"), (b"authorization", scheme + b" " + token)],
    "empty first": lambda scheme, token: [(b"authorization", b""), (b"authorization", scheme + b" " + token)],
    "empty last": lambda scheme, token: [(b"authorization", scheme + b" " + token), (b"authorization", b"")],
    "name in capitals": lambda scheme, token: [(b"Authorization", scheme + b" " + token)],
    "another name": lambda scheme, token: [(b"x-authorization", scheme + b" " + token)],
    "proxy": lambda scheme, token: [(b"proxy-authorization", scheme + b" " + token)],
    "quoted": lambda scheme, token: [(b"authorization", scheme + b' "' + token + b'"')],
    "latin-1 after": lambda scheme, token: [(b"authorization", scheme + b" " + token + b"\xa0")],
    "cookie": lambda _scheme, token: [(b"cookie", b"access_token=" + token)],
}


@_add
def fields(draft: Draft) -> str:
    """Send the token in other header fields."""
    name = draft.random.choice(list(_FIELDS))
    draft.fields = _FIELDS[name]
    return name


@_add
def method(draft: Draft) -> str:
    """Use another method, which is nothing to a bearer token."""
    draft.method = draft.random.choice(("POST", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD"))
    return draft.method


@_add
def small_order(draft: Draft) -> str:
    """Make the signature that a key of small order takes for good: R the neutral point, and S nothing."""
    draft.head |= {"alg": draft.random.choice(("EdDSA", "Ed25519")), "kid": "small-order"}
    draft.signer = lambda _: bytes([1]) + bytes(63)
    return f"{draft.head['alg']}"


@_add
def key_of_another(draft: Draft) -> str:
    """Sign with the key of another algorithm, under the algorithm of ours."""
    name = draft.random.choice(("ES256", "ES384", "Ed25519"))
    draft.signer = signing_key(name).sign
    return name
