"""Whom or what a security event is about, as far as a token can be told to be theirs."""

from __future__ import annotations

from typing import Any

import pytest

from resource_server._protocol.subject_identifier import judge_subject
from tests.support.jwt import ISSUER

ALICE = {"format": "iss_sub", "iss": ISSUER, "sub": "alice"}
SESSION = {"format": "opaque", "id": "session-1"}
TOKEN = {"format": "jwt_id", "iss": ISSUER, "jti": "token-1"}
ELSEWHERE = {"format": "iss_sub", "iss": "https://other.example.com", "sub": "alice"}
EMAIL = {"format": "email", "email": "alice@example.com"}


@pytest.mark.parametrize(
    ("subject", "wide", "narrow"),
    [
        pytest.param(ALICE, [("sub", "alice")], [("sub", "alice")], id="iss_sub"),
        pytest.param(ELSEWHERE, [], [], id="another issuer's"),
        pytest.param(TOKEN, [("jti", "token-1")], [("jti", "token-1")], id="jwt_id"),
        pytest.param(TOKEN | {"iss": "https://other.example.com"}, [], [], id="another issuer's token"),
        pytest.param(SESSION, [("sub", "session-1")], [("sub", "session-1"), ("sid", "session-1")], id="opaque"),
        pytest.param(EMAIL, [], [], id="email"),
        pytest.param({"format": "unheard-of", "x": 1}, [], [], id="unknown format"),
        pytest.param(ALICE | {"format": "iss-sub"}, [("sub", "alice")], [("sub", "alice")], id="an early spelling"),
        pytest.param(
            {"subject_type": "iss-sub", "iss": ISSUER, "sub": "alice"},
            [("sub", "alice")],
            [("sub", "alice")],
            id="RISC",
        ),
        pytest.param({"format": "complex", "user": ALICE}, [("sub", "alice")], [("sub", "alice")], id="user"),
        pytest.param(
            {"format": "complex", "session": SESSION}, [("sid", "session-1")], [("sid", "session-1")], id="session"
        ),
        pytest.param(
            {"format": "complex", "user": ALICE, "session": SESSION},
            [("sub", "alice")],
            [("sid", "session-1")],
            id="user and session",
        ),
        pytest.param({"user": ALICE, "device": EMAIL}, [("sub", "alice")], [("sub", "alice")], id="a draft's complex"),
        pytest.param({"format": "complex", "session": TOKEN}, [("jti", "token-1")], [("jti", "token-1")], id="a token"),
        pytest.param({"format": "complex", "tenant": SESSION}, [], [], id="a tenant"),
        pytest.param(
            {"format": "aliases", "identifiers": [EMAIL, ALICE]}, [("sub", "alice")], [("sub", "alice")], id="aliases"
        ),
    ],
)
def test_what_it_means(subject: dict[str, Any], wide: list[tuple[str, str]], narrow: list[tuple[str, str]]) -> None:
    """RFC 9493 §3.2: a subject means the tokens that carry its value, in the claim that its format and place say."""
    assert judge_subject(subject, ISSUER, narrow=False) == tuple(wide)
    assert judge_subject(subject, ISSUER, narrow=True) == tuple(narrow)


@pytest.mark.attack("A-J-21")
@pytest.mark.parametrize(
    "subject",
    [
        None,
        "alice",
        [ALICE],
        {},
        {"format": 1, "iss": ISSUER, "sub": "alice"},
        {"format": "iss_sub", "iss": ISSUER},
        {"format": "iss_sub", "iss": ISSUER, "sub": ""},
        {"format": "iss_sub", "iss": ISSUER, "sub": ["alice"]},
        {"format": "opaque", "id": 7},
        {"format": "jwt_id", "jti": "token-1"},
        {"format": "complex", "user": "alice"},
        {"format": "complex", "user": ALICE, "session": {"format": "opaque"}},
        {"format": "aliases"},
        {"format": "aliases", "identifiers": []},
        {"format": "aliases", "identifiers": ["alice"]},
        {"format": "aliases", "identifiers": [ALICE, {"format": "opaque"}]},
    ],
)
def test_malformed(subject: Any) -> None:
    """RFC 9493 §3: a member that is missing or of the wrong type makes the identifier malformed, not empty."""
    assert judge_subject(subject, ISSUER, narrow=True) is None


@pytest.mark.parametrize("member", ["user", "session", "device", "tenant", "org_unit", "group", "application"])
def test_a_complex_subject_that_does_not_say_so(member: str) -> None:
    """Each member of a complex subject shows that it is one, where early drafts named no format."""
    assert judge_subject({member: EMAIL}, ISSUER, narrow=False) == ()


def test_the_format_is_believed() -> None:
    """RFC 9493 §3: a subject that names its format has that one, whatever else stands in it."""
    assert judge_subject(ALICE | {"user": EMAIL}, ISSUER, narrow=False) == (("sub", "alice"),)


def test_an_opaque_user() -> None:
    """An opaque identifier in the place of the user names a user."""
    subject = {"format": "complex", "user": {"format": "opaque", "id": "u"}}
    assert judge_subject(subject, ISSUER, narrow=False) == (("sub", "u"),)


def test_opaque_aliases() -> None:
    """An opaque identifier among aliases names what it would name alone."""
    subject = {"format": "aliases", "identifiers": [SESSION]}
    for narrow in (False, True):
        assert judge_subject(subject, ISSUER, narrow=narrow) == judge_subject(SESSION, ISSUER, narrow=narrow)


@pytest.mark.parametrize(
    "subject",
    [
        {"format": "complex", "user": {"format": "opaque"}, "session": SESSION},
        {"format": "aliases", "identifiers": 7},
        {"format": "aliases", "identifiers": [ALICE, "alice"]},
    ],
)
def test_partly_malformed(subject: Any) -> None:
    """RFC 9493 §3: one malformed part makes the whole identifier malformed."""
    assert judge_subject(subject, ISSUER, narrow=True) is None
