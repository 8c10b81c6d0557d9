"""One form for every way to write one address, and none for what has no one meaning."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resource_server._protocol.target_uri import normal_form, target_uri

THINGS = "https://rs.example.com/things"


@pytest.mark.rfc("9449-4.3-9")
@pytest.mark.parametrize(
    ("uri", "form"),
    [
        ("https://rs.example.com/things", THINGS),
        ("HTTPS://RS.Example.COM/things", THINGS),
        ("https://rs.example.com:443/things", THINGS),
        ("https://rs.example.com:/things", THINGS),
        ("https://rs.example.com/thin%67s", THINGS),
        ("https://rs.example.com", "https://rs.example.com/"),
        ("https://rs.example.com:8443/", "https://rs.example.com:8443/"),
        ("https://rs.example.com:80/", "https://rs.example.com:80/"),
        ("http://rs.example.com:80/", "http://rs.example.com/"),
        ("https://rs.example.com/%7euser", "https://rs.example.com/~user"),
        ("https://rs.example.com/a%2fb%c3%a9", "https://rs.example.com/a%2Fb%C3%A9"),
        ("https://rs.example.com/a//b/", "https://rs.example.com/a//b/"),
        ("https://rs.example.com/Things", "https://rs.example.com/Things"),
        ("https://rs.example.com/.well-known/..x/x..", "https://rs.example.com/.well-known/..x/x.."),
        ("https://[2001:DB8::1]:8443/x", "https://[2001:db8::1]:8443/x"),
        ("http://127.0.0.1:8000/x;y=1,2:3@4", "http://127.0.0.1:8000/x;y=1,2:3@4"),
    ],
)
def test_normal_form(uri: str, form: str) -> None:
    """RFC 9449 §4.3: case, percent-encoding, the default port and the empty path make no difference, and no more."""
    assert normal_form(uri) == form
    assert normal_form(form) == form


@pytest.mark.rfc("9449-4.3-9")
@pytest.mark.parametrize(
    "uri",
    [
        "",
        "things",
        "/things",
        "//rs.example.com/things",
        "ftp://rs.example.com/things",
        "https:/rs.example.com/things",
        "https:///things",
        "https://:443/things",
        "https://rs.example.com/things?",
        "https://rs.example.com/things?a=b",
        "https://rs.example.com?a=b",
        "https://rs.example.com/things#",
        "https://rs.example.com/things#a",
        "https://user@rs.example.com/things",
        "https://user:secret@rs.example.com/things",
        "https://rs.example.com:port/things",
        "https://rs.example.com:443000/things",
        "https://rs.example.com:443:443/things",
        "https://[::1/things",
        "https://rs.example.com/../things",
        "https://rs.example.com/a/./things",
        "https://rs.example.com/..",
        "https://rs.example.com/a/.",
        "https://rs.example.com/a/%2e%2E/things",
        "https://rs.example.com/a/.%2e",
        "https://rs.example.com/things%",
        "https://rs.example.com/things%2",
        "https://rs.example.com/things%zz",
        "https://rs.example.com/th ings",
        "https://rs.example.com/things ",
        " https://rs.example.com/things",
        "https://rs.example.com/things\n",
        "https://rs.example.com/th\x00ings",
        "https://rs.example.com/thíngs",
        "https://rs.exámple.com/things",
        "https://rs.example.com\\things",
        "https://rs.example.com/a\\things",
        "https://rs%2Eexample.com/things",
        "https://rs.example.com/a|b",
    ],
)
def test_what_has_no_normal_form(uri: str) -> None:
    """What is no address of a request, or has more than one meaning, is equal to nothing."""
    assert normal_form(uri) is None


@given(st.text(alphabet="htps:/.%2eEfF~aA@?#[]0:\\ é"))
def test_normal_form_is_final(text: str) -> None:
    """Whatever is normalised is so once and for all."""
    form = normal_form("https://a" + text)
    assert form is None or normal_form(form) == form


@pytest.mark.rfc("9449-4.3-9")
@pytest.mark.parametrize(
    ("path", "form"),
    [
        (b"/things", THINGS),
        (b"", "https://rs.example.com/"),
        (b"/", "https://rs.example.com/"),
        (b"/things/", THINGS + "/"),
        (b"/thin%67s", THINGS),
        (b"/a%2fb", "https://rs.example.com/a%2Fb"),
        (b"/a|b c", "https://rs.example.com/a%7Cb%20c"),
        (b"/\xc3\xa9", "https://rs.example.com/%C3%A9"),
        (b"/a?b#c", "https://rs.example.com/a%3Fb%23c"),
        (b"//other.example.com/things", "https://rs.example.com//other.example.com/things"),
        (b"/../things", None),
        (b"/a/%2e%2e/things", None),
        (b"/a%", None),
        (b"*", None),
        (b".evil.example/things", None),
        (b"@evil.example/things", None),
        (b":8443/things", None),
    ],
)
def test_target_uri(path: bytes, form: str | None) -> None:
    """The path as it was sent is appended to where we are reached, and can change nothing but the path."""
    assert target_uri("https://rs.example.com", path) == form


def test_a_base_with_a_path() -> None:
    """Behind a proxy that takes a prefix away, the prefix is part of the base."""
    assert target_uri("https://RS.example.com:443/api", b"/things") == "https://rs.example.com/api/things"
