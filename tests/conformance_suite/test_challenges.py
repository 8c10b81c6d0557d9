"""The parser of challenges, which is the suite's own."""

from __future__ import annotations

import pytest

from resource_server.conformance.challenges import Challenge, parse_challenges


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("", []),
        (" , ,", []),
        ("Bearer", [Challenge("bearer")]),
        ("Bearer, Basic", [Challenge("bearer"), Challenge("basic")]),
        ("Negotiate YWJj==", [Challenge("negotiate", token68="YWJj==")]),
        ("Negotiate YWJj, Bearer", [Challenge("negotiate", token68="YWJj"), Challenge("bearer")]),
        ('Bearer realm="a b"', [Challenge("bearer", {"realm": "a b"})]),
        ('BEARER Realm = "a"\t, error=x', [Challenge("bearer", {"realm": "a", "error": "x"}, (), ("error",))]),
        (r'Bearer realm="a\"b\\"', [Challenge("bearer", {"realm": 'a"b\\'})]),
        ('Bearer a="1", a="2"', [Challenge("bearer", {"a": "1"}, ("a",))]),
        ('Bearer a="1", DPoP algs="x"', [Challenge("bearer", {"a": "1"}), Challenge("dpop", {"algs": "x"})]),
        ('Bearer a="1", Basic', [Challenge("bearer", {"a": "1"}), Challenge("basic")]),
        ('Bearer realm="a,b", Basic', [Challenge("bearer", {"realm": "a,b"}), Challenge("basic")]),
        ('Bearer realm=""', [Challenge("bearer", {"realm": ""})]),
        ("Bearer realm=", [Challenge("bearer", token68="realm=")]),
        ("Bearer ", [Challenge("bearer")]),
    ],
)
def test_what_is_right_is_read(value: str, expected: list[Challenge]) -> None:
    """A list of challenges is read as RFC 9110 has it."""
    assert parse_challenges(value) == expected


@pytest.mark.parametrize(
    "value",
    [
        '"Bearer"',
        "Bearer;x",
        'Bearer realm="a',
        'Bearer realm="a\x7f"',
        'Bearer realm="a\n"',
        'Bearer a="1", realm=',
        'Bearer realm="a" error="b"',
        'Bearer "a"',
        "Bearer a b",
    ],
)
def test_what_is_wrong_is_an_error(value: str) -> None:
    """What is no list of challenges is told as such, with the place."""
    with pytest.raises(ValueError, match="is missing at offset"):
        parse_challenges(value)
