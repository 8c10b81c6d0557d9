"""The way from a request to its decision is told rung by rung, for each strategy and each turn it may take."""

from __future__ import annotations

from typing import Any

import pytest

from mock_as import MockAS
from resource_server import Requirement
from tests.support.inspected import inspected, rungs

pytestmark = pytest.mark.anyio

P, R, U, N, X = "passed", "refused", "unanswered", "not needed", "not reached"


@pytest.mark.parametrize(
    ("strategy", "minted", "fault", "outcomes", "status"),
    [
        ("introspect_then_jwks", {}, None, (P, P, N, P, P), 200),
        ("introspect_then_jwks", {}, 503, (P, U, P, P, P), 200),
        ("introspect_then_jwks", {"format": "opaque"}, 503, (P, U, U, R, X), 401),
        ("introspect_then_jwks", {"defect": "bad_signature"}, 503, (P, U, R, R, X), 401),
        ("introspect_then_jwks", {}, 403, (P, U, X, R, X), 401),
        ("introspect_then_jwks", {"expires_in": -60}, None, (P, R, X, R, X), 401),
        ("introspect_then_jwks", {"aud": "https://other.example"}, None, (P, R, X, R, X), 401),
        ("introspect_then_jwks", {"header": {"typ": "dpop+jwt"}}, None, (P, X, X, R, X), 401),
        ("introspect", {}, None, (P, P, P, P), 200),
        ("introspect", {}, 503, (P, U, R, X), 401),
        ("jwks", {}, None, (P, P, P, P), 200),
        ("jwks", {"expires_in": -60}, None, (P, R, R, X), 401),
        ("jwks_then_introspect", {}, None, (P, P, N, P, P), 200),
        ("jwks_then_introspect", {"format": "opaque"}, None, (P, U, P, P, P), 200),
        ("jwks_then_introspect", {"format": "opaque"}, 503, (P, U, U, R, X), 401),
        ("jwks_then_introspect", {"defect": "bad_signature"}, None, (P, R, X, R, X), 401),
    ],
)
async def test_each_way(  # noqa: PLR0917 - the columns of a table
    strategy: str,
    minted: dict[str, Any],
    fault: int | None,
    outcomes: tuple[str, ...],
    status: int,
    mock_as_server: MockAS,
) -> None:
    """Each rung has the outcome that the strategy gives it, and the decision follows from them."""
    if fault is not None:
        mock_as_server.fault("introspect", fault)
    found = await inspected(mock_as_server, mock_as_server.token(**minted).value, strategy=strategy)
    assert tuple(rungs(found).values()) == outcomes
    assert found["decision"]["status"] == status
    mock_as_server.clear_faults()


async def test_keys_that_cannot_be_had(mock_as_server: MockAS) -> None:
    """Without keys the fallback and the signature say why."""
    mock_as_server.fault("introspect", 503)
    mock_as_server.fault("jwks", 503)
    found = await inspected(mock_as_server, mock_as_server.token().value)
    assert rungs(found)["fallback"] == U
    assert "status_503" in found["ladder"][2]["says"]
    assert found["signature"]["verdict"] == "not looked at"
    found = await inspected(mock_as_server, mock_as_server.token().value, strategy="jwks", unavailable_status=503)
    assert rungs(found) == {"extract": P, "verify": U, "admit": R, "authorize": X}
    assert found["decision"] == {
        "status": 503,
        "error": None,
        "reason": "unavailable",
        "assurance": None,
        "challenge": None,
    }


async def test_a_server_that_wants_its_jwts_verified(mock_as_server: MockAS) -> None:
    """`unsupported_token_type` is neither a yes nor a no: the signature decides."""
    mock_as_server.fault("introspect", 400, body={"error": "unsupported_token_type"})
    found = await inspected(mock_as_server, mock_as_server.token().value)
    assert rungs(found) == {"extract": P, "introspect": U, "fallback": P, "admit": P, "authorize": P}
    assert "unsupported_token_type" in found["ladder"][1]["says"]


async def test_a_fallback_that_is_configured(mock_as_server: MockAS) -> None:
    """A configuration fault has a fallback only where that is said."""
    mock_as_server.fault("introspect", 403)
    token = mock_as_server.token(format="opaque").value
    found = await inspected(mock_as_server, token, fallback_on_configuration_fault=True)
    assert rungs(found)["fallback"] == U


