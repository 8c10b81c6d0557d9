"""The rules about DPoP proofs.

References: RFC 9449 sections 4.2, 4.3, 7 and 11.1, RFC 3986 section 6.2
"""

from __future__ import annotations

import re
from typing import Any

from tests.differential import reading
from tests.differential.draft import Case, members
from tests.differential.rule import Rule
from tests.support.jwt import NOW

_AHEAD = 5
"""Seconds by which a client's clock may be ahead of ours."""
_SECRETS = ("d", "p", "q", "dp", "dq", "qi", "oth", "k")
_HOST = r"[a-zA-Z0-9.-]+(?::(?:[1-9][0-9]*)?)?"
_SEGMENT = r"(?:[A-Za-z0-9._~!$&'()*+,;=:@-]|%[0-9A-Fa-f]{2})*"
_ADDRESS = re.compile(rf"https?://{_HOST}(?:/{_SEGMENT})*", re.IGNORECASE)
_BEFORE_PATH = re.compile(r"[a-z]+://[^/]*", re.IGNORECASE)
_ENCODED = re.compile(r"%[0-9A-Fa-f]{2}")
_DOTS = re.compile(r"/(?:\.|%2e){1,2}(?:/|$)", re.IGNORECASE)


def _claims(case: Case) -> dict[str, Any]:
    return members(case.proof_payload)


def _is_no_plain_address(case: Case) -> bool:
    """Tell whether the address in a proof is anything but scheme, host and path, written as RFC 3986 writes them."""
    address = _claims(case).get("htu")
    return isinstance(address, str) and (_ADDRESS.fullmatch(address) is None or _DOTS.search(address) is not None)


def _is_encoded_otherwise(case: Case) -> bool:
    """Tell whether the address in a proof is the right one but for what is percent-encoded in its path, and how."""
    address = _claims(case).get("htu")
    path = _BEFORE_PATH.sub("", address, count=1) if isinstance(address, str) else case.path
    return path != case.path and _plain(path) == _plain(case.path)


def _plain(path: str) -> str:
    return _ENCODED.sub(_decoded, path)


def _decoded(encoded: re.Match[str]) -> str:
    character = chr(int(encoded.group()[1:], 16))
    return (
        character if character.isascii() and (character.isalnum() or character in "-._~") else encoded.group().upper()
    )


def _is_early(case: Case) -> bool:
    made = _claims(case).get("iat")
    return reading.is_number(made) and made > NOW + _AHEAD + case.leeway


def _has_unused_mistake(case: Case) -> bool:
    claims = _claims(case)
    return not isinstance(claims.get("iss", ""), str) or not isinstance(claims.get("aud", ""), str | list)


def _is_for_something_else(case: Case) -> bool:
    key = reading.key_of_proof(case)
    operations = key.get("key_ops", ["verify"])
    return key.get("use", "sig") != "sig" or not isinstance(operations, list) or "verify" not in operations


def _has_misnamed_key(case: Case) -> bool:
    names = (members(case.proof_head).get("kid", ""), reading.key_of_proof(case).get("kid") or "")
    return not all(isinstance(name, str) for name in names)


def _says_two_things(case: Case) -> bool:
    claims = case.claims()
    confirmation, kind = claims.get("cnf"), claims.get("token_type")
    return isinstance(confirmation, dict) and "jkt" in confirmation and kind is not None and str(kind).lower() != "dpop"


def _comes_again(case: Case) -> bool:
    return bool(case.proof) and _claims(case).get("jti") != case.seed


PROOF_RULES = (
    Rule(
        "address of a proof is no plain one",
        "ours",
        "RFC 9449 section 4.2: htu has no query and no fragment, and is a URI; theirs reads what browsers repair.",
        _is_no_plain_address,
    ),
    Rule(
        "address of a proof in another encoding",
        "theirs",
        "RFC 3986 section 6.2.2: %7E is ~, and %2f is %2F; RFC 9449 section 4.3 asks for that, theirs leaves it out.",
        _is_encoded_otherwise,
        says="htu mismatch",
    ),
    Rule("proof from the future", "ours", "RFC 9449 section 11.1: a few seconds ahead, not five minutes.", _is_early),
    Rule(
        "claim of a proof that nobody reads",
        "theirs",
        "RFC 9449 section 4.2: a proof may have other claims; iss and aud decide nothing about it, whatever they are.",
        _has_unused_mistake,
        says='unexpected JWT "(iss|aud)" .* claim type',
    ),
    Rule(
        "key with a secret",
        "ours",
        "RFC 9449 section 4.3 forbids a private key; one secret member makes it one, also where it is out of place.",
        lambda case: any(name in reading.key_of_proof(case) for name in _SECRETS),
    ),
    Rule(
        "key of a proof for something else",
        "ours",
        "RFC 7517 sections 4.2 and 4.3: a key that says it is not for signatures is not taken for one.",
        _is_for_something_else,
    ),
    Rule(
        "key id is no text",
        "ours",
        "RFC 7515 section 4.1.4: kid is a string, or the header is none.",
        _has_misnamed_key,
    ),
    Rule(
        "proof without a name",
        "ours",
        "RFC 9449 section 4.2: jti identifies the proof, which nothing does not.",
        lambda case: _claims(case).get("jti") == "",
    ),
    Rule(
        "nonce is no text",
        "ours",
        "RFC 9449 section 4.2: a claim of the wrong type is never taken for an absent one.",
        lambda case: not isinstance(_claims(case).get("nonce", ""), str),
    ),
    Rule(
        "bound token that calls itself another",
        "ours",
        "RFC 9449 section 6.2: a token with jkt has token_type DPoP, where it has one; this one contradicts itself.",
        _says_two_things,
    ),
    Rule(
        "proof used before",
        "ours",
        "RFC 9449 section 11.1: two requests of this series with one jti; theirs leaves replay to its caller.",
        _comes_again,
    ),
    Rule(
        "proof that nothing asks for",
        "theirs",
        "RFC 9449 section 7.2: a token that is bound to nothing is a bearer token, also beside a proof.",
        lambda case: "cnf" not in case.claims() and bool(case.sent(b"dpop")),
        says='"cnf" .* claim missing',
    ),
)
