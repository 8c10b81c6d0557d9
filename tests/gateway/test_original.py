"""Which request a proxy asks about: only what it writes itself is believed, and of it only what is plain."""

from __future__ import annotations

import pytest

from resource_server._gateway.original import (
    MAX_TARGET_BYTES,
    Original,
    client_address,
    is_trusted,
    read_forwarded,
    read_itself,
    read_original,
)
from tests.gateway.door import forwarded, original

PROXIES = ("10.0.0.0/8", "::1")


def test_caddy_and_traefik() -> None:
    """They tell method, host, and path with query, each in a field of its own."""
    told = read_forwarded(forwarded("/orders/%2f?a=b?c", "POST", "API.example.test.:8443"))
    assert told == Original("POST", b"/orders/%2f", b"a=b?c", "api.example.test")
    assert repr(told) == "Original(method='POST')"


def test_nginx() -> None:
    """It tells the path with the query, or the whole URL, and then the host."""
    assert read_original(original("/orders?a=b")) == Original("GET", b"/orders", b"a=b", None)
    url = [(b"x-original-method", b"GET"), (b"x-original-url", b"https://[::1]:8443/orders?a")]
    assert read_original(url) == Original("GET", b"/orders", b"a", "[::1]")


def test_envoy() -> None:
    """Its question is the request itself."""
    assert read_itself("PUT", b"/a", b"b=c", [(b"host", b"api.example.test")]) == Original(
        "PUT", b"/a", b"b=c", "api.example.test"
    )
    assert read_itself("PUT", b"/a", b"", [(b"host", b"h"), (b"host", b"h")]) is None
    assert read_itself("PUT", b"/a", b"", []) is None


@pytest.mark.attack("A-FA-2")
@pytest.mark.parametrize(
    "told",
    [
        [],
        [*forwarded(), *forwarded()[:1]],
        [*forwarded(), (b"x-forwarded-uri", b"/healthz")],
        [*forwarded(), (b"x-forwarded-host", b"other.example.test")],
        [field for field in forwarded() if field[0] != b"x-forwarded-method"],
        [field for field in forwarded() if field[0] != b"x-forwarded-uri"],
        [field for field in forwarded() if field[0] != b"x-forwarded-host"],
        forwarded("orders"),
        forwarded("https://api.example.test/orders"),
        forwarded("*"),
        forwarded(""),
        forwarded("/or ders"),
        forwarded("/orders#top"),
        forwarded("/orders\t"),
        forwarded("/bjørn"),
        forwarded("/orders%00.html"),
        forwarded("/" + "a" * MAX_TARGET_BYTES),
        forwarded(method="get"),
        forwarded(method="GET, POST"),
        forwarded(method=""),
        forwarded(host="a.example, b.example"),
        forwarded(host="user@a.example"),
        forwarded(host=""),
    ],
)
def test_what_no_proxy_writes(told: list[tuple[bytes, bytes]]) -> None:
    """A field that is missing, doubled or odd tells of no request."""
    assert read_forwarded(told) is None


@pytest.mark.attack("A-FA-2")
@pytest.mark.parametrize(
    "told",
    [
        [*original(), (b"x-original-url", b"https://api.example.test/healthz")],
        [*original(), (b"x-original-uri", b"/healthz")],
        [(b"x-original-method", b"GET"), (b"x-original-url", b"/orders")],
        [(b"x-original-method", b"GET"), (b"x-original-url", b"https:///orders")],
        [(b"x-original-method", b"GET")],
        forwarded(),
    ],
)
def test_what_nginx_does_not_write(told: list[tuple[bytes, bytes]]) -> None:
    """The same holds for nginx, and the fields of other proxies are none of its own."""
    assert read_original(told) is None


@pytest.mark.parametrize(
    ("peer", "trusted"),
    [
        ("10.1.2.3", True),
        ("::ffff:10.1.2.3", True),
        ("::1", True),
        ("11.0.0.1", False),
        ("proxy", False),
        (None, False),
    ],
)
def test_who_is_believed(peer: str | None, trusted: bool) -> None:  # noqa: FBT001 - a parameter of the table
    """Believed is who connects from an address that is listed."""
    assert is_trusted(peer, PROXIES) is trusted


@pytest.mark.parametrize(
    ("told", "address"),
    [
        (b"192.0.2.1", "192.0.2.1"),
        (b"198.51.100.1, 192.0.2.1", "192.0.2.1"),
        (b"198.51.100.1,192.0.2.1 ,10.0.0.9", "192.0.2.1"),
        (b"10.0.0.1, 10.0.0.9", None),
        (b"192.0.2.1, unknown", None),
        (b"", None),
        (b"2001:db8::1", "2001:db8::1"),
    ],
)
def test_who_has_sent_it(told: bytes, address: str | None) -> None:
    """The client is the last one that is no proxy of ours: who stands before it may be made up."""
    assert client_address(told, PROXIES) == address
