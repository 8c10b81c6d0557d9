"""Which URLs a resource server will talk to."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resource_server._protocol.urls import is_loopback, url_problem


@pytest.mark.rfc("6750-5.3-b", "8414-2-a")
@pytest.mark.parametrize(
    "url",
    [
        "https://as.example.com",
        "https://as.example.com/",
        "https://as.example.com:8443/tenant/1?x=1",
        "HTTPS://AS.example.com",
        "https://192.0.2.1/introspect",
        "https://[2001:db8::1]/introspect",
        "http://localhost:8000",
        "http://as.localhost/introspect",
        "http://127.0.0.1:8000/introspect",
        "http://127.255.0.3/",
        "http://[::1]:8000/",
    ],
)
def test_acceptable(url: str) -> None:
    """RFC 6750 §5.3: https to anybody, and http to nobody but this machine."""
    assert url_problem(url) is None


@pytest.mark.rfc("6750-5.3-b", "8414-2-a")
@pytest.mark.parametrize(
    "url",
    [
        "http://as.example.com",
        "http://192.0.2.1/",
        "http://0.0.0.0:8000/",
        "http://[2001:db8::1]/",
        "http://localhost.example.com/",
        "http://notlocalhost/",
        "http://127.0.0.1.example.com/",
    ],
)
def test_plain_http(url: str) -> None:
    """RFC 6750 §5.3, RFC 7662 §4: http to another host is refused, unless it is allowed in so many words."""
    assert "is not https" in (url_problem(url) or "")
    assert url_problem(url, allow_insecure_http=True) is None


@pytest.mark.parametrize(
    "url",
    [
        pytest.param("", id="empty"),
        pytest.param("as.example.com", id="no scheme"),
        pytest.param("//as.example.com/", id="relative to a scheme"),
        pytest.param("/introspect", id="relative"),
        pytest.param("https://", id="no host"),
        pytest.param("https:///introspect", id="an empty host"),
        pytest.param("https://:443/", id="a port without a host"),
        pytest.param("ftp://as.example.com/", id="ftp"),
        pytest.param("file:///etc/passwd", id="file"),
        pytest.param("gopher://localhost/", id="gopher"),
        pytest.param("javascript:alert(1)", id="javascript"),
        pytest.param("https://as.example.com:port/", id="no port number"),
        pytest.param("https://as.example.com:99999/", id="no such port"),
        pytest.param("https://[::1/", id="an open bracket"),
        pytest.param("https://as.example.com/a b", id="a blank"),
        pytest.param("https://as.example.com/a\r\nX: 1", id="a line break"),
        pytest.param("https://as.example.com/\x00", id="NUL"),
        pytest.param("https://äs.example.com/", id="not ASCII"),
        pytest.param(None, id="null"),
        pytest.param(1, id="number"),
        pytest.param(["https://as.example.com"], id="list"),
        pytest.param(b"https://as.example.com", id="bytes"),
    ],
)
def test_not_a_url(url: object) -> None:
    """RFC 8414 §2: what is not an absolute http(s) URL is refused, even where plain http is allowed."""
    assert url_problem(url, allow_insecure_http=True) == "is not an absolute https URL"


@pytest.mark.parametrize(
    "url", ["https://user@as.example.com/", "https://user:pass@as.example.com", "https://as.example.com/#fragment"]
)
def test_parts_an_endpoint_has_not(url: str) -> None:
    """RFC 6749 §3.2: an endpoint has no fragment, and credentials never stand in a URL."""
    assert "must not have" in (url_problem(url) or "")


@pytest.mark.rfc("8414-2-a")
def test_issuer_has_no_query() -> None:
    """RFC 8414 §2: an issuer has no query; an endpoint may have one."""
    assert url_problem("https://as.example.com/?tenant=1") is None
    problem = url_problem("https://as.example.com/?tenant=1", allow_query=False)
    assert problem == "must not have user information, a fragment or a query"


@pytest.mark.parametrize("host", ["localhost", "a.b.localhost", "127.0.0.1", "127.8.9.10", "::1"])
def test_loopback(host: str) -> None:
    """RFC 6761 §6.3: localhost, names below it and the loopback addresses are this machine."""
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["", "localhost.example.com", "128.0.0.1", "0.0.0.0", "::", "example.com"])  # noqa: S104 - an address to refuse
def test_not_loopback(host: str) -> None:
    """RFC 6761 §6.3: nothing else is, however it begins."""
    assert not is_loopback(host)


@given(st.text(st.characters()) | st.text("https:/[]@#?%.1a ", max_size=30).map(lambda rest: "https://" + rest))
def test_never_raises(url: str) -> None:
    """A URL that nobody can parse is a URL that is refused: metadata of another host must not raise in here."""
    problem = url_problem(url)
    assert problem is None or problem.startswith(("is not", "must not"))


def test_any_letter() -> None:
    """RFC 3986 §3.3: each letter may stand in a path, in both cases."""
    assert url_problem("https://as.example.com/ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz") is None
