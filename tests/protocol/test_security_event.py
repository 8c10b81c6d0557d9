"""Security Event Tokens and logout tokens: which are accepted, and what they revoke."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resource_server._protocol.jws import JWS, parse_jws
from resource_server._protocol.revocation import Revocation
from resource_server._protocol.security_event import NoticeRules, judge_notice
from tests.support.jwt import AUDIENCE, ISSUER, NOW, REMOVED, unsigned
from tests.support.notices import (
    ALICE,
    CAEP,
    LOGOUT,
    RISC,
    SESSION_REVOKED,
    event_claims,
    logout_claims,
)

MEMORY = 3600.0
RULES = NoticeRules(issuer=ISSUER, audience=frozenset({AUDIENCE, "rs"}), algorithms=frozenset({"ES256"}), memory=MEMORY)
OTHER = "https://other.example.com"
WORDS = st.sampled_from(
    [
        "format",
        "iss",
        "sub",
        "id",
        "jti",
        "user",
        "session",
        "identifiers",
        "subject",
        "event_timestamp",
        SESSION_REVOKED,
    ]
)


def shown(changes: dict[str, Any]) -> str:
    """Name changes of claims, the same way in every process."""
    return ", ".join(f"{name} {'removed' if value is REMOVED else value}" for name, value in changes.items())


def jws(payload: Any, typ: Any = "secevent+jwt", alg: str = "ES256") -> JWS:
    """Take apart a token with this payload."""
    head = {"typ": typ, "alg": alg}
    parsed = parse_jws(unsigned({k: v for k, v in head.items() if v is not REMOVED}, payload, b"x").encode())
    assert parsed is not None
    return parsed


def judge(payload: Any, typ: Any = "secevent+jwt", *, now: float = NOW, rules: NoticeRules = RULES) -> Any:
    """Judge a token with this payload."""
    return judge_notice(jws(payload, typ), rules, now)


def meant(found: tuple[Revocation, ...]) -> list[tuple[str, str]]:
    """Return what is revoked."""
    return [revocation.place for revocation in found]


def test_an_event_revokes_what_was_issued_before() -> None:
    """RFC 8417 §2.2: tokens issued up to the second of the event are meant, for as long as one of them can live."""
    [revocation] = judge(event_claims())
    assert (revocation.kind, revocation.value) == ("sub", "alice")
    assert NOW < revocation.before < NOW + 1
    assert revocation.until == revocation.before + MEMORY


@pytest.mark.parametrize("name", ["session-revoked", "credential-change", "token-claims-change"])
def test_caep(name: str) -> None:
    """OpenID CAEP 1.0 §3: these three end what was issued to their subject before."""
    assert meant(judge(event_claims(events={CAEP + name: {}}))) == [("sub", "alice")]


@pytest.mark.parametrize("name", ["account-disabled", "account-purged", "credential-compromise", "sessions-revoked"])
def test_risc(name: str) -> None:
    """OpenID RISC 1.0 §2: an account that is closed or in wrong hands has no good tokens."""
    assert meant(judge(event_claims(events={RISC + name: {}}))) == [("sub", "alice")]


@pytest.mark.parametrize(
    "events",
    [
        {f"{CAEP}device-compliance-change": {"current_status": "not-compliant"}},
        {f"{RISC}account-enabled": {}},
        {"https://events.example.com/unheard-of": {"anything": [1]}},
        {f"{CAEP}credential-change": {"change_type": "create"}},
    ],
    ids=["device", "enabled", "unknown", "credential added"],
)
def test_events_that_change_nothing(events: dict[str, Any]) -> None:
    """RFC 8417 §2.2: an event that is not understood, or that takes nothing away, is accepted and revokes nothing."""
    assert judge(event_claims(events=events)) == ()


def test_several_events() -> None:
    """RFC 8417 §2.2: one token may tell several things; what two of them revoke alike is revoked once."""
    events: dict[str, Any] = {SESSION_REVOKED: {}, f"{RISC}account-disabled": {}, "https://events.example.com/x": {}}
    assert meant(judge(event_claims(events=events))) == [("sub", "alice")]


def test_session_of_a_user() -> None:
    """OpenID SSF 1.0 §3.3: a session that is revoked leaves the others of its user alone; a closed account does not."""
    subject = {"format": "complex", "user": ALICE, "session": {"format": "opaque", "id": "session-1"}}
    assert meant(judge(event_claims(sub_id=subject))) == [("sid", "session-1")]
    disabled = event_claims(sub_id=subject, events={f"{RISC}account-disabled": {}})
    assert meant(judge(disabled)) == [("sub", "alice")]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"sub_id": REMOVED, "sub": "alice"}, [("sub", "alice")]),
        ({"sub_id": REMOVED, "events": {SESSION_REVOKED: {"subject": ALICE}}}, [("sub", "alice")]),
        ({"sub_id": ALICE | {"iss": OTHER}}, []),
        ({"sub_id": ALICE | {"iss": OTHER}, "sub": "bob"}, []),
    ],
    ids=["sub", "in the event", "another issuer's", "another issuer's, beside a sub"],
)
def test_where_the_subject_stands(changes: dict[str, Any], expected: list[tuple[str, str]]) -> None:
    """RFC 9493 §4.1: ``sub_id`` names the subject; drafts had it in the event, and any JWT may have a ``sub``."""
    assert meant(judge(event_claims(**changes))) == expected


@pytest.mark.parametrize("place", ["event_timestamp", "toe"])
def test_moment_of_the_event(place: str) -> None:
    """RFC 8417 §2.2: what was issued after the event is not meant, however late the token tells of it."""
    moment = NOW - 600
    changes = {"toe": moment} if place == "toe" else {"events": {SESSION_REVOKED: {"event_timestamp": moment}}}
    [revocation] = judge(event_claims(**changes))
    assert moment < revocation.before < moment + 1


def test_moment_with_a_fraction() -> None:
    """RFC 7519 §2: a NumericDate with a fraction is the moment itself."""
    [revocation] = judge(event_claims(toe=NOW - 9.5))
    assert revocation.before == NOW - 9.5


def test_no_event_lies_ahead() -> None:
    """A token cannot revoke what will be issued after it was made."""
    [revocation] = judge(event_claims(toe=NOW + 10_000))
    assert revocation.before < NOW + 1


def test_the_same_token_says_the_same() -> None:
    """A token that is replayed at another time revokes exactly what it did: the claims decide, not when it comes."""
    assert judge(event_claims(), now=NOW + 1000) == judge(event_claims())


def test_logout() -> None:
    """OpenID Back-Channel Logout §2.6: a session that is named ends alone; without one, all of the subject's end."""
    assert meant(judge(logout_claims(), "logout+jwt")) == [("sid", "session-1")]
    assert meant(judge(logout_claims(sub=REMOVED), "logout+jwt")) == [("sid", "session-1")]
    assert meant(judge(logout_claims(sid=REMOVED), "logout+jwt")) == [("sub", "alice")]


