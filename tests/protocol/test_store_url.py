"""The URL of a store is read as it is meant, or refused with a message that shows nothing of it."""

from __future__ import annotations

import pytest

from resource_server._protocol.store_url import StoreAddress, read_store_url

PASSWORD = "canary-store-password"


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("redis://cache", StoreAddress("single", (("cache", 6379),))),
        ("valkey://cache:7000/2", StoreAddress("single", (("cache", 7000),), database=2)),
        ("redis://cache?db=3", StoreAddress("single", (("cache", 6379),), database=3)),
        ("redis://:s%40t@[::1]:6380", StoreAddress("single", (("::1", 6380),), password="s@t")),
        ("rediss://u:p@cache/", StoreAddress("single", (("cache", 6379),), username="u", password="p", tls=True)),
        (
            "valkeys://cache?ssl_ca_certs=/etc/ca.pem&db=1",
            StoreAddress("single", (("cache", 6379),), database=1, tls=True, files={"ssl_ca_certs": "/etc/ca.pem"}),
        ),
        ("unix:///run/valkey%20one.sock?db=1", StoreAddress("single", path="/run/valkey one.sock", database=1)),
        ("unix://:secret@/run/v.sock", StoreAddress("single", path="/run/v.sock", password="secret")),
        (
            "redis+sentinel://:p@one,two:26380/main/4",
            StoreAddress("sentinel", (("one", 26379), ("two", 26380)), service="main", database=4, password="p"),
        ),
        ("valkeys+sentinel://one/main", StoreAddress("sentinel", (("one", 26379),), service="main", tls=True)),
        ("redis+cluster://a:1,b:2", StoreAddress("cluster", (("a", 1), ("b", 2)))),
        ("valkeys+cluster://a", StoreAddress("cluster", (("a", 6379),), tls=True)),
    ],
)
def test_what_a_url_says(url: str, address: StoreAddress) -> None:
    """Each form names the kind of the store, its hosts, its database, its credentials and its TLS."""
    assert read_store_url(url) == address


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("", "must begin with"),
        ("valkey:6379", "must begin with"),
        ("unix:/run/v.sock", "must begin with"),
        (f"http://:{PASSWORD}@cache", "must begin with"),
        (f"redis://:{PASSWORD}@[cache", "is not a URL"),
        (f"redis://:{PASSWORD}@", "must name a host"),
        (f"redis://:{PASSWORD}@ca che", "must name a host"),
        (f"redis://:{PASSWORD}@cache:0", "must name a host"),
        (f"redis://:{PASSWORD}@cache:99999", "must name a host"),
        (f"redis://:{PASSWORD}@one,two", "names several hosts"),
        (f"redis://:{PASSWORD}@cache/zero", "by its number"),
        (f"redis://:{PASSWORD}@cache/99999999", "by its number"),
        (f"redis://:{PASSWORD}@cache/1/2", "must have one path segment"),
        (f"redis://:{PASSWORD}@cache/1?db=1", "must have one path segment"),
        (f"redis://:{PASSWORD}@cache?password={PASSWORD}", "nothing in its query but db"),
        (f"redis://:{PASSWORD}@cache?ssl_ca_certs=/ca.pem", "nothing in its query but db"),
        (f"rediss://:{PASSWORD}@cache?ssl_cert_reqs=none", "nothing in its query but db, ssl_ca_certs"),
        (f"redis://:{PASSWORD}@cache?db=1&db=2", "each once"),
        (f"redis://:{PASSWORD}@cache?db=", "nothing in its query but"),
        (f"redis://:{PASSWORD}@cache?{PASSWORD}", "malformed query"),
        (f"redis://:{PASSWORD}@cache#{PASSWORD}", "must not have a fragment"),
        (f"unix://{PASSWORD}/run/v.sock", "path of a socket"),
        ("unix:///", "path of a socket"),
        (f"redis+sentinel://:{PASSWORD}@one", "must name the service"),
        (f"redis+cluster://:{PASSWORD}@one/1", "must not name a database"),
    ],
)
def test_mistakes_are_named_and_not_quoted(url: str, problem: str) -> None:
    """What is wrong is said, in words that hold nothing of the URL: there may be a password in it."""
    with pytest.raises(ValueError, match=problem) as caught:
        read_store_url(url)
    assert PASSWORD not in str(caught.value)
    assert caught.value.__cause__ is None


def test_password_is_not_shown() -> None:
    """An address shows no password."""
    assert PASSWORD not in repr(read_store_url(f"redis://:{PASSWORD}@cache"))


@pytest.mark.parametrize("brand", ["redis", "valkey"])
@pytest.mark.parametrize(("secure", "tls"), [("", False), ("s", True)])
@pytest.mark.parametrize(("kind", "path"), [("sentinel", "/main"), ("cluster", "")])
def test_every_scheme(brand: str, secure: str, kind: str, path: str, *, tls: bool) -> None:
    """A scheme says whose protocol it is, whether with TLS, and what kind of store, in every combination."""
    address = read_store_url(f"{brand}{secure}+{kind}://host{path}")
    assert (address.kind, address.tls) == (kind, tls)


def test_the_largest_numbers() -> None:
    """A port has 16 bits (RFC 9293 section 3.1), and a database as many digits as a million."""
    address = read_store_url("redis://cache:65535/1000000")
    assert (address.hosts, address.database) == ((("cache", 65535),), 1_000_000)
    assert read_store_url("unix:///x").path == "/x"


@pytest.mark.parametrize(
    "url", ["redis://cache:65536", "redis+cluster://a:1,b:0", "redis://cache/10000000", "redis://cache/\u0661"]
)
def test_numbers_out_of_range(url: str) -> None:
    """One bad port of several is one too many, and a number is written in ASCII digits."""
    with pytest.raises(ValueError, match="must name"):
        read_store_url(url)


def test_a_colon_in_a_password() -> None:
    """The first colon ends the name of the user (RFC 3986 section 3.2.1); the others are part of the password."""
    address = read_store_url("redis://u:p:q@cache")
    assert (address.username, address.password) == ("u", "p:q")
