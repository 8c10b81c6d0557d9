"""The product's reader of challenges, held to the grammar and to a second reader that was written apart from it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resource_server import Challenge, parse_challenges
from tests.support import headers as independent

TCHARS = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"


@pytest.mark.rfc("9110-11.6.1-b")
@pytest.mark.parametrize(
    ("value", "challenges"),
    [
        pytest.param("", [], id="nothing"),
        pytest.param(" ,\t, ", [], id="empty elements"),
        pytest.param('Bearer realm="example"', [("bearer", {"realm": "example"}, None)], id="RFC 6750 section 3"),
        pytest.param(
            'Bearer realm="example", error="invalid_token", error_description="The access token expired"',
            [
                (
                    "bearer",
                    {"realm": "example", "error": "invalid_token", "error_description": "The access token expired"},
                    None,
                )
            ],
            id="RFC 6750 section 3, with an error",
        ),
        pytest.param(
            'Basic realm="simple", Newauth realm="apps", type=1, title="Login to \\"apps\\""',
            [
                ("basic", {"realm": "simple"}, None),
                ("newauth", {"realm": "apps", "type": "1", "title": 'Login to "apps"'}, None),
            ],
            id="RFC 9110 section 11.6.1",
        ),
        pytest.param(
            'Bearer error="insufficient_user_authentication", error_description="More recent authentication is '
            'required", max_age="5"',
            [
                (
                    "bearer",
                    {
                        "error": "insufficient_user_authentication",
                        "error_description": "More recent authentication is required",
                        "max_age": "5",
                    },
                    None,
                )
            ],
            id="RFC 9470 section 3",
        ),
        pytest.param(
            'DPoP error="invalid_token", algs="ES256 PS256"',
            [("dpop", {"error": "invalid_token", "algs": "ES256 PS256"}, None)],
            id="RFC 9449 section 7.1",
        ),
        pytest.param("Negotiate", [("negotiate", {}, None)], id="a bare scheme"),
        pytest.param("Negotiate ", [("negotiate", {}, None)], id="a bare scheme and a blank"),
        pytest.param(
            "Negotiate, Basic realm=x",
            [("negotiate", {}, None), ("basic", {"realm": "x"}, None)],
            id="a bare scheme first",
        ),
        pytest.param("Negotiate YII+/w==", [("negotiate", {}, "YII+/w==")], id="token68"),
        pytest.param("Negotiate abc=", [("negotiate", {}, "abc=")], id="token68 that begins like a parameter"),
        pytest.param(
            "Negotiate abc= ,Basic realm=x",
            [("negotiate", {}, "abc="), ("basic", {"realm": "x"}, None)],
            id="token68 first",
        ),
        pytest.param("Basic realm=token", [("basic", {"realm": "token"}, None)], id="a value as a token"),
        pytest.param('BASIC REALM="Case"', [("basic", {"realm": "Case"}, None)], id="upper case"),
        pytest.param('Basic realm \t=\t "x"', [("basic", {"realm": "x"}, None)], id="blanks around the equals sign"),
        pytest.param('Basic   realm="x"', [("basic", {"realm": "x"}, None)], id="three spaces"),
        pytest.param('Basic realm=""', [("basic", {"realm": ""}, None)], id="an empty value"),
        pytest.param('Basic realm="a, Bearer b=c"', [("basic", {"realm": "a, Bearer b=c"}, None)], id="commas quoted"),
        pytest.param('Basic realm="\\f\\\\\\""', [("basic", {"realm": 'f\\"'}, None)], id="quoted pairs"),
        pytest.param(
            ',Basic ,, realm="x",,\tcharset=utf-8 ,',
            [("basic", {"realm": "x", "charset": "utf-8"}, None)],
            id="empty elements everywhere",
        ),
        pytest.param(
            "Basic , Bearer realm=x",
            [("basic", {}, None), ("bearer", {"realm": "x"}, None)],
            id="a bare scheme with a blank before the comma",
        ),
    ],
)
def test_readings(value: str, challenges: list[tuple[str, dict[str, str], str | None]]) -> None:
    """RFC 9110 §11.6.1: a list of challenges has one reading, and both readers find it."""
    assert parse_challenges(value) == [Challenge(*challenge) for challenge in challenges]
    assert [tuple(found) for found in independent.parse_challenges(value)] == challenges


@pytest.mark.rfc("6750-3-c", "9110-11.2-a")
@pytest.mark.parametrize("value", ['Bearer realm="a", realm="b"', "Bearer scope=a, SCOPE=a", "Bearer a=1,b=2,a=3"])
def test_repeated_parameter(value: str) -> None:
    """RFC 9110 §11.2: a parameter occurs once per challenge, whatever the case of its name."""
    with pytest.raises(ValueError, match="stands twice"):
        parse_challenges(value)


@pytest.mark.parametrize(
    "value",
    [
        pytest.param('Bearer realm="a', id="an open quote"),
        pytest.param('Bearer realm="a\\"', id="an open quote after an escape"),
        pytest.param('Bearer realm="a"b', id="text after a quote"),
        pytest.param('Bearer realm="a" error="b"', id="no comma"),
        pytest.param("Bearer realm=a b", id="two words"),
        pytest.param('Bearer, realm="a"', id="no space after the scheme"),
        pytest.param('realm="a"', id="no scheme"),
        pytest.param("=", id="no name"),
        pytest.param('"Bearer"', id="a quoted scheme"),
        pytest.param("Bearer a=b=c", id="neither parameter nor token68"),
        pytest.param("Negotiate abc, x=1", id="a parameter after token68"),
        pytest.param("Negotiate abc def", id="two token68"),
        pytest.param("Bearer\trealm=a", id="a tab for the space"),
        pytest.param('Bearer realm="a\nb"', id="a line break"),
        pytest.param('Bearer realm="a\\\nb"', id="a line break escaped"),
        pytest.param('Bearer realm="a\x00b"', id="NUL"),
        pytest.param('Bearer realm="a\x7f"', id="DEL"),
        pytest.param("Bearer realm=a\n", id="a final line break"),
        pytest.param("Negotiate abc\n", id="a final line break after token68"),
        pytest.param("Negotiate\n", id="a final line break after the scheme"),
    ],
)
def test_refused(value: str) -> None:
    """RFC 9110 §11.2 and §5.6: what the grammar has no place for is refused, by both readers."""
    with pytest.raises(ValueError, match=r"offset|stands twice"):
        parse_challenges(value)
    with pytest.raises(independent.HeaderSyntaxError):
        independent.parse_challenges(value)


def quoted(value: str) -> str:
    """Quote a value, escaping more than is needed: every third character."""
    chars = [f"\\{char}" if char in '"\\' or index % 3 == 2 else char for index, char in enumerate(value)]
    return '"' + "".join(chars) + '"'


TOKENS = st.text(TCHARS, min_size=1, max_size=8)
TEXTS = st.text(st.characters(codec="ascii", min_codepoint=0x20, max_codepoint=0x7E), max_size=12)
BLANKS = st.sampled_from(["", " ", "\t", "  "])
FORMS = st.one_of(TOKENS.map(lambda text: (text, text)), TEXTS.map(lambda text: (text, quoted(text))))
PARAMS = st.dictionaries(TOKENS.map(str.lower), FORMS, max_size=4)
TOKEN68 = st.from_regex(r"[A-Za-z0-9._~+/-]{1,8}={0,2}", fullmatch=True)
SEPARATORS = st.sampled_from([",", ", ", " ,\t", ",,", " , ,"])


@st.composite
def challenge_lists(draw: st.DrawFn) -> tuple[str, list[Challenge]]:
    """Draw a list of challenges, and one of the many ways to write it."""
    challenges: list[Challenge] = []
    written: list[str] = []
    for scheme in draw(st.lists(TOKENS, max_size=3)):
        params = draw(PARAMS)
        token68 = draw(TOKEN68) if not params and draw(st.booleans()) else None
        content = draw(SEPARATORS).join(
            f"{name}{draw(BLANKS)}={draw(BLANKS)}{form}" for name, (_, form) in params.items()
        )
        values = {name: value for name, (value, _) in params.items()}
        challenges.append(Challenge(scheme.lower(), values, token68))
        written.append(f"{scheme} {token68 or content}".rstrip())
    return draw(SEPARATORS).join(written), challenges


@given(challenge_lists())
def test_generated_lists(drawn: tuple[str, list[Challenge]]) -> None:
    """RFC 9110 §11.6.1: whatever list of challenges is written, in whatever spelling, both readers find it again."""
    value, challenges = drawn
    assert parse_challenges(value) == challenges
    assert [Challenge(*found) for found in independent.parse_challenges(value)] == challenges


@given(st.text('Bearer abc=,"\\ \t\n', max_size=24))
def test_both_readers_agree(value: str) -> None:
    """A text of the characters that matter is read by both readers alike, or refused by both."""
    try:
        expected = [Challenge(*found) for found in independent.parse_challenges(value)]
    except independent.HeaderSyntaxError:
        with pytest.raises(ValueError, match=r"offset|stands twice"):
            parse_challenges(value)
    else:
        assert parse_challenges(value) == expected
