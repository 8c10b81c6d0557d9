"""Claims of the wrong type, times, and scopes."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resource_server import Assurance, Principal
from resource_server._protocol.claims import ClaimRules, judge_claims, judge_time
from resource_server._protocol.grammar import is_scope_token
from resource_server._protocol.jwt_access_token import REQUIRED_CLAIMS
from resource_server._protocol.strict_json import loads_object
from resource_server.errors import Reason
from tests.support.jwt import AUDIENCE, ISSUER, NOW, REMOVED, claims

LENIENT = ClaimRules(issuer=ISSUER)
STRICT = ClaimRules(issuer=ISSUER, audience=frozenset({AUDIENCE}), required=REQUIRED_CLAIMS["rfc9068"])


def judge(**changes: Any) -> Principal | Reason:
    """Judge the claims of a good access token, changed as asked."""
    return judge_claims(claims(**changes), LENIENT, Assurance.INTROSPECTED)


def time_of(*, now: float = NOW, leeway: float = 0.0, **changes: Any) -> Reason | None:
    """Judge the times of claims that are good otherwise."""
    principal = judge(**changes)
    assert isinstance(principal, Principal)
    return judge_time(principal, now, leeway)


NO_TIMES: list[object] = ["9999999999", "", True, False, None, [], [1_700_000_000], {}, -1, 0, -0.0, 0.5]


@pytest.mark.rfc("7519-4.1.4-a", "7519-4.1.5-a", "7519-4.1.6-a", "7662-2.2-d")
@pytest.mark.attack("A-J-21", "A-I-8")
@pytest.mark.parametrize("value", NO_TIMES)
@pytest.mark.parametrize("name", ["exp", "nbf", "iat"])
def test_times_are_numbers(name: str, value: object) -> None:
    """RFC 7519 §2: a NumericDate is a number of seconds; of another type it is wrong, not absent."""
    assert judge(**{name: value}) == "malformed"


def test_the_first_second() -> None:
    """RFC 7519 §2: the first second of 1970 is a moment like any other, and long gone."""
    assert time_of(exp=1) == "expired"
    assert time_of(nbf=1, iat=1) is None


@pytest.mark.rfc("7519-4.1.4-a")
@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("name", ["exp", "nbf", "iat"])
def test_times_are_finite(name: str, value: float) -> None:
    """RFC 7519 §2: an infinity or no number at all is never a moment, even if a reader of JSON let it through."""
    assert judge(**{name: value}) == "malformed"


@pytest.mark.attack("A-J-22", "A-J-21")
@pytest.mark.parametrize("value", [1, True, None, ["x"], {"x": 1}])
@pytest.mark.parametrize("name", ["sub", "client_id", "jti"])
def test_names_are_texts(name: str, value: object) -> None:
    """RFC 7519 §4.1.2: a subject or client of another type is refused: no handler ever meets a list for a name."""
    assert judge(**{name: value}) == "malformed"


@pytest.mark.rfc("9470-6-a")
@pytest.mark.attack("A-J-21")
@pytest.mark.parametrize("value", [*NO_TIMES, float("nan"), float("inf"), float("-inf")], ids=repr)
def test_no_time_of_authentication(value: object) -> None:
    """RFC 9470 §6: an auth_time of the wrong type is none, so that no route's max_age is ever met by it."""
    principal = judge(auth_time=value)
    assert isinstance(principal, Principal)
    assert principal.auth_time is None


@pytest.mark.rfc("9470-6-a")
@pytest.mark.parametrize("value", [1, True, None, ["high"], {"high": 1}], ids=repr)
def test_no_authentication_context(value: object) -> None:
    """RFC 9470 §6: an acr of the wrong type is none, also where a list of them holds the one that is needed."""
    principal = judge(acr=value)
    assert isinstance(principal, Principal)
    assert principal.acr is None


@pytest.mark.rfc("8705-3.1-b")
@pytest.mark.parametrize("value", [None, [], "jkt", 1, True])
def test_confirmation_is_an_object(value: object) -> None:
    """RFC 7800 §3.1: cnf is an object; of another type the token may be bound, so it is refused."""
    assert judge(cnf=value) == "malformed"


