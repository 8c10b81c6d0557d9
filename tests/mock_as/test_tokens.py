"""A token as a test holds it."""

from __future__ import annotations

import shlex

import pytest

from mock_as import MockAS
from mock_as.tokens import looks_like_jwt


def test_text_never_shows_by_accident(mock: MockAS) -> None:
    """Neither `str` nor `repr` shows the token; they name what a person needs to tell it from others."""
    token = mock.token(sub="alice", scope="read write", defect="wrong_aud")
    for shown in (str(token), repr(token), f"{token}"):
        assert token.value not in shown
        assert shown == "Token(id='tok-1', format='jwt', sub='alice', scope='read write', defect='wrong_aud')"
    assert repr(mock.token(scope=None)) == "Token(id='tok-2', format='jwt', sub='svc')"


def test_bearer_is_the_header_that_sends_it(mock: MockAS) -> None:
    """A token knows how it is sent."""
    token = mock.token()
    assert token.bearer == {"Authorization": f"Bearer {token.value}"}


def test_curl_survives_the_shell(mock: MockAS) -> None:
    """The command line is one that a shell splits into what was meant, whatever the URL holds."""
    token = mock.token()
    url = "https://api.example.test/a?b=1&c='$HOME'"
    assert shlex.split(token.curl(url)) == ["curl", "-i", "-H", f"Authorization: Bearer {token.value}", url]


def test_tokens_are_told_apart_by_their_text(mock: MockAS) -> None:
    """Two tokens are equal only if they are the same one, and they can be kept in a set."""
    first, second = mock.token(format="opaque"), mock.token(format="opaque")
    assert first != second
    assert len({first, second, first}) == 2


@pytest.mark.parametrize(("text", "expected"), [("a.b.c", True), ("ab", False), ("a.b.c.d.e", False), ("", False)])
def test_shape_of_a_jwt(text: str, expected: bool) -> None:  # noqa: FBT001 - a parameter of the rule
    """Three parts make a signed JWT, any other number does not."""
    assert looks_like_jwt(text) is expected