@pytest.mark.parametrize("typ", ["logout+jwt", "application/logout+jwt", "LOGOUT+JWT", "JWT", REMOVED])
def test_types_of_a_logout_token(typ: Any) -> None:
    """OpenID Back-Channel Logout §2.4: explicit typing is recommended only, so that a plain JWT is accepted too."""
    assert meant(judge(logout_claims(), typ)) == [("sid", "session-1")]


@pytest.mark.parametrize("typ", ["secevent+jwt", "application/secevent+jwt", "SecEvent+JWT"])
def test_types_of_a_security_event(typ: str) -> None:
    """RFC 8417 §2.3: the type of a Security Event Token is a media type, whose case does not matter."""
    assert meant(judge(event_claims(), typ)) == [("sub", "alice")]


@pytest.mark.attack("A-J-10")
@pytest.mark.parametrize("typ", ["at+jwt", "JWT", REMOVED, "dpop+jwt", "logout+jwt", "secevent+jwt; x=1"])
def test_other_types_are_no_security_events(typ: Any) -> None:
    """RFC 8417 §4.5: no other kind of JWT is taken for a Security Event Token."""
    assert judge(event_claims(), typ) == "invalid_request"


@pytest.mark.attack("A-J-10")
@pytest.mark.parametrize("typ", ["at+jwt", "secevent+jwt", "id_token+jwt"])
def test_other_types_are_no_logout_tokens(typ: str) -> None:
    """RFC 8725 §3.11: no other kind of JWT is taken for a logout token; as an event, a logout is an unknown one."""
    assert judge(logout_claims(), typ) == (() if typ == "secevent+jwt" else "invalid_request")


