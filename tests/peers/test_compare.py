"""The comparison of costs: what is written of its results, and how it asks. Nothing is measured here."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import Iterator
from itertools import repeat
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from benchmarks.compare import authority, chart, report, rounds
from benchmarks.compare.client import LOST, ask, question, until
from benchmarks.compare.contestants import ROOT
from benchmarks.compare.scenarios import medians

pytestmark = pytest.mark.anyio

_SVG = "{http://www.w3.org/2000/svg}"
_OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"


def _figures(**changed: float) -> dict[str, float]:
    return {row.figure: 1.0 for row in report.ROWS} | {name.replace("__", "."): v for name, v in changed.items()}


@pytest.fixture
def document() -> dict[str, Any]:
    """Return results of two contestants and three rounds."""
    return {
        "date": "2026-01-02",
        "machine": {"processor": "a processor", "cores": 2, "system": "Linux", "python": "3.11.0", "node": ""},
        "latency_ms": 5.0,
        "effort": {"seconds": 1.0, "tokens": 10, "jwts": 5, "burst": 7},
        "contestants": {
            "fastapi": {"title": "ours", "kind": "opaque", "versions": {"a": "1"}},
            "other": {"title": "<theirs>", "kind": "jwt", "versions": {"b": "2"}},
        },
        "figures": {
            "fastapi": [_figures(hit__rate=rate, burst__good=0.5) for rate in (3000.0, 1000.0, 2000.0)],
            "other": [_figures()] * 3,
        },
    }


def _rows(markdown: str) -> dict[str, str]:
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in markdown.splitlines() if line[:1] == "|"]
    return {cells[0]: cells[1] for cells in rows}


def test_a_cell_has_the_median_and_the_span(document: dict[str, Any]) -> None:
    """Three rounds are their median, with the lowest and the highest; one value is that value."""
    del document["contestants"]["other"]

    assert _rows(report.tables(document))["hit: requests, 1/s"] == "2,000 (1,000 to 3,000)"
    assert report.cell(report.ROWS[1], [3000.0, 1000.0, 2000.0]) == "2,000 (1,000 to 3,000)"
    assert report.cell(report.ROWS[1], [7.0]) == "7"


def test_a_share_is_written_in_percent() -> None:
    """Shares have a decimal where they need one."""
    row = next(row for row in report.ROWS if row.figure == "burst.good")

    assert [report.said(row, share) for share in (0.0, 0.125, 1.0)] == ["0", "12.5", "100"]


def test_the_conditions_are_told(document: dict[str, Any]) -> None:
    """Machine, date, versions and the number of rounds stand above the tables."""
    first = " ".join(report.tables(document).partition("\n\n")[0].split())

    assert "2026-01-02" in first
    assert "a processor, 2 cores" in first
    assert "Rounds: 3" in first
    assert "a 1, b 2" in first


def test_each_kind_of_token_has_a_table(document: dict[str, Any]) -> None:
    """Opaque tokens and JWTs are not compared with each other; who is not there leaves no table."""
    headings = re.findall("^### (.+)$", report.tables(document), re.MULTILINE)
    assert headings == list(report.KINDS.values())

    del document["contestants"]["other"]
    assert re.findall("^### (.+)$", report.tables(document), re.MULTILINE) == [report.KINDS["opaque"]]


def test_the_drawings_are_those_that_the_page_shows(document: dict[str, Any]) -> None:
    """Every image of the page is drawn, is an SVG, and escapes what stands in it."""
    drawings = report.drawings(document)

    assert set(re.findall(r"\]\(images/(.+?)\)", report.tables(document))) == set(drawings)
    for text in drawings.values():
        assert ET.fromstring(text).tag == f"{_SVG}svg"  # noqa: S314 - it was made here


def test_a_bar_is_as_long_as_its_value() -> None:
    """The longest bar takes the whole width, and half of it is half as long."""
    bars = [chart.Bar("a", 4, 4, 4, ours=True, said="4"), chart.Bar("b", 2, 2, 2, ours=False, said="2")]
    drawn = ET.fromstring(chart.draw(bars, "title", "unit"))  # noqa: S314 - it was made here

    whole, half = [float(rect.attrib["width"]) for rect in drawn.iter(f"{_SVG}rect") if "x" in rect.attrib]
    assert half == pytest.approx(whole / 2, abs=0.1)


def test_nothing_is_drawn_of_nothing() -> None:
    """A drawing without bars, or with empty ones, is a drawing."""
    assert ET.fromstring(chart.draw([], "title", "unit")).tag == f"{_SVG}svg"  # noqa: S314 - it was made here
    assert chart.draw([chart.Bar("a", 0, 0, 0, ours=True, said="0")], "title", "unit")


def test_the_page_keeps_what_people_wrote(document: dict[str, Any], tmp_path: Path) -> None:
    """Only what is between the comments is written anew, and the drawings."""
    (tmp_path / "images").mkdir()
    page = tmp_path / report.PAGE
    page.write_text(f"before\n{report.BEGIN}\nold\n{report.END}\nafter\n", encoding="utf-8")

    report.write(document, tmp_path)

    text = page.read_text(encoding="utf-8")
    assert text.startswith("before\n")
    assert text.endswith("after\n")
    assert "\nold\n" not in text
    assert {path.name for path in (tmp_path / "images").iterdir()} == set(report.drawings(document))


def test_the_page_says_what_the_results_say() -> None:
    """The page of the benchmarks and its drawings are written from the stored results and from nothing else."""
    stored = json.loads(rounds.RESULTS.read_text(encoding="utf-8"))
    docs = ROOT / "docs"
    page = (docs / report.PAGE).read_text(encoding="utf-8")

    assert report.spliced(page, report.tables(stored)) == page
    for name, text in report.drawings(stored).items():
        assert (docs / "images" / name).read_text(encoding="utf-8") == text


def test_the_stored_results_are_of_rounds_alike() -> None:
    """Everybody was measured equally often, and each round measured the same."""
    stored = json.loads(rounds.RESULTS.read_text(encoding="utf-8"))

    assert set(stored["figures"]) == set(stored["contestants"])
    assert len({len(measured) for measured in stored["figures"].values()}) == 1
    for measured in stored["figures"].values():
        assert all(figures.keys() == measured[0].keys() for figures in measured)


def test_the_median_is_taken_of_each_figure() -> None:
    """Rounds are summed up figure by figure."""
    assert medians([{"a": 1.0, "b": 9.0}, {"a": 2.0, "b": 7.0}, {"a": 9.0, "b": 8.0}]) == {"a": 2.0, "b": 8.0}


def test_the_stub_believes_what_a_token_says_of_itself() -> None:
    """A token is active until the time that stands in it; everything else is not."""
    now = int(time.time())

    assert authority.members("https://as.example.test", f"live-{now + 60}-1")["exp"] == now + 60
    for token in (f"live-{now - 1}-1", "live-soon-1", "dead-1", ""):
        assert authority.members("https://as.example.test", token) == {"active": False}


class _Server(asyncio.Protocol):
    """Answers each request as it is told, and may end the connection."""

    def __init__(self, answers: Iterator[bytes]) -> None:
        self._answers = answers
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:  # noqa: ARG002 - asyncio's signature
        """Say the next answer; nothing at all ends the connection."""
        assert self._transport is not None
        answer = next(self._answers)
        self._transport.write(answer)
        if not answer:
            self._transport.close()


async def _answers(said: Iterator[bytes], number: int, connections: int = 1) -> list[int]:
    server = await asyncio.get_running_loop().create_server(lambda: _Server(said), "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        answers = await ask(port, repeat(question(port, "/read", "token"), number), connections)
    assert all(answer.seconds >= 0 for answer in answers)
    return [answer.status for answer in answers]


@pytest.mark.parametrize("connections", [1, 3])
async def test_every_question_is_asked_once(connections: int) -> None:
    """All questions are asked, over however many connections."""
    assert await _answers(repeat(_OK), 10, connections) == [200] * 10


async def test_an_answer_may_end_its_connection() -> None:
    """The next question goes over a new connection."""
    ends = _OK.replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n")

    assert await _answers(iter([ends, _OK]), 2) == [200, 200]


async def test_a_question_that_met_a_closed_connection_is_asked_again() -> None:
    """A kept connection may just be closed by the server: any client tries once more."""
    assert await _answers(iter([_OK, b"", _OK]), 2) == [200, 200]


async def test_who_gets_no_answer_says_so() -> None:
    """A new connection that ends without an answer is a request that was lost."""
    assert await _answers(iter([b"", _OK]), 2) == [LOST, 200]


def test_questions_end_with_their_time() -> None:
    """A load lasts as long as it is told."""
    assert list(until(time.perf_counter() - 1, repeat(b""))) == []
    assert next(until(time.perf_counter() + 60, repeat(b"x"))) == b"x"
