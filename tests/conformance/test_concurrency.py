"""Many requests at once: each is answered for its own token, and the authorization server is asked once for each."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest

from mock_as import MockAS, Token
from tests.support.answer import Answer
from tests.support.api import API
from tests.support.promises import assert_refused

pytestmark = pytest.mark.anyio

USERS = 60
REQUESTS = 1200


@pytest.mark.attack("A-C-2", "A-F-11")
@pytest.mark.parametrize("token_format", ["jwt", "opaque"])
async def test_interleaved(token_format: Any, mock_as: MockAS) -> None:
    """Good and revoked tokens of many users, interleaved, with a cache that is too small: no answer is mixed up."""
    api = API(mock_as, cache_size=USERS // 2, negative_cache_size=5)
    tokens: dict[str, Token] = {}
    for number in range(USERS):
        user = f"user-{number}"
        tokens[user] = mock_as.token(sub=user, scope="read", format=token_format)
        if number % 5 == 0:
            mock_as.revoke(tokens[user])
    users = random.Random(6750).choices(sorted(tokens), k=REQUESTS)  # noqa: S311 - an order, the same in every run
    answers = await asyncio.gather(*[api.send(token=tokens[user]) for user in users])
    for user, answer in zip(users, answers, strict=True):
        if int(user.removeprefix("user-")) % 5 == 0:
            assert_refused(answer, 401, "invalid_token")
        else:
            assert (answer.status, answer.json()["subject"]) == (200, user)


@pytest.mark.attack("A-C-12", "A-C-5")
async def test_failure_is_shared_once(api: API, mock_as: MockAS) -> None:
    """When the one question that many wait for fails, all of them learn it, and the next one asks again."""
    token = mock_as.token(format="opaque")
    mock_as.fault("introspect", status=500, times=1)
    with mock_as.hold("introspect") as gate:
        requests = [asyncio.ensure_future(api.send(token=token)) for _ in range(50)]
        await gate.arrived(1)
        gate.release()
        answers = await asyncio.gather(*requests)
    for answer in answers:
        assert_refused(answer, 401, "invalid_token")
    assert api.introspections == 1
    assert (await api.send(token=token)).status == 200
    assert api.introspections == 2


@pytest.mark.attack("A-C-12")
@pytest.mark.parametrize("gone", [1, 49, 50], ids=["the first", "all but one", "all"])
async def test_cancelled_callers(gone: int, api: API, mock_as: MockAS) -> None:
    """A client that hangs up takes nobody with it, not even when it was its request that asked."""
    token = mock_as.token(format="opaque")
    with mock_as.hold("introspect") as gate:
        requests = [asyncio.ensure_future(api.send(token=token)) for _ in range(50)]
        await gate.arrived(1)
        for request in requests[:gone]:
            request.cancel()
        await asyncio.sleep(0)
        gate.release()
        outcomes = await asyncio.gather(*requests, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes[:gone]] == [asyncio.CancelledError] * gone
    assert {outcome.status for outcome in outcomes[gone:] if isinstance(outcome, Answer)} <= {200}
    assert (await api.send(token=token)).status == 200
    assert api.introspections == 1


@pytest.mark.attack("A-C-5")
@pytest.mark.parametrize("fault", [500, 503, 429, "invalid_client", "not_json", "active_string", "timeout"])
async def test_recovery_is_immediate(fault: Any, api: API, mock_as: MockAS) -> None:
    """No failure to ask is remembered as a no: the first request after the recovery is let in."""
    token = mock_as.token(format="opaque")
    mock_as.fault("introspect", fault, times=3)
    for _ in range(3):
        assert_refused(await api.send(token=token), 401, "invalid_token")
    assert (await api.send(token=token)).status == 200


@pytest.mark.rfc("7662-2.2-j")
@pytest.mark.attack("A-C-1")
async def test_servers_share_nothing(mock_as: MockAS) -> None:
    """RFC 7662 §2.2: an answer may depend on who asks, so two resource servers in one process share no answer."""
    permitted, denied = API(mock_as), API(mock_as, client_id="rs.denied", client_secret="rs.denied-secret")
    token = mock_as.token()
    for _ in range(2):
        assert (await permitted.send(token=token)).status == 200
        assert_refused(await denied.send(token=token), 401, "invalid_token")
    assert mock_as.requests("introspect").count == 2
