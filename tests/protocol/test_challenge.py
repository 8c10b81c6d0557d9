"""The builder of challenges, read back by a reader that shares nothing with it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resource_server import Challenge, parse_challenges
from resource_server._protocol.challenge import build_challenge
from tests.support.headers import bearer_params

PRINTABLE = [chr(code) for code in range(0x20, 0x7F)]
ERROR_TEXTS = st.text([char for char in PRINTABLE if char not in '"\\'], max_size=20)
SCOPE_TOKENS = st.text([char for char in PRINTABLE if char not in ' "\\'], min_size=1, max_size=8)


@pytest.mark.rfc("6750-3-b", "9110-11.5-a")
def test_never_bare() -> None:
    """RFC 6750 §3: the scheme is followed by at least one parameter, and realm is a quoted-string."""
    assert build_challenge(realm="api") == 'Bearer realm="api"'
    assert bearer_params(build_challenge(realm="")) == {"realm": ""}


@pytest.mark.parametrize(
    ("error", "description", "expected"),
    [
        pytest.param(None, None, 'Bearer realm="example"', id="no authentication information"),
        pytest.param(
            "invalid_token",
            "The access token expired",
            'Bearer realm="example", error="invalid_token", error_description="The access token expired"',
            id="an expired token",
        ),
    ],
)
def test_examples_of_the_rfc(error: str | None, description: str | None, expected: str) -> None:
    """RFC 6750 §3: the two examples come out, parameter for parameter."""
    built = build_challenge(realm="example", error=error, error_description=description)
    assert bearer_params(built) == bearer_params(expected)


@pytest.mark.rfc("6750-3-d", "6750-3.1-c")
def test_scope() -> None:
    """RFC 6750 §3: scope is one quoted-string of tokens with a space between them, in the order given."""
    built = build_challenge(realm="api", error="insufficient_scope", scope=("write", "read", "https://x.example/a"))
    assert bearer_params(built)["scope"] == "write read https://x.example/a"


@pytest.mark.rfc("9110-11.5-a")
def test_realm_is_escaped() -> None:
    """RFC 9110 §5.6.4: a quote and a backslash in the realm are escaped."""
    assert build_challenge(realm='a "b" \\c') == 'Bearer realm="a \\"b\\" \\\\c"'


@given(
    realm=st.text([*PRINTABLE, "\t"], max_size=20),
    error=st.none() | ERROR_TEXTS,
    description=st.none() | ERROR_TEXTS,
    scope=st.lists(SCOPE_TOKENS, max_size=4).map(tuple),
)
@pytest.mark.rfc("6750-3-c", "6750-3-e")
def test_round_trip(realm: str, error: str | None, description: str | None, scope: tuple[str, ...]) -> None:
    """RFC 6750 §3: whatever can be built is one well-formed Bearer challenge, each parameter at most once."""
    built = build_challenge(realm=realm, error=error, error_description=description, scope=scope)
    wanted = {"realm": realm, "error": error, "error_description": description, "scope": " ".join(scope) or None}
    expected = {name: value for name, value in wanted.items() if value is not None}
    assert bearer_params(built) == expected
    assert parse_challenges(built) == [Challenge("bearer", expected)]


@pytest.mark.rfc("6750-3-d", "6750-3-e", "9110-5.5-a")
@pytest.mark.parametrize("text", ['a"b', "a\\b", "é", "a\r\nX-Injected: 1", "a\x00b", "\u2192", "\x7f"])
@pytest.mark.parametrize("parameter", ["error", "error_description", "scope"])
def test_illegal_characters(parameter: str, text: str) -> None:
    """RFC 6750 §3: a character that a parameter must not have never reaches a header; it is an error of the program."""
    values: dict[str, object] = {parameter: (text,) if parameter == "scope" else text}
    with pytest.raises(ValueError, match=parameter):
        build_challenge(realm="api", **values)  # type: ignore[arg-type]


@pytest.mark.parametrize("token", ["", "a b", "\t"])
def test_scope_of_more_or_less_than_tokens(token: str) -> None:
    """RFC 6749 §3.3: each scope given is one token; a list in one text would be misread as one."""
    with pytest.raises(ValueError, match="scope"):
        build_challenge(realm="api", scope=("read", token))


@pytest.mark.parametrize("realm", ["a\r\nX-Injected: 1", "a\x00b", "é"])
def test_illegal_realm(realm: str) -> None:
    """RFC 9110 §5.5: a realm that cannot stand in a header is refused."""
    with pytest.raises(ValueError, match="quoted-string"):
        build_challenge(realm=realm)


def test_acr_values() -> None:
    """RFC 9470 §3: acr_values is one quoted-string of values with a space between them, in the order given."""
    built = build_challenge(realm="api", error="insufficient_user_authentication", acr_values=("loa3", "loa2"))
    assert bearer_params(built)["acr_values"] == "loa3 loa2"


def test_a_scheme_of_any_letter() -> None:
    """RFC 9110 §11.1: a scheme begins with any letter: only commas and blanks are passed over before it."""
    assert parse_challenges(" ,\tX-Scheme a=b") == [Challenge("x-scheme", {"a": "b"})]


def test_blanks_before_a_comma() -> None:
    """RFC 9110 §5.6.1: blanks may stand before the comma between challenges, and behind the last one."""
    found = parse_challenges('Bearer realm="a" , Basic realm="b" \t')
    assert found == [Challenge("bearer", {"realm": "a"}), Challenge("basic", {"realm": "b"})]


def test_no_parameters() -> None:
    """RFC 9110 §11.3: a challenge may do without parameters."""
    assert parse_challenges("Negotiate") == [Challenge("negotiate")]
    assert Challenge("negotiate").params == {}
