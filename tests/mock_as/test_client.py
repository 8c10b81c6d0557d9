"""The client of a mock in another process: what is not the same as in this one."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from mock_as import MockAS, MockASClient, UsageError
from mock_as.faults.plan import Wish
from mock_as.remote.channel import ControlPlaneError, differences, plain
from mock_as.tokens import Token

ROOT = Path(__file__).parents[2]
Handler = Callable[[httpx.Request], httpx.Response]


def client_of(handler: Handler) -> MockASClient:
    """Make a client whose server is a function."""
    return MockASClient("http://mock.test/", client=httpx.Client(transport=httpx.MockTransport(handler)))


def answering(status: int, body: object) -> MockASClient:
    """Make a client whose server always answers the same."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return client_of(lambda _request: httpx.Response(status, content=content))


def test_token_of_the_control_plane() -> None:
    """Every request has the token of the control plane, those to tenants included; without it the error says so."""
    mock = MockAS(issuer="auto", admin_token="s3cret")
    with mock.serve() as url, MockASClient(url, admin_token="s3cret") as client:
        client.clock.advance(5)
        client.tenant("acme").clock.advance(7)
        assert (mock.clock.offset, mock.tenant("acme").clock.offset) == (5, 7)
        with MockASClient(url) as stranger, pytest.raises(ControlPlaneError) as refused:
            stranger.clock.advance(5)
        assert refused.value.status == 401
        assert "s3cret" not in repr(client) + str(refused.value)


def test_issuer_with_a_path() -> None:
    """The client finds the control plane by the issuer too, where that has a path."""
    mock = MockAS(issuer="http://as.example.test/realm")
    with mock.serve() as url, MockASClient(f"{url}/realm") as client:
        assert client.issuer == "http://as.example.test/realm"
        assert client.tenant("acme").issuer == "http://as.example.test/realm/t/acme"


def test_tenant_of_a_tenant_is_its_neighbour() -> None:
    """A tenant has no tenants of its own: asking one for another is asking the landlord."""
    mock = MockAS(issuer="auto")
    with mock.serve() as url, MockASClient(url) as client:
        neighbour = client.tenant("a").tenant("b")
        assert (neighbour.issuer, sorted(mock.tenants)) == (f"{url}/t/b", ["a", "b"])


def test_client_is_closed_by_whoever_made_it() -> None:
    """The client closes its own connections, and leaves those alone that it was given."""
    given = httpx.Client()
    with MockASClient("http://mock.test", client=given), MockASClient("http://mock.test") as own:
        pass
    assert (given.is_closed, own._client.is_closed) == (False, True)
    given.close()


@pytest.mark.parametrize(
    ("status", "body", "error", "message"),
    [
        (200, b"<!doctype html>", ControlPlaneError, "200 is not an answer of the control plane of mock_as"),
        (200, [], ControlPlaneError, "200 is not an answer of the control plane of mock_as"),
        (500, b"Internal Server Error", ControlPlaneError, "500 is not an answer of the control plane of mock_as"),
        (500, ["x"], ControlPlaneError, "500 is not an answer of the control plane of mock_as"),
        (401, {"title": "No."}, ControlPlaneError, "401 No."),
        (404, {"title": "Gone."}, LookupError, "Gone."),
        (408, {"detail": "Late."}, TimeoutError, "Late."),
        (422, {"title": "Wrong", "errors": [{"field": "seed", "message": "no"}]}, UsageError, "seed: no"),
        (422, {"title": "Wrong"}, ControlPlaneError, "422 Wrong"),
    ],
)
def test_refusals(status: int, body: object, error: type[Exception], message: str) -> None:
    """Each kind of refusal is an exception of its own kind, with what the server said."""
    with pytest.raises(error) as refused:
        answering(status, body).seed(5)
    assert str(refused.value) == message


def test_server_that_is_not_there() -> None:
    """A server that cannot be reached is an error of the transport, as httpx has it."""

    def refuse(_request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused")

    with pytest.raises(httpx.TransportError):
        client_of(refuse).reset()


def test_values_that_cannot_be_sent() -> None:
    """What JSON has nothing for is refused by name before anything is sent."""
    client = answering(200, {})
    with pytest.raises(UsageError, match="must be UTF-8") as refused:
        client.fault("jwks", body=b"\xff")
    assert refused.value.field == "body"
    with pytest.raises(UsageError, match="cannot be sent as JSON"):
        client.token(claims={"x": object()})


def test_differences() -> None:
    """Only what differs from the defaults is sent, in the shapes of JSON."""
    token = Token("text", id="tok-1", format="opaque", jti="j", claims={}, header={})
    wish = Wish(endpoint="introspect", body=b"x", match={"token": token}, sequence=(503, None))
    assert differences(wish) == {
        "endpoint": "introspect",
        "body": "x",
        "match": {"token": "text"},
        "sequence": [503, None],
    }
    assert plain("scope", (name for name in ("a", "b"))) == ["a", "b"]


def test_client_is_light() -> None:
    """Driving a mock in another process loads no server."""
    unwanted = ["authlib", "fastapi", "jinja2", "pydantic", "starlette", "typer", "uvicorn"]
    code = f"import sys, mock_as.client; print(*(name for name in {unwanted} if name in sys.modules))"
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert result.stdout.split() == []
