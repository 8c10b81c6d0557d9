"""What holds behind each proxy alike: who is let in, what a refusal looks like, and where bodies and messages go.

Each runs the configuration that its page shows, in a process of its own.
"""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import unquote

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from mock_as import MockAS
from tests.support.answer import Answer
from tests.support.live import exchange, request
from tests.support.proxies import CADDY, ENVOY, Stand, bearer, challenges, who

TOLD = ("cache-control", "content-type", "dpop-nonce", "retry-after", "vary")
LARGE = 10_000_000


def assert_same(answer: Answer, expected: Answer) -> None:
    """Assert that a client sees what the gateway has said."""
    assert answer.status == expected.status
    assert {name: answer.header(name) for name in TOLD} == {name: expected.header(name) for name in TOLD}
    assert challenges(answer) == challenges(expected)
    assert answer.unnamed().body == expected.unnamed().body


# ---------------------------------------------------------------------------------------------------- who is let in


def test_the_application_learns_who_is_calling(behind: Stand, mock_as: MockAS) -> None:
    """A good token brings the application's own answer, and tells the application who is calling."""
    answer = behind.ask("/orders?page=2", token=mock_as.token(sub="alice", client_id="shop", scope="orders:read"))
    assert (answer.status, answer.body) == (200, b"the application")
    [got] = behind.upstream.received
    assert (got.method, got.target) == ("GET", b"/orders?page=2")
    told = who(got.headers)
    assert told["x-auth-subject"] == "alice"
    assert told["x-auth-client"] == "shop"
    assert told["x-auth-scopes"] == "orders:read"
    assert told["x-auth-issuer"] == mock_as.issuer
    assert told["x-auth-assurance"] == "introspected"
    assert json.loads(told["x-auth-claims"])["sub"] == "alice"


def test_the_application_gets_no_token(behind: Stand, mock_as: MockAS) -> None:
    """The token stays at the proxy, where the gateway strips it."""
    assert behind.ask(token=mock_as.token(scope="orders:read")).status == 200
    assert behind.upstream.last.header("authorization") in (None, "")


def test_the_application_gets_a_token_of_the_gateway(behind: Stand, mock_as: MockAS) -> None:
    """The token is replaced by one that the gateway has signed, where the gateway replaces it."""
    token = mock_as.token(scope="orders:read")
    door = {"credential": "replace", "internal_issuer": "https://gateway.example.test", "internal_audience": "inside"}
    with behind.gateway(mock_as, door):
        assert behind.ask(token=token).status == 200
    scheme, _, internal = (behind.upstream.last.header("authorization") or "").partition(" ")
    assert (scheme, internal.count(".")) == ("Bearer", 2)
    assert internal != token.value


def test_a_name_of_another_alphabet(behind: Stand, mock_as: MockAS) -> None:
    """A subject arrives encoded, and cannot be a second field."""
    subject = 'Zoë, "x";\r\nX-Auth-Scopes: admin'
    answer = behind.ask(token=mock_as.token(sub=subject, scope="orders:read", format="opaque"))
    assert answer.status == 200
    told = who(behind.upstream.last.headers)
    assert unquote(told["x-auth-subject"]) == subject
    assert told["x-auth-scopes"] == "orders:read"


def test_a_public_path(behind: Stand) -> None:
    """A public path needs no token; nobody is calling."""
    assert behind.ask("/healthz").status == 200
    assert set(who(behind.upstream.last.headers).values()) <= {""}


def test_a_preflight_passes(behind: Stand) -> None:
    """A browser's preflight has never a token; an OPTIONS that is none needs one."""
    fields = [b"Origin: https://shop.example.test", b"Access-Control-Request-Method: POST"]
    assert behind.ask("/orders", *fields, method="OPTIONS").status == 200
    assert set(who(behind.upstream.last.headers).values()) <= {""}
    assert behind.ask("/orders", method="OPTIONS").status == 401
    assert len(behind.upstream.received) == 1


# ------------------------------------------------------------------------------------------------------- refusals

