"""What a signed introspection answer must say of itself, before anybody looks at its signature."""

from __future__ import annotations

from typing import Any

import pytest

from resource_server._protocol.demand import Demand
from resource_server._protocol.jws import parse_jws
from resource_server._protocol.messages import Unavailable
from resource_server._protocol.signed_introspection import (
    MAX_AGE,
    MAX_AHEAD,
    MEDIA_TYPE,
    AnswerRules,
    accepted_media_types,
    judge_signed_answer,
)
from tests.support.jwt import AUDIENCE, ISSUER, NOW, REMOVED, sign, signing_key
from tests.support.vectors import example

KEY = signing_key("ES256")
RULES = AnswerRules(issuer=ISSUER, own_names=frozenset({"rs", AUDIENCE}), algorithms=frozenset({"ES256"}))
MEMBERS = {"active": True, "sub": "subject-1"}


def answer(head: dict[str, Any] | None = None, **changes: Any) -> str:
    """Sign an answer, with members of its header and claims changed, added, or taken away by ``REMOVED``."""
    header = {"typ": "token-introspection+jwt", "alg": "ES256", "kid": KEY.kid} | (head or {})
    claims = {"iss": ISSUER, "aud": "rs", "iat": int(NOW), "token_introspection": MEMBERS} | changes
    kept = ({name: value for name, value in part.items() if value is not REMOVED} for part in (header, claims))
    return sign(next(kept), next(kept), KEY)


def judged(token: str, rules: AnswerRules = RULES, now: float = NOW) -> dict[str, Any] | str:
    """Judge an answer: what it says, or the cause for which nobody believes it."""
    jws = parse_jws(token.encode())
    assert jws is not None
    found = judge_signed_answer(jws, rules, now)
    if not isinstance(found, Unavailable):
        return found
    # Nothing is ever let in because an answer was refused.
    assert (found.fault, found.retry_after) == ("configuration", None)
    return found.cause


@pytest.mark.rfc("9701-4-a")
@pytest.mark.parametrize(
    ("mode", "accept"),
    [
        ("off", "application/json"),
        ("optional", "application/token-introspection+jwt, application/json;q=0.5"),
        ("required", "application/token-introspection+jwt"),
    ],
)
def test_what_is_asked_for(mode: Demand, accept: str) -> None:
    """RFC 9701 §4: a signed answer is asked for in ``Accept``; JSON too, where that will do, and else not."""
    assert accepted_media_types(mode) == accept


@pytest.mark.rfc("9701-5-b", "9701-5-c")
@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"aud": AUDIENCE},
        {"aud": ["https://other.example.com", "rs"]},
        {"iat": NOW + 0.5},
        {"exp": int(NOW) + 1, "nbf": int(NOW)},
    ],
)
def test_a_good_one(changes: dict[str, Any]) -> None:
    """RFC 9701 §5: an answer of our issuer, for us and just made, is what stands below ``token_introspection``."""
    assert judged(answer(**changes)) == MEMBERS


@pytest.mark.rfc("9701-5-a")
@pytest.mark.parametrize("typ", ["token-introspection+jwt", "Token-Introspection+JWT", MEDIA_TYPE])
def test_the_type(typ: str) -> None:
    """RFC 9701 §5, RFC 7515 §4.1.9: the type says what it is; media types have no case, and may be whole."""
    assert judged(answer({"typ": typ})) == MEMBERS


@pytest.mark.rfc("9701-5-a")
@pytest.mark.parametrize("typ", [REMOVED, "", "JWT", "at+jwt", "token-introspection", "x/token-introspection+jwt"])
def test_another_type(typ: Any) -> None:
    """RFC 9701 §5, RFC 8725 §3.11: whatever else the issuer has signed is no answer."""
    assert judged(answer({"typ": typ})) == "answer_wrong_type"


@pytest.mark.rfc("9701-5-d")
@pytest.mark.parametrize("alg", ["none", "HS256", "RS256", "es256"])
def test_another_algorithm(alg: str) -> None:
    """RFC 9701 §5, RFC 8725 §3.1: only an algorithm of the allow-list, which never has ``none`` or a secret's."""
    assert judged(answer({"alg": alg})) == "answer_algorithm"


