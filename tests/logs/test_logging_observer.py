"""What is written for an event: fields for programs, a line for people, and no more of them than is useful."""

from __future__ import annotations

import json
import logging
import re
from dataclasses import fields
from threading import Barrier, Thread
from typing import Any, get_args
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mock_as import MockAS
from resource_server import Event, LoggingObserver
from resource_server.events import (
    AuthorizationServerUnavailable,
    ConfigurationFault,
    JSONFormatter,
    RequestRefused,
    RequestUnverifiable,
    RevocationFeedAvailable,
    StoreAvailable,
    StoreUnavailable,
    UnprotectedRoutes,
)
from tests.support.api import API
from tests.support.instance import instance_in

ISSUER = "https://as.example.com"
KINDS: list[Any] = list(get_args(Event))


class Heard(logging.Handler):
    """Keeps records."""

    def __init__(self, level: int) -> None:
        """Keep none yet."""
        super().__init__(level)
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep one."""
        self.records.append(record)


@pytest.fixture
def heard(request: pytest.FixtureRequest) -> Any:
    """Listen to the logger at a level: that of the test, or INFO."""
    logger, handler = logging.getLogger("resource_server"), Heard(getattr(request, "param", logging.INFO))
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(handler.level)
    yield handler
    logger.removeHandler(handler)
    logger.setLevel(level)


AT_DEBUG = pytest.mark.parametrize("heard", [logging.DEBUG], indirect=True)


class Ticking:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        """Begin."""
        self.now = 0.0

    def __call__(self) -> float:
        """Tell the time."""
        return self.now


def made(kind: Any) -> Any:
    """Make an event of a kind, with something in every field."""
    values: dict[str, Any] = {"str": "text", "int": 7, "float": 0.5, "tuple[str, ...]": ("one", "two")}
    return kind(**{member.name: values.get(str(member.type).split(" | ")[0], "text") for member in fields(kind)})


def refused(status: int = 401, reason: Any = "expired") -> RequestRefused:
    """Make a refusal."""
    return RequestRefused(status, "invalid_token", reason, "0123456789ab", ISSUER)


@AT_DEBUG
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_fields(kind: Any, heard: Heard) -> None:
    """Each record has the event's name and each of its fields, under names that the library keeps; no value is lost."""
    event = made(kind)
    LoggingObserver()(event)
    [record] = heard.records
    name = re.sub("([a-z])([A-Z])", r"\1_\2", kind.__name__).lower()
    said = {member.name: getattr(event, member.name) for member in fields(event)}
    assert {key: vars(record)[key] for key in ("event", *said)} == {"event": name, **said}
    assert record.getMessage().split(" ")[0] == name


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_no_field_is_a_records_own(kind: Any) -> None:
    """No field of an event has the name of something that every record has: ``logging`` would raise."""
    own = {*vars(logging.makeLogRecord({})), "message", "asctime", "taskName", "event", "suppressed"}
    assert not own & {member.name for member in fields(kind)}


def test_a_kind_of_refusal_is_one_line(heard: Heard) -> None:
    """However many are refused, there is one line of each kind in a while, and it says how many there were not."""
    clock = Ticking()
    observer = LoggingObserver(monotonic=clock, refusals_every=10.0)
    for second in range(25):
        clock.now = float(second)
        for _ in range(100):
            observer(refused())
            observer(refused(reason="inactive"))
            observer(refused(status=403, reason=None))
            observer(RequestUnverifiable(503, None, ISSUER))
    told = [
        (vars(record)["status"], vars(record).get("reason"), vars(record)["suppressed"]) for record in heard.records
    ]
    kinds = [(401, "expired"), (401, "inactive"), (403, None), (503, None)]
    assert told == [(*kind, suppressed) for suppressed in (0, 999, 999) for kind in kinds]
    assert {record.levelno for record in heard.records} == {logging.INFO}
    assert heard.records[-1].getMessage() == f"request_unverifiable status=503 issuer={ISSUER} suppressed=999"