@pytest.mark.parametrize(
    "changes",
    [
        {"nonce": "n-1"},
        {"nonce": None},
        {"sub": REMOVED, "sid": REMOVED},
        {"events": {SESSION_REVOKED: {}}},
        {"events": {LOGOUT: []}},
        {"exp": NOW - 1},
        {"exp": "soon"},
        {"sid": 7},
        {"sub": ""},
    ],
    ids=shown,
)
def test_refused_logout_tokens(changes: dict[str, Any]) -> None:
    """OpenID Back-Channel Logout §2.6: each rule of the standard refuses a token that breaks it."""
    assert judge(logout_claims(**changes), "logout+jwt") == "invalid_request"


def test_logout_token_without_an_expiry() -> None:
    """Older servers put no ``exp`` into a logout token; what it can revoke is bounded by its ``iat`` all the same."""
    [revocation] = judge(logout_claims(exp=REMOVED), "logout+jwt", now=NOW + 10 * MEMORY)
    assert revocation.until < NOW + 10 * MEMORY


@pytest.mark.attack("A-J-21")
@pytest.mark.parametrize(
    "changes",
    [
        {"jti": REMOVED},
        {"jti": ""},
        {"jti": 1},
        {"iat": REMOVED},
        {"iat": str(int(NOW))},
        {"iat": True},
        {"iat": -1},
        {"iat": NOW + 61},
        {"exp": NOW},
        {"toe": "then"},
        {"events": REMOVED},
        {"events": {}},
        {"events": [SESSION_REVOKED]},
        {"events": {SESSION_REVOKED: None}},
        {"events": {SESSION_REVOKED: {"event_timestamp": "now"}}},
        {"sub_id": REMOVED},
        {"sub_id": "alice"},
        {"sub_id": {"format": "iss_sub", "iss": ISSUER}},
        {"sub": ["alice"]},
    ],
    ids=shown,
)
def test_refused_events(changes: dict[str, Any]) -> None:
    """RFC 8417 §2.2: a claim that is missing, of the wrong type or out of its time makes the token invalid."""
    assert judge(event_claims(**changes)) == "invalid_request"


def test_clocks_may_differ() -> None:
    """A token from up to a minute ahead is one whose maker's clock is fast, and the leeway comes on top."""
    rules = NoticeRules(issuer=ISSUER, audience=RULES.audience, algorithms=RULES.algorithms, memory=MEMORY, leeway=30.0)
    assert meant(judge(event_claims(iat=NOW + 60))) == [("sub", "alice")]
    assert meant(judge(event_claims(iat=NOW + 90), rules=rules)) == [("sub", "alice")]
    assert meant(judge(logout_claims(exp=NOW - 29), "logout+jwt", rules=rules)) == [("sid", "session-1")]


@pytest.mark.parametrize("value", [OTHER, REMOVED, [ISSUER], f"{ISSUER}/"])
def test_issuer(value: Any) -> None:
    """RFC 8935 §2.4: only the issuer that is configured is heard, to the letter."""
    assert judge(event_claims(iss=value)) == "invalid_issuer"


@pytest.mark.parametrize("value", [OTHER, REMOVED, [], [OTHER], [AUDIENCE, 1], {"aud": AUDIENCE}])
def test_audience(value: Any) -> None:
    """RFC 8935 §2.4: a token for somebody else is refused, and one whose audience is malformed."""
    assert judge(event_claims(aud=value)) == "invalid_audience"


