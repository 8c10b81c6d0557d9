"""The journal: what came in, what became of it, and no secret."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import httpx
import pytest

from mock_as import MockAS, UsageError, journal
from mock_as.journal import SIZE
from tests.mock_as.conftest import Post

pytestmark = pytest.mark.anyio


@pytest.mark.rfc("as-6")
async def test_request_is_written_down(mock: MockAS, introspect: Post) -> None:
    """An entry says what was asked, by whom, and what was answered."""
    token = mock.token()
    await introspect(token, token_type_hint="access_token")
    entry = mock.requests("introspect").last
    assert (entry.endpoint, entry.method, entry.path) == ("introspect", "POST", "/introspect")
    assert (entry.client_id, entry.status, entry.fault) == ("rs", 200, None)
    assert entry.form.pairs == (("token", token.value), ("token_type_hint", "access_token"))
    assert entry.form["token_type_hint"] == "access_token"
    assert 0 <= entry.duration < 5
    assert entry.at == pytest.approx(mock.clock.now(), abs=60)


async def test_credentials_are_not_written_down(mock: MockAS, client: httpx.AsyncClient, introspect: Post) -> None:
    """Header fields are kept in order, but for the credentials; printing an entry shows neither token nor secret."""
    token = mock.token()
    await introspect(token)
    await client.post("/introspect", data={"token": token.value}, headers={"Authorization": "secretwithoutscheme"})
    form = {"client_id": "svc.post", "client_secret": "svc.post-secret", "grant_type": "client_credentials"}
    await client.post("/token", data=form)
    fields = [dict(entry.headers).get("authorization") for entry in mock.requests()]
    assert fields == ["Basic ***", "***", None]
    shown = repr(mock.requests()) + repr(list(mock.requests()))
    assert "svc.post-secret" not in shown
    assert "secretwithoutscheme" not in shown
    assert token.value not in shown
    assert dict(mock.requests().last.headers)["content-type"] == "application/x-www-form-urlencoded"


async def test_client_is_the_one_that_is_claimed(mock: MockAS, client: httpx.AsyncClient) -> None:
    """Who the client says it is stands in the journal even where it could not prove it."""
    await client.post("/introspect", data={"token": "x"}, auth=("rs", "wrong"))
    await client.post("/introspect", data={"token": "x", "client_id": "somebody"})
    await client.get("/jwks")
    assert [(entry.client_id, entry.status) for entry in mock.requests()] == [
        ("rs", 401),
        ("somebody", 401),
        (None, 200),
    ]


async def test_faults_are_written_down(mock: MockAS, introspect: Post) -> None:
    """An entry names the fault that was applied; where the network failed there was no status."""
    mock.fault("introspect", 503, times=1)
    mock.fault("introspect", "timeout", times=1)
    await introspect("x")
    with pytest.raises(httpx.ReadTimeout):
        await introspect("x")
    assert [(entry.status, entry.fault) for entry in mock.requests("introspect")] == [
        (503, "status(503)"),
        (None, "timeout"),
    ]
    assert repr(mock.requests(fault="timeout")) == (
        "introspect: POST /introspect Form({'token': '***'}) client_id=rs → no answer fault=timeout"
    )


async def test_requests_are_found_by_what_they_were(mock: MockAS, introspect: Post, client: httpx.AsyncClient) -> None:
    """Requests are found by endpoint, by any fact of the entry, by any parameter, and by token however it is named."""
    token = mock.token()
    await introspect(token)
    await introspect("other", "rs.denied", token_type_hint="access_token")
    await client.get("/jwks")
    assert mock.requests().count == mock.requests("*").count == len(mock.requests()) == 3
    assert mock.requests("introspect").count == 2
    assert mock.requests("token").count == 0
    assert mock.requests(client_id="rs.denied").last.form["token"] == "other"
    assert mock.requests("introspect", token=token).count == 1
    assert mock.requests(token=token.value).count == mock.requests(token=token.id).count == 1
    assert mock.requests(token="other", token_type_hint="access_token").count == 1
    assert mock.requests("jwks", method="GET", path="/jwks", status=200, fault=None).count == 1
    assert mock.requests(token_type_hint="refresh_token").count == 0


async def test_view_follows_what_happens(mock: MockAS, client: httpx.AsyncClient) -> None:
    """A view shows the requests there are when it is looked at, and can forget its own."""
    view = mock.requests("jwks")
    assert (view.count, repr(view)) == (0, "no request")
    with pytest.raises(IndexError):
        _ = view.last
    await client.get("/jwks")
    await client.post("/jwks")
    await client.get("/introspect")
    assert [entry.status for entry in view] == [200, 405]
    assert (view[0].method, view.last.method) == ("GET", "POST")
    view.clear()
    assert (view.count, mock.requests().count) == (0, 1)


async def test_control_plane_is_not_in_the_journal(mock: MockAS, client: httpx.AsyncClient) -> None:
    """What the test itself asks of the control plane is not among the requests."""
    await client.get("/_mock/state")
    await client.get("/nowhere")
    assert mock.requests().count == 0


async def test_memory_is_bounded(mock: MockAS, client: httpx.AsyncClient) -> None:
    """The journal holds the last thousand requests."""
    await client.get("/jwks")
    entry = mock.requests("jwks").last
    for _ in range(SIZE):
        mock.journal.add(replace(entry))
    await client.post("/jwks")
    assert mock.requests().count == SIZE == 1000
    assert mock.requests().last.method == "POST"


async def test_long_requests_are_forgotten_earlier(
    mock: MockAS, introspect: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is remembered is bounded in length as well, answers included, and forgetting makes room again."""
    await introspect("x" * 100)
    monkeypatch.setattr(journal, "BYTES", 3 * mock.requests().last.size)
    for _ in range(5):
        await introspect("x" * 100)
    assert mock.requests().count == 3
    mock.requests().clear()
    await introspect("y" * 100)
    await introspect("z" * 100)
    assert [entry.form["token"][0] for entry in mock.requests()] == ["y", "z"]


