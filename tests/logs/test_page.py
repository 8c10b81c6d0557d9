"""The page about logs names every event with its level and its fields, and shows lines as they are."""

from __future__ import annotations

import json
import logging
import re
from dataclasses import fields
from typing import Any, get_args

import pytest

from resource_server import Event, LoggingObserver
from resource_server.events import JSONFormatter, RequestRefused
from tests.docs.pages import blocks, read

PAGE = "docs/logging.md"
KINDS: dict[str, Any] = {re.sub("([a-z])([A-Z])", r"\1_\2", kind.__name__).lower(): kind for kind in get_args(Event)}
SHOWN = RequestRefused(
    401,
    "invalid_token",
    "expired",
    "4be1c2a90d37",
    "https://as.example.com",
    "6f0c9f3e-54e1-4a07-9d0b-0a1a5d6f0f3e",
)


def rows() -> dict[str, tuple[str, str, list[str]]]:
    """Read the table: level, how often, and fields, by event."""
    text = read(PAGE).partition("## What is written\n")[2].partition("\n## ")[0]
    lines = [line for line in text.splitlines() if line.startswith("| `")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return {name.strip("`"): (level, often, re.findall("`(.*?)`", said)) for name, level, often, said in cells}


def logged(caplog: pytest.LogCaptureFixture, event: Event, times: int = 3) -> list[logging.LogRecord]:
    """Log an event several times at one moment, and return the records."""
    caplog.set_level(logging.DEBUG, logger="resource_server")
    observer = LoggingObserver(monotonic=lambda: 0.0)
    for _ in range(times):
        observer(event)
    return caplog.records


def test_every_event_is_there() -> None:
    """The page names each event once, and nothing that is none."""
    assert sorted(rows()) == sorted(KINDS)


@pytest.mark.parametrize("name", KINDS)
def test_rows(name: str, caplog: pytest.LogCaptureFixture) -> None:
    """An event is logged at the level, as often, and with the fields that its row says."""
    kind = KINDS[name]
    values: dict[str, Any] = {"str": "text", "int": 7, "float": 0.5, "tuple[str, ...]": ("one",)}
    event = kind(**{member.name: values.get(str(member.type).split(" | ")[0], "text") for member in fields(kind)})
    records = logged(caplog, event)
    level, often, said = rows()[name]
    assert said == [member.name for member in fields(kind)]
    assert records[0].levelname == level
    assert [record.levelname for record in records[1:]] == {
        "always": [level] * 2,
        "once a minute": [],
        "once in ten seconds": ["DEBUG"] * 2,
    }[often]


def test_the_line(caplog: pytest.LogCaptureFixture) -> None:
    """The line at the top of the page is what is written, and the object further down is made of the same record."""
    [record] = logged(caplog, SHOWN, times=1)
    record.created = 1_772_334_764.12
    [block] = blocks(PAGE, "text")
    shown = block.text.replace("\n  ", " ").strip()
    assert shown.replace("suppressed=214", "suppressed=0") == f"INFO {record.name} {record.getMessage()}"
    told = json.loads(JSONFormatter().format(record))
    example = json.loads(blocks(PAGE, "json")[0].text)
    assert list(example) == list(told)
    assert example | {"message": told["message"], "suppressed": 0} == told


def test_other_lines() -> None:
    """What the page says of lines that are no events is what stands in the sources."""
    said = set(re.findall(r"`([a-z_]+_failed)`", read(PAGE)))
    assert said == {"observer_failed", "resolver_failed", "background_work_failed", "revocation_feed_failed"}
