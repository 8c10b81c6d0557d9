"""Thirteen probes on which the field's libraries differ, each as a user of this one would meet it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from mock_as import MockAS
from resource_server.events import (
    AuthorizationServerUnavailable,
    ConfigurationFault,
    RequestRefused,
    RequestUnverifiable,
)
from tests.support.api import API
from tests.support.promises import assert_refused, assert_unavailable

pytestmark = pytest.mark.anyio


def kinds(api: API) -> set[type]:
    """Return the kinds of events that happened."""
    return {type(event) for event in api.events}


async def test_no_token(api: API) -> None:
    """RFC 6750 §3.1: without a token it is a 401 with a Bearer challenge that has a parameter, and no error code."""
    assert_refused(await api.send(), 401, scope="read")
    assert api.asked == 0


@pytest.mark.parametrize("token_format", ["jwt", "opaque"])
async def test_expired(token_format: Any, api: API, mock_as: MockAS) -> None:
    """RFC 7662 §2.2: a token whose `exp` is past is refused, also where introspection still calls it active."""
    mock_as.fault("introspect", "exp_past")
    assert_refused(await api.send(token=mock_as.token(format=token_format)), 401, "invalid_token")
    mock_as.clear_faults()
    expired = mock_as.token(defect="expired", format=token_format)
    assert_refused(await api.send(token=expired), 401, "invalid_token")
    assert api.entered.total() == 0


@pytest.mark.parametrize("action", ["active_string", "active_int", "active_null"])
async def test_active_is_no_boolean(action: str, api: API, mock_as: MockAS) -> None:
    """RFC 7662 §2.2: only the JSON literal `true` is a yes; another kind of answer is none, and not a no either."""
    token = mock_as.token(format="opaque")
    mock_as.fault("introspect", action, times=1)
    assert_refused(await api.send(token=token), 401, "invalid_token")
    assert RequestUnverifiable in kinds(api)
    assert (await api.send(token=token)).status == 200


async def test_active_is_missing(api: API, mock_as: MockAS) -> None:
    """RFC 7662 §2.2: `active` is required; an answer without it is neither a 500 nor a yes."""
    token = mock_as.token(format="opaque")
    mock_as.fault("introspect", "active_missing", times=1)
    assert_refused(await api.send(token=token), 401, "invalid_token")
    assert (await api.send(token=token)).status == 200


@pytest.mark.parametrize("claims", [{"nbf": 60}, {"iat": 3600}])
async def test_not_yet_valid(claims: dict[str, float], api: API, mock_as: MockAS) -> None:
    """RFC 7662 §2.2: a token that is active and not valid yet is refused until it is."""
    token = mock_as.token(format="opaque")
    moments = {name: mock_as.clock.now() + seconds for name, seconds in claims.items()}
    answer = {"active": True, "aud": mock_as.options.audience, "scope": "read", **moments}
    mock_as.fault("introspect", body=answer)
    assert_refused(await api.send(token=token), 401, "invalid_token")
    mock_as.clock.advance(3601)
    assert (await api.send(token=token)).status == 200


async def test_insufficient_scope(api: API, mock_as: MockAS) -> None:
    """RFC 6750 §3.1: a 403 has a challenge, `insufficient_scope`, and the whole scope the route needs."""
    refused = await api.send(path="/both", token=mock_as.token(scope="read"))
    assert_refused(refused, 403, "insufficient_scope", scope="read write")
    assert api.entered.total() == 0


FAULTS = [
    pytest.param({"status": 500}, AuthorizationServerUnavailable, id="500"),
    pytest.param({"action": "not_json"}, AuthorizationServerUnavailable, id="garbage"),
    pytest.param({"action": "html_error"}, AuthorizationServerUnavailable, id="HTML"),
    pytest.param({"action": "refused"}, AuthorizationServerUnavailable, id="connection refused"),
    pytest.param({"action": "timeout"}, AuthorizationServerUnavailable, id="timeout"),
    pytest.param({"action": "invalid_client"}, ConfigurationFault, id="our credentials refused"),
    pytest.param({"action": "forbidden"}, ConfigurationFault, id="we are forbidden"),
]


@pytest.mark.parametrize(("fault", "event"), FAULTS)
async def test_outage(fault: dict[str, Any], event: type, api: API, mock_as: MockAS) -> None:
    """A fault of the authorization server's or our own is told as such, not as a bad token, and not remembered."""
    token = mock_as.token(format="opaque")
    mock_as.fault("introspect", **fault, times=1)
    assert_refused(await api.send(token=token), 401, "invalid_token")
    assert event in kinds(api)
    assert RequestUnverifiable in kinds(api)
    assert RequestRefused not in kinds(api)
    assert (await api.send(token=token)).status == 200


