"""The gateway behind a real server: what a connection carries after a question, and heads that no proxy would send."""

from __future__ import annotations

import re
import socket
from collections.abc import Generator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.gateway.door import Door
from tests.support.live import serve

POLICY = """
public = ["/open"]
[[rules]]
path = "/orders/*"
scope = "read"
"""
_PATIENCE = 20.0


@pytest.fixture(params=["httptools", "h11"])
def port(request: pytest.FixtureRequest, tmp_path: Path) -> Generator[int]:
    """Serve a gateway with a policy, and give its port."""
    (tmp_path / "policy.toml").write_text(POLICY)
    door = Door({"policy": tmp_path / "policy.toml"}, trusted_proxies=["127.0.0.1"])
    with serve(door.app, request.param, ws="none", proxy_headers=False) as found:
        yield found


def told(target: str = "/orders", *more: str, question: str = "GET /auth") -> bytes:
    """Write a question that tells of a request as Traefik does."""
    fields = ["host: gateway", "x-forwarded-method: GET", "x-forwarded-host: api.example.test"]
    lines = [f"{question} HTTP/1.1", *fields, f"x-forwarded-uri: {target}", *more]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def statuses(port: int, *questions: bytes) -> list[int]:
    """Ask one thing after the other on one connection, for as long as the server keeps it; return each status."""
    found: list[int] = []
    with socket.create_connection(("127.0.0.1", port), timeout=_PATIENCE) as connection:
        for question in questions:
            answer = _ask(connection, question)
            if not answer:
                break
            found.append(int(answer.split(b" ", 2)[1]))
    return found


def _ask(connection: socket.socket, question: bytes) -> bytes:
    """Return the head of an answer, after its body has come; nothing where the server has hung up."""
    received = b""
    with suppress(ConnectionError):
        connection.sendall(question)
        while True:
            head, end, body = received.partition(b"\r\n\r\n")
            length = re.search(rb"\r\ncontent-length: *([0-9]+)", head, re.IGNORECASE)
            if end and (length is None or len(body) >= int(length[1])):
                return head
            piece = connection.recv(65_536)
            if not piece:
                return b""
            received += piece
    return b""


def test_one_after_another(port: int) -> None:
    """A proxy keeps its connection for many questions."""
    assert statuses(port, told(), told("/open"), told()) == [401, 200, 401]


@pytest.mark.attack("A-R-11")
@pytest.mark.parametrize(
    "announcing",
    [
        ["content-length: 400"],
        ["transfer-encoding: chunked"],
        ["connection: upgrade", "upgrade: websocket"],
        ["content-length: 4", "transfer-encoding: chunked"],
    ],
    ids=["length", "chunks", "upgrade", "both"],
)
def test_nothing_is_taken_for_a_body(port: int, announcing: list[str]) -> None:
    """A question that announces what its proxy does not send is the last one of its connection.

    Or else what another client is asked about would be taken for its body, or the answers would go to others.
    """
    found = statuses(port, told("/orders", *announcing), told("/open"), told("/open"))
    assert found in ([401], [400])


@pytest.mark.attack("A-R-3", "A-FA-2")
@pytest.mark.parametrize(
    "more",
    [
        ["x-forwarded-uri: /open"],
        ["X-Forwarded-Uri: /open"],
        [" /open"],
        ["x-forwarded-uri : /open"],
        ["x_forwarded_uri: /open", "x-forwarded-uri: /open"],
    ],
    ids=["twice", "in other letters", "folded", "a space before the colon", "an underscore besides"],
)
def test_a_second_path(port: int, more: list[str]) -> None:
    """However a second path is written, it makes no request public."""
    assert set(statuses(port, told("/orders", *more))) <= {400, 401, 403}


@pytest.mark.attack("A-F-6")
@pytest.mark.parametrize(
    "question",
    [
        "GET /auth/envoy/orders",
        "GET /auth/envoy//open",
        "GET /auth/envoy/%6fpen",
        "GET /auth/envoy/open/",
        "GET /auth/envoy/open;x",
        "GET /auth/envoy/x/../open",
        "GET /auth/envoy/open%3f",
        "GET /auth/envoy%2fopen",
        "GET /auth/envoy/../envoy/orders",
        "GET //auth/envoy/open",
        "GET /auth/./envoy/open",
        "GET /AUTH/ENVOY/open",
        "GET http://gateway/auth/envoy/orders",
        "GET /auth/../healthz",
        "GET /auth;x",
        "GET /auth/",
        "OPTIONS *",
    ],
)
def test_other_spellings_of_a_question(port: int, question: str) -> None:
    """What is not spelled as an endpoint is none, and a path that is not spelled as a public one is not public."""
    assert set(statuses(port, told("/orders", question=question))) <= {400, 401, 403, 404}
    assert statuses(port, told("/orders", question="GET /auth/envoy/open?x=/orders")) == [200]