@AT_DEBUG
def test_the_others_at_debug(heard: Heard) -> None:
    """Who listens at DEBUG sees every single one once, and which of them stand for the others."""
    observer = LoggingObserver(monotonic=Ticking())
    for _ in range(3):
        observer(refused())
    assert [record.levelname for record in heard.records] == ["INFO", "DEBUG", "DEBUG"]
    assert ["suppressed" in vars(record) for record in heard.records] == [True, False, False]


def test_threads(heard: Heard) -> None:
    """Threads that refuse at the same time write one line between them, and none is lost from the count."""
    clock, threads = Ticking(), 4
    observer, together = LoggingObserver(monotonic=clock), Barrier(threads)

    def refuse() -> None:
        together.wait()
        for _ in range(500):
            observer(refused())

    started = [Thread(target=refuse) for _ in range(threads)]
    for thread in started:
        thread.start()
    for thread in started:
        thread.join()
    clock.now = 10.0
    observer(refused())
    assert [vars(record)["suppressed"] for record in heard.records] == [0, 500 * threads - 1]


def test_what_is_remembered_is_bounded(heard: Heard) -> None:
    """An authorization server that fails in ever new words fills no memory; what was told last is still known."""
    observer = LoggingObserver(monotonic=Ticking())
    for number in range(5_000):
        observer(AuthorizationServerUnavailable("introspection", f"status_{number}", None, ISSUER))
    assert len(observer._logged) <= 1_024
    before = len(heard.records)
    observer(AuthorizationServerUnavailable("introspection", "status_4999", None, ISSUER))
    assert len(heard.records) == before
    observer(AuthorizationServerUnavailable("introspection", "status_0", None, ISSUER))
    assert len(heard.records) == before + 1


def test_what_was_told_again_is_not_the_first_to_be_forgotten(heard: Heard) -> None:
    """A fault that lasts stays one line a minute, however many others there are beside it."""
    clock = Ticking()
    observer = LoggingObserver(monotonic=clock, repeat_after=60.0)
    lasting = AuthorizationServerUnavailable("introspection", "timeout", None, ISSUER)
    observer(lasting)
    for number in range(1_023):
        observer(AuthorizationServerUnavailable("introspection", f"status_{number}", None, ISSUER))
    clock.now += 60.0
    observer(lasting)
    observer(AuthorizationServerUnavailable("introspection", "one_more", None, ISSUER))
    before = len(heard.records)
    observer(lasting)
    assert len(heard.records) == before


@pytest.mark.parametrize(
    "event", [StoreAvailable(ISSUER), RevocationFeedAvailable(ISSUER)], ids=lambda e: type(e).__name__
)
def test_the_end_of_an_outage(event: Event, heard: Heard) -> None:
    """That it answers again is a line too; one that comes and goes writes no more of them than of the other."""
    clock = Ticking()
    observer = LoggingObserver(monotonic=clock, repeat_after=60.0)
    for second in range(120):
        clock.now = float(second)
        observer(StoreUnavailable("timeout", ISSUER))
        observer(event)
    assert [record.levelname for record in heard.records] == ["WARNING", "INFO"] * 2


def test_an_outage_and_a_fault_of_the_same_cause(heard: Heard) -> None:
    """They are two events, and each is news."""
    observer = LoggingObserver(monotonic=Ticking())
    observer(AuthorizationServerUnavailable("metadata", "status_404", None, ISSUER))
    observer(ConfigurationFault("metadata", "status_404", ISSUER))
    assert [record.levelname for record in heard.records] == ["WARNING", "ERROR"]


def test_nothing_is_made_that_nobody_hears(monkeypatch: pytest.MonkeyPatch) -> None:
    """An event below the level costs no line, not even one that is thrown away."""
    logger = logging.getLogger("resource_server")
    monkeypatch.setattr(logger, "isEnabledFor", lambda level: level > logging.INFO)
    monkeypatch.setattr(logger, "log", lambda *_, **__: pytest.fail("a record was made"))
    LoggingObserver()(refused())


FIELD = re.compile(r'([a-z_]+)=("(?:[^"\\]|\\.)*"|[!#-<>-~]+)')
"""A field as the page says that it is written."""
ANY_TEXT = st.text(st.characters(codec=None, exclude_categories=()), max_size=40)