@pytest.mark.rfc("9068-4-e", "7519-4.1.4-a", "7662-2.2-d")
@pytest.mark.attack("A-I-8")
@pytest.mark.parametrize(
    ("offset", "leeway", "reason"),
    [
        pytest.param(1, 0.0, None, id="a second left"),
        pytest.param(0.25, 0.0, None, id="a fraction left"),
        pytest.param(0, 0.0, "expired", id="now"),
        pytest.param(-1, 0.0, "expired", id="a second ago"),
        pytest.param(-29, 30.0, None, id="within the leeway"),
        pytest.param(-30, 30.0, "expired", id="at the end of the leeway"),
        pytest.param(-31, 30.0, "expired", id="beyond the leeway"),
    ],
)
def test_expiry(offset: float, leeway: float, reason: Reason | None) -> None:
    """RFC 7519 §4.1.4: on or after exp a token is not accepted; the leeway is for clocks and nothing else."""
    assert time_of(exp=NOW + offset, leeway=leeway) == reason


@pytest.mark.rfc("7519-4.1.5-a", "7662-2.2-d")
@pytest.mark.attack("A-I-8")
@pytest.mark.parametrize(
    ("offset", "leeway", "reason"),
    [
        pytest.param(0, 0.0, None, id="now"),
        pytest.param(0.5, 0.0, "not_yet_valid", id="in half a second"),
        pytest.param(60, 0.0, "not_yet_valid", id="in a minute"),
        pytest.param(30, 30.0, None, id="within the leeway"),
        pytest.param(31, 30.0, "not_yet_valid", id="beyond the leeway"),
    ],
)
def test_not_before(offset: float, leeway: float, reason: Reason | None) -> None:
    """RFC 7519 §4.1.5: before nbf a token is not accepted."""
    assert time_of(nbf=NOW + offset, leeway=leeway) == reason


@pytest.mark.rfc("7519-4.1.6-a")
@pytest.mark.attack("A-I-8")
@pytest.mark.parametrize(
    ("issued", "leeway", "reason"),
    [(0, 0.0, None), (60, 0.0, None), (61, 0.0, "not_yet_valid"), (89, 30.0, None), (91, 30.0, "not_yet_valid")],
)
def test_issued_in_the_future(issued: float, leeway: float, reason: Reason | None) -> None:
    """RFC 7519 §4.1.6: a token issued more than a minute from now, leeway aside, was not issued by a clock we share."""
    assert time_of(iat=NOW + issued, leeway=leeway) == reason


def test_the_later_of_nbf_and_iat_counts() -> None:
    """RFC 7519 §4.1.5: neither of the two claims can make up for the other."""
    assert time_of(nbf=NOW - 10, iat=NOW + 3600) == "not_yet_valid"
    assert time_of(nbf=NOW + 3600, iat=NOW - 10) == "not_yet_valid"
    assert time_of(nbf=NOW - 10, iat=NOW - 10) is None


def test_no_times() -> None:
    """RFC 7662 §2.2: an answer without times leaves them to the authorization server."""
    assert time_of(exp=REMOVED, nbf=REMOVED, iat=REMOVED) is None


@pytest.mark.rfc("7519-4.1.4-a")
@pytest.mark.parametrize("value", [1e30, 10**31, 1.5e300, 1_700_000_301.5])
def test_far_away_and_fractional_times(value: float) -> None:
    """RFC 7519 §2: a NumericDate may have a fraction, and may be absurdly far away without upsetting anything."""
    principal = judge(exp=value)
    assert isinstance(principal, Principal)
    assert judge_time(principal, NOW, 0.0) is None
    assert principal.expires_at is not None
    assert principal.expires_at - NOW > 0


