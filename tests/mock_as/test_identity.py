"""Who the issuer is, and where its endpoints are."""

from __future__ import annotations

import pytest

from mock_as import MockAS, UsageError
from mock_as.identity import Identity

ISSUERS = {
    "https://as.example.test": (
        "https://as.example.test",
        "https://as.example.test/.well-known/oauth-authorization-server",
    ),
    "https://as.example.test/": (
        "https://as.example.test",
        "https://as.example.test/.well-known/oauth-authorization-server",
    ),
    "http://localhost:9000/t/one": (
        "http://localhost:9000/t/one",
        "http://localhost:9000/.well-known/oauth-authorization-server/t/one",
    ),
    "https://as.example.test/one/": (
        "https://as.example.test/one",
        "https://as.example.test/.well-known/oauth-authorization-server/one",
    ),
}


@pytest.mark.parametrize("issuer", ISSUERS)
def test_endpoints_are_under_the_issuer(issuer: str) -> None:
    """Endpoints follow the path of the issuer; its metadata is found as RFC 8414 section 3.1 says."""
    base, metadata = ISSUERS[issuer]
    urls = Identity(issuer).urls
    assert urls.issuer == issuer
    assert urls.metadata == metadata
    assert [urls.token, urls.introspection, urls.revocation, urls.jwks] == [
        f"{base}/token",
        f"{base}/introspect",
        f"{base}/revoke",
        f"{base}/jwks",
    ]


@pytest.mark.parametrize(
    "issuer", ["", "as.example.test", "ftp://as.example.test", "https://", "https://a.test?x", "https://a.test#x"]
)
def test_refuses_what_is_no_issuer(issuer: str) -> None:
    """An issuer is an http or https URL without query and fragment."""
    with pytest.raises(UsageError, match="is not an http"):
        MockAS(issuer=issuer)


def test_auto_is_the_address_while_served() -> None:
    """An issuer that is the address it is served under is one only while it is served."""
    mock = MockAS(issuer="auto")
    with pytest.raises(RuntimeError, match="name the issuer"):
        _ = mock.issuer
    with mock.identity.served_at("http://127.0.0.1:1234"):
        assert mock.issuer == mock.url.issuer == "http://127.0.0.1:1234"
        assert mock.token().claims["iss"] == "http://127.0.0.1:1234"
    with pytest.raises(RuntimeError, match="name the issuer"):
        mock.transport()


def test_fixed_issuer_stays_when_served() -> None:
    """An issuer that was named keeps its name wherever it is served."""
    mock = MockAS(issuer="https://as.example.com/tenant")
    with mock.identity.served_at("http://127.0.0.1:1234"):
        assert mock.issuer == "https://as.example.com/tenant"


def test_an_issuer_without_a_name(mock: MockAS) -> None:
    """Where nobody named it, the issuer is where it is: the address it is served under, else a name for tests."""
    assert mock.issuer == "https://as.example.test"
    with mock.serve() as url:
        assert mock.issuer == url
        assert mock.token().claims["iss"] == url
        assert mock.url.token == f"{url}/token"
    assert mock.issuer == "https://as.example.test"
