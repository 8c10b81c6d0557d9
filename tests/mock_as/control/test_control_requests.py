"""The journal over HTTP: shown without a secret, waited for, and followed as it grows.

References: WHATWG HTML section 9.2 (server-sent events)
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from mock_as import MockAS
from mock_as.control.requests import RequestFilter, stream
from mock_as.remote.requests import ASKABLE
from tests.mock_as.conftest import Post
from tests.mock_as.reading import problem

pytestmark = pytest.mark.anyio


async def test_request_and_answer_are_shown(mock: MockAS, client: httpx.AsyncClient, introspect: Post) -> None:
    """An entry has the request, the answer, the time that it took, and a number to go on from."""
    token = mock.token("alice")
    await introspect(token)
    await client.get("/authorize", params={"client_id": "web", "state": "secret-state"})
    [first, second] = (await client.get("/_mock/requests")).json()["requests"]
    assert (first["number"], first["endpoint"], first["status"], first["fault"]) == (1, "introspect", 200, None)
    assert first["answer"]["sub"] == "alice"
    assert first["duration"] >= 0
    assert (second["number"], second["query"]) == (2, {"client_id": "web", "state": "***"})
    since = (await client.get("/_mock/requests", params={"since": 1})).json()
    assert [entry["number"] for entry in since["requests"]] == [2]


async def test_numbers_never_start_anew(mock: MockAS, client: httpx.AsyncClient) -> None:
    """Forgetting requests, or resetting everything, does not give a number a second time."""
    await client.get("/jwks")
    await client.delete("/_mock/requests", params={"endpoint": "jwks"})
    await client.get("/jwks")
    mock.reset()
    await client.get("/jwks")
    assert [entry.number for entry in mock.requests()] == [3]


async def test_forgetting_some(mock: MockAS, client: httpx.AsyncClient, introspect: Post) -> None:
    """Only the requests that were meant are forgotten."""
    await client.get("/jwks")
    await introspect("x")
    await client.delete("/_mock/requests", params={"endpoint": "jwks"})
    assert [entry.endpoint for entry in mock.requests()] == ["introspect"]


# ------------------------------------------------------------------------------------------------------------ waiting


def test_client_knows_what_can_be_asked() -> None:
    """What the client sends as itself is what the control plane takes so; all else is a parameter of the request."""
    assert set(RequestFilter.model_fields) - {"parameter"} == ASKABLE


async def test_waiting(client: httpx.AsyncClient, introspect: Post) -> None:
    """The answer comes when there are as many requests, whether they were there before or not."""
    await introspect("x")
    query = {"endpoint": "introspect", "count": "2"}
    waiting = asyncio.create_task(client.get("/_mock/requests/wait", params=query))
    await asyncio.sleep(0)
    await introspect("x")
    assert (await waiting).json() == {"count": 2}
    assert (await client.get("/_mock/requests/wait", params=query)).json() == {"count": 2}


async def test_waiting_in_vain(client: httpx.AsyncClient, introspect: Post) -> None:
    """Where too few come, the answer says how many did."""
    await introspect("x")
    query = {"endpoint": "introspect", "count": "2", "timeout": "0.01"}
    answer = await client.get("/_mock/requests/wait", params=query)
    assert (answer.status_code, problem(answer)["count"]) == (408, 1)
    assert problem(answer)["detail"] == "1 of 2 requests came within 0.01 s."


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"timeout": "61"}, "timeout"),
        ({"timeout": "nan"}, "timeout"),
        ({"count": "-1"}, "count"),
        ({"endpoint": "x"}, "endpoint"),
        ({"conut": "1"}, "conut"),
    ],
)
async def test_waiting_for_nonsense(client: httpx.AsyncClient, query: dict[str, str], field: str) -> None:
    """What cannot be waited for is refused at once."""
    answer = await client.get("/_mock/requests/wait", params=query)
    assert answer.status_code == 422
    assert [error["field"] for error in problem(answer)["errors"]] == [field]


# ----------------------------------------------------------------------------------------------------------- following


def read_event(text: str) -> tuple[int, dict[str, Any]]:
    """Read an event into its id and its data."""
    fields = dict(line.split(": ", 1) for line in text.strip().splitlines())
    assert fields["event"] == "request"
    return int(fields["id"]), json.loads(fields["data"])


async def next_event(events: AsyncGenerator[bytes]) -> tuple[int, dict[str, Any]]:
    """Return the next event of a stream."""
    return read_event((await anext(events)).decode())


async def test_following(mock: MockAS, client: httpx.AsyncClient) -> None:
    """Requests come in the order in which they were sent, from the one after the last that was seen."""
    await client.get("/jwks")
    await client.post("/jwks")
    events = stream(mock, 1)
    assert (await anext(events)) == b"retry: 1000\n\n"
    number, shown = await next_event(events)
    assert (number, shown["method"], shown["number"]) == (2, "POST", 2)
    waiting = asyncio.create_task(next_event(events))
    await asyncio.sleep(0)
    await client.get("/jwks")
    assert (await waiting)[0] == 3
    await events.aclose()


async def test_following_ends_with_the_server(mock: MockAS) -> None:
    """Nobody who follows the journal keeps the server from stopping."""
    events = stream(mock, 0)
    await anext(events)
    waiting = asyncio.create_task(anext(events, None))
    await asyncio.sleep(0)
    mock.release()
    assert await waiting is None
    assert mock.journal._watchers == ()


@pytest.fixture
def served() -> Iterator[tuple[MockAS, str]]:
    """Serve a mock."""
    mock = MockAS(issuer="auto")
    with mock.serve() as url:
        yield mock, url


def events_of(response: httpx.Response) -> Iterator[int]:
    """Return the numbers of the requests as they come."""
    lines = response.iter_lines()
    return (int(line.removeprefix("id: ")) for line in lines if line.startswith("id: "))


def test_events_over_a_socket(served: tuple[MockAS, str]) -> None:
    """A client gets the requests as they come, and after a break those that it has missed."""
    mock, url = served
    with httpx.Client(trust_env=False) as client:
        client.get(f"{url}/jwks")
        with client.stream("GET", f"{url}/_mock/events") as response:
            assert response.headers["content-type"].partition(";")[0] == "text/event-stream"
            assert response.headers["cache-control"] == "no-store"
            httpx.get(f"{url}/jwks")
            assert next(events_of(response)) == 2
        client.get(f"{url}/jwks")
        headers = {"Last-Event-ID": "1"}
        with client.stream("GET", f"{url}/_mock/events", headers=headers) as response:
            found = events_of(response)
            assert [next(found), next(found)] == [2, 3]
        with client.stream("GET", f"{url}/_mock/events", params={"since": "0"}) as response:
            assert next(events_of(response)) == 1
    mock.assert_called("jwks", times=3)


def test_end_of_the_server_ends_the_events(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who follows the journal sees the end of the server as the end of the stream."""
    # On a machine with much else to do it takes longer than anybody would want to wait.
    monkeypatch.setattr("mock_as.server._GRACE", 60)
    mock = MockAS(issuer="auto")
    with ThreadPoolExecutor(1) as pool, httpx.Client(trust_env=False) as client:
        with mock.serve() as url:
            response = client.send(client.build_request("GET", f"{url}/_mock/events"), stream=True)
            lines = response.iter_lines()
            assert next(lines) == "retry: 1000"
            rest = pool.submit(list, lines)
        assert rest.result(60) in ([], [""])
        response.close()


@pytest.mark.parametrize(("name", "value"), [("since", "x"), ("Last-Event-ID", "x")])
async def test_following_from_nowhere(client: httpx.AsyncClient, name: str, value: str) -> None:
    """A number that is none is refused."""
    place = {"params": {name: value}} if name == "since" else {"headers": {name: value}}
    answer = await client.get("/_mock/events", **place)  # type: ignore[arg-type] # one of the two
    assert answer.status_code == 422
    assert [error["field"] for error in problem(answer)["errors"]] == [name.lower()]