async def test_long_urls_count(mock: MockAS, client: httpx.AsyncClient) -> None:
    """What stands in a URL is kept like a body, and counts like one."""
    await client.get("/jwks")
    short = mock.requests().last.size
    await client.get("/jwks", params={"x": "y" * 1000})
    assert mock.requests().last.size == short + 1001


async def test_waiting_for_requests(mock: MockAS, client: httpx.AsyncClient) -> None:
    """A test in the same loop waits for requests; where too few come, the error says how many, and which."""
    waiting = asyncio.create_task(mock.requests("jwks").wait_async(2))
    for _ in range(2):
        await asyncio.sleep(0)
        await client.get("/jwks")
    assert (await waiting).count == 2
    with pytest.raises(TimeoutError, match=r"2 of 3 requests came within 0\.01 s\njwks: GET /jwks"):
        await mock.requests("jwks").wait_async(3, timeout=0.01)
    assert mock.journal._watchers == ()


def test_waiting_across_threads(mock: MockAS) -> None:
    """A test in another thread blocks until there are as many, and others in between do not disturb it."""

    async def ask() -> None:
        async with httpx.AsyncClient(transport=mock.transport(), base_url=mock.issuer) as client:
            for path in ("/jwks", "/introspect", "/jwks"):
                await client.get(path)

    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(mock.requests("jwks").wait, 2)
        asyncio.run(ask())
        assert waiting.result(5).count == 2
    with pytest.raises(TimeoutError, match="2 of 3 requests came"):
        mock.requests("jwks").wait(3, timeout=0)


async def test_assert_called(mock: MockAS, client: httpx.AsyncClient) -> None:
    """A test can insist on calls, on their exact number and on none at all; the error shows the journal."""
    mock.assert_called("jwks", times=0)
    with pytest.raises(AssertionError, match="jwks was asked 0 times, not at least once"):
        mock.assert_called("jwks")
    await client.get("/jwks")
    await client.get("/jwks")
    mock.assert_called("jwks")
    mock.assert_called("jwks", times=2)
    with pytest.raises(AssertionError, match="jwks was asked 2 times, not 1 times\njwks: GET /jwks"):
        mock.assert_called("jwks", times=1)


def test_refuses_an_endpoint_there_is_not(mock: MockAS) -> None:
    """An endpoint that does not exist is an error, not an empty answer."""
    with pytest.raises(UsageError, match="did you mean 'introspect'"):
        mock.requests("introspection")
    with pytest.raises(UsageError, match="did you mean 'introspect'"):
        mock.assert_called("introspection")


async def test_an_end_before_the_first_look(mock: MockAS) -> None:
    """Who has begun to follow the journal is let go, however soon after that: a server would wait for them in vain."""
    following = mock.journal.follow(mock.journal.number)
    mock.release()
    assert [entry async for entry in following] == []
