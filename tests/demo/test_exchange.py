"""The demo's own client: small, and independent of what it looks at."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest

from resource_server._demo.control import ControlPlane
from resource_server._demo.exchange import Answer, DemoError, send


class Echo(BaseHTTPRequestHandler):
    """Answers with the request; status and content type are taken from its path."""

    def do_POST(self) -> None:
        """Answer."""
        status, content_type = self.path.partition("?")[0].removeprefix("/").split(";")
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        shown = {"path": self.path, "headers": dict(self.headers), "body": body.decode()}
        content = json.dumps([] if content_type.endswith("list") else shown).encode()
        self.send_response(int(status))
        self.send_header("Content-Type", content_type.removesuffix("list"))
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST  # noqa: N815 - the base class's name

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as above
        """Print nothing."""


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """Serve on a free port."""
    with HTTPServer(("127.0.0.1", 0), Echo) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def test_bare_request(url: str) -> None:
    """A request without a token and a body has the header fields of neither."""
    answer = send("GET", f"{url}/200;application/json?a=b")
    assert answer.status == 200
    assert answer.milliseconds > 0
    members = answer.members()
    assert members["path"] == "/200;application/json?a=b"
    assert {"authorization", "content-type"}.isdisjoint(name.lower() for name in members["headers"])


def test_token_and_body(url: str) -> None:
    """A token is presented as a Bearer token, and a body is sent as JSON, also one that is none."""
    members = send("POST", f"{url}/200;application/json", token="t", body=b"{").members()
    assert members["headers"]["Authorization"] == "Bearer t"
    assert members["headers"]["Content-Type"] == "application/json"
    assert members["body"] == "{"


@pytest.mark.parametrize("kind", ["application/problem+json", "application/jsonlist"])
def test_only_json_objects_have_members(url: str, kind: str) -> None:
    """A body that is not a JSON object of the application has no members."""
    assert send("GET", f"{url}/200;{kind}").members() == {}


def test_no_answer() -> None:
    """Where nobody answers, the demo cannot go on and says where."""
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        nowhere = f"http://127.0.0.1:{deaf.getsockname()[1]}/"
        with pytest.raises(DemoError, match=rf"^GET {re.escape(nowhere)} got no answer: "):
            send("GET", nowhere)


def test_body_is_not_in_the_repr() -> None:
    """An answer's body may hold a token, and its text form does not show it."""
    assert "secret" not in repr(Answer(200, {}, b"secret", 1.0))


def test_refused_order_ends_the_story(url: str) -> None:
    """An authorization server that does not do what it is told is an error, not a row."""
    with pytest.raises(DemoError, match=r"answered POST /tokens/revoke with 422: "):
        ControlPlane(f"{url}/422;application/json?").revoke("token")
