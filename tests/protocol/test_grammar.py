"""The character sets everything else is built from, compared with sets written down a second time."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resource_server._protocol.grammar import TOKEN68, is_error_text, is_quotable, is_scope_token, quoted_string
from tests.support.headers import parse_challenges

TOKEN68_CHARS = string.ascii_letters + string.digits + "-._~+/"
VISIBLE = {chr(code) for code in range(0x21, 0x7F)}
EVERY_BYTE_AND_MORE = [chr(code) for code in [*range(0x180), 0x2028, 0x212A, 0xD800, 0xFEFF, 0x10FFFF]]


@given(st.text(TOKEN68_CHARS, min_size=1), st.integers(0, 4))
def test_token68(characters: str, padding: int) -> None:
    """RFC 9110 §11.2: token68 is one or more of its characters, then any number of equals signs."""
    assert TOKEN68.fullmatch((characters + "=" * padding).encode())


@given(st.binary(max_size=12))
def test_not_token68(content: bytes) -> None:
    """RFC 9110 §11.2: nothing else is token68, whatever its bytes."""
    characters = content.decode("latin-1").rstrip("=")
    expected = bool(characters) and set(characters) <= set(TOKEN68_CHARS)
    assert (TOKEN68.fullmatch(content) is not None) == expected


@pytest.mark.rfc("6750-3-d")
def test_scope_token_characters() -> None:
    """RFC 6749 §3.3: a scope token has visible ASCII characters other than the quote and the backslash."""
    assert {char for char in EVERY_BYTE_AND_MORE if is_scope_token(char)} == VISIBLE - {'"', "\\"}


@pytest.mark.parametrize("value", ["", "a b", "a\n", "é", None, 1, b"read", ["read"], {"read": 1}])
def test_not_a_scope_token(value: object) -> None:
    """RFC 6749 §3.3: an empty text, a list of tokens, or what is no text at all is not a scope token."""
    assert not is_scope_token(value)


@pytest.mark.rfc("6750-3-e")
def test_error_text_characters() -> None:
    """RFC 6750 §3: error and error_description have printable ASCII characters other than quote and backslash."""
    assert {char for char in EVERY_BYTE_AND_MORE if is_error_text(char)} == (VISIBLE | {" "}) - {'"', "\\"}
    assert is_error_text("")
    assert not is_error_text("a\n")


@pytest.mark.rfc("9110-5.5-a")
def test_quotable_characters() -> None:
    """RFC 9110 §5.6.4: a quoted-string takes printable ASCII and the tab; every other control stays out of a header."""
    assert {char for char in EVERY_BYTE_AND_MORE if is_quotable(char)} == VISIBLE | {" ", "\t"}
    assert not is_quotable("a\n")


@given(st.text(sorted(VISIBLE | {" ", "\t"})))
def test_quoted_string_round_trip(value: str) -> None:
    """RFC 9110 §5.6.4: what is quoted is read back unchanged, by a reader that is not ours."""
    assert parse_challenges(f"Test value={quoted_string(value)}") == [("test", {"value": value}, None)]


@pytest.mark.rfc("9110-5.5-a")
@pytest.mark.parametrize("value", ["a\r\nb", "a\x00", "é", "\x7f", "\ud800", "\u2192"])
def test_unquotable(value: str) -> None:
    """RFC 9110 §5.5: a value that could break a header is refused, not cleaned."""
    with pytest.raises(ValueError, match="cannot stand in a quoted-string"):
        quoted_string(value)
