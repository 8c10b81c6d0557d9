"""In what the proxies differ, as their pages say."""

from __future__ import annotations

from contextlib import suppress

import pytest

from mock_as import MockAS
from tests.support.live import connection, request
from tests.support.proxies import Stand, bearer

SPELLINGS: dict[str, dict[str, tuple[int, list[bytes]]]] = {
    "/orders%2f1": {
        "caddy": (200, [b"/orders%2f1"]),
        "traefik": (200, [b"/orders%2F1"]),
        "envoy": (400, []),
        "haproxy": (200, [b"/orders%2f1"]),
        "apache": (404, []),
    },
    "/x/../orders": {
        "caddy": (200, [b"/x/../orders"]),
        "traefik": (200, [b"/orders"]),
        "envoy": (200, [b"/orders"]),
        "haproxy": (200, [b"/x/../orders"]),
        "apache": (200, [b"/x/../orders"]),
    },
    "//orders": {
        "caddy": (200, [b"//orders"]),
        "traefik": (200, [b"/orders"]),
        "envoy": (200, [b"/orders"]),
        "haproxy": (200, [b"//orders"]),
        "apache": (200, [b"/orders"]),
    },
}
"""What a client with a token for the path gets, and which paths the application does."""
TWO_ENDS = {"caddy": 200, "traefik": 200, "envoy": 400, "haproxy": 200, "apache": 200}
EMPTY = {
    "caddy": {},
    "traefik": {"x-auth-client": [""], "x_auth_client": [""]},
    "envoy": {"x-auth-client": [""]},
    "haproxy": {"x-auth-client": [""], "x_auth_client": [""]},
    "apache": {"x-auth-client": [""], "x_auth_client": [""]},
}
"""What the application is told where there is nothing to tell."""


@pytest.mark.parametrize("path", SPELLINGS)
def test_spellings_of_a_path(path: str, behind: Stand, mock_as: MockAS) -> None:
    """Some proxies clean a path, some refuse it, and some pass it on as it came."""
    answer = behind.ask(path, token=mock_as.token(scope="orders:read"))
    got = [received.target for received in behind.upstream.received]
    assert (answer.status, got) == SPELLINGS[path][behind.program.name]


@pytest.mark.attack("A-R-11")
def test_a_request_with_two_ends(behind: Stand, mock_as: MockAS) -> None:
    """Where a request ends is decided by the proxy: it refuses, or the application sees one end only."""
    fields = bearer(mock_as.token(scope="orders:read orders:write"))
    head = request("POST", "/orders", *fields, b"Content-Length: 9", b"Transfer-Encoding: chunked")
    with connection(behind.port) as wire, suppress(ConnectionError):
        wire.send(head + b"0\r\n\r\nGET /")
        assert wire.read().status == TWO_ENDS[behind.program.name]
    for got in behind.upstream.received:
        assert len(got.all("content-length") + got.all("transfer-encoding")) == 1
        assert got.body == b""


def test_nothing_to_tell(behind: Stand) -> None:
    """Where nobody is calling, a field of identity is empty, or there is none; the client's own is neither."""
    assert behind.ask("/healthz", b"X-Auth-Client: mallory").status == 200
    told = {name: behind.upstream.last.all(name) for name in ("x-auth-client", "x_auth_client")}
    assert {name: values for name, values in told.items() if values} == EMPTY[behind.program.name]
