"""The command: what it prints and writes, and with which status it ends."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import parse

import pytest

from resource_server import cli
from tests.conformance_suite.mutants import Stored
from tests.conformance_suite.small_server import SmallServer
from tests.conformance_suite.stands import served

HEAD, STORED = "9110-9.3.2-a", "9111-5.2.2-a"


def end(*arguments: str) -> int:
    """Run the command and return its status."""
    with pytest.raises(SystemExit) as ended:
        cli.main(["conformance", *arguments])
    return int(str(ended.value.code or 0))


@contextmanager
def options(kind: type[SmallServer], issuer: str) -> Generator[list[str]]:
    """Serve a server, and return the options that judge it."""
    with served(kind, issuer) as target:
        yield ["--url", target.url, "--as", issuer, "--route", "read=/read", "--route", "write=GET /write"]


def test_a_server_without_mistakes_ends_with_0(issuer: str, capsys: pytest.CaptureFixture[str]) -> None:
    """What is printed is the score."""
    with options(SmallServer, issuer) as given:
        assert end(*given, "--only", HEAD) == 0
    out = capsys.readouterr().out
    assert "Score in" in out
    assert HEAD not in out


def test_a_mistake_ends_with_1_and_is_shown(issuer: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The clause stands in the table of what failed, with what was expected; what does not apply has another one."""
    with options(Stored, issuer) as given:
        assert end(*given, "--only", STORED, "--only", "6750-3.1-h") == 1
    lines = [line.strip() for line in capsys.readouterr().out.splitlines()]
    begins = [next(at for at, line in enumerate(lines) if line.endswith(kind)) for kind in (": failed", "applicable")]
    failed, not_applicable = "\n".join(lines[slice(*begins)]), "\n".join(lines[begins[1] :])
    assert STORED in failed
    assert "no-store" in failed
    assert "names no route 'both'" in not_applicable


def test_json_alone_is_printed(issuer: str, capsys: pytest.CaptureFixture[str]) -> None:
    """With a hyphen for the file there is nothing but one document."""
    with options(SmallServer, issuer) as given:
        assert end(*given, "--only", HEAD, "--json", "-") == 0
    document = json.loads(capsys.readouterr().out)
    assert [one["id"] for one in document["clauses"]] == [HEAD]


def test_the_report_is_written_to_files(issuer: str, tmp_path: Path) -> None:
    """Each form has a file of its own."""
    names = {form: str(tmp_path / f"report.{form}") for form in ("json", "junit", "html")}
    with options(SmallServer, issuer) as given:
        assert end(*given, "--only", HEAD, *(word for form, name in names.items() for word in (f"--{form}", name))) == 0
    assert json.loads(Path(names["json"]).read_text())["whole"] is True
    assert parse(names["junit"]).getroot().get("tests") == "1"  # noqa: S314 - we have written it
    assert HEAD in Path(names["html"]).read_text()


def test_a_target_can_be_judged_where_it_runs(issuer: str, tmp_path: Path) -> None:
    """What the command line says has the last word over the file, whose command is not started then."""
    path = tmp_path / "target.toml"
    path.write_text('[target]\nstart = "false"\n[routes]\nread = "/read"\n[claims]\nformat = "jwt"\n')
    with served(SmallServer, issuer) as target:
        given = ["--target", str(path), "--url", target.url, "--as", issuer, "--format", "opaque"]
        assert end(*given, "--only", "6750-2.1-a") == 0


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([], "say what is to be judged"),
        (["--target", "nothing.toml"], "nothing.toml cannot be read"),
        (["--url", "http://127.0.0.1:1"], "names no route read"),
        (["--url", "127.0.0.1", "--route", "read=/"], "url is '127.0.0.1'"),
        (["--url", "http://127.0.0.1:1", "--route", "read=here"], "route read is 'here'"),
        (["--url", "http://127.0.0.1:1", "--route", "reed=/"], "no member of [routes] 'reed'"),
        (["--url", "http://127.0.0.1:1", "--route", "read=/", "--format", "saml"], "format is 'saml'"),
        (["--url", "http://127.0.0.1:1", "--route", "read=/", "--only", "x"], "no clause 'x'"),
        (["--url", "http://127.0.0.1:1", "--route", "read=/", "--as", "http://127.0.0.1:1"], "answered POST /tokens"),
        (["--list", "--only", "x"], "no clause 'x'"),
    ],
)
def test_what_cannot_begin_ends_with_2(arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The reason is one line on the standard error output."""
    assert end(*arguments) == 2
    assert told in capsys.readouterr().err


def test_a_report_that_cannot_be_written_ends_with_2(issuer: str, tmp_path: Path) -> None:
    """A folder that is not there is told, and no traceback."""
    with options(SmallServer, issuer) as given:
        assert end(*given, "--only", HEAD, "--html", str(tmp_path / "nothing" / "report.html")) == 2


def test_a_ctrl_c_ends_with_130(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody is shown a traceback."""

    def interrupted(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(cli.conformance, "run", interrupted)
    assert end("--url", "http://127.0.0.1:1", "--route", "read=/") == 130


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_it_as_a_ctrl_c_does(number: signal.Signals, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever ends the suite by name, or its terminal, ends what it has started too; afterwards all is as before."""
    before, went_on = signal.getsignal(number), False

    def killed(*_: Any) -> None:
        nonlocal went_on
        signal.raise_signal(number)
        went_on = True

    monkeypatch.setattr(cli.conformance, "run", killed)
    assert end("--url", "http://127.0.0.1:1", "--route", "read=/") == 130
    assert not went_on
    assert signal.getsignal(number) is before


def test_clauses_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    """As a table, or as JSON."""
    assert end("--list", "--only", "9110-9") == 0
    assert HEAD in capsys.readouterr().out
    assert end("--list", "--only", "9110-9", "--json", "-") == 0
    [listed] = json.loads(capsys.readouterr().out)
    assert (listed["id"], listed["severity"], listed["needs"]) == (HEAD, "critical", [])


def test_the_clause_that_is_tried_is_shown(
    issuer: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The sign of life names it, and what is printed on the standard output is none of that."""
    told: list[str] = []

    @contextmanager
    def busy(what: str) -> Generator[Callable[[str], None]]:
        told.append(what)
        yield told.append

    monkeypatch.setattr(cli.conformance, "busy", busy)
    with options(SmallServer, issuer) as given:
        assert end(*given, "--only", HEAD, "--json", "-") == 0
    assert told == ["Starting the target", f"{HEAD}: HEAD is protected as GET is"]
    json.loads(capsys.readouterr().out)
