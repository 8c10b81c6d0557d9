"""What breaks at three in the morning: the first red line is the cause, and what follows from it is no red line."""

from __future__ import annotations

import time

import pytest

from mock_as import MockAS
from resource_server import Clock, Settings
from tests.support.examined import examined, first_red, of, options, report_on, verdicts
from tests.support.valkey import free_port

pytestmark = pytest.mark.anyio


async def test_a_server_that_is_stopped() -> None:
    """An authorization server that is not there fails discovery, and everything else waits for that."""
    mock = MockAS()
    with mock.serve():
        token = mock.token().value
        said = options(mock)
    report = await examined(mock, token=token, **said)
    found = first_red(report)
    assert found.check == "discovery"
    assert "nobody listens at 127.0.0.1" in found.says
    assert [one.says for one in report.findings if one.check in {"tls", "clock", "jwks", "introspection", "token"}] == [
        "because discovery failed"
    ] * 5
    assert report.verdict == "failed"


async def test_keys_that_were_rotated_away(mock_as_server: MockAS) -> None:
    """A token whose key is not published any more makes the key set the cause, which names both."""
    token = mock_as_server.token(sub="alice")
    old = mock_as_server.keys.signing().kid
    mock_as_server.keys.rotate(overlap=False)
    report = await examined(mock_as_server, token=token.value)
    found = first_red(report)
    assert found.check == "jwks"
    assert old in found.says
    assert mock_as_server.keys.signing().kid in found.says


async def test_a_wrong_secret(mock_as_server: MockAS) -> None:
    """Credentials that are refused are the introspection endpoint's failure, and nothing else is broken."""
    token = mock_as_server.token().value
    report = await examined(mock_as_server, token=token, client_secret="not-the-secret")
    assert first_red(report).check == "introspection"
    assert "client_secret_basic" in first_red(report).says
    assert [found.check for found in report.findings if found.verdict == "failed"] == ["introspection"]
    assert of(report, "token").says == "because introspection failed"


@pytest.mark.parametrize(("skew", "direction"), [(-600.0, "ahead of"), (600.0, "behind")])
async def test_a_clock_that_is_wrong(skew: float, direction: str, mock_as_server: MockAS) -> None:
    """A clock that is ten minutes off is told by the dates of the answers, and a token is not blamed for it."""
    clock = Clock(wall=lambda: time.time() + skew)
    token = mock_as_server.token(nbf_in=0 if skew < 0 else -4000, expires_in=3600 if skew < 0 else 10).value
    report = await examined(mock_as_server, token=token, clock=clock, strategy="jwks")
    found = first_red(report)
    assert found.check == "clock"
    assert f"{direction} ours" in found.says
    assert "9 min 59 s" in found.says or "10 min" in found.says
    assert of(report, "token").verdict == "skipped"


async def test_a_store_that_is_cut_off(mock_as_server: MockAS) -> None:
    """A store that is not there is the only thing that is broken."""
    report = await examined(mock_as_server, cache_url=f"redis://127.0.0.1:{free_port()}/0")
    assert [found.check for found in report.findings if found.verdict == "failed"] == ["store"]
    assert "(connect)" in first_red(report).says


async def test_a_healthy_one(mock_as_server: MockAS) -> None:
    """Where nothing is wrong nothing is red, and four questions are enough: the rest of the time is Python's."""
    report = await examined(mock_as_server, token=mock_as_server.token(sub="alice", scope="read").value)
    assert mock_as_server.requests().count == 4
    assert report.verdict == "ok"
    assert verdicts(report) == {
        "configuration": "ok",
        "discovery": "ok",
        "tls": "skipped",
        "clock": "ok",
        "jwks": "ok",
        "introspection": "ok",
        "token": "ok",
        "store": "skipped",
        "proxy": "skipped",
    }
    assert of(report, "token").says == "accepted (introspected): subject alice, scopes read"


async def test_a_configuration_that_is_not_acceptable() -> None:
    """Options that are not acceptable are the cause of everything; a secret among them is not shown."""
    report = await report_on(lambda: Settings.build(issuer="ftp://as", client_id="rs", client_secret="s3cr3t-value"))
    assert first_red(report).check == "configuration"
    assert "ftp://as" in first_red(report).says
    assert set(verdicts(report).values()) == {"failed", "skipped"}
