"""What the RFCs print as examples is read, written and asked for as they print it."""

from __future__ import annotations

import hashlib
import json
from base64 import b64decode, urlsafe_b64decode, urlsafe_b64encode
from typing import Any
from urllib.parse import parse_qs

import pytest

from resource_server import Challenge, parse_challenges
from resource_server._protocol.challenge import build_challenge
from resource_server._protocol.introspection import introspection_request
from resource_server._protocol.metadata import metadata_urls
from resource_server._protocol.protected_resource import metadata_url
from tests.support import headers as independent
from tests.support.vectors import example

CHALLENGES = [
    (example(6750)["challenges"][0], "bearer", {"realm": "example"}),
    (
        example(6750)["challenges"][1],
        "bearer",
        {"realm": "example", "error": "invalid_token", "error_description": "The access token expired"},
    ),
    (example(9449)["challenges"][0], "dpop", {"algs": "ES256 PS256"}),
    (
        example(9449)["challenges"][1],
        "dpop",
        {"error": "invalid_token", "error_description": "Invalid DPoP key binding", "algs": "ES256"},
    ),
    (
        example(9470)["challenges"][0],
        "bearer",
        {
            "error": "insufficient_user_authentication",
            "error_description": "A different authentication level is required",
            "acr_values": "myACR",
        },
    ),
    (
        example(9470)["challenges"][1],
        "bearer",
        {
            "error": "insufficient_user_authentication",
            "error_description": "More recent authentication is required",
            "max_age": "5",
        },
    ),
    (
        example(9728)["challenge"],
        "bearer",
        {
            "error": "invalid_request",
            "error_description": "No access token was provided in this request",
            "resource_metadata": "https://resource.example.com/.well-known/oauth-protected-resource",
        },
    ),
]


def without_padding(digest: bytes) -> str:
    """Write a digest in base64url."""
    return urlsafe_b64encode(digest).rstrip(b"=").decode("ascii")


def part(jwt: str, index: int) -> dict[str, Any]:
    """Decode the header (0) or the payload (1) of a JWT."""
    text = jwt.split(".")[index]
    decoded: dict[str, Any] = json.loads(urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    return decoded


@pytest.mark.rfc("9110-11.6.1-b")
@pytest.mark.parametrize(("value", "scheme", "params"), CHALLENGES)
def test_challenges(value: str, scheme: str, params: dict[str, str]) -> None:
    """RFC 6750 §3, RFC 9449 §7.1, RFC 9470 §3, RFC 9728 §5.1: their challenges are read as they are meant."""
    assert parse_challenges(value) == [Challenge(scheme, params)]
    assert independent.parse_challenges(value) == [independent.ParsedChallenge(scheme, params, None)]


@pytest.mark.rfc("6750-3-b")
def test_challenges_as_they_are_built() -> None:
    """RFC 6750 §3: the challenges of the examples are those that are built of their values, to the letter."""
    first, second = example(6750)["challenges"]
    assert build_challenge(realm="example") == first
    assert (
        build_challenge(realm="example", error="invalid_token", error_description="The access token expired") == second
    )


@pytest.mark.rfc("7662-2.1-a")
def test_introspection_request() -> None:
    """RFC 7662 §2.1: the request is that of the example, with a hint and in the encoding of a form."""
    [token] = parse_qs(example(7662)["request"]["body"])["token"]
    request = introspection_request("https://server.example.com/introspect", token.encode())
    assert (request.method, request.url) == ("POST", "https://server.example.com/introspect")
    assert dict(request.headers)["content-type"] == "application/x-www-form-urlencoded"
    assert parse_qs((request.body or b"").decode()) == {"token": [token], "token_type_hint": ["access_token"]}


@pytest.mark.rfc("8414-3-a")
@pytest.mark.parametrize("place", example(8414)["well_known"], ids=lambda place: place["issuer"])
def test_authorization_server_metadata(place: dict[str, str]) -> None:
    """RFC 8414 §3.1: the metadata of an issuer are looked for where the examples have them."""
    assert metadata_urls(place["issuer"])[0] == place["url"]


@pytest.mark.rfc("9728-3-a")
@pytest.mark.parametrize("place", example(9728)["well_known"], ids=lambda place: place["resource"])
def test_protected_resource_metadata(place: dict[str, str]) -> None:
    """RFC 9728 §3.1: the metadata of a resource are where the examples have them."""
    assert metadata_url(place["resource"]) == place["url"]


def test_certificate_is_the_one_of_the_confirmation() -> None:
    """RFC 8705 appendix A: the certificate has the thumbprint that the token of the example is bound to."""
    vector = example(8705)
    digest = hashlib.sha256(b64decode(vector["certificate"])).digest()
    assert vector["confirmation"] == {"x5t#S256": without_padding(digest)}


def test_proofs_are_those_of_the_example() -> None:
    """RFC 9449 §4 to §8: every proof has the key of one thumbprint, and the digest of the token where there is one."""
    vector = example(9449)
    for proof in vector["proofs"]:
        header, payload = part(proof["proof"], 0), part(proof["proof"], 1)
        members = {name: header["jwk"][name] for name in ("crv", "kty", "x", "y")}
        canonical = json.dumps(members, separators=(",", ":"), sort_keys=True).encode()
        assert without_padding(hashlib.sha256(canonical).digest()) == proof["jkt"] == vector["request"]["jkt"]
        assert (payload["htm"], payload["htu"]) == (proof["htm"], proof["htu"])
    request = vector["request"]
    payload = part(request["proof"], 1)
    assert (payload["ath"], payload["iat"]) == (request["ath"], request["iat"])
    assert without_padding(hashlib.sha256(request["access_token"].encode()).digest()) == request["ath"]


def test_signed_answer_is_the_one_of_the_example() -> None:
    """RFC 9701 §5: the answer of the example says by its type what it is."""
    vector = example(9701)
    assert f"application/{part(vector['jwt'], 0)['typ']}" == vector["content_type"]
    assert part(vector["jwt"], 1)["token_introspection"]["active"] is True
