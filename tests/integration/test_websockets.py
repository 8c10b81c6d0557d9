"""WebSockets as a real client opens them: the handshake is refused with a real answer, challenge and all."""

from __future__ import annotations

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from tests.integration.conftest import Live
from tests.support.answer import Answer
from tests.support.fastapi_app import NOBODY, READER
from tests.support.live_api import PREFIXES
from tests.support.promises import assert_refused


def refusal(live: Live, path: str, token: str | None) -> Answer:
    """Try to open a WebSocket, and return what the server answered instead."""
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    with (
        pytest.raises(InvalidStatus) as refused,
        connect(f"ws://127.0.0.1:{live.port}{path}", additional_headers=headers),
    ):
        pass
    response = refused.value.response
    return Answer(response.status_code, tuple(response.headers.raw_items()), bytes(response.body or b""))


@pytest.mark.rfc("9110-11.6.1-a")
@pytest.mark.parametrize("prefix", PREFIXES)
@pytest.mark.parametrize(
    ("token", "expected", "scope"),
    [
        (None, (401, None), "read"),
        ("unknown-canary", (401, "invalid_token"), None),
        (NOBODY, (403, "insufficient_scope"), "read"),
    ],
    ids=["no token", "bad token", "narrow token"],
)
def test_refused(
    prefix: str, token: str | None, expected: tuple[int, str | None], scope: str | None, live: Live
) -> None:
    """RFC 9110 §11.6.1: the handshake gets the answer that any request would get."""
    answer = refusal(live, f"{prefix}/feed", token)
    assert_refused(answer, *expected, scope=scope)
    assert answer.json()["status"] == answer.status


@pytest.mark.parametrize("prefix", PREFIXES)
def test_opened(prefix: str, live: Live) -> None:
    """With a good token the WebSocket opens, and talks."""
    headers = {"Authorization": f"Bearer {READER}"}
    with connect(f"ws://127.0.0.1:{live.port}{prefix}/feed", additional_headers=headers) as feed:
        feed.send("hello")
        assert feed.recv() == "hello"


@pytest.mark.attack("A-R-9")
def test_token_as_a_subprotocol(live: Live) -> None:
    """A token that is smuggled in as a subprotocol is not taken, and not sent back."""
    url = f"ws://127.0.0.1:{live.port}/feed"
    with pytest.raises(InvalidStatus) as refused, connect(url, subprotocols=["bearer", READER]):  # type: ignore[list-item]
        pass
    assert refused.value.response.status_code == 401
    assert "sec-websocket-protocol" not in refused.value.response.headers
