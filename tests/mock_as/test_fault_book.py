"""When faults happen: to which requests, in which order, and how often."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from mock_as import MockAS, UsageError
from tests.mock_as.conftest import Post

pytestmark = pytest.mark.anyio


async def statuses(introspect: Post, *tokens: Any) -> list[int]:
    """Ask about tokens, and return the statuses."""
    return [(await introspect(token)).status_code for token in tokens]


async def test_fault_happens_so_many_times(mock: MockAS, introspect: Post) -> None:
    """A fault with a number happens that often and then no more."""
    fault = mock.fault("introspect", 503, times=2)
    assert await statuses(introspect, "a", "b", "c") == [503, 503, 200]
    assert (fault.applied, fault.exhausted) == (2, True)


async def test_faults_happen_in_the_order_they_were_set(mock: MockAS, introspect: Post) -> None:
    """Of several faults the first set happens until it is used up, then the next."""
    mock.fault("introspect", 503, times=1)
    mock.fault("introspect", status=500, times=1)
    mock.fault("introspect", "status(429)", times=1)
    mock.fault("introspect", "status", status=418)
    assert await statuses(introspect, "a", "b", "c", "d") == [503, 500, 429, 418]


async def test_fault_everywhere(mock: MockAS, client: httpx.AsyncClient) -> None:
    """A fault for every endpoint happens at each of them."""
    mock.fault("*", 503)
    for path in ("/jwks", "/token", "/introspect", "/revoke", "/.well-known/openid-configuration"):
        assert (await client.get(path)).status_code == 503
    assert (await client.get("/_mock/health")).status_code == 200


async def test_fault_for_some_requests(mock: MockAS, introspect: Post, client: httpx.AsyncClient) -> None:
    """A fault can be for one caller, one token however it is named, one subject, one key, or one method."""
    alice, bob = mock.token(sub="alice"), mock.token(sub="bob", alg="Ed25519")
    facts: list[tuple[dict[str, Any], list[int]]] = [
        ({"client_id": "rs.denied"}, [200, 200]),
        ({"client_id": "rs"}, [503, 503]),
        ({"token": alice}, [503, 200]),
        ({"token": alice.value}, [503, 200]),
        ({"token": bob.id}, [200, 503]),
        ({"sub": "bob"}, [200, 503]),
        ({"kid": bob.header["kid"]}, [200, 503]),
        ({"method": "GET"}, [200, 200]),
        ({"sub": "bob", "client_id": "rs.denied"}, [200, 200]),
    ]
    for match, expected in facts:
        mock.fault("introspect", 503, **match)
        assert await statuses(introspect, alice, bob) == expected, match
        mock.clear_faults()
    mock.fault("introspect", 503, client_id="svc.post")
    form = {"client_id": "svc.post", "client_secret": "svc.post-secret"}
    assert (await client.post("/introspect", data=form)).status_code == 503
    assert (await client.post("/introspect")).status_code == 401


async def test_status_headers_and_body_can_be_set(mock: MockAS, introspect: Post) -> None:
    """A fault can have a status, a Retry-After, header fields and a body of its own, alone or over an action's."""
    mock.fault("introspect", status=429, retry_after=7, times=1)
    response = await introspect("x")
    assert (response.status_code, response.headers["retry-after"]) == (429, "7")
    mock.fault("introspect", "html_error", status=500, headers={"X-Cause": "test"}, times=1)
    response = await introspect("x")
    assert (response.status_code, response.headers["x-cause"]) == (500, "test")
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    for body in ({"active": "yes"}, '{"active":"yes"}', b'{"active":"yes"}'):
        mock.fault("introspect", body=body, status=203, times=1)
        response = await introspect("x")
        assert (response.status_code, response.json()) == (203, {"active": "yes"})
    mock.fault("introspect", 503, retry_after=1.5, body="\ud800", times=1)
    response = await introspect("x")
    assert (response.content, response.headers["retry-after"]) == (b"\xed\xa0\x80", "1.5")
    mock.fault("introspect", retry_after="soon", times=1)
    response = await introspect("x")
    assert (response.json(), response.headers["retry-after"]) == ({"active": False}, "soon")


@pytest.mark.parametrize("status", [204, 304])
async def test_answer_without_a_body(mock: MockAS, introspect: Post, status: int) -> None:
    """A status that allows no body has none, nor a length of one: RFC 9110 section 8.6."""
    mock.fault("introspect", str(status), times=1)
    mock.fault("introspect", status=status, body="text", times=1)
    for _ in range(2):
        response = await introspect("x")
        assert (response.status_code, response.content) == (status, b"")
        assert "content-length" not in response.headers


