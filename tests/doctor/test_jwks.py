"""The doctor judges a key set: which keys can be used, and why not the others."""

from __future__ import annotations

from typing import Any

import pytest

from mock_as import MockAS
from resource_server._doctor.jwks import why_unusable
from tests.support.examined import examined, first_red, of

pytestmark = pytest.mark.anyio

ALL = frozenset({"ES256", "RS256"})


def public(mock: MockAS) -> dict[str, Any]:
    """Return the published key."""
    keys: list[dict[str, Any]] = mock.keys.jwks()["keys"]
    return dict(keys[0])


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({}, None),
        ({"d": "private"}, "comes with its private part"),
        ({"k": "symmetric"}, "is symmetric"),
        ({"use": "enc"}, "is for use enc"),
        ({"key_ops": ["encrypt"]}, "is not for verifying (key_ops)"),
        ({"key_ops": ["verify"], "kty": "oct"}, "is of a kind that is not known here (kty oct, crv P-256)"),
        ({"crv": "P-999\x07"}, r"is of a kind that is not known here (kty EC, crv P-999\x07)"),
        (
            {"kty": "RSA", "n": "AQAB", "e": "AQAB"},
            "is an RSA key of a length, an exponent or an alg that is not accepted",
        ),
    ],
)
def test_why_a_key_is_unusable(changes: dict[str, Any], reason: str | None) -> None:
    """Each kind of unusable key has words of its own."""
    assert why_unusable(public(MockAS()) | changes, ALL) == reason


def test_what_is_no_key() -> None:
    """What is no object is no key, and a key for other algorithms names them."""
    assert why_unusable("key", ALL) == "is no object"
    assert (why_unusable(public(MockAS()), frozenset({"RS256"})) or "").startswith("is for ES256")


@pytest.mark.attack("A-J-4")
async def test_a_private_key_is_published(mock_as_server: MockAS) -> None:
    """A private key in the set is a warning that names it, and shows none of it."""
    secret = "cHJpdmF0ZS1wYXJ0LW9mLWEta2V5LXRoYXQtaXMtc2VjcmV0"
    good = public(mock_as_server)
    mock_as_server.fault("jwks", 200, body={"keys": [good, {**good, "kid": "leaked", "d": secret}]})
    report = await examined(mock_as_server)
    found = of(report, "jwks")
    assert found.verdict == "warning"
    assert "leaked" in found.says
    assert [one for one in report.findings if "leaked" in one.says] == [found]  # it is told once
    assert secret not in str(report.as_json())


@pytest.mark.parametrize(
    ("body", "word"),
    [
        ({"keys": []}, "no_usable_key"),
        ({"keys": "none"}, "not_a_key_set"),
        ({"keys": [{"kty": "oct", "k": "c2VjcmV0", "kid": "mac"}]}, "no_usable_key"),
        ("[", "not_json"),
    ],
)
async def test_no_key_that_can_be_used(body: Any, word: str, mock_as_server: MockAS) -> None:
    """A set without a usable key is broken, and its keys are told of one by one."""
    mock_as_server.fault("jwks", 200, body=body, headers={"content-type": "application/json"})
    report = await examined(mock_as_server)
    assert first_red(report).check == "jwks"
    assert word in first_red(report).says


async def test_no_key_for_what_is_allowed(mock_as_server: MockAS) -> None:
    """Where no published key fits the allowed algorithms, that is what is broken."""
    report = await examined(mock_as_server, algorithms=("RS256",), strategy="jwks")
    assert first_red(report).check == "jwks"
    assert "RESOURCE_SERVER_ALGORITHMS" in first_red(report).says
    assert any("ES256" in found.says for found in report.findings if found.check == "jwks")


async def test_keys_for_something_else(mock_as_server: MockAS) -> None:
    """A key for encryption beside those for signatures is usual; many strange ones are told in a few words."""
    good = public(mock_as_server)
    odd = [{**good, "kid": f"odd-{number}", "crv": "P-192"} for number in range(9)]
    mock_as_server.fault("jwks", 200, times=1, body={"keys": [good, {**good, "use": "enc", "kid": "enc"}]})
    report = await examined(mock_as_server)
    assert [one.verdict for one in report.findings if one.check == "jwks"] == ["ok"]
    mock_as_server.fault("jwks", 200, body={"keys": [good, *odd]})
    report = await examined(mock_as_server)
    assert of(report, "jwks").verdict == "warning"
    assert of(report, "jwks").says.endswith("; and more")


async def test_a_token_of_a_key_without_a_name(mock_as_server: MockAS) -> None:
    """A token that names no key, where none fits its algorithm, is told as that."""
    token = mock_as_server.token(format="jwt", header={"kid": None, "alg": "ES384"}, defect="bad_signature").value
    report = await examined(mock_as_server, token=token, strategy="jwks")
    assert "kid" in first_red(report).says


async def test_introspection_alone_verifies_nothing(mock_as_server: MockAS) -> None:
    """With the strategy `introspect` no keys are fetched."""
    report = await examined(mock_as_server, strategy="introspect")
    assert of(report, "jwks").verdict == "skipped"
    assert mock_as_server.requests("jwks").count == 0
