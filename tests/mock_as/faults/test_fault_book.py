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
        ({"header": {"Content-Type": "application/x-www-form-urlencoded"}}, [503, 503]),
        ({"header": {"content-type": "text/plain"}}, [200, 200]),
        ({"header": {"x-other": None}}, [503, 503]),
        ({"client_id": None}, [503, 503]),
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
        ({"endpoint": "jwks", "action": "redirect(\u20ac)"}, "action", "is not a URL"),
        ({"endpoint": "jwks", "action": "slow(soon)"}, "action", "is not a number of milliseconds"),
        ({"endpoint": "jwks", "action": "late_publish(-1)"}, "action", "is not a number of seconds"),
        ({"endpoint": "jwks", "action": "timeout", "seconds": 5}, "seconds", "takes no argument"),
        ({"endpoint": "jwks", "action": "redirect", "seconds": 5}, "seconds", "not a duration"),
        ({"endpoint": "jwks", "action": "slow(5)", "seconds": 5}, "seconds", "is not the one duration"),
        ({"endpoint": "jwks", "action": "slow", "seconds": float("nan")}, "seconds", "is not the one duration"),
        ({"endpoint": "jwks", "status": 503, "seconds": 1, "body": "x"}, "seconds", "say of which action"),
        ({"endpoint": "jwks", "action": "timeout", "times": True}, "times", "not a number of times"),
        ({"endpoint": "jwks", "action": "timeout", "after": -1}, "after", "not a number of times"),
        ({"endpoint": "jwks", "action": "timeout", "every": 0}, "every", "every third request"),
        ({"endpoint": "jwks", "action": "timeout", "probability": 0}, "probability", "more than 0"),
        ({"endpoint": "jwks", "action": "timeout", "probability": "1"}, "probability", "more than 0"),
        ({"endpoint": "jwks", "action": "timeout", "sequence": [503]}, "sequence", "there is an action as well"),
        ({"endpoint": "jwks", "sequence": []}, "sequence", "is not a list of actions"),
        ({"endpoint": "jwks", "sequence": "503"}, "sequence", "is not a list of actions"),
        ({"endpoint": "jwks", "sequence": ["honest", "timeoot"]}, "action", "did you mean 'timeout'"),
        ({"endpoint": "jwks", "action": "timeout", "header": "accept"}, "match", "by their names"),
        ({"endpoint": "*", "action": "tls_expired", "method": "GET"}, "match", "handshake"),
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


async def test_fault_leaves_requests_alone(mock: MockAS, introspect: Post) -> None:
    """A fault can wait for some requests, and then happen to every so many."""
    mock.fault("introspect", 503, after=2, every=3, times=2)
    assert await statuses(introspect, *"abcdefghi") == [200, 200, 503, 200, 200, 503, 200, 200, 200]
    assert mock.faults_left == ()


async def test_fault_that_leaves_a_request_alone_leaves_it_to_the_next(mock: MockAS, introspect: Post) -> None:
    """A request to which one fault does not happen is one to which the next can."""
    mock.fault("introspect", 503, every=2)
    mock.fault("introspect", 500)
    assert await statuses(introspect, *"abcd") == [503, 500, 503, 500]


async def test_probability_follows_the_seed() -> None:
    """A fault that happens at random happens to the same requests again where there is a seed."""
    runs: list[list[int]] = []
    for _ in range(2):
        mock = MockAS(seed=7)
        mock.fault("jwks", 503, probability=0.5)
        async with httpx.AsyncClient(transport=mock.transport()) as client:
            runs.append([(await client.get(mock.url.jwks)).status_code for _ in range(20)])
    assert runs[0] == runs[1]
    assert set(runs[0]) == {200, 503}


async def test_sequence_is_gone_through_once(mock: MockAS, introspect: Post) -> None:
    """A sequence says what happens to one request after the other, honest answers included."""
    fault = mock.fault("introspect", sequence=[503, "honest", "status(429)", None])
    assert await statuses(introspect, *"abc") == [503, 200, 429]
    assert list(mock.faults_left) == [fault]
    assert repr(fault) == "Fault('introspect', 'status(503), honest, status(429), honest', applied=3 of 4)"
    assert await statuses(introspect, *"def") == [200, 200, 200]
    assert mock.faults_left == ()
    assert [entry.fault for entry in mock.requests("introspect")][:3] == ["status(503)", None, "status(429)"]


async def test_sequence_can_be_gone_through_again(mock: MockAS, introspect: Post) -> None:
    """With a number of times, a sequence is gone through so many times as a whole."""
    mock.fault("introspect", sequence=[503, None], times=2)
    assert await statuses(introspect, *"abcde") == [503, 200, 503, 200, 200]


def test_duration_is_written_in_the_units_of_the_action(mock: MockAS) -> None:
    """A duration in seconds is the argument of the action, whatever its unit is."""
    assert mock.fault("jwks", "slow", seconds=0.25).plan.name == "slow(250)"
    assert mock.fault("jwks", "late_publish", seconds=5).plan.name == "late_publish(5)"
    assert mock.fault("jwks", "late_publish").plan.name == "late_publish(5)"


def test_description_keeps_secrets(mock: MockAS) -> None:
    """What is shown of a fault has neither the token nor the credentials that it looks for."""
    token = mock.token()
    match: dict[str, Any] = {"token": token, "header": {"authorization": "Basic c2VjcmV0", "accept": "*/*"}}
    described = mock.fault("introspect", 503, times=3, every=2, **match).describe()
    assert described == {
        "id": "fault-1",
        "endpoint": "introspect",
        "action": "status(503)",
        "status": None,
        "times": 3,
        "after": 0,
        "every": 2,
        "probability": 1.0,
        "headers": {},
        "match": {"token": "***", "header": {"authorization": "Basic ***", "accept": "*/*"}},
        "applied": 0,
        "left": 3,
    }


async def test_snapshot_remembers_how_far_a_fault_was(mock: MockAS, introspect: Post) -> None:
    """A fault that is restored goes on where it was, and one that was set since is gone."""
    mock.fault("introspect", 503, after=1, times=1)
    assert await statuses(introspect, "a") == [200]
    before = mock.snapshot()
    mock.fault("introspect", 500)
    assert await statuses(introspect, "b", "c") == [503, 500]
    mock.restore(before)
    assert await statuses(introspect, "b", "c") == [503, 200]


async def test_status_and_body_change_an_answer_that_comes_late(mock: MockAS, introspect: Post) -> None:
    """What else a fault says of the answer holds for one of the network too."""
    mock.fault("introspect", "slow(1)", status=503, body="busy")
    response = await introspect("x")
    assert (response.status_code, response.text) == (503, "busy")
    assert mock.requests("introspect").last.status == 503


async def test_wrong_handshake_in_process(mock: MockAS) -> None:
    """In this process there is no handshake to fail, so the request does."""
    mock.fault("jwks", "tls_expired", times=1)
    async with httpx.AsyncClient(transport=mock.transport()) as client:
        with pytest.raises(httpx.ConnectError):
            await client.get(mock.url.jwks)


def test_handshake_without_a_fault(mock: MockAS) -> None:
    """A handshake takes the faults that are for it, in order, and no others."""
    mock.fault("*", 503)
    mock.fault("jwks", "tls_expired", after=1, times=1)
    mock.fault("jwks", sequence=["tls_wrong_host", None])
    assert [mock.faults.take_handshake() for _ in range(4)] == ["tls_wrong_host", "tls_expired", None, None]
