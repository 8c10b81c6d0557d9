"""Authorization server metadata: where it is, and what of it is believed."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resource_server._protocol.messages import HTTPResponse, Unavailable
from resource_server._protocol.metadata import Metadata, metadata_request, metadata_urls, process_metadata_response
from tests.support.jwt import ISSUER, NOW
from tests.support.local import json_response

DOCUMENT = {
    "issuer": ISSUER,
    "introspection_endpoint": f"{ISSUER}/introspect",
    "jwks_uri": f"{ISSUER}/jwks",
    "token_endpoint": f"{ISSUER}/token",
    "authorization_endpoint": f"{ISSUER}/authorize",
}


def process(document: Any, issuer: str = ISSUER, *, allow_insecure_http: bool = False) -> Metadata | Unavailable:
    """Judge a document that came with a 200."""
    return process_metadata_response(json_response(document), issuer, NOW, allow_insecure_http=allow_insecure_http)


@pytest.mark.rfc("8414-3-a")
@pytest.mark.parametrize(
    ("issuer", "oauth", "openid"),
    [
        (
            "https://example.com",
            "https://example.com/.well-known/oauth-authorization-server",
            "https://example.com/.well-known/openid-configuration",
        ),
        (
            "https://example.com/",
            "https://example.com/.well-known/oauth-authorization-server",
            "https://example.com/.well-known/openid-configuration",
        ),
        (
            "https://example.com/issuer1",
            "https://example.com/.well-known/oauth-authorization-server/issuer1",
            "https://example.com/issuer1/.well-known/openid-configuration",
        ),
        (
            "https://example.com/issuer1/",
            "https://example.com/.well-known/oauth-authorization-server/issuer1",
            "https://example.com/issuer1/.well-known/openid-configuration",
        ),
        (
            "https://example.com:8443/realms/a%20b",
            "https://example.com:8443/.well-known/oauth-authorization-server/realms/a%20b",
            "https://example.com:8443/realms/a%20b/.well-known/openid-configuration",
        ),
    ],
)
def test_well_known_urls(issuer: str, oauth: str, openid: str) -> None:
    """RFC 8414 §3.1: the well-known string goes between host and path, without a final slash; OpenID appends it."""
    assert metadata_urls(issuer) == (oauth, openid)


@pytest.mark.rfc("8414-3-a")
def test_request() -> None:
    """RFC 8414 §3.1: the document is asked for with GET, as JSON, and up to a limit."""
    request = metadata_request("https://as.example.com/.well-known/oauth-authorization-server")
    assert (request.method, request.body, request.max_bytes) == ("GET", b"", 524_288)
    assert dict(request.headers) == {"accept": "application/json"}


@pytest.mark.rfc("8414-3.2-a", "8414-2.1-a")
def test_document() -> None:
    """RFC 8414 §3.2: the members we use are read, and all others are ignored, signed ones included (§2.1)."""
    others = {"grant_types_supported": ["x"], "x": {"issuer": "other"}, "signed_metadata": "a.b.c"}
    assert process(DOCUMENT | others) == Metadata(**dict[str, Any](DOCUMENT))
    assert process({"issuer": ISSUER, "jwks_uri": None}) == Metadata(issuer=ISSUER)


@pytest.mark.rfc("8414-3.3-a", "8414-4-a", "9068-4-h")
@pytest.mark.attack("A-K-7")
@pytest.mark.parametrize(
    "issuer",
    [
        pytest.param(f"{ISSUER}/", id="a slash more"),
        pytest.param("https://AS.example.com", id="another case"),
        pytest.param("https://as.example.com:443", id="the default port"),
        pytest.param("http://as.example.com", id="http"),
        pytest.param("https://as.example.com.evil.example", id="a longer name"),
        pytest.param("https://as.example.com/tenant", id="another tenant"),
        pytest.param("https://%61s.example.com", id="percent-encoding"),
        pytest.param([ISSUER], id="a list"),
        pytest.param(None, id="null"),
        pytest.param("", id="empty"),
    ],
)
def test_another_issuer(issuer: object) -> None:
    """RFC 8414 §3.3: a document that does not name the issuer to the letter is not used, not even in part."""
    assert process(DOCUMENT | {"issuer": issuer}) == Unavailable("issuer_mismatch", fault="configuration")


@pytest.mark.rfc("8414-3.3-a", "8414-4-a")
def test_issuer_is_compared_by_code_point() -> None:
    """RFC 8414 §4: no Unicode normalisation: two spellings of one letter make two issuers."""
    composed, decomposed = "https://as.example.com/\u00e9", "https://as.example.com/e\u0301"
    assert process({"issuer": decomposed}, composed) == Unavailable("issuer_mismatch", fault="configuration")
    assert process({"issuer": composed}, composed) == Metadata(issuer=composed)


@pytest.mark.rfc("8414-3.3-a")
def test_no_issuer() -> None:
    """RFC 8414 §2: issuer is required."""
    document = {name: value for name, value in DOCUMENT.items() if name != "issuer"}
    assert process(document) == Unavailable("issuer_mismatch", fault="configuration")


@pytest.mark.rfc("8414-2-a")
@pytest.mark.parametrize("member", sorted(set(DOCUMENT) - {"issuer"}))
@pytest.mark.parametrize(
    "url", ["http://as.example.com/x", "/relative", "", "file:///etc/passwd", 1, [f"{ISSUER}/x"], "https://u@h/", {}]
)
def test_unusable_endpoint(member: str, url: object) -> None:
    """RFC 8414 §2: an endpoint that is not an https URL spoils the document: whoever wrote it cannot be trusted."""
    assert process(DOCUMENT | {member: url}) == Unavailable("insecure_endpoint", fault="configuration")


@pytest.mark.rfc("8414-2-a")
def test_plain_http_where_it_is_allowed() -> None:
    """RFC 8414 §2: http endpoints are for this machine, or for whoever allowed them in so many words."""
    document = {"issuer": ISSUER, "jwks_uri": "http://as.example.com/jwks"}
    assert isinstance(process(document, allow_insecure_http=True), Metadata)
    assert isinstance(process({"issuer": ISSUER, "jwks_uri": "http://127.0.0.1/jwks"}), Metadata)


@pytest.mark.rfc("8414-3.2-a")
@pytest.mark.parametrize(
    ("response", "fault"),
    [
        pytest.param(json_response(DOCUMENT, content_type="text/html"), Unavailable("content_type"), id="HTML"),
        pytest.param(json_response([DOCUMENT]), Unavailable("not_json"), id="an array"),
        pytest.param(json_response(b""), Unavailable("not_json"), id="empty"),
        pytest.param(HTTPResponse(204), Unavailable("status_204"), id="204"),
        pytest.param(HTTPResponse(404), Unavailable("status_404", fault="configuration"), id="404"),
        pytest.param(HTTPResponse(503), Unavailable("status_503"), id="503"),
    ],
)
def test_no_document(response: HTTPResponse, fault: Unavailable) -> None:
    """RFC 8414 §3.2: only a 200 with a JSON object is a document."""
    assert process_metadata_response(response, ISSUER, NOW, allow_insecure_http=False) == fault


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-99, 99) | st.text(max_size=5) | st.sampled_from(sorted(DOCUMENT.values())),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)


@given(st.dictionaries(st.sampled_from(sorted(DOCUMENT)), JSON))
def test_never_raises(document: dict[str, Any]) -> None:
    """Whatever JSON comes, it is metadata of this issuer with endpoints we may talk to, or a fault."""
    found = process(json.dumps(document).encode())
    assert isinstance(found, Unavailable) or found.issuer == ISSUER


def test_come_again_at_a_date() -> None:
    """RFC 9110 §10.2.3: an answer may name the moment at which to ask again, which is told as seconds from now."""
    response = HTTPResponse(503, (("retry-after", "Tue, 14 Nov 2023 22:14:20 GMT"),))
    assert process_metadata_response(response, ISSUER, NOW, allow_insecure_http=False) == Unavailable(
        "status_503", 60.0
    )


def test_endpoints_that_are_not_named() -> None:
    """RFC 8414 §2: an endpoint that the metadata leave out is none."""
    metadata = process({"issuer": ISSUER})
    assert metadata == Metadata(issuer=ISSUER)
    names = ("introspection_endpoint", "jwks_uri", "token_endpoint", "authorization_endpoint")
    assert [getattr(metadata, name) for name in names] == [None] * 4


@pytest.mark.parametrize("name", ["introspection_endpoint", "token_endpoint"])
def test_an_alias(name: str) -> None:
    """RFC 8705 §5: who shows a certificate asks the alias of an endpoint, and nobody else does."""
    metadata = process(DOCUMENT | {"mtls_endpoint_aliases": {name: "https://mtls.example.com/"}})
    assert isinstance(metadata, Metadata)
    assert metadata.endpoint(name, shows_certificate=True) == "https://mtls.example.com/"
    assert metadata.endpoint(name, shows_certificate=False) == DOCUMENT[name]
