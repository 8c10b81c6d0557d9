"""The doctor has a token judged as the service would, and says what its refusal comes of."""

from __future__ import annotations

import time
from typing import Any

import pytest

from mock_as import MockAS
from resource_server import Clock
from tests.support.examined import examined, first_red, of

pytestmark = pytest.mark.anyio


async def test_another_audience(mock_as_server: MockAS) -> None:
    """An audience that is not ours is named, and so is ours."""
    token = mock_as_server.token(aud=["https://other.example", "https://third.example"]).value
    found = first_red(await examined(mock_as_server, token=token))
    assert found.check == "token"
    assert "https://other.example, https://third.example, and ours is https://api.example.test" in found.says


async def test_another_audience_of_an_opaque_token(mock_as_server: MockAS) -> None:
    """The same where only the authorization server knows it."""
    token = mock_as_server.token(aud="https://other.example", format="opaque").value
    found = first_red(await examined(mock_as_server, token=token))
    assert "https://other.example, and ours" in found.says


async def test_no_audience(mock_as_server: MockAS) -> None:
    """A token without one is another matter."""
    token = mock_as_server.token(claims={"aud": None}).value
    found = first_red(await examined(mock_as_server, token=token))
    assert "its audience is none" in found.says
    assert "RESOURCE_SERVER_REQUIRE_AUDIENCE" in (found.mend or "")


@pytest.mark.parametrize(
    ("minted", "changes", "word"),
    [
        ({"expires_in": -60, "active": True}, {}, "it has ended (expired)"),
        ({"defect": "wrong_iss"}, {"strategy": "jwks"}, "another issuer, "),
        ({"defect": "bad_signature"}, {"strategy": "jwks"}, "its signature is wrong (bad_signature)"),
        ({"header": {"typ": "JWT"}}, {"strategy": "jwks"}, "RFC 9068"),
        ({"expires_in": -60}, {}, "calls it inactive (inactive)"),
        ({}, {"max_token_length": 50}, "it is too long (too_long)"),
        ({"format": "opaque"}, {"sender_constrained": True}, "bound to nothing"),
        ({"alg": "RS256"}, {"strategy": "jwks", "algorithms": ("ES256",)}, "algorithm is not allowed"),
    ],
)
async def test_a_refusal(minted: dict[str, Any], changes: dict[str, Any], word: str, mock_as_server: MockAS) -> None:
    """Each reason has words of its own, and a mend."""
    token = mock_as_server.token(**minted).value
    found = of(await examined(mock_as_server, token=token, **changes), "token")
    assert found.verdict == "failed"
    assert word in found.says


async def test_a_token_that_we_may_not_see(mock_as_server: MockAS) -> None:
    """A no about a token whose signature and times are good is told as that."""
    token = mock_as_server.token(active=False).value
    found = first_red(await examined(mock_as_server, token=token))
    assert "though its signature and its times are good" in found.says
    assert "this client may not see it" in (found.mend or "")


async def test_a_token_that_was_cut_off(mock_as_server: MockAS) -> None:
    """What begins like a JWT and does not end like one was not copied as a whole."""
    token = mock_as_server.token().value.rpartition(".")[0]
    found = first_red(await examined(mock_as_server, token=token))
    assert "its end is missing (inactive)" in found.says
    assert found.mend == "look whether all of it was copied"


async def test_an_unknown_token_of_another_sort(mock_as_server: MockAS) -> None:
    """Characters that no token has are told as malformed."""
    found = first_red(await examined(mock_as_server, token="{}"))
    assert "(malformed)" in found.says


@pytest.mark.parametrize("status", [401, 503])
async def test_nobody_can_tell(status: int, mock_as_server: MockAS) -> None:
    """An outage about one token, whatever it is answered with, is no bad token."""
    mock_as_server.fault("introspect", 503, after=1)
    token = mock_as_server.token(format="opaque").value
    report = await examined(mock_as_server, token=token, unavailable_status=status)
    assert first_red(report).check == "token"
    assert "could not be verified" in first_red(report).says


async def test_nobody_can_tell_because_of_the_introspection(mock_as_server: MockAS) -> None:
    """Where introspection fails anyway, that is the cause."""
    mock_as_server.fault("introspect", 503)
    token = mock_as_server.token(format="opaque").value
    report = await examined(mock_as_server, token=token, unavailable_status=503)
    assert first_red(report).check == "introspection"
    assert of(report, "token").says == "because introspection failed"


async def test_the_key_is_the_cause(mock_as_server: MockAS) -> None:
    """Where the key is not published, the token is not to blame."""
    token = mock_as_server.token(key="unpublished").value
    report = await examined(mock_as_server, token=token, strategy="jwks")
    assert first_red(report).check == "jwks"
    assert of(report, "token").says == "because jwks failed"


async def test_times_that_only_introspection_knows(mock_as_server: MockAS) -> None:
    """An opaque token from the future tells of the clock as well, once it is introspected."""
    mock_as_server.fault("discovery", headers={"date": "never"})
    mock_as_server.fault("jwks", headers={"date": "never"})
    mock_as_server.fault("introspect", headers={"date": "never"})
    token = mock_as_server.token(format="opaque", iat_in=600, active=True).value
    report = await examined(mock_as_server, token=token)
    assert first_red(report).check == "clock"
    assert "by the token" in first_red(report).says
    assert of(report, "token").says == "because clock failed"


async def test_an_answer_that_says_nothing_of_the_token(mock_as_server: MockAS) -> None:
    """What cannot be read says nothing of an opaque token's times."""
    mock_as_server.fault("introspect", 200, body="<html>")
    report = await examined(mock_as_server, token=mock_as_server.token(format="opaque").value)
    assert first_red(report).check == "introspection"


@pytest.mark.parametrize(("skew", "leeway", "verdict"), [(10, 0, "warning"), (10, 30, "ok"), (90, 0, "failed")])
async def test_how_wrong_a_clock_may_be(skew: int, leeway: float, verdict: str, mock_as_server: MockAS) -> None:
    """A few seconds are a warning, unless the leeway covers them."""
    clock = Clock(wall=lambda: time.time() + skew)
    report = await examined(mock_as_server, clock=clock, leeway=leeway)
    assert of(report, "clock").verdict == verdict