@pytest.mark.parametrize("value", [AUDIENCE, "rs", [OTHER, "rs"]])
def test_our_audience(value: Any) -> None:
    """Our name may be that of the resource, or our client identifier."""
    assert meant(judge(event_claims(aud=value))) == [("sub", "alice")]


def test_without_a_name_of_ours() -> None:
    """Where we have no name, nobody can say that a token is meant for somebody else."""
    rules = NoticeRules(issuer=ISSUER, audience=frozenset(), algorithms=RULES.algorithms, memory=MEMORY)
    assert meant(judge(event_claims(aud=OTHER), rules=rules)) == [("sub", "alice")]


@pytest.mark.attack("A-J-1")
@pytest.mark.parametrize("alg", ["none", "HS256", "RS256", "es256"])
def test_algorithms(alg: str) -> None:
    """RFC 8725 §3.1: the allow-list of access tokens is that of these tokens too."""
    assert judge_notice(jws(event_claims(), alg=alg), RULES, NOW) == "invalid_key"


@pytest.mark.parametrize("payload", [b"[]", b"not json", b'{"iss":1,"iss":2}'])
def test_payload_is_no_object(payload: bytes) -> None:
    """RFC 8417 §2: the payload is a JSON object, with one meaning."""
    assert judge(payload) == "invalid_request"


@pytest.mark.attack("A-S-1")
def test_nothing_personal_is_shown() -> None:
    """What a revocation names is personal data, and not in its representation."""
    assert "alice" not in repr(judge(event_claims()))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-1, 2**70) | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS | st.text(), inner, max_size=4),
    max_leaves=12,
)
CLAIMS = st.dictionaries(
    st.sampled_from(["jti", "iat", "exp", "toe", "sub", "sid", "sub_id", "events", "nonce"]), JSON, max_size=6
)


@given(changes=CLAIMS, typ=st.sampled_from(["secevent+jwt", "logout+jwt"]))
@pytest.mark.attack("A-J-21", "A-J-22")
def test_whatever_it_says(changes: dict[str, Any], typ: str) -> None:
    """Whatever the claims are, a token is judged: refused, or reduced to revocations that are text and moments."""
    good = event_claims() if typ == "secevent+jwt" else logout_claims()
    found = judge(good | changes, typ)
    assert found == "invalid_request" or all(
        isinstance(revocation.value, str) and revocation.value and revocation.before < NOW + 62 for revocation in found
    )


@given(subject=JSON)
def test_whatever_the_subject_is(subject: Any) -> None:
    """The same for subjects of every shape, of which most are malformed."""
    found = judge(event_claims(sub_id=subject))
    assert found == "invalid_request" or {kind for kind, _ in meant(found)} <= {"sub", "sid", "jti"}


def test_the_long_name_of_a_plain_jwt() -> None:
    """RFC 7519 §5.1: a media type may be written out; a logout token may call itself a plain JWT either way."""
    assert judge(logout_claims(), "application/jwt") == judge(logout_claims(), "jwt")


@pytest.mark.parametrize("toe", ["now", True, -1, None])
def test_moment_of_the_event_is_a_date(toe: object) -> None:
    """RFC 8417 §2.2: toe is a NumericDate, also where the event has a moment of its own."""
    changes = {"toe": toe, "events": {SESSION_REVOKED: {"event_timestamp": NOW}}}
    assert judge(event_claims(**changes)) == "invalid_request"


def test_every_event_is_an_object() -> None:
    """RFC 8417 §2.2: the value of an event is an object; one that is not spoils the token."""
    events = {SESSION_REVOKED: {}, f"{CAEP}token-claims-change": "x"}
    assert judge(event_claims(events=events)) == "invalid_request"


def test_the_beginning_of_time_is_a_moment() -> None:
    """RFC 7519 §2: a NumericDate may be 0."""
    [revocation] = judge(event_claims(iat=0))
    assert revocation.before < 1


def test_only_a_credential_can_be_added() -> None:
    """A session that is revoked is revoked, whatever kind of change is said of it."""
    assert judge(event_claims(events={SESSION_REVOKED: {"change_type": "create"}}))
