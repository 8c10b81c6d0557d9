"""What a resource server says of itself, where, and to whom (RFC 9728)."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from typing import Any
from urllib.parse import urlsplit

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from joserfc.jwk import ECKey, OKPKey, RSAKey

from resource_server import ConfigurationError
from resource_server._options.authorization_server import AuthorizationServer
from resource_server._protocol.jose import import_key, read_signing_key, verify_signature
from resource_server._protocol.jwks import read_key
from resource_server._protocol.jws import parse_jws
from resource_server._protocol.protected_resource import ProtectedResource, ResourceMetadata, metadata_url
from resource_server.settings import Settings
from tests.support.jwt import REMOVED, signing_key

RESOURCE = "https://rs.example.com/api"
CLIENT: dict[str, Any] = {"client_id": "rs", "client_secret": "canary-client-secret-of-32-bytes-or-more"}
OPTIONS: dict[str, Any] = {"issuer": "https://as.example.com", "audience": "urn:rs", "resource": RESOURCE, **CLIENT}
WHOLE = ResourceMetadata(
    resource=RESOURCE,
    authorization_servers=("https://as.example.com", "https://other.example.com"),
    scopes_supported=("read", "write"),
    bearer_methods_supported=("header",),
    resource_name="Orders, \N{EURO SIGN} and more",
    resource_documentation="https://rs.example.com/docs",
    resource_policy_uri="https://rs.example.com/policy",
    resource_tos_uri="https://rs.example.com/terms",
    tls_client_certificate_bound_access_tokens=True,
    dpop_signing_alg_values_supported=("ES256",),
    dpop_bound_access_tokens_required=True,
)


def document(**options: Any) -> dict[str, Any]:
    """Return the document of a server with these options; ``REMOVED`` takes one away."""
    resource = settings_of(**options).protected_resource()
    assert resource is not None
    return resource.document


def settings_of(**options: Any) -> Settings:
    """Read options, changed as asked."""
    return Settings.build(**{name: value for name, value in (OPTIONS | options).items() if value is not REMOVED})


@pytest.mark.rfc("9728-3-a", "9728-5.1-a", "mcp-2")
@pytest.mark.parametrize(
    ("resource", "url"),
    [
        ("https://rs", "https://rs/.well-known/oauth-protected-resource"),
        ("https://rs/", "https://rs/.well-known/oauth-protected-resource"),
        ("https://rs/api", "https://rs/.well-known/oauth-protected-resource/api"),
        ("https://rs/api/", "https://rs/.well-known/oauth-protected-resource/api/"),
        ("https://rs:8443/a/b", "https://rs:8443/.well-known/oauth-protected-resource/a/b"),
        ("https://rs/a?x=1", "https://rs/.well-known/oauth-protected-resource/a?x=1"),
        ("https://rs/a%2Fb", "https://rs/.well-known/oauth-protected-resource/a%2Fb"),
        ("http://localhost:8000/a", "http://localhost:8000/.well-known/oauth-protected-resource/a"),
    ],
)
def test_where(resource: str, url: str) -> None:
    """RFC 9728 §3.1: the well-known string stands between host and path; a slash that is all of the path goes."""
    assert metadata_url(resource) == url
    decoded = urlsplit(url).path.replace("%2F", "/")
    assert ProtectedResource(ResourceMetadata(resource=resource)).path == decoded


@pytest.mark.rfc("9728-3.2-a", "9728-3.3-a")
def test_document() -> None:
    """RFC 9728 §3.2: one JSON object, with the members by their names, and resource to the letter."""
    found = ProtectedResource(WHOLE).document
    assert found == json.loads(json.dumps(asdict(WHOLE)))
    for resource in ("https://RS.example.com/Api", "https://rs.example.com:443/", "https://rs.example.com"):
        assert ProtectedResource(replace(WHOLE, resource=resource)).document["resource"] == resource


@pytest.mark.rfc("9728-3.2-a", "9728-2-c")
def test_no_value() -> None:
    """RFC 9728 §3.2: what has no value is left out; answers are not signed, so nothing is said of their signature."""
    assert ProtectedResource(ResourceMetadata(resource=RESOURCE)).document == {"resource": RESOURCE}
    for found in (document(), ProtectedResource(WHOLE).document):
        assert {"jwks_uri", "resource_signing_alg_values_supported"}.isdisjoint(found)
        assert [name for name, value in found.items() if value in (None, [], "", False)] == []


@pytest.mark.rfc("9728-3.2-a", "9728-x-a", "9728-3.3-a")
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_read(method: str) -> None:
    """RFC 9728 §3.2: it is JSON with a 200, to be read from any origin and kept for a while."""
    resource = ProtectedResource(WHOLE)
    answer = resource.answer(method)
    headers = dict(answer.headers)
    assert answer.status == 200
    assert json.loads(answer.body) == resource.document
    assert headers == {
        b"content-type": b"application/json",
        b"cache-control": b"public, max-age=3600",
        b"content-length": str(len(answer.body)).encode(),
        b"access-control-allow-origin": b"*",
    }


@pytest.mark.rfc("9728-x-a")
def test_preflight() -> None:
    """A browser that asks first, for a request with fields of its own, is told to go on."""
    answer = ProtectedResource(WHOLE).answer("OPTIONS")
    assert (answer.status, answer.body) == (204, b"")
    assert dict(answer.headers) == {
        b"access-control-allow-methods": b"GET, HEAD, OPTIONS",
        b"access-control-allow-headers": b"*",
        b"access-control-allow-origin": b"*",
    }


@pytest.mark.rfc("9728-3.2-a")
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "TRACE", "get", "QUERY"])
def test_other_methods(method: str) -> None:
    """RFC 9110 §15.5.6: other methods are not allowed, and the answer says which are."""
    answer = ProtectedResource(WHOLE).answer(method)
    assert (answer.status, answer.body) == (405, b"")
    assert dict(answer.headers)[b"allow"] == b"GET, HEAD, OPTIONS"


@pytest.mark.rfc("9728-2-b")
def test_what_is_configured() -> None:
    """RFC 9728 §2: without further options the document says who issues tokens, and how they are sent."""
    assert document() == {
        "resource": RESOURCE,
        "authorization_servers": ["https://as.example.com"],
        "bearer_methods_supported": ["header"],
    }
    assert settings_of(resource=REMOVED).protected_resource() is None


@pytest.mark.rfc("9728-2-b")
@pytest.mark.parametrize(
    ("options", "member", "value"),
    [
        ({"query_token": True}, "bearer_methods_supported", ["header", "query"]),
        ({"form_token": True}, "bearer_methods_supported", ["header", "body"]),
        ({"query_token": True, "form_token": True}, "bearer_methods_supported", ["header", "body", "query"]),
        ({"scopes_supported": "read write"}, "scopes_supported", ["read", "write"]),
        ({"resource_name": "Orders"}, "resource_name", "Orders"),
        ({"resource_documentation": "https://x.example.com/d"}, "resource_documentation", "https://x.example.com/d"),
        ({"resource_policy_uri": "https://x.example.com/p"}, "resource_policy_uri", "https://x.example.com/p"),
        ({"resource_tos_uri": "https://x.example.com/t"}, "resource_tos_uri", "https://x.example.com/t"),
        ({"mtls": "optional"}, "tls_client_certificate_bound_access_tokens", True),
        ({"mtls": "required"}, "tls_client_certificate_bound_access_tokens", True),
        ({"dpop": "optional", "dpop_algorithms": "ES256"}, "dpop_signing_alg_values_supported", ["ES256"]),
        ({"dpop": "optional"}, "dpop_bound_access_tokens_required", None),
        ({"dpop": "required"}, "dpop_bound_access_tokens_required", True),
        ({"dpop_algorithms": "ES256"}, "dpop_signing_alg_values_supported", None),
        ({"external_url": "https://proxy.example.com"}, "resource", RESOURCE),
    ],
)
def test_each_option(options: dict[str, Any], member: str, value: object) -> None:
    """RFC 9728 §2: each member says what is configured; where nothing is, it is not there."""
    assert document(**options).get(member) == value


@pytest.mark.rfc("9728-2-a")
@pytest.mark.parametrize(
    "resource",
    [
        "http://rs.example.com",
        "https://rs.example.com/#part",
        "https://rs.example.com/#",
        "https://user@rs.example.com",
        "https://",
        "rs.example.com",
        "urn:rs",
        "",
        "https://rs.example.com/ä",
        'https://rs.example.com/"',
        "https://rs.example.com/a\\b",
        "https://rs.example.com/a b",
        "https://rs.example.com/a\r\nb",
    ],
)
def test_wrong_identifier(resource: str) -> None:
    """RFC 9728 §1.2: a resource identifier is an https URL without a fragment, that a challenge can carry too."""
    with pytest.raises(ConfigurationError, match="resource"):
        settings_of(resource=resource)


@pytest.mark.rfc("9728-2-a")
@pytest.mark.parametrize("resource", ["http://localhost:8000/api", "http://127.0.0.1", "https://rs.example.com/a?b=c"])
def test_right_identifier(resource: str) -> None:
    """RFC 9728 §1.2: on this machine alone http will do; a query is discouraged and not forbidden."""
    assert document(resource=resource)["resource"] == resource


@pytest.mark.rfc("9728-3.3-a", "9728-2-c")
@pytest.mark.parametrize("algorithm", ["RS256", "ES256", "Ed25519"])
@pytest.mark.parametrize("kid", ["k1", None], ids=["JWK", "PEM"])
def test_signed(algorithm: str, kid: str | None) -> None:
    """RFC 9728 §2.2: signed, the same members come as claims of a JWT whose issuer is the resource itself."""
    key = signing_key(algorithm)
    pem = key.private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    kinds: dict[str, type[RSAKey | ECKey | OKPKey]] = {"RS256": RSAKey, "ES256": ECKey, "Ed25519": OKPKey}
    members = kinds[algorithm].import_key(pem).as_dict(private=True, kid=kid)
    private = read_signing_key(pem.decode() if kid is None else json.dumps(members))
    assert not isinstance(private, str)
    found = ProtectedResource(WHOLE, private).document
    jws = parse_jws(found.pop("signed_metadata").encode())
    public = read_key(key.jwk())
    assert jws is not None
    assert public is not None
    native = import_key(public)
    assert native is not None
    assert verify_signature(jws, native)
    assert (jws.algorithm, jws.key_id) == (algorithm, kid)
    assert jws.claims() == {"iss": RESOURCE, **found}


def test_signed_by_option() -> None:
    """The key is an option like any other: with it the document is signed, and it is shown nowhere."""
    key = json.dumps(signing_key("ES256").private_jwk())
    settings = settings_of(metadata_key=key)
    resource = settings.protected_resource()
    assert resource is not None
    assert resource.document["signed_metadata"].count(".") == 2
    assert json.loads(key)["d"] not in repr(settings) + repr(resource)


@pytest.mark.parametrize("key", ["garbage", "{}", "-----BEGIN PRIVATE KEY-----", '{"kty": "oct", "k": "c2VjcmV0"}'])
def test_wrong_key(key: str) -> None:
    """A key that cannot sign is refused at construction, by its option and without a word of it."""
    with pytest.raises(ConfigurationError, match="metadata_key") as caught:
        settings_of(metadata_key=key)
    assert key == "{}" or key not in str(caught.value)


def test_public_key_is_no_key() -> None:
    """The public half of a key is not taken for the key."""
    with pytest.raises(ConfigurationError, match="metadata_key"):
        settings_of(metadata_key=json.dumps(signing_key("ES256").jwk()))


@pytest.mark.rfc("9728-2-b")
def test_several_servers() -> None:
    """RFC 9728 §2: all authorization servers are listed; those that are found at run time only are not known."""
    several = [AuthorizationServer(issuer=f"https://{name}.example.com", token_format="jwt") for name in ("a", "b")]
    listed = document(issuer=REMOVED, authorization_servers=several)
    assert listed["authorization_servers"] == ["https://a.example.com", "https://b.example.com"]
    assert "authorization_servers" not in document(issuer=REMOVED, authorization_servers=_nobody)


def _nobody(_issuer: str) -> None:
    """Find no authorization server."""
