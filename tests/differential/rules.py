"""Where the two judges differ on purpose: every rule with its reason.

A rule is a predicate over the request: it says which requests it is about, and which of the two is then the stricter
one. Where that is the other one, the rule names its reason as well, or what we wrongly let in would be excused by
whatever else is odd about the request. A difference that no rule foresees is a mistake of one of them.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator
from typing import Any

from tests.differential import reading
from tests.differential.draft import Case
from tests.differential.reading import is_number, object_of
from tests.differential.rule import Rule, Side
from tests.differential.rules_of_proofs import PROOF_RULES
from tests.differential.worlds import NEUTRAL_POINT
from tests.support.jwt import AUDIENCE, NOW

_MAX_DEPTH, _MAX_DIGITS, _MAX_HEADER = 32, 32, 8192
_EARLIEST = 1
_IAT_AHEAD = 60
_TIMES = ("exp", "nbf", "iat", "auth_time")
_FOREIGN_MEMBERS = ("at_hash", "c_hash", "s_hash", "events", "token_introspection")
_TOKEN_TYPES = ("bearer", "dpop", "n_a", "access_token", "pop", "jwt", "at+jwt")


def _texts(case: Case) -> Iterator[bytes]:
    yield from (case.head, case.payload, case.proof_head, case.proof_payload)


def _any_text(judge: Callable[[bytes], bool]) -> Callable[[Case], bool]:
    return lambda case: any(map(judge, _texts(case)))


def _has_double(text: bytes) -> bool:
    return any(len({name for name, _ in pairs}) != len(pairs) for pairs in reading.objects(text))


def _is_not_utf8(text: bytes) -> bool:
    try:
        text.decode("utf-8")
    except UnicodeDecodeError:
        return True
    return False


def _has_surrogate(text: bytes) -> bool:
    try:
        json.dumps(object_of(text), ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return True
    return False


def _has_absurd_number(text: bytes) -> bool:
    return any(len(digits) > _MAX_DIGITS or math.isinf(float(digits)) for digits in reading.numbers(text))


def _is_deep(text: bytes) -> bool:
    return reading.depth(object_of(text)) > _MAX_DEPTH


def _is_no_date(value: Any) -> bool:
    return not is_number(value) or value < _EARLIEST


def _has_odd_time(case: Case) -> bool:
    claims = case.claims()
    return any(_is_no_date(claims[name]) for name in _TIMES if name in claims)


def _is_from_the_future(case: Case) -> bool:
    issued = case.claims().get("iat")
    return is_number(issued) and issued > NOW + _IAT_AHEAD + case.leeway


def _has_mixed_audience(case: Case) -> bool:
    audience = case.claims().get("aud")
    if not isinstance(audience, list):
        return False
    return AUDIENCE in audience and not all(isinstance(name, str) for name in audience)


def _is_another_kind(case: Case) -> bool:
    claims = case.claims()
    if any(name in claims for name in _FOREIGN_MEMBERS):
        return True
    kind, use, typ = claims.get("token_type"), claims.get("token_use"), claims.get("typ")
    return (
        (kind is not None and str(kind).lower() not in _TOKEN_TYPES)
        or (use is not None and use not in ("access_token", "access"))
        or str(typ).lower() in ("id", "refresh", "offline", "logout")
    )


def _fits_several(case: Case) -> bool:
    return len(reading.fitting_keys(case)) > 1


def _has_other_name(case: Case) -> bool:
    names = {"EdDSA", "Ed25519"}
    algorithm = case.head_members().get("alg")
    return algorithm in names and any(key.get("alg") in names - {algorithm} for key in reading.fitting_keys(case))


_TOKEN_RULES = (
    Rule(
        "a member stands twice",
        "ours",
        "RFC 7519 section 4 allows to refuse such an object, and only then does every reader see the same claims.",
        _any_text(_has_double),
    ),
    Rule("not UTF-8", "ours", "RFC 7519 section 7.2 demands UTF-8; theirs puts U+FFFD.", _any_text(_is_not_utf8)),
    Rule(
        "byte order mark",
        "ours",
        "RFC 8259 section 8.1 forbids to send one.",
        _any_text(lambda text: text.startswith(b"\xef\xbb\xbf")),
    ),
    Rule(
        "unpaired surrogate",
        "ours",
        "RFC 7493 section 2.1: a text that is no Unicode is written down differently by everybody.",
        _any_text(_has_surrogate),
    ),
    Rule(
        "number out of range",
        "ours",
        "RFC 7493 section 2.2: an infinity, or more digits than any number in a token has, is no value of a claim.",
        _any_text(_has_absurd_number),
    ),
    Rule("nested too deeply", "ours", "RFC 7515 section 10.12: bounds before meaning.", _any_text(_is_deep)),
    Rule(
        "header too long",
        "ours",
        "A header names an algorithm, a type and a key; who sends more wants it parsed.",
        lambda case: any(len(jwt.partition(".")[0]) > _MAX_HEADER for jwt in (case.token, case.proof)),
    ),
    Rule(
        "b64",
        "ours",
        "RFC 7797 section 7: the parameter must not be used with a JWT, whether or not crit names it.",
        lambda case: any("b64" in object_of(head) for head in (case.head, case.proof_head)),
    ),
    Rule(
        "misspelt base64url",
        "ours",
        "RFC 7515 section 2: no padding, no blanks, no bits that encode nothing, so that a token has one spelling.",
        lambda case: not reading.is_spelt_canonically(case),
    ),
    Rule(
        "no NumericDate",
        "ours",
        "RFC 7519 section 2: exp, nbf, iat and auth_time are numbers of seconds since 1970; 0 stands for nothing.",
        _has_odd_time,
    ),
    Rule("issued in the future", "ours", "A token more than a minute ahead has a wrong clock.", _is_from_the_future),
    Rule(
        "audience of mixed types",
        "ours",
        "RFC 7519 section 4.1.3: an array of strings; one that is not was not written by an authorization server.",
        _has_mixed_audience,
    ),
    Rule(
        "another kind of token",
        "ours",
        "RFC 8725 section 3.12: an ID token, a logout token, a refresh token shows itself by its claims, too.",
        _is_another_kind,
    ),
    Rule(
        "confirmation without a method",
        "ours",
        "RFC 7800 section 3: a bound token whose key nobody can name cannot be shown to be held.",
        lambda case: case.claims().get("cnf") == {},
    ),
    Rule(
        "malformed JWK",
        "ours",
        "RFC 7517 section 4.3 and RFC 7518 section 6: key_ops is an array, and a coordinate is base64url unpadded.",
        reading.has_malformed_key,
    ),
    Rule(
        "Ed25519 key of small order",
        "ours",
        "RFC 8032 section 5.1.7 takes a signature for good that anybody can make; nobody owns such a key.",
        lambda case: any(
            key.get("x") == NEUTRAL_POINT for key in (*reading.fitting_keys(case), reading.key_of_proof(case))
        ),
    ),
    Rule(
        "several keys fit",
        "theirs",
        "RFC 7515 section 6 leaves the choice to us: each key that fits is tried, up to a bound.",
        _fits_several,
        says="multiple applicable keys found",
    ),
    Rule(
        "key_ops is no array",
        "theirs",
        "RFC 7517 section 4.3: such a key is passed over here, and another one may fit; there it is an error.",
        lambda case: _fits_several(case) and reading.has_malformed_key(case),
        says="key_ops.*includes is not a function",
    ),
    Rule(
        "Ed25519 is EdDSA",
        "theirs",
        "RFC 9864 section 2.2 made two names of one algorithm: a key under one verifies a token under the other.",
        _has_other_name,
        says="no applicable keys found",
    ),
    Rule(
        "null in a JWK",
        "theirs",
        "A member that is null is read as one that is not there: the key says no more than that.",
        lambda case: any(
            key.get("alg", "") is None for key in (*reading.fitting_keys(case), reading.key_of_proof(case))
        ),
        says='no applicable keys found|JWK "alg" does not match',
    ),
)

RULES: tuple[Rule, ...] = (*_TOKEN_RULES, *PROOF_RULES)


def explain(case: Case, stricter: Side, reason: str = "") -> Rule | None:
    """Find the rule that foresees a difference.

    Args:
        case: the request.
        stricter: who refuses it.
        reason: what the other judge says, where it is the one that refuses.
    """
    fitting = (rule for rule in RULES if rule.stricter == stricter and re.search(rule.says, reason))
    return next((rule for rule in fitting if rule.about(case)), None)