async def test_no_introspection_endpoint(mock_as_server: MockAS) -> None:
    """Where metadata name none, nothing could be asked, and it is told why."""
    mock_as_server.fault("discovery", 200, body={"issuer": mock_as_server.issuer})
    found = await inspected(mock_as_server, mock_as_server.token(format="opaque").value)
    assert found["introspection"]["status"] is None
    assert "no_introspection_endpoint" in found["introspection"]["says"]
    assert rungs(found)["introspect"] == U


async def test_no_answer(mock_as_server: MockAS) -> None:
    """A connection that is closed is no answer."""
    mock_as_server.fault("introspect", "reset")
    found = await inspected(mock_as_server, mock_as_server.token(format="opaque").value)
    assert found["introspection"]["status"] is None
    assert found["introspection"]["says"].startswith("no answer (")


@pytest.mark.parametrize(
    ("demands", "minted", "status", "error", "word"),
    [
        ({"scopes": ("write",)}, {}, 403, "insufficient_scope", "demanded: scope write; granted: read"),
        ({"audience": "https://second.example"}, {}, 401, "invalid_token", "audience https://second.example"),
        ({"acr_values": "gold silver"}, {}, 401, "insufficient_user_authentication", "acr gold or silver"),
        ({"max_age": 60}, {}, 401, "insufficient_user_authentication", "max_age 60 s"),
    ],
)
async def test_what_a_route_demands(  # noqa: PLR0917 - the columns of a table
    demands: dict[str, Any], minted: dict[str, Any], status: int, error: str, word: str, mock_as_server: MockAS
) -> None:
    """A demand that is not met is the last rung's matter, and the challenge is the one a caller gets."""
    scopes = demands.pop("scopes", ())
    requirement = Requirement.of(*scopes, **demands)
    found = await inspected(mock_as_server, mock_as_server.token(**minted).value, requirement)
    assert rungs(found) == {"extract": P, "introspect": P, "fallback": N, "admit": P, "authorize": R}
    assert word in found["ladder"][-1]["says"]
    assert (found["decision"]["status"], found["decision"]["error"]) == (status, error)
    assert f'error="{error}"' in found["decision"]["challenge"]


@pytest.mark.parametrize(
    ("minted", "fault", "word"),
    [
        ({"active": False}, {}, "active: false, which nothing overrules"),
        ({"aud": "https://other.example"}, {}, "active: true, and not for us (wrong_audience)"),
        ({}, {"exp": 1}, "active: true, and not for us (expired)"),
    ],
)
async def test_why_introspection_refuses(
    minted: dict[str, Any], fault: dict[str, Any], word: str, mock_as_server: MockAS
) -> None:
    """What the authorization server says is told apart from what we make of it."""
    token = mock_as_server.token(format="opaque", **minted).value
    if fault:
        mock_as_server.fault("introspect", 200, body={"active": True, "aud": mock_as_server.options.audience} | fault)
    found = await inspected(mock_as_server, token)
    assert rungs(found)["introspect"] == R
    assert found["ladder"][1]["says"] == word


async def test_a_token_that_is_bound(mock_as_server: MockAS) -> None:
    """A token that is bound to a key is good, and a request without a proof is not."""
    token = mock_as_server.token(token_type="DPoP").value
    found = await inspected(mock_as_server, token, dpop="optional", external_url="https://api.example.test")
    assert rungs(found)["admit"] == R
    assert "the token is good, and this request is not" in found["ladder"][-2]["says"]


@pytest.mark.parametrize("token", [b"{;}[;]", b"\x1b[2J", b"two words", b"x" * 20_000])
async def test_garbage(token: bytes, mock_as_server: MockAS) -> None:
    """What is no token is refused before anybody is asked."""
    found = await inspected(mock_as_server, token)
    assert set(rungs(found).values()) == {R, X}
    assert rungs(found)["extract"] == R
    assert mock_as_server.requests().count == 0


async def test_no_token_for_a_server_that_takes_proofs_only(mock_as_server: MockAS) -> None:
    """Where another scheme is demanded, there is no token in the request."""
    token = mock_as_server.token().value
    found = await inspected(mock_as_server, token, dpop="required", external_url="https://api.example.test")
    assert found["decision"]["status"] == 401