@pytest.mark.parametrize(("fault", "event"), FAULTS)
async def test_outage_as_503(fault: dict[str, Any], event: type, mock_as: MockAS) -> None:
    """Where an outage is to be a 503 it is one, with Retry-After and without a challenge: clients keep their tokens."""
    api = API(mock_as, unavailable_status=503)
    mock_as.fault("introspect", **fault, times=1)
    assert_unavailable(await api.send(token=mock_as.token(format="opaque")))
    assert event in kinds(api)


async def test_retry_after(mock_as: MockAS) -> None:
    """RFC 9110 §10.2.3: the time that the authorization server asks for is passed on."""
    api = API(mock_as, unavailable_status=503)
    mock_as.fault("introspect", status=503, retry_after=7, times=1)
    assert_unavailable(await api.send(token=mock_as.token(format="opaque")), 7)


@pytest.mark.attack("A-C-12")
async def test_fifty_at_once(api: API, mock_as: MockAS) -> None:
    """Fifty requests with one token that nobody has seen yet cause one introspection."""
    token = mock_as.token(format="opaque")
    with mock_as.hold("introspect") as gate:
        requests = [asyncio.ensure_future(api.send(token=token)) for _ in range(50)]
        await gate.arrived(1)
        gate.release()
        answers = await asyncio.gather(*requests)
    assert [answer.status for answer in answers] == [200] * 50
    assert api.introspections == 1


async def test_the_same_bad_token(api: API, mock_as: MockAS) -> None:
    """The same bad token ten times is one introspection, and ten refusals."""
    token = mock_as.token(format="opaque", known=False)
    for _ in range(10):
        assert_refused(await api.send(token=token), 401, "invalid_token")
    assert api.introspections == 1


@pytest.mark.parametrize("strategy", ["jwks", "introspect_then_jwks"])
async def test_unknown_key_ids(strategy: str, mock_as: MockAS) -> None:
    """A flood of invented key ids is not passed on to the authorization server as a flood of fetches."""
    api = API(mock_as, strategy=strategy)
    tokens = [mock_as.token(header={"kid": f"invented-{number}"}, known=False) for number in range(50)]
    for token in tokens[:25]:
        assert_refused(await api.send(token=token), 401, "invalid_token")
    answers = await asyncio.gather(*[api.send(token=token) for token in tokens[25:]])
    assert {answer.status for answer in answers} == {401}
    assert mock_as.requests("jwks").count <= 2


async def test_rotated_key(mock_as: MockAS) -> None:
    """A token of a key that was published a moment ago is accepted at its first use, also after a second rotation."""
    api = API(mock_as, strategy="jwks")
    assert (await api.send(token=mock_as.token())).status == 200
    for _ in range(2):
        mock_as.keys.rotate()
        tokens = [mock_as.token() for _ in range(20)]
        answers = await asyncio.gather(*[api.send(token=token) for token in tokens])
        assert {answer.status for answer in answers} == {200}
    mock_as.keys.rotate(overlap=False)
    assert (await api.send(token=mock_as.token())).status == 200
    assert_refused(await api.send(token=mock_as.token(key="previous")), 401, "invalid_token")


@pytest.mark.attack("A-F-1")
@pytest.mark.parametrize(
    "body", [b"{", b"\xff\xfe", b'{"n": "x"}', b"[" * 50_000], ids=["cut", "latin", "type", "deep"]
)
async def test_malformed_body(body: bytes, api: API, mock_as: MockAS) -> None:
    """A body is not looked at before the token: malformed JSON without one is a 401, and tells nothing of the route."""
    sent: dict[str, Any] = {"body": body, "content_type": "application/json"}
    for _ in range(2):
        refused = await api.send("POST", **sent)
        assert_refused(refused, 401, scope="read")
        assert refused.reads == 0
        assert (await api.send("POST", token=mock_as.token(), **sent)).status in {400, 422}
    assert api.entered.total() == 0


async def test_warm_hit(api: API, mock_as: MockAS) -> None:
    """A token that is known costs the authorization server nothing."""
    token = mock_as.token()
    assert (await api.send(token=token)).status == 200
    asked = api.asked
    assert {(await api.send(token=token)).status for _ in range(50)} == {200}
    assert api.asked == asked
