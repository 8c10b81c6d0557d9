"""Every challenge that can be sent is understood by a client that nobody here wrote, as it was meant.

References: RFC 6750 section 3, RFC 9110 section 11.6.1, RFC 9449 section 7.1, RFC 9470 section 3, RFC 9728 section 5.1
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Any

import pytest

from resource_server import BearerTokenError
from resource_server._protocol.challenge import build_challenge
from resource_server._protocol.problem import ErrorStyle, render_error
from resource_server.errors import (
    InsufficientScope,
    InsufficientUserAuthentication,
    InvalidDPoPProof,
    InvalidRequest,
    InvalidToken,
    MissingToken,
    Scheme,
)
from tests.interop.oracle import Parsed, oracle

REALMS = ("api", "", "a b", 'quoted "realm"', "back\\slash", 'both \\"', "comma, Basic realm=x", "=", "tab\there", "\\")
SCOPES: tuple[tuple[str, ...], ...] = (
    (),
    ("read",),
    ("read", "write"),
    ("urn:example:scope", "https://api.example.test/a?b=c&d", "!#$%&'()*+,-./:;<=>?@[]^_`{|}~", "a,b"),
)
ERRORS: tuple[BearerTokenError, ...] = (
    *(MissingToken(scope=scope) for scope in SCOPES),
    *(InsufficientScope(scope=scope) for scope in SCOPES if scope),
    *(
        InvalidToken(reason)
        for reason in ("expired", "bad_signature", "wrong_audience", "binding_mismatch", "not_bound")
    ),
    *(InvalidDPoPProof(reason) for reason in ("proof_missing", "proof_mismatch", "proof_replayed")),
    InvalidRequest("malformed"),
    InsufficientUserAuthentication(acr_values=("urn:mace:incommon:iap:silver", "0"), max_age=0),
    InsufficientUserAuthentication(max_age=3600, scope=("read",)),
)
SCHEMES: tuple[tuple[Scheme, ...], ...] = (("Bearer",), ("DPoP",), ("Bearer", "DPoP"), ("DPoP", "Bearer"))
METADATA = "https://rs.example.com/.well-known/oauth-protected-resource/a%20b?c=d"
ALGS = ("ES256", "EdDSA")


def rendered() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Write every refusal in every realm and for every choice of schemes, with what its challenges mean."""
    for error, realm, schemes, metadata in product(ERRORS, REALMS, SCHEMES, (None, METADATA)):
        error.schemes = schemes
        for verbose in (False, True):
            style = ErrorStyle(realm, verbose=verbose, algs=ALGS, resource_metadata=metadata)
            (value,) = [value for name, value in render_error(error, style).headers if name == b"www-authenticate"]
            yield value.decode("ascii"), [_challenge(error, style, scheme) for scheme in schemes]


def _challenge(error: BearerTokenError, style: ErrorStyle, scheme: Scheme) -> dict[str, Any]:
    """Say what a refusal's challenge of a scheme means; its description is for people."""
    told: dict[str, object] = {"error": error.error} if scheme == error.schemes[0] else {}
    if told and isinstance(error, InsufficientUserAuthentication):
        told |= {"acr_values": error.acr_values, "max_age": error.max_age}
    meant: dict[str, object] = {
        "realm": style.realm,
        "scope": error.scope,
        "algs": style.algs if scheme == "DPoP" else (),
        "resource_metadata": style.resource_metadata,
        **told,
    }
    written = {name: _meant(value) for name, value in meant.items() if value not in (None, ())}
    return {"scheme": scheme.lower(), "parameters": written}


def built() -> Iterator[tuple[str, str, dict[str, str]]]:
    """Write a challenge with every choice of the parameters that there are."""
    choices: dict[str, tuple[Any, ...]] = {
        "scheme": ("Bearer", "DPoP"),
        "realm": ("api", 'a "b" \\c'),
        "error": (None, "use_dpop_nonce"),
        "error_description": (None, "a text, with = and , in it"),
        "scope": ((), ("read", "write")),
        "acr_values": ((), ("urn:mace:incommon:iap:silver", "0")),
        "max_age": (None, 0, 3600),
        "algs": ((), ("ES256", "EdDSA")),
        "resource_metadata": (None, METADATA),
    }
    for values in product(*choices.values()):
        parameters = dict(zip(choices, values, strict=True))
        meant = {name: _meant(value) for name, value in parameters.items() if value not in (None, ())}
        yield build_challenge(**parameters), meant.pop("scheme").lower(), meant


def _meant(value: object) -> str:
    return " ".join(value) if isinstance(value, tuple) else str(value)


def parsed(values: list[str]) -> list[Parsed]:
    """Have the client parse field values."""
    with oracle() as client:
        return client.parse(values)


@pytest.mark.rfc("6750-3-b", "6750-3-c")
def test_refusals() -> None:
    """Each refusal has the challenges it was made for, each of which says what it means, and nothing else."""
    written = list(rendered())
    for (value, meant), challenges in zip(written, parsed([value for value, _ in written]), strict=True):
        assert challenges is not None, value
        described = [challenge["parameters"].pop("error_description", None) is not None for challenge in challenges]
        assert described == ["error" in challenge["parameters"] for challenge in challenges]
        assert challenges == meant, value


def test_every_parameter() -> None:
    """Each parameter is understood, alone and beside every other."""
    written = list(built())
    for (value, scheme, meant), challenges in zip(written, parsed([value for value, _, _ in written]), strict=True):
        assert challenges == [{"scheme": scheme, "parameters": meant}], value


@pytest.mark.rfc("9110-11.6.1-b")
def test_two_challenges_in_one_field() -> None:
    """Two challenges in one field value are two, whatever stands in the first."""
    first, second = (
        build_challenge(realm='a "b", DPoP x=y', scope=("read",)),
        build_challenge(scheme="DPoP", realm="api", algs=("ES256", "EdDSA"), error="use_dpop_nonce"),
    )
    (challenges,) = parsed([f"{first}, {second}"])
    assert challenges == [
        {"scheme": "bearer", "parameters": {"realm": 'a "b", DPoP x=y', "scope": "read"}},
        {"scheme": "dpop", "parameters": {"realm": "api", "error": "use_dpop_nonce", "algs": "ES256 EdDSA"}},
    ]