@pytest.mark.rfc("7662-2.2-c", "9068-2.2.3-a")
@pytest.mark.attack("A-I-12", "A-J-22")
@pytest.mark.parametrize(
    ("value", "scopes"),
    [
        pytest.param("read write", {"read", "write"}, id="two"),
        pytest.param("read", {"read"}, id="one"),
        pytest.param("", set(), id="none"),
        pytest.param(" ", set(), id="a blank"),
        pytest.param("  read   write ", {"read", "write"}, id="more blanks than needed"),
        pytest.param("read read", {"read"}, id="the same one twice"),
        pytest.param("https://x.example/a urn:x:b!c", {"https://x.example/a", "urn:x:b!c"}, id="as URIs"),
        pytest.param("read\twrite", set(), id="a tab for the space"),
        pytest.param("read\nwrite admin", {"admin"}, id="a line break for the space"),
        pytest.param('re"ad wr\\ite \u00e9 ok', {"ok"}, id="characters no scope has"),
        pytest.param("read\u00a0write", set(), id="a space that does not break"),
        pytest.param(["read", "write"], {"read", "write"}, id="a list"),
        pytest.param(["read write", "ok"], {"ok"}, id="a list of lists in texts"),
        pytest.param(["ok", 1, None, ["read"], {"a": 1}], {"ok"}, id="a list of everything"),
        pytest.param({"read": True}, set(), id="an object"),
        pytest.param(1, set(), id="a number"),
        pytest.param(True, set(), id="a boolean"),
        pytest.param(None, set(), id="null"),
        pytest.param(REMOVED, set(), id="missing"),
        pytest.param("a" * 100_000 + " ok", {"a" * 100_000, "ok"}, id="very long"),
    ],
)
def test_scopes(value: object, scopes: set[str]) -> None:
    """RFC 6749 §3.3: scope is a text of tokens between spaces; what is no scope token grants nothing."""
    principal = judge(scope=value)
    assert isinstance(principal, Principal)
    assert principal.scopes == scopes


@pytest.mark.rfc("9068-2.2.3-a")
def test_where_scopes_stand() -> None:
    """RFC 9068 §2.2.3: scope is the claim; others are read where configured, and the first that is there counts."""
    rules = ClaimRules(issuer=ISSUER, scope_claims=("scope", "scp"))
    granted = claims(scp=["admin"])
    answers = [
        judge_claims(granted, rules, Assurance.LOCAL),
        judge_claims(claims(scope=REMOVED, scp=["admin"]), rules, Assurance.LOCAL),
        judge_claims(granted | {"scope": None}, rules, Assurance.LOCAL),
        judge_claims(granted, LENIENT, Assurance.LOCAL),
        judge_claims(claims(scope=REMOVED, scp=["admin"]), LENIENT, Assurance.LOCAL),
    ]
    found = [answer.scopes for answer in answers if isinstance(answer, Principal)]
    assert found == [{"read", "write"}, {"admin"}, set(), {"read", "write"}, set()]


NUMBERS = st.integers(-(10**30), 10**30) | st.floats(allow_nan=False, allow_infinity=False)
JSON = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.text(st.characters(codec="utf-8"), max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)
PLAUSIBLE = st.sampled_from([ISSUER, AUDIENCE, [AUDIENCE], "read write", "Bearer", "access_token", NOW, {"jkt": "x"}])
NAMES = st.sampled_from(
    [*claims(), "nbf", "cnf", "acr", "auth_time", "typ", "token_type", "token_use", "at_hash", "active"]
)
CLAIMS = st.dictionaries(NAMES, JSON | PLAUSIBLE, max_size=6)


@given(CLAIMS, st.sampled_from([LENIENT, STRICT]), st.floats(1e9, 1e10))
def test_never_raises(members: dict[str, Any], rules: ClaimRules, now: float) -> None:
    """Whatever object JSON can hold, it makes a typed principal or a reason, and so do its times."""
    parsed = loads_object(json.dumps(claims() | members).encode())
    principal = judge_claims(parsed, rules, Assurance.INTROSPECTED)
    if isinstance(principal, str):
        return
    assert all(map(is_scope_token, principal.scopes))
    names = (principal.subject, principal.client_id, principal.token_id, principal.acr)
    assert all(value is None or isinstance(value, str) for value in names)
    assert hash(principal) == hash(judge_claims(parsed, rules, Assurance.INTROSPECTED))
    assert judge_time(principal, now, 30.0) in {None, "expired", "not_yet_valid"}
