"""The reader of challenges that other tests rely on: it must be stricter than what it reads."""

from __future__ import annotations

import pytest

from tests.support.headers import HeaderSyntaxError, ParsedChallenge, bearer_params, parse_challenges


@pytest.mark.parametrize(
    ("value", "challenges"),
    [
        pytest.param("", [], id="nothing"),
        pytest.param(" , ,", [], id="empty elements"),
        pytest.param("Basic", [("basic", {}, None)], id="a bare scheme"),
        pytest.param("Basic , realm=x", [("basic", {"realm": "x"}, None)], id="an empty element before a parameter"),
        pytest.param(
            'Bearer realm = "a, \\"b\\"",scope=x', [("bearer", {"realm": 'a, "b"', "scope": "x"}, None)], id="bws"
        ),
        pytest.param(
            "Negotiate a+/==, Basic realm=x", [("negotiate", {}, "a+/=="), ("basic", {"realm": "x"}, None)], id="two"
        ),
        pytest.param("Negotiate a=", [("negotiate", {}, "a=")], id="token68 that looks like a parameter"),
        pytest.param("Bearer realm=,", [("bearer", {}, "realm=")], id="a parameter without a value is token68"),
        pytest.param(
            "Basic realm=a,Bearer REALM=b",
            [("basic", {"realm": "a"}, None), ("bearer", {"realm": "b"}, None)],
            id="case",
        ),
    ],
)
def test_reads_what_the_grammar_allows(value: str, challenges: list[tuple[str, dict[str, str], str | None]]) -> None:
    """RFC 9110 §11.3: every form of a challenge list has one reading."""
    assert parse_challenges(value) == [ParsedChallenge(*challenge) for challenge in challenges]


@pytest.mark.parametrize(
    "value",
    [
        pytest.param('Bearer realm="a", realm="b"', id="the same parameter twice"),
        pytest.param("Bearer a=1, A=2", id="the same parameter twice in another case"),
        pytest.param('Bearer realm="a', id="an open quote"),
        pytest.param('Bearer realm="a\\"', id="an open quote after an escape"),
        pytest.param('Bearer realm="a"b', id="text after a quote"),
        pytest.param('Bearer realm="a" scope="b"', id="no comma"),
        pytest.param('Bearer, realm="a"', id="no space between scheme and parameter"),
        pytest.param('realm="a"', id="no scheme"),
        pytest.param("=x", id="no name"),
        pytest.param("Negotiate abc, x=1", id="a parameter after token68"),
        pytest.param("Negotiate a=b=", id="neither token68 nor parameter"),
        pytest.param("Bearer\tx=1", id="a tab for a space"),
        pytest.param("Bearer \tx=1", id="a tab after the space"),
        pytest.param('Bearer realm="é"', id="not ASCII"),
        pytest.param('Bearer realm="a\r\nb"', id="a line break"),
        pytest.param("Bearer a=b c", id="two words"),
    ],
)
def test_refuses_everything_else(value: str) -> None:
    """RFC 9110 §11.2 and §5.6: what has no place in the grammar is refused, a repeated parameter above all."""
    with pytest.raises(HeaderSyntaxError):
        parse_challenges(value)


@pytest.mark.parametrize(
    "value",
    [
        pytest.param("Bearer", id="bare"),
        pytest.param("Bearer realm=", id="token68 in place of a parameter"),
        pytest.param('Basic realm="a"', id="another scheme"),
        pytest.param('Bearer realm="a", Bearer realm="b"', id="two"),
        pytest.param("Bearer realm=a", id="realm as a token"),
        pytest.param('Bearer scope="a  b"', id="an empty scope token"),
        pytest.param('Bearer scope=""', id="no scope token"),
        pytest.param('Bearer error="a\\"b"', id="a quote in error"),
        pytest.param('Bearer error_uri="https://example.com/ x"', id="a space in error_uri"),
    ],
)
def test_bearer_rules(value: str) -> None:
    """RFC 6750 §3: one Bearer challenge with at least one parameter, each within its own character set."""
    with pytest.raises(HeaderSyntaxError):
        bearer_params(value)
