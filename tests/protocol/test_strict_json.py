"""JSON with one meaning for every text."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resource_server._protocol.strict_json import StrictJSONError, loads, loads_object

TEXTS = st.text(st.characters(codec="utf-8"), max_size=8)
NUMBERS = st.integers(-(10**30), 10**30) | st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)


@given(VALUES, st.booleans())
def test_reads_what_json_writes(value: Any, ascii_only: bool) -> None:  # noqa: FBT001 - drawn
    """RFC 8259: every JSON value is read back as it was written, escaped or not."""
    assert loads(json.dumps(value, ensure_ascii=ascii_only).encode()) == value


@given(st.binary(max_size=40) | st.text('{}[]":,\\ueE0123456789.+-abflnrstuN\ufeff é', max_size=40).map(str.encode))
def test_never_another_exception(text: bytes) -> None:
    """Any bytes at all are a value or a StrictJSONError; no other exception escapes."""
    try:
        value = loads(text)
    except StrictJSONError:
        return
    assert json.loads(text) == value


@pytest.mark.rfc("7515-10.12-a", "7519-4-a")
@pytest.mark.parametrize(
    "text",
    [
        pytest.param(b'{"alg":"none","alg":"RS256"}', id="two values"),
        pytest.param(b'{"exp":1,"exp":1}', id="the same value"),
        pytest.param(b'{"active":false,"\\u0061ctive":true}', id="the name escaped"),
        pytest.param(b'[{"a":{"b":1,"b":2}}]', id="deeper"),
    ],
)
def test_duplicate_members(text: bytes) -> None:
    """RFC 7493 §2.3, RFC 7515 §10.12: a member that stands twice is refused, at any depth and in any spelling."""
    with pytest.raises(StrictJSONError, match="twice"):
        loads(text)


@pytest.mark.rfc("7519-4.1.4-a")
@pytest.mark.parametrize(
    "number",
    ["NaN", "Infinity", "-Infinity", "1e400", "-1e999", "9" * 33, "9" * 5000, "-" + "9" * 5000, "9" * 400 + ".0"],
)
def test_numbers_out_of_range(number: str) -> None:
    """RFC 8259 §6: what is no number, no finite one, or takes absurdly many digits is refused."""
    with pytest.raises(StrictJSONError):
        loads(f'{{"exp":{number}}}'.encode())


@pytest.mark.parametrize(
    ("text", "number"),
    [
        pytest.param("9" * 32, 10**32 - 1, id="32 digits"),
        pytest.param("1e308", 1e308, id="a large exponent"),
        pytest.param("-0", 0, id="minus zero"),
        pytest.param("1e-400", 0.0, id="underflow"),
        pytest.param("0." + "1" * 5000, 1 / 9, id="many decimals"),
    ],
)
def test_numbers_in_range(text: str, number: float) -> None:
    """RFC 8259 §6: large, small and precise numbers are numbers."""
    assert math.isclose(loads(text.encode()), number)


@pytest.mark.rfc("7515-5.2-b", "7519-7.2-a", "8725-3.7-a")
@pytest.mark.parametrize(
    "text",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"  ", id="blanks"),
        pytest.param(b"\xef\xbb\xbf{}", id="a byte order mark"),
        pytest.param("{}".encode("utf-16"), id="UTF-16 with a byte order mark"),
        pytest.param("{}".encode("utf-16-le"), id="UTF-16"),
        pytest.param("{}".encode("utf-32-be"), id="UTF-32"),
        pytest.param(b'{"a":"\xff"}', id="no UTF-8"),
        pytest.param(b'{"a":"\xed\xa0\x80"}', id="a surrogate in UTF-8"),
        pytest.param(b'{"a":"\xc0\xaf"}', id="overlong UTF-8"),
        pytest.param(b"{}X", id="text after the object"),
        pytest.param(b"{}{}", id="two objects"),
        pytest.param(b"{}\x00", id="NUL after the object"),
        pytest.param(b"{'a':1}", id="single quotes"),
        pytest.param(b"{a:1}", id="no quotes"),
        pytest.param(b'{"a":1,}', id="a trailing comma"),
        pytest.param(b'{"a":1/**/}', id="a comment"),
        pytest.param(b'{"a":"\n"}', id="a control character"),
        pytest.param(b'{"a":01}', id="a leading zero"),
        pytest.param(b'{"a":True}', id="Python"),
    ],
)
def test_not_json(text: bytes) -> None:
    """RFC 8259, RFC 8725 §3.7: what is not one JSON text in UTF-8 is refused."""
    with pytest.raises(StrictJSONError, match="not JSON in UTF-8"):
        loads(text)


@pytest.mark.parametrize("text", [b'{"a":"\\ud800"}', b'{"\\udc00":1}', b'["\\udfff\\ud800"]', b'[["\\ud83d"]]'])
def test_unpaired_surrogates(text: bytes) -> None:
    """RFC 7493 §2.1: half a character is refused, since nobody could write it to a log or a header."""
    with pytest.raises(StrictJSONError, match="surrogate"):
        loads(text)


def test_paired_surrogates() -> None:
    """RFC 8259 §7: two escapes that make one character are one character."""
    assert loads(b'["\\ud83d\\ude00", "\\u00e9"]') == ["\U0001f600", "é"]


def nested(depth: int, opening: str, core: str, closing: str) -> bytes:
    """Write containers within each other."""
    return (opening * depth + core + closing * depth).encode()


@pytest.mark.rfc("7519-7.2-a")
@pytest.mark.parametrize("core", ["", "1", '"[[[{{{"'])
@pytest.mark.parametrize("depth", [33, 100, 20_000, 1_000_000])
def test_too_deep(depth: int, core: str) -> None:
    """RFC 8259 §9: more than 32 containers within each other are refused, and exhaust no stack."""
    with pytest.raises(StrictJSONError, match="deep"):
        loads(nested(depth, "[", core, "]"))
    with pytest.raises(StrictJSONError, match="deep"):
        loads(nested(depth, '{"a":', core or "{}", "}"))


@pytest.mark.parametrize("core", ["", "1", '"' + "[{" * 40 + '"'])
def test_deep_enough(core: str) -> None:
    """RFC 8259 §9: 32 containers are allowed, whatever is in the innermost; brackets in a text are none."""
    loads(nested(32, "[", core, "]"))
    value = loads(f"[{nested(31, '[', core, ']').decode()}, [[], []]]".encode())
    assert value[1] == [[], []]


def test_many_beside_each_other() -> None:
    """RFC 8259 §9: what counts is how deep containers lie, not how many there are."""
    assert loads(b"[" + b"{}," * 1000 + b"[]]") == [{}] * 1000 + [[]]


@pytest.mark.rfc("7515-5.2-b", "7519-7.2-a")
@pytest.mark.parametrize("text", [b"[]", b'"x"', b"1", b"null", b"true"])
def test_not_an_object(text: bytes) -> None:
    """RFC 7515 §4, RFC 7519 §7.2: where an object is due, nothing else will do."""
    with pytest.raises(StrictJSONError, match="not an object"):
        loads_object(text)


def test_object() -> None:
    """RFC 7519 §7.2: an object is returned as it is, also where blanks surround it."""
    assert loads_object(b' {"a": [1, 2.5, null]}\n') == {"a": [1, 2.5, None]}


@pytest.mark.parametrize("text", [b'{"canary":1,"canary":2}', b'["canary"', b'"canary\xff"', b'["canary\\ud800"]'])
@pytest.mark.attack("A-S-1")
def test_error_quotes_nothing(text: bytes) -> None:
    """An error shows none of the text and carries no other exception that would: the text may hold a secret."""
    with pytest.raises(StrictJSONError) as caught:
        loads(text)
    assert "canary" not in str(caught.value)
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