@pytest.mark.attack("A-J-5")
@given(cause=ANY_TEXT, issuer=ANY_TEXT, path=ANY_TEXT)
def test_values_stay_where_they_are(cause: str, issuer: str, path: str) -> None:
    """Whatever is in a value, the line is one line of ASCII, and reads as the fields that were written."""
    logger, handler = logging.getLogger("resource_server"), Heard(logging.INFO)
    logger.addHandler(handler)
    level = logger.level
    logger.setLevel(logging.INFO)
    try:
        LoggingObserver()(ConfigurationFault("introspection", cause, issuer))
        LoggingObserver()(UnprotectedRoutes((path,), issuer))
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
    for record, wanted in zip(
        handler.records,
        [{"endpoint": "introspection", "cause": cause, "issuer": issuer}, {"routes": path, "issuer": issuer}],
        strict=True,
    ):
        text = record.getMessage()
        assert text.isascii()
        assert text.isprintable()
        found = {key: json.loads(value) if value.startswith('"') else value for key, value in FIELD.findall(text)}
        assert found == wanted
        assert text == " ".join([vars(record)["event"], *("=".join(pair) for pair in FIELD.findall(text))])


def line_of(record: logging.LogRecord) -> dict[str, Any]:
    """Read what the formatter writes."""
    text = JSONFormatter().format(record)
    assert "\n" not in text
    members: dict[str, Any] = json.loads(text)
    return members


def test_json(heard: Heard) -> None:
    """A record is one line of JSON: when, how bad, what, and every field of the event as what it is."""
    LoggingObserver()(UnprotectedRoutes(("GET /docs", "/live"), ISSUER))
    [record] = heard.records
    record.created = 1_700_000_000.25
    assert line_of(record) == {
        "time": "2023-11-14T22:13:20.250+00:00",
        "level": "INFO",
        "logger": "resource_server",
        "message": f'unprotected_routes routes="GET /docs,/live" issuer={ISSUER}',
        "event": "unprotected_routes",
        "routes": ["GET /docs", "/live"],
        "issuer": ISSUER,
    }


@pytest.mark.attack("A-J-5")
def test_json_of_anything() -> None:
    """A record of somebody else's is written as well: with what it holds, its traceback, and no second line."""
    exc_info: Any = (ValueError, ValueError("a\nb"), None)
    record = logging.LogRecord("app", logging.ERROR, "app.py", 1, "one %s\r\n\udcff", ("two",), exc_info)
    vars(record).update(order={1}, color_message="\x1b[31mone", level="mine")
    found = line_of(record)
    assert (found["message"], found["level"], found["order"]) == ("one two\r\n\udcff", "ERROR", "{1}")
    assert found["exception"].endswith("ValueError: a\nb")
    assert "color_message" not in found


@pytest.mark.anyio
@pytest.mark.parametrize("how", ["no token", "a bad one", "too little", "an outage"])
async def test_a_complaint_finds_its_line(how: str, mock_as: MockAS, heard: Heard) -> None:
    """What a caller was told to name a refusal by is in the line about it, and nothing that the caller has chosen."""
    chosen = "00000000-0000-4000-8000-000000000000"
    if how == "an outage":
        mock_as.fault("introspect", status=500)
    scope = "read" if how == "an outage" else "nothing"
    token = {"no token": None, "a bad one": "unknown"}.get(how, mock_as.token(scope=scope, format="opaque").value)
    headers = [(b"x-request-id", chosen.encode()), (b"x-correlation-id", chosen.encode())]
    answer = await API(mock_as, observer=None).send(token=token, headers=headers)
    mock_as.clear_faults()
    [record] = [record for record in heard.records if vars(record)["event"].startswith("request_")]
    told = instance_in(answer.body)
    assert told is not None
    assert vars(record)["correlation_id"] == told != chosen
    assert f"correlation_id={told}" in record.getMessage().split(" ")
    assert UUID(told).version == 4
    assert told not in repr(answer.headers)
