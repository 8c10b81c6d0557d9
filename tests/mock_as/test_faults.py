"""The ways in which an answer can be spoilt: each is the one its name says."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from mock_as import Clock, MockAS
from mock_as.faults import ACTIONS, NETWORK
from mock_as.journal import ENDPOINTS
from tests.mock_as.conftest import Post

pytestmark = pytest.mark.anyio

NOW = 1_700_000_000
INTROSPECTION_ONLY = {name for name, action in ACTIONS.items() if action.endpoints == frozenset({"introspect"})}


@pytest.fixture
def mock() -> MockAS:
    """Make a mock whose clock stands still."""
    return MockAS(clock=Clock(lambda: NOW))


def says(**members: Any) -> Callable[[httpx.Response], bool]:
    """Say that the answer is 200, has these members, and for the rest is that of an active token."""

    def check(response: httpx.Response) -> bool:
        document = response.json()
        changed = {name: document[name] for name in members}
        types = {name: type(value) for name, value in changed.items()}
        wanted = {name: type(value) for name, value in members.items()}
        return response.status_code == 200 and (changed, types) == (members, wanted) and document["sub"] == "alice"

    return check


def lacks(name: str) -> Callable[[httpx.Response], bool]:
    """Say that the answer is 200 and lacks a member, and for the rest is that of an active token."""
    return lambda response: (
        response.status_code == 200 and name not in response.json() and response.json()["sub"] == "alice"
    )


def error(status: int, code: str) -> Callable[[httpx.Response], bool]:
    """Say that the answer is an error of OAuth."""
    return lambda response: (response.status_code, response.json()["error"]) == (status, code)


def is_nested(response: httpx.Response) -> bool:
    """Tell whether the answer is JSON too deep for a reader that recurses."""
    try:
        response.json()
    except RecursionError:
        return response.content.endswith(b"]}")
    return False


def pairs(response: httpx.Response) -> list[tuple[str, Any]]:
    """Read the members of an answer in order, those that are there twice included."""
    found: list[tuple[str, Any]] = json.loads(response.content, object_pairs_hook=list)
    return found


def written(action: str) -> str:
    """Write an action as it is asked for; the status needs its number."""
    return "status(503)" if action == "status" else action


SPOILT: dict[str, Callable[[httpx.Response], bool]] = {
    "status": error(503, "server_error"),
    "redirect": lambda response: (
        (response.status_code, response.headers["location"]) == (302, "https://as.example.test/elsewhere")
    ),
    "html_error": lambda response: (
        (response.status_code, response.headers["content-type"]) == (502, "text/html; charset=utf-8")
    ),
    "malformed": lambda response: (response.status_code, response.content) == (200, b"not JSON"),
    "not_json": lambda response: (response.status_code, response.content) == (200, b"not JSON"),
    "json_array": lambda response: [document["active"] for document in response.json()] == [True],
    "empty_body": lambda response: (response.status_code, response.content) == (200, b""),
    "wrong_content_type": lambda response: (
        response.headers["content-type"] == "text/plain; charset=utf-8" and response.json()["active"] is True
    ),
    "bom": lambda response: json.loads(response.content.removeprefix(b"\xef\xbb\xbf"))["active"] is True,
    "utf16": lambda response: json.loads(response.content.decode("utf-16"))["active"] is True,
    "duplicate_keys": lambda response: [value for name, value in pairs(response) if name == "active"] == [True, False],
    "deep_json": is_nested,
    "gzip_bomb": lambda response: len(response.content) > 2**25 and response.json()["active"] is True,
    "invalid_client": error(401, "invalid_client"),
    "forbidden": error(403, "access_denied"),
    "unsupported_token_type": error(400, "unsupported_token_type"),
    "inactive": lambda response: response.json() == {"active": False},
    "active_string": says(active="true"),
    "active_int": says(active=1),
    "active_null": says(active=None),
    "active_missing": lacks("active"),
    "exp_past": says(exp=NOW - 3600),
    "exp_string": says(exp=str(NOW + 3600)),
    "iss_other": says(iss="https://other-as.example.test"),
    "aud_other": says(aud="https://other-api.example.test"),
    "aud_missing": lacks("aud"),
}


@pytest.mark.parametrize("action", SPOILT)
async def test_answer_is_spoilt_in_one_way(mock: MockAS, introspect: Post, action: str) -> None:
    """Each action spoils the answer about an active token in its own way, and only until it is cleared."""
    token = mock.token(sub="alice")
    mock.fault("introspect", written(action))
    assert SPOILT[action](await introspect(token))
    mock.clear_faults()
    assert (await introspect(token)).json()["active"] is True


def test_every_action_is_tested_here() -> None:
    """No action is without a test of what it does."""
    assert set(SPOILT) == set(ACTIONS)


@pytest.mark.parametrize(("action", "expected"), [("active_string", "false"), ("active_int", 0)])
async def test_type_is_spoilt_and_not_the_truth(mock: MockAS, introspect: Post, action: str, expected: object) -> None:
    """An inactive token stays inactive in the wrong type: the text "false" is true to a careless reader."""
    mock.fault("introspect", action)
    assert (await introspect("unknown")).json() == {"active": expected}


@pytest.mark.parametrize("endpoint", sorted(ENDPOINTS))
@pytest.mark.parametrize("action", sorted(set(ACTIONS) - INTROSPECTION_ONLY))
async def test_general_actions_spoil_every_endpoint(
    mock: MockAS, client: httpx.AsyncClient, endpoint: str, action: str
) -> None:
    """An action that is not about introspection spoils whatever any of its endpoints answers, errors included."""
    if endpoint not in ACTIONS[action].endpoints:
        with pytest.raises(ValueError, match=f"not for {endpoint}"):
            mock.fault(endpoint, action)
        return
    path = "/.well-known/oauth-authorization-server" if endpoint == "discovery" else f"/{endpoint}"
    honest = await client.get(path)
    mock.fault(endpoint, written(action), times=1)
    spoilt = await client.get(path)
    assert (spoilt.status_code, spoilt.headers, spoilt.content) != (honest.status_code, honest.headers, honest.content)
    assert (await client.get(path)).content == honest.content


@pytest.mark.parametrize("action", sorted(INTROSPECTION_ONLY))
async def test_meaning_is_spoilt_also_in_an_error(mock: MockAS, client: httpx.AsyncClient, action: str) -> None:
    """What an answer means can be spoilt even where it is an error."""
    mock.fault("introspect", action)
    response = await client.post("/introspect", data={"token": "x"})
    assert isinstance(response.json(), dict)


async def test_bomb_is_small_on_the_wire(mock: MockAS) -> None:
    """A bomb is a thousand times larger when it has gone off, and ends with the honest answer."""
    mock.fault("jwks", "gzip_bomb")
    async with (
        httpx.AsyncClient(transport=mock.transport(), base_url=mock.issuer) as client,
        client.stream("GET", "/jwks") as response,
    ):
        raw = b"".join([chunk async for chunk in response.aiter_raw()])
    assert response.headers["content-encoding"] == "gzip"
    assert len(raw) * 500 < len(gzip.decompress(raw))
    assert json.loads(gzip.decompress(raw)) == mock.keys.jwks()


@pytest.mark.parametrize(("action", "exception"), NETWORK.items())
async def test_network_fails_at_once_in_this_process(
    mock: MockAS, introspect: Post, action: str, exception: str
) -> None:
    """Without a socket, a fault of the network is httpx's own exception: nobody waits for a timeout."""
    mock.fault("introspect", action, times=1)
    with pytest.raises(httpx.TransportError) as caught:
        await introspect("x")
    assert type(caught.value).__name__ == exception
    assert caught.value.request.url.path == "/introspect"
    assert action in str(caught.value)
    assert (await introspect("x")).status_code == 200