REFUSALS: dict[str, tuple[int, dict[str, Any]]] = {
    "no token": (401, {}),
    "a bad token": (401, {"fields": [b"Authorization: Bearer nonsense"]}),
    "too little": (403, {"scope": "other"}),
    "too little for the method": (403, {"scope": "orders:read", "method": "POST"}),
    "hidden": (404, {"scope": "orders:read", "path": "/admin/orders"}),
    "two tokens": (400, {"fields": [b"Authorization: Bearer a, Bearer b"]}),
    "as JSON": (401, {"fields": [b"Accept: application/json"]}),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_a_refusal_arrives_as_it_is(case: str, behind: Stand, mock_as: MockAS) -> None:
    """Status, challenge, body and what else a refusal has are what the gateway has said."""
    status, wanted = REFUSALS[case]
    token = mock_as.token(scope=wanted["scope"]) if "scope" in wanted else None
    how: dict[str, Any] = {"method": wanted.get("method", "GET"), "token": token}
    answer = behind.ask(wanted.get("path", "/orders"), *wanted.get("fields", []), **how)
    assert answer.status == status
    assert_same(answer, behind.ask_gateway(wanted.get("path", "/orders"), *wanted.get("fields", []), **how))
    assert behind.upstream.received == []


@pytest.mark.parametrize("method", ["HEAD", "PUT", "DELETE", "PATCH", "TRACE", "PROPFIND"])
@pytest.mark.attack("A-R-10")
def test_every_method_is_judged(method: str, behind: Stand) -> None:
    """No method passes without a token."""
    assert behind.ask(method=method).status in {401, 405}
    assert behind.upstream.received == []


def test_too_many_questions(behind: Stand, mock_as: MockAS) -> None:
    """429 arrives with what it says, and when to come again."""
    with behind.gateway(mock_as, rate_limit=0.1, rate_limit_burst=1):
        behind.ask("/orders", b"Authorization: Bearer unknown-1")
        answer = behind.ask("/orders", b"Authorization: Bearer unknown-2")
    assert answer.status == 429
    assert int(answer.header("retry-after") or "") >= 1
    assert answer.json()["status"] == 429


def test_an_outage(behind: Stand, mock_as: MockAS) -> None:
    """503 arrives with what it says, and when to come again."""
    token = mock_as.token(scope="orders:read", format="opaque")
    mock_as.fault("introspect", 503, retry_after=7)
    with behind.gateway(mock_as, unavailable_status=503):
        answer, expected = behind.ask(token=token), behind.ask_gateway(token=token)
    mock_as.clear_faults()
    assert (answer.status, answer.unnamed().body) == (503, expected.unnamed().body)
    assert int(answer.header("retry-after") or "") >= 1
    assert answer.header("cache-control") == "no-store"
    assert behind.upstream.received == []


@pytest.mark.attack("A-FA-2")
def test_a_proxy_that_is_not_believed(behind: Stand, mock_as: MockAS) -> None:
    """What a proxy tells counts only where it is trusted; Envoy tells nothing, its question is the request."""
    with behind.gateway(mock_as, trusted_proxies=["192.0.2.1"]):
        answer = behind.ask(token=mock_as.token(scope="orders:read"))
    assert answer.status == (200 if behind.program is ENVOY else 403)


async def fails(scope: Any, receive: Any, send: Any) -> None:
    """Be a gateway that is broken."""
    await (_live(receive, send) if scope["type"] == "lifespan" else _answer(send, 500))


async def moved(scope: Any, receive: Any, send: Any) -> None:
    """Be something else than a gateway, which sends everybody away."""
    await (_live(receive, send) if scope["type"] == "lifespan" else _answer(send, 302))


async def _live(receive: Any, send: Any) -> None:
    for _ in range(2):
        message = await receive()
        await send({"type": f"{message['type']}.complete"})


async def _answer(send: Any, status: int) -> None:
    headers = [(b"content-length", b"0"), (b"location", b"https://elsewhere.example.test/")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body"})


@pytest.mark.parametrize("broken", [fails, moved], ids=lambda app: app.__name__)
def test_a_broken_gateway_lets_nobody_in(broken: Any, behind: Stand, mock_as: MockAS) -> None:
    """Whatever is no yes of the gateway is a no."""
    with behind.switch.to(broken):
        assert behind.ask(token=mock_as.token(scope="orders:read")).status >= 300
    assert behind.upstream.received == []


# ----------------------------------------------------------------------------------------------- bodies and sockets


@pytest.mark.attack("A-F-2")
def test_a_refusal_does_not_wait_for_the_body(behind: Stand) -> None:
    """Who is refused is told before much of a large body has come: Caddy reads 256 KiB of it, the others none."""
    head = request("POST", "/orders", b"Content-Length: %d" % LARGE)
    first = b"x" * 262_145 if behind.program is CADDY else b""
    assert exchange(behind.port, head, first, method="POST").status == 401


def test_the_body_is_for_the_application_alone(behind: Stand, mock_as: MockAS) -> None:
    """A body reaches the application whole, and the gateway not at all."""
    token, body = mock_as.token(scope="orders:read orders:write"), b"x" * 1_000_000
    with behind.gateway(mock_as) as gateway:
        head = request("POST", "/orders", *bearer(token), b"Content-Length: %d" % len(body))
        assert exchange(behind.port, head, body, method="POST").status == 200
    assert behind.upstream.last.body == body
    for question in gateway.asked:
        assert question.header("content-length") in (None, "0")
        assert question.header("transfer-encoding") is None


def test_a_websocket(behind: Stand, mock_as: MockAS) -> None:
    """A handshake is judged like any request; what follows goes between client and application."""
    url = f"ws://127.0.0.1:{behind.port}/orders/live"
    with pytest.raises(InvalidStatus) as refused:
        connect(url, proxy=None)
    assert refused.value.response.status_code == 401
    assert behind.upstream.received == []
    token = mock_as.token(sub="alice", scope="orders:read")
    with connect(url, additional_headers=token.bearer, proxy=None) as socket:
        socket.send("tea")
        assert socket.recv() == "tea"
    assert who(behind.upstream.last.headers)["x-auth-subject"] == "alice"


# --------------------------------------------------------------------------------------------------- bound tokens


@pytest.mark.rfc("9449-4.3-1")
def test_a_proof_is_for_the_request_of_the_client(behind: Stand, mock_as: MockAS) -> None:
    """A DPoP proof names the method and the URL that the client has asked for, and no other."""
    token = mock_as.token(scope="orders:read", token_type="DPoP")
    base = "https://api.example.test"
    with behind.gateway(mock_as, dpop="optional", external_url=base):
        for method, path, status in (("GET", "/orders/1", 200), ("GET", "/orders/2", 401), ("PUT", "/orders/1", 401)):
            expected = {"dpop", "bearer"} if status == 401 else set[str]()
            proof = [f"{name}: {value}".encode() for name, value in token.dpop(method, f"{base}{path}").items()]
            answer = behind.ask("/orders/1?x=1", *proof)
            assert answer.status == status
            assert {challenge.scheme for challenge in challenges(answer)} == expected
