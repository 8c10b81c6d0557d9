"""Which addresses a browser may be sent to: those that are registered, and nothing that looks like them.

References: RFC 6749 section 3.1.2, RFC 8252 section 7.3, RFC 9700 section 4.1.3
"""

from __future__ import annotations

import pytest

from mock_as.oauth.redirection import WayBack, is_redirect_uri, is_registered, with_query

HTTPS = "https://app.example.test/callback"


@pytest.mark.parametrize(
    "uri",
    [
        f"{HTTPS}/",
        f"{HTTPS}?a=b",
        f"{HTTPS}#",
        "https://app.example.test:443/callback",
        "https://APP.example.test/callback",
        "http://app.example.test/callback",
        "https://app.example.test.evil.example/callback",
        "https://app.example.test/callback/../x",
        "",
        "https://[",
    ],
)
def test_addresses_are_compared_as_text(uri: str) -> None:
    """An address that differs in anything is another one, even if it would lead to the same place."""
    assert is_registered(HTTPS, [HTTPS])
    assert not is_registered(uri, [HTTPS])


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]", "localhost"])
def test_any_port_of_a_loopback_address(host: str) -> None:
    """A native application learns its port when it starts: any will do, but nothing else may differ."""
    registered = [f"http://{host}/callback"]
    assert is_registered(f"http://{host}:49152/callback", registered)
    assert is_registered(f"http://{host}:1/callback", [f"http://{host}:2/callback"])
    assert not is_registered(f"http://{host}:49152/other", registered)
    assert not is_registered(f"http://{host}:49152/callback?a=b", registered)
    assert not is_registered(f"https://{host}:49152/callback", registered)
    assert not is_registered(f"http://user@{host}:49152/callback", registered)
    assert not is_registered(f"http://:pw@{host}:49152/callback", registered)
    assert not is_registered(f"http://{host}:x/callback", registered)


@pytest.mark.parametrize(
    "uri",
    [
        " http://localhost:1/callback",
        "http://local\thost:1/callback",
        "http://localhost:1\\/callback",
        "http://localhost:1/call\r\nback",
        "http://localhost:1/callback\n",
    ],
)
def test_no_control_character_passes(uri: str) -> None:
    """What would end the header field that the answer travels in is no address, though a parser skips over it."""
    assert not is_registered(uri, ["http://localhost/callback"])


@pytest.mark.parametrize(
    "uri", ["http://127.0.0.1.evil.example:80/callback", "http://10.0.0.1:80/callback", "http://127.0.0.2:8/callback"]
)
def test_other_hosts_are_other_addresses(uri: str) -> None:
    """What only looks like the loopback address that is registered, or is another one, is refused."""
    assert not is_registered(uri, ["http://127.0.0.1/callback"])
    assert not is_registered("http://10.0.0.1:80/callback", ["http://10.0.0.1/callback"])


@pytest.mark.parametrize(
    ("uri", "good"),
    [
        (HTTPS, True),
        ("com.example.app:/callback", True),
        ("http://127.0.0.1/", True),
        (f"{HTTPS}#part", False),
        ("/callback", False),
        ("https:", False),
        ("https://[", False),
        ("https://a; script-src *;/callback", False),
        ("javascript:alert(1)", False),
        ("data:text/html,x", False),
    ],
)
def test_what_can_be_registered(uri: str, good: bool) -> None:  # noqa: FBT001 - half of the rule
    """An address is absolute, has no fragment, and leads to an application."""
    assert is_redirect_uri(uri) is good


def test_a_query_is_kept() -> None:
    """What the address has in its query stays, and what is added is encoded."""
    assert with_query("https://a.example/?b=c", {"d": "e f&g"}) == "https://a.example/?b=c&d=e+f%26g"
    assert with_query("https://a.example/", {}) == "https://a.example/"


@pytest.mark.parametrize(
    ("uri", "origin"), [(f"{HTTPS}?x", "https://app.example.test"), ("com.example.app:/callback", "com.example.app:")]
)
def test_origin(uri: str, origin: str) -> None:
    """The origin of an address is what a policy names; of an application's own scheme it is the scheme."""
    assert WayBack(redirect_uri=uri, response_mode="query", state=None).origin == origin