async def test_redirect_goes_where_it_is_told(mock: MockAS, introspect: Post) -> None:
    """The argument of an action stands in parentheses."""
    mock.fault("introspect", "redirect(https://attacker.example.test/?a=(b))")
    response = await introspect("x")
    assert (response.status_code, response.headers["location"]) == (302, "https://attacker.example.test/?a=(b)")


async def test_faults_left(mock: MockAS, introspect: Post) -> None:
    """A fault is left until it has happened as often as it was to, or once if it was to happen always."""
    twice, always = mock.fault("introspect", 503, times=2), mock.fault("jwks", "timeout")
    assert list(mock.faults_left) == [twice, always]
    await statuses(introspect, "a")
    assert list(mock.faults_left) == [twice, always]
    await statuses(introspect, "b")
    assert list(mock.faults_left) == [always]
    async with httpx.AsyncClient(transport=mock.transport()) as client:
        with pytest.raises(httpx.ReadTimeout):
            await client.get(mock.url.jwks)
    assert not mock.faults_left


def test_fault_shows_what_it_does(mock: MockAS) -> None:
    """A fault that is printed says where, what and how often."""
    assert repr(mock.fault("introspect", 503, times=2)) == "Fault('introspect', 'status(503)', applied=0 of 2)"
    assert repr(mock.fault("jwks", "timeout")) == "Fault('jwks', 'timeout', applied=0)"
    assert repr(mock.fault("jwks", body=b"x")) == "Fault('jwks', 'custom', applied=0)"


@pytest.mark.parametrize(
    ("arguments", "field", "message"),
    [
        ({"endpoint": "introspection", "action": 503}, "endpoint", "did you mean 'introspect'"),
        ({"endpoint": "introspect", "action": "timeoot"}, "action", "did you mean 'timeout'"),
        ({"endpoint": "introspect", "action": "not (an) action"}, "action", "is unknown"),
        ({"endpoint": "introspect"}, "action", "say what is to happen"),
        ({"endpoint": "jwks", "action": "active_string"}, "action", "is for introspect, not for jwks"),
        ({"endpoint": "*", "action": "inactive"}, "action", "is for introspect, not for *"),
        ({"endpoint": "jwks", "action": "timeout(5)"}, "action", "takes no argument"),
        ({"endpoint": "jwks", "action": 99}, "action", "not a status"),
        ({"endpoint": "jwks", "action": "status"}, "action", "not a status"),
        ({"endpoint": "jwks", "action": "status(abc)"}, "action", "not a status"),
        ({"endpoint": "jwks", "action": "redirect(a\r\nb)"}, "action", "is unknown"),
        ({"endpoint": "jwks", "action": "redirect(\u20ac)"}, "headers", "not a header field"),
        ({"endpoint": "jwks", "status": 600}, "status", "not a status"),
        ({"endpoint": "jwks", "status": 103}, "status", "not a status"),
        ({"endpoint": "jwks", "action": "timeout", "times": 0}, "times", "not a number of times"),
        ({"endpoint": "jwks", "action": "timeout", "client": "rs"}, "match", "did you mean 'client_id'"),
        ({"endpoint": "jwks", "headers": {"x y": "1"}}, "headers", "not a header field"),
        ({"endpoint": "jwks", "headers": {"x": "a\r\nb: c"}}, "headers", "not a header field"),
        ({"endpoint": "jwks", "retry_after": "\n"}, "headers", "not a header field"),
    ],
)
def test_refuses_a_fault_that_could_not_happen(
    mock: MockAS, arguments: dict[str, Any], field: str, message: str
) -> None:
    """A fault that makes no sense is an error that names what is wrong with it, and none is set."""
    with pytest.raises(UsageError) as caught:
        mock.fault(**arguments)
    assert caught.value.field == field
    assert message in caught.value.message
    assert list(mock.faults) == []


def test_fault_can_be_taken_back(mock: MockAS) -> None:
    """One fault can be taken back by its name without the others."""
    first, second = mock.fault("jwks", 503), mock.fault("jwks", 500)
    assert mock.faults.remove(first.id)
    assert not mock.faults.remove(first.id)
    assert list(mock.faults) == [second]
