"""Whether a process lives, and whether it should get requests: the same two answers from every front door."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from resource_server import Check, ConfigurationError, Health, ResourceServer
from resource_server.asgi import BearerTokenMiddleware
from resource_server.fastapi import install
from resource_server.forward_auth import ForwardAuth
from resource_server.health import Probes, Status
from resource_server.wsgi import BearerTokenMiddleware as WSGIMiddleware
from tests.health.doors import NAMES, OWN, Doors
from tests.parity.doors.asgi_call import ASGIDoor
from tests.parity.doors.wsgi_call import WSGIDoor
from tests.parity.world import Sent
from tests.support.answer import Answer
from tests.support.fastapi_app import READER, ScriptedAS
from tests.support.promises import assert_refused

pytestmark = pytest.mark.anyio

CHECK = Check("introspection", "degraded", "timeout", 3.5)
ALIVE = b'{"status": "ok"}'
JSON = ("content-type", "application/json")
UNKEPT = ("cache-control", "no-store")
READS_AHEAD = "Django, ASGI"
"""Django itself reads a body before it begins, where it is entered by ASGI."""
EVERY_DOOR = pytest.mark.parametrize("door", NAMES)


class Doing:
    """How the servers are said to be doing."""

    def __init__(self) -> None:
        """Begin well."""
        self.status: Status = "ready"
        self.asked = 0

    def __call__(self) -> Health:
        """Tell it."""
        self.asked += 1
        return Health(self.status, (CHECK,))


@pytest.fixture
def doing() -> Doing:
    """Say how the servers are doing."""
    return Doing()


@pytest.fixture
def doors(doing: Doing) -> Iterator[Doors]:
    """Open front doors."""
    with ExitStack() as stack:
        yield Doors(doing, stack)


def bytes_of(answer: Answer) -> tuple[int, list[tuple[str, str]], bytes]:
    """Return all of an answer; the names of fields are in any case, and in any order."""
    return answer.status, sorted((name.lower(), value) for name, value in answer.headers), answer.body


def expected(status: int, body: bytes, *fields: tuple[str, str]) -> tuple[int, list[tuple[str, str]], bytes]:
    """Write an answer out."""
    return status, sorted([*fields, UNKEPT, ("content-length", str(len(body)))]), body


@EVERY_DOOR
async def test_alive(door: str, doors: Doors, doing: Doing) -> None:
    """A process that answers lives, however its authorization server is doing: that is not even looked at."""
    doing.status = "down"
    answer = await doors.open(door, probes=True).send(Sent(path="/healthz"))
    assert bytes_of(answer) == expected(200, ALIVE, JSON)
    assert not answer.reads or door == READS_AHEAD
    assert doing.asked == 0


@EVERY_DOOR
@pytest.mark.parametrize(("status", "code"), [("ready", 200), ("degraded", 200), ("down", 503)])
async def test_ready(door: str, status: Status, code: int, doors: Doors, doing: Doing) -> None:
    """It should get requests while it can judge a token by whatever means; everybody is told that, and no more."""
    doing.status = status
    answer = await doors.open(door, probes=True).send(Sent(path="/readyz"))
    assert bytes_of(answer) == expected(code, json.dumps({"status": status}).encode(), JSON)
    assert not answer.reads or door == READS_AHEAD


@EVERY_DOOR
async def test_details(door: str, doors: Doors) -> None:
    """Where it is asked for, the checks are told as well."""
    answer = await doors.open(door, Probes(details=True)).send(Sent(path="/readyz"))
    assert answer.json() == {
        "status": "ready",
        "checks": [{"name": "introspection", "status": "degraded", "reason": "timeout", "age_seconds": 3.5}],
    }


async def test_gateway(doors: Doors) -> None:
    """The gateway answers the same, with the checks: nobody but those who run it reaches it."""
    gateway, other = ASGIDoor(ForwardAuth(doors.server())), doors.open("ASGI", Probes(details=True))
    for path in ("/healthz", "/readyz"):
        for method in ("GET", "HEAD", "POST"):
            sent = Sent(method, path)
            assert bytes_of(await gateway.send(sent)) == bytes_of(await other.send(sent))


@EVERY_DOOR
@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
async def test_methods(door: str, path: str, doors: Doors) -> None:
    """HEAD is answered as GET, without the body; nothing else may be asked, with or without a token."""
    opened = doors.open(door, probes=True)
    got, head = [await opened.send(Sent(method, path)) for method in ("GET", "HEAD")]
    status, fields, _ = bytes_of(got)
    assert bytes_of(head)[:2] == (status, fields)
    assert head.body == b""
    for method in ("POST", "OPTIONS", "DELETE"):
        refused = await opened.send(Sent(method, path, headers=((b"authorization", b"Bearer " + READER.encode()),)))
        assert bytes_of(refused) == expected(405, b"", ("allow", "GET, HEAD"))


@EVERY_DOOR
@pytest.mark.parametrize(
    ("probes", "path"),
    [
        (False, "/healthz"),
        (False, "/readyz"),
        (True, "/healthz/"),
        (True, "/healthz/x"),
        (Probes(live="/live", ready="/ready"), "/healthz"),
        (Probes(live="/live", ready="/ready"), "/readyz"),
    ],
    ids=lambda value: str(getattr(value, "live", value)),
)
async def test_the_applications_own(door: str, probes: bool | Probes, path: str, doors: Doors) -> None:  # noqa: FBT001 - a table's column
    """A path is the application's own unless it is exactly the probe's, and probes are wanted."""
    assert (await doors.open(door, probes).send(Sent(path=path))).body == OWN


@EVERY_DOOR
async def test_other_paths(door: str, doors: Doors) -> None:
    """The paths may be others: some platforms keep those that end with z for themselves."""
    opened = doors.open(door, Probes(live="/live", ready="/ready"))
    assert (await opened.send(Sent(path="/live"))).body == ALIVE
    assert (await opened.send(Sent(path="/ready"))).json() == {"status": "ready"}


@EVERY_DOOR
@pytest.mark.parametrize("probes", ["yes", None, 2, ("/healthz", "/readyz")])
async def test_what_means_nothing(door: str, probes: Any, doors: Doors) -> None:
    """What is neither a switch nor paths is refused when the application is made."""
    with pytest.raises(ConfigurationError, match="probes must be True, False or Probes"):
        doors.open(door, probes)


@pytest.mark.parametrize(
    ("live", "ready"), [("healthz", "/readyz"), ("/healthz", ""), ("/z", "/z"), ("/healthz", "http://x/readyz")]
)
def test_what_is_no_path(live: str, ready: str) -> None:
    """A path begins with a slash, and two questions have two paths."""
    with pytest.raises(ConfigurationError, match="probes must be two paths"):
        Probes(live=live, ready=ready)


def asgi(server: ResourceServer) -> ASGIDoor:
    """Put the middleware with probes around nothing."""
    return ASGIDoor(BearerTokenMiddleware(lambda *_: None, server, probes=True))  # type: ignore[arg-type] # never called


async def test_everything_else_is_judged() -> None:
    """Probes open nothing else: another path needs a token as before."""
    door = asgi(ScriptedAS().server())
    for path in ("/", "/healthzz", "//healthz", "/HEALTHZ", "/healthz/../admin"):
        assert_refused(await door.send(Sent(path=path)), 401, None)


async def test_prefix(doors: Doors) -> None:
    """Behind a prefix the probe is found with it and without: some servers put it before every path."""
    guarded = asgi(doors.server()).app

    async def behind(scope: Any, receive: Any, send: Any) -> None:
        await guarded({**scope, "root_path": "/v1"}, receive, send)

    for path in ("/healthz", "/v1/healthz"):
        assert (await ASGIDoor(behind).send(Sent(path=path))).body == ALIVE
    wsgi = WSGIMiddleware(lambda *_: [], doors.blocking(), probes=True)

    def below(environ: Any, start_response: Any) -> Any:
        return wsgi({**environ, "SCRIPT_NAME": "/v1"}, start_response)

    assert (await WSGIDoor(below).send(Sent(path="/healthz"))).body == ALIVE


async def test_mounted(doors: Doors) -> None:
    """A mounted application that has an install of its own answers for itself, below its prefix."""
    from fastapi import FastAPI  # noqa: PLC0415 - used here only

    inner, outer = FastAPI(), FastAPI()
    install(inner, doors.server(), probes=True)
    outer.mount("/inner", inner)
    install(outer, doors.server())
    assert (await ASGIDoor(outer).send(Sent(path="/inner/healthz"))).body == ALIVE
    assert (await ASGIDoor(outer).send(Sent(path="/healthz"))).status == 404
