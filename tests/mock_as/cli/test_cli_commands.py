"""The commands that ask a running server: what they do there, what they print, and how they refuse."""

from __future__ import annotations

import json
import socket
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from mock_as import MockAS
from mock_as.cli import app, remote
from mock_as.mock import MockAS as Server

pytestmark = pytest.mark.usefixtures("reached")


@pytest.fixture
def reached(mock_as_server: MockAS, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the commands find the server of the test."""
    monkeypatch.setenv("MOCK_AS_URL", mock_as_server.issuer)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.delenv("MOCK_AS_ADMIN_TOKEN", raising=False)


def run(*arguments: str, stdin: str = "") -> tuple[int, str, str]:
    """Run the command line in this process."""
    result = CliRunner().invoke(app, arguments, input=stdin)
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result.exit_code, result.stdout, result.stderr


def good(*arguments: str, stdin: str = "") -> str:
    """Return what a command prints that goes well."""
    status, output, log = run(*arguments, stdin=stdin)
    assert (status, log) == (0, "")
    return output.rstrip("\n")


def document(*arguments: str, stdin: str = "") -> Any:
    """Return the JSON that a command prints."""
    return json.loads(good(*arguments, stdin=stdin))


# ------------------------------------------------------------------------------------------------------------- tokens


def test_token(mock_as_server: MockAS) -> None:
    """A token is printed by itself, so that a shell can take it, and is what the options say."""
    text = good("token", "--sub", "alice", "--scope", "read write", "--opaque", "--expires-in", "-10")
    record = mock_as_server.tokens.find(text)
    assert record is not None
    assert (record.token.format, record.token.claims["sub"]) == ("opaque", "alice")
    assert record.token.claims["scope"] == "read write"
    assert not record.is_active(mock_as_server.clock.now())


def test_token_as_json() -> None:
    """With --json the whole answer is one line of JSON."""
    claims = json.dumps({"tenant": "acme", "jti": None})
    minted = document("token", "--claims", claims, "--header", '{"x": "y"}', "--alg", "RS256", "--scope", "", "--json")
    assert minted["claims"]["tenant"] == "acme"
    assert not {"jti", "scope"} & set(minted["claims"])
    assert (minted["header"]["x"], minted["header"]["alg"]) == ("y", "RS256")


def test_token_as_curl() -> None:
    """With --curl it is a command that presents the token."""
    assert good("token", "--curl").startswith("curl ")


def test_revoke_and_introspect(mock_as_server: MockAS) -> None:
    """A token that was revoked is inactive; on standard input it stays out of the list of processes."""
    token = mock_as_server.token(sub="alice")
    assert document("introspect", token.value)["sub"] == "alice"
    assert good("revoke", "-", stdin=f"{token.value}\n") == "1 revoked"
    assert document("introspect", "-", stdin=token.value) == {"active": False}


def test_introspect_as_another() -> None:
    """Whoever may not introspect is told that every token is inactive."""
    token = good("token")
    assert document("introspect", token, "--as", "rs.denied") == {"active": False}


def test_expire_selections(mock_as_server: MockAS) -> None:
    """Tokens are named by their id, their subject, their client, or all at once."""
    tokens = [mock_as_server.token(sub=sub) for sub in ("alice", "alice", "bob")]
    assert good("expire", tokens[2].id) == "1 expired"
    assert good("expire", "--sub", "alice") == "2 expired"
    assert document("revoke", "--client-id", "svc", "--json") == {"revoked": 3}
    assert good("revoke", "--all") == "3 revoked"


# ---------------------------------------------------------------------------------------------------- keys and clock


def test_keys(mock_as_server: MockAS) -> None:
    """Keys are shown, rotated, staged, and changed one by one."""
    first = mock_as_server.keys.signing().kid
    assert first in good("keys")
    assert len(document("keys", "list", "--json")["keys"]) == 1
    document("keys", "rotate", "--no-overlap", "--json")
    assert first not in {key["kid"] for key in mock_as_server.keys.jwks()["keys"]}
    staged = document("keys", "stage", "--alg", "RS256", "--json")["kid"]
    assert staged not in {key["kid"] for key in mock_as_server.keys.jwks()["keys"]}
    good("keys", "publish", staged)
    assert staged in {key["kid"] for key in mock_as_server.keys.jwks()["keys"]}
    good("keys", "delete", staged)
    assert staged not in {key["kid"] for key in mock_as_server.keys.jwks()["keys"]}


def test_key_that_begins_with_a_minus(mock_as_server: MockAS) -> None:
    """One thumbprint in 64 looks like an option, and is none: the server is asked for it."""
    status, _, log = run("keys", "publish", "-sixty-four")
    assert status != 0
    assert "No such option" not in log
    assert mock_as_server.keys.jwks()["keys"]


@pytest.mark.parametrize(
    ("move", "offset"), [("+1h", 3600), ("-30s", -30), ("+1d12h", 129600), ("+90", 90), ("+1.5m", 90)]
)
def test_clock_moves(move: str, offset: float, mock_as_server: MockAS) -> None:
    """A move has a sign and units."""
    assert f"({offset:+d} s)" in good("clock", move)
    assert mock_as_server.clock.offset == offset


def test_clock_stops_and_goes_on(mock_as_server: MockAS) -> None:
    """The clock is shown, frozen, and set back to the real time."""
    assert document("clock", "--json")["offset"] == 0
    assert good("clock", "freeze").endswith("(+0 s, frozen)")
    assert mock_as_server.clock.frozen
    assert good("clock", "reset").endswith("(+0 s)")


# ------------------------------------------------------------------------------------------------ faults and requests


def test_faults(mock_as_server: MockAS) -> None:
    """A fault is set as it is in Python, listed, and taken back."""
    token = mock_as_server.token()
    assert good("fault", "introspect", "503", "--times", "2", "--retry-after", "7").endswith("introspect status(503)")
    second = document("fault", "introspect", "inactive", "--token", token.id, "--client-id", "rs", "--json")
    assert [fault.plan.times for fault in mock_as_server.faults] == [2, None]
    assert "status(503)" in good("fault", "list")
    assert len(document("fault", "list", "--json")["faults"]) == 2
    good("fault", "clear", second["id"])
    assert len(list(mock_as_server.faults)) == 1
    assert good("fault", "clear") == "cleared"
    assert not mock_as_server.faults


def test_requests(mock_as_server: MockAS) -> None:
    """The requests are shown one in a line, or as lines of JSON, and can be chosen."""
    mock_as_server.fault("jwks", 503, times=1)
    for path in ("jwks", "jwks", "introspect"):
        httpx.get(f"{mock_as_server.issuer}/{path}")
    lines = good("requests").splitlines()
    assert len(lines) == 3
    assert lines[0].endswith("jwks  GET  /jwks  -  → 503  fault=status(503)")
    found = [json.loads(line) for line in good("requests", "jwks", "--status", "200", "--json").splitlines()]
    assert [(entry["endpoint"], entry["status"]) for entry in found] == [("jwks", 200)]


def test_requests_do_nothing_to_a_terminal(mock_as_server: MockAS) -> None:
    """Whoever can reach the server can send anything, and nothing of it is obeyed by the terminal that shows it."""
    httpx.post(f"{mock_as_server.issuer}/token", data={"client_id": "a\x1b]0;title\x07\nb"})
    assert good("requests").endswith(r"token  POST  /token  a\x1b]0;title\x07\nb  → 400")
    assert repr(mock_as_server.requests()).isprintable()


def test_requests_without_an_answer(mock_as_server: MockAS) -> None:
    """A request that a fault left without an answer is shown as such."""
    mock_as_server.fault("jwks", "reset", times=1)
    with pytest.raises(httpx.TransportError):
        httpx.get(mock_as_server.url.jwks)
    assert good("requests").endswith("→ no answer  fault=reset")


def test_requests_are_followed(mock_as_server: MockAS) -> None:
    """A follower is shown what came in already, and each request as it comes in."""
    httpx.get(mock_as_server.url.jwks)
    events = remote.events()
    assert next(events)["path"] == "/jwks"
    httpx.get(f"{mock_as_server.issuer}/introspect")
    assert next(events)["path"] == "/introspect"
    events.close()


def test_followers_choose(monkeypatch: pytest.MonkeyPatch) -> None:
    """A follower sees the requests that it chose, until the server ends."""
    entry = {"at": 0, "endpoint": "jwks", "method": "GET", "path": "/jwks", "client_id": None, "fault": None}
    entries = [{**entry, "status": 200}, {**entry, "status": 503}]
    monkeypatch.setattr(remote, "events", lambda: iter(entries))
    assert good("requests", "jwks", "-f", "--status", "503") == "00:00:00  jwks  GET  /jwks  -  → 503"


def test_reset(mock_as_server: MockAS) -> None:
    """Everything is as it was, but for what is to stay."""
    token = mock_as_server.token()
    mock_as_server.clock.advance(60)
    good("reset", "--keep", "tokens")
    assert mock_as_server.clock.offset == 0
    assert mock_as_server.tokens.find(token.value) is not None
    assert good("reset") == "reset"
    assert mock_as_server.tokens.find(token.value) is None


# ----------------------------------------------------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["token", "--defect", "alg_nonee"], "--defect: 'alg_nonee' is unknown; did you mean 'alg_none'?"),
        (["token", "--format", "jwe"], "--format: "),
        (["token", "--claims", "["], "--claims: is not a JSON object"),
        (["token", "--header", "[]"], "--header: is not a JSON object"),
        (["fault", "introspekt", "503"], "ENDPOINT: 'introspekt' is unknown; did you mean 'introspect'?"),
        (["fault", "introspect", "inactiv"], "ACTION: 'inactiv' is unknown; did you mean 'inactive'?"),
        (["fault", "introspect", "503", "--times", "0"], "--times: "),
        (["clock", "tomorrow"], "MOVE: 'tomorrow' is no move; there are +1h"),
        (["keys", "rotat"], "CHANGE: 'rotat' is unknown; did you mean 'rotate'?"),
        (["keys", "publish"], "KID: is needed for "),
        (["keys", "rotate", "kid"], "KID: is needed for "),
        (["revoke"], "TOKEN: name exactly one of TOKEN, --sub, --client-id, --all"),
        (["revoke", "x", "--all"], "TOKEN: name exactly one of "),
        (["requests", "jwsk"], "ENDPOINT: 'jwsk' is unknown; did you mean 'jwks'?"),
        (["introspect", "x", "--as", "rss"], "--as: 'rss' is unknown; did you mean 'rs'?"),
        (["reset", "--keep", "everything"], "--keep: 'everything' is unknown"),
    ],
)
def test_values_that_cannot_be_used(arguments: list[str], message: str) -> None:
    """A value that cannot be used ends with status 2 and a sentence that names the option and what would do."""
    status, output, log = run(*arguments)
    assert (status, output) == (2, "")
    assert log.startswith(f"mock-as: {message}")
    assert log.count("\n") == 1


@pytest.mark.parametrize("name", ["fault-9", "a/b", "../state", "?"])
def test_server_says_no(name: str) -> None:
    """What the server refuses ends with status 1, and with what the server says; a name is never a path."""
    status, output, log = run("fault", "clear", name)
    assert (status, output) == (1, "")
    assert log.startswith("mock-as: the server answers 404: ")


def test_introspection_refused(mock_as_server: MockAS) -> None:
    """The error of an OAuth endpoint is shown by its code or its description."""
    mock_as_server.fault("introspect", "invalid_client", times=1)
    status, _, log = run("introspect", "x")
    assert status == 1
    assert log.startswith("mock-as: the server answers 401: ")


def test_nobody_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nobody listens the status is 1, for the health check of a container as for everything else."""
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{reserved.getsockname()[1]}"
        monkeypatch.setenv("MOCK_AS_URL", url)
        for arguments in (["health"], ["requests", "-f"], ["token"]):
            status, output, log = run(*arguments)
            assert (status, output) == (1, "")
            assert log.startswith(f"mock-as: no answer from {url}: ")


def test_somebody_else_there(mock_as_server: MockAS, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that answers otherwise is not taken for an authorization server."""
    mock_as_server.fault("introspect", "html_error", status=200, times=1)
    status, _, log = run("introspect", "x")
    assert (status, "does not answer in JSON" in log) == (1, True)
    mock_as_server.fault("introspect", "html_error", times=1)
    assert run("introspect", "x")[2] == "mock-as: the server answers 502\n"
    monkeypatch.setenv("MOCK_AS_URL", f"{mock_as_server.issuer}/t/nobody")
    assert run("health")[0] == 1


def test_health() -> None:
    """A server that is up is healthy."""
    assert good("health") == "ok"


def test_another_server_is_not_healthy(mock_as_server: MockAS, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server of another kind is none that is up."""
    monkeypatch.setattr(remote, "call", lambda *_: {"status": "pass"})
    status, output, log = run("health")
    assert (status, output) == (1, "")
    assert log == f"mock-as: at {mock_as_server.issuer} there is another server, or one that is not well\n"


@pytest.mark.parametrize("url", ["127.0.0.1:9000", "file:///etc/passwd", "http://"])
def test_url_is_judged(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is no http(s) URL is not asked."""
    monkeypatch.setenv("MOCK_AS_URL", url)
    status, _, log = run("health")
    assert (status, log) == (2, "mock-as: MOCK_AS_URL: is not an http(s) URL\n")


@pytest.mark.parametrize(
    ("variables", "url"),
    [
        ({}, "http://127.0.0.1:9000"),
        ({"MOCK_AS_PORT": "8080"}, "http://127.0.0.1:8080"),
        ({"MOCK_AS_PORT": "8080", "MOCK_AS_ADMIN_PORT": "8081"}, "http://127.0.0.1:8081"),
        ({"MOCK_AS_PORT": "tcp://10.0.0.1:9000"}, "http://127.0.0.1:9000"),
        ({"MOCK_AS_URL": "http://mock-as:9000/t/one/"}, "http://mock-as:9000/t/one"),
    ],
)
def test_where_the_server_is(variables: dict[str, str], url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without MOCK_AS_URL the commands look where a server of the same environment listens."""
    monkeypatch.delenv("MOCK_AS_URL")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert remote.base_url() == url


@pytest.mark.mock_as(admin_token="open-sesame")
def test_admin_token(mock_as_server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """A control plane that asks for a token is shown the one of the environment."""
    assert run("token")[0] == 1
    assert good("health") == "ok"
    monkeypatch.setenv("MOCK_AS_ADMIN_TOKEN", "open-sesame")
    assert mock_as_server.tokens.find(good("token")) is not None
