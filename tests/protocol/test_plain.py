"""What a stranger has said is shown in printable ASCII, in bounded length, and without our secrets."""

from __future__ import annotations

import base64

import pytest

from resource_server._protocol.plain import Scrubber, plain, plain_list, spellings, token_parts

SECRET = "0123456789-abcdefghijklmnopqrstuvwxyz-ABCDEF"


@pytest.mark.attack("A-H-2")
@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("fine words", "fine words"),
        ("\x1b[31mred", r"\x1b[31mred"),
        ("two\r\nlines", r"two\r\nlines"),
        ("right to left \u202e", r"right to left \u202e"),
        (["list"], "['list']"),
        (None, "None"),
        ("x" * 500, "x" * 117 + "..."),
        ("\U0001f600" * 500, None),
    ],
)
def test_plain(value: object, shown: str | None) -> None:
    """Nothing in it can move a cursor, begin a line, or fill a screen."""
    written = plain(value)
    assert written.isascii()
    assert written.isprintable()
    assert len(written) <= 120
    assert shown in (None, written)


def test_a_list() -> None:
    """A list is cut, and an empty one is named."""
    assert plain_list([]) == "none"
    assert plain_list(["a", "b"]) == "a, b"
    assert plain_list(map(str, range(20)), most=3) == "0, 1, 2, ..."


def test_secrets() -> None:
    """A secret is taken out as it is and as it is sent, wherever in a document it is; a short word is not."""
    secret = "p&ss word+4711"
    scrubber = Scrubber([*spellings(secret, "rs"), *token_parts(b"a.bbbbbbbbbbbbbbbbbbbbbbbbb.c"), "abc"])
    basic = base64.b64encode(b"rs:p%26ss+word%2B4711").decode()
    document = {secret: [f"it is {secret}", basic, 7, None], "part": "bbbbbbbbbbbbbbbbbbbbbbbbb", "abc": True}
    assert scrubber.clean_json(document) == {
        "[redacted]": ["it is [redacted]", "[redacted]", 7, None],
        "part": "[redacted]",
        "abc": True,
    }
    assert scrubber.clean("p%26ss%20word%2B4711") == "[redacted]"


@pytest.mark.attack("A-H-2")
@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        (plain("x" * 80 + SECRET * 2), "x" * 80 + "[redacted]..."),
        (plain("x" * 60 + SECRET * 2), "x" * 60 + "[redacted][redacted]..."),
        (f"{SECRET[:9]}..., and {SECRET[:5]}...", "[redacted]..., and [redacted]..."),
        (f"{SECRET[:4]}-5 ...", f"{SECRET[:4]}-5 ..."),
        (f"{SECRET[:3]}...", f"{SECRET[:3]}..."),
    ],
)
def test_a_secret_that_was_cut_off(text: str, cleaned: str) -> None:
    """What was cut in the middle of a secret shows none of it; its first few characters stand in many words."""
    assert Scrubber([SECRET]).clean(text) == cleaned


def test_a_secret_in_other_letters() -> None:
    """A secret that had to be escaped to be shown is known in that form too."""
    assert Scrubber(spellings("s\u00e9cret-word", "rs")).clean(plain("it is s\u00e9cret-word")) == "it is [redacted]"