@pytest.mark.rfc("9701-5-b")
@pytest.mark.parametrize(
    ("changes", "cause"),
    [
        pytest.param({"iss": REMOVED}, "answer_wrong_issuer", id="no iss"),
        pytest.param({"iss": ISSUER + "/"}, "answer_wrong_issuer", id="iss with a slash"),
        pytest.param({"iss": [ISSUER]}, "answer_wrong_issuer", id="iss is a list"),
        pytest.param({"aud": REMOVED}, "answer_wrong_audience", id="no aud"),
        pytest.param({"aud": "other"}, "answer_wrong_audience", id="another aud"),
        pytest.param({"aud": []}, "answer_wrong_audience", id="nobody in aud"),
        pytest.param({"aud": ["rs", 1]}, "answer_wrong_audience", id="a number in aud"),
        pytest.param({"aud": {"rs": 1}}, "answer_wrong_audience", id="aud is an object"),
        pytest.param({"iat": REMOVED}, "answer_stale", id="no iat"),
        pytest.param({"iat": str(int(NOW))}, "answer_stale", id="iat is text"),
        pytest.param({"iat": True}, "answer_stale", id="iat is a boolean"),
        pytest.param({"iat": NOW - MAX_AGE - 1}, "answer_stale", id="old"),
        pytest.param({"iat": NOW + MAX_AHEAD + 1}, "answer_stale", id="from the future"),
        pytest.param({"exp": int(NOW)}, "answer_stale", id="expired"),
        pytest.param({"exp": "soon"}, "answer_stale", id="exp is text"),
        pytest.param({"nbf": NOW + MAX_AHEAD + 1}, "answer_stale", id="not yet valid"),
        pytest.param({"nbf": None}, "answer_stale", id="nbf is null"),
    ],
)
def test_for_others_or_for_another_time(changes: dict[str, Any], cause: str) -> None:
    """RFC 9701 §5: an answer by another, for another, or to an earlier question says nothing here."""
    assert judged(answer(**changes)) == cause


@pytest.mark.rfc("9701-5-b")
def test_leeway() -> None:
    """The clocks may differ by as much as is configured, beside the time an answer takes."""
    rules = AnswerRules(issuer=ISSUER, own_names=RULES.own_names, algorithms=RULES.algorithms, leeway=10.0)
    for ahead in (-MAX_AGE - 10, MAX_AHEAD + 10):
        assert judged(answer(iat=NOW + ahead), rules) == MEMBERS
    assert judged(answer(iat=NOW - MAX_AGE - 11), rules) == "answer_stale"
    assert judged(answer(exp=int(NOW) - 9), rules) == MEMBERS


@pytest.mark.rfc("9701-5-c")
@pytest.mark.parametrize("members", [REMOVED, None, True, [], "active"])
def test_what_stands_beside_says_nothing(members: Any) -> None:
    """RFC 9701 §5: without an object ``token_introspection`` there is no answer, whatever stands at the top."""
    beside: dict[str, Any] = {"active": True, "sub": "admin", "scope": "read write"}
    assert judged(answer(**beside, token_introspection=members)) == "answer_not_nested"
    assert judged(answer(**beside)) == MEMBERS


def test_claims_that_are_none() -> None:
    """RFC 7519 §7.2: a signed list has no issuer."""
    token = sign({"typ": "token-introspection+jwt", "alg": "ES256"}, [], KEY)
    assert judged(token) == "answer_wrong_issuer"


@pytest.mark.rfc("9701-5-a", "9701-5-b", "9701-5-c")
def test_the_example_of_the_standard() -> None:
    """RFC 9701 §5: the answer of the example is one for whom it names, at the time that it names, and for no other."""
    jws = parse_jws(example(9701)["jwt"].encode())
    assert jws is not None
    claims = jws.claims() or {}
    rules = AnswerRules(
        issuer=claims["iss"], own_names=frozenset({claims["aud"]}), algorithms=frozenset({jws.algorithm})
    )
    found = judge_signed_answer(jws, rules, claims["iat"])
    assert found == claims["token_introspection"]
    assert isinstance(judge_signed_answer(jws, rules, NOW), Unavailable)
    assert isinstance(judge_signed_answer(jws, RULES, claims["iat"]), Unavailable)


@pytest.mark.rfc("9701-5-b")
@pytest.mark.parametrize("name", ["iat", "nbf", "exp"])
def test_a_time_is_a_number(name: str) -> None:
    """RFC 7519 §2: a time is a number, and neither of the two truth values is one."""
    changes: dict[str, Any] = {name: True}
    assert judged(answer(**changes)) == "answer_stale"


@pytest.mark.rfc("9701-5-b")
def test_leeway_of_a_beginning() -> None:
    """RFC 7519 §4.1.5: the leeway makes a beginning earlier, and the last moment of it still counts."""
    rules = AnswerRules(issuer=ISSUER, own_names=RULES.own_names, algorithms=RULES.algorithms, leeway=10.0)
    assert judged(answer(nbf=NOW + MAX_AHEAD + 10), rules) == MEMBERS
    assert judged(answer(nbf=NOW + MAX_AHEAD + 11), rules) == "answer_stale"
