"""The command: what it reads, what it prints, and with which status it ends."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from mock_as import MockAS
from resource_server import cli
from resource_server._doctor import examine as examining
from resource_server._doctor.finding import CHECKS, Finding, Verdict
from resource_server.cli.doctor import draw
from tests.support.examined import options

Run = Callable[..., object]


@pytest.fixture
def run(mock_as_server: MockAS, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """Return what runs the command in an empty folder, configured for a mock."""
    monkeypatch.chdir(tmp_path)
    for name, value in options(mock_as_server).items():
        monkeypatch.setenv(f"RESOURCE_SERVER_{name.upper()}", str(value))

    def run(*arguments: str) -> object:
        with pytest.raises(SystemExit) as ending:
            cli.main(["doctor", *arguments])
        return ending.value.code

    return run


def test_a_healthy_one(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    """Every check has its line, in at most 80 columns, and the status is 0."""
    assert run() == 0
    shown = capsys.readouterr()
    lines = shown.out.splitlines()
    assert max(map(len, lines)) <= 80
    begun = [line.split()[1] for line in lines if line and not line.startswith((" ", "nothing"))]
    assert begun == list(CHECKS)
    assert lines[-1] == "nothing is broken"
    assert shown.err == ""


def test_json(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    """As JSON it is one document, with a verdict and findings of four members."""
    assert run("--json") == 0
    document = json.loads(capsys.readouterr().out)
    assert set(document) == {"verdict", "findings"}
    assert document["verdict"] == "ok"
    assert [finding["check"] for finding in document["findings"]] == list(CHECKS)
    assert {tuple(finding) for finding in document["findings"]} == {("check", "verdict", "says", "mend")}


def test_a_broken_one(run: Run, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """What is broken is in red letters, with the mend below it, and the status is 1."""
    monkeypatch.setenv("RESOURCE_SERVER_CLIENT_SECRET", "another-secret")
    assert run() == 1
    lines = capsys.readouterr().out.splitlines()
    [number] = [number for number, line in enumerate(lines) if line.startswith("FAILED")]
    assert lines[number].split()[1] == "introspection"
    assert any(line.lstrip().startswith("-> correct RESOURCE_SERVER_CLIENT_ID") for line in lines[number:])
    assert lines[-1].startswith("1 broken")


@pytest.mark.parametrize(
    ("verdict", "is_red"), [("ok", False), ("warning", False), ("failed", True), ("skipped", False)]
)
def test_what_is_broken_is_red(verdict: Verdict, is_red: bool) -> None:  # noqa: FBT001 - a column of the table
    """A reader's eye goes to what is broken, and to nothing else: the first red line is the cause."""
    drawn = draw(Finding("clock", verdict, "the clocks differ"), 80)
    assert any("red" in str(span.style) for span in drawn.spans) == is_red


def test_files(run: Run, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Options come from the files that are named, too."""
    monkeypatch.delenv("RESOURCE_SERVER_CLIENT_SECRET")
    (tmp_path / "other.env").write_text("RESOURCE_SERVER_CLIENT_SECRET=rs-secret\n", "utf-8")
    assert run() == 1
    assert run("--env-file", "other.env") == 0
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "resource_server_client_secret").write_text("rs-secret", "utf-8")
    assert run("--secrets-dir", "secrets") == 0
    (tmp_path / "options.toml").write_text('client_secret = "rs-secret"\n', "utf-8")
    assert run("--toml-file", "options.toml", "--timeout", "5") == 0
    capsys.readouterr()
    assert run("--toml-file", "missing.toml", "--json") == 1
    finding = json.loads(capsys.readouterr().out)["findings"][0]
    assert (finding["check"], finding["verdict"]) == ("configuration", "failed")


@pytest.mark.parametrize("written", ["{token}", " {token}\n", "Bearer {token}\r\n"])
def test_a_token_in_a_file(
    written: str, run: Run, capsys: pytest.CaptureFixture[str], tmp_path: Path, mock_as_server: MockAS
) -> None:
    """A token is read from a file, with what else was copied along, and not shown."""
    token = mock_as_server.token(sub="alice").value
    (tmp_path / "token").write_text(written.format(token=token), "utf-8")
    assert run("--token-file", "token", "--json") == 0
    shown = capsys.readouterr().out
    assert token not in shown
    assert "subject alice" in shown


def test_a_token_on_the_standard_input(
    run: Run, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, mock_as_server: MockAS
) -> None:
    """Or from the standard input."""
    content = io.BytesIO(mock_as_server.token(sub="alice").value.encode())
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(content))
    assert run("--token-file", "-") == 0
    assert "subject alice" in capsys.readouterr().out


def test_a_token_in_the_place_of_a_file(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    """Who mistakes the option does not find the token in the log of the terminal."""
    assert run("--token-file", "s3cr3t-t0ken") == 2
    assert "s3cr3t-t0ken" not in "".join(capsys.readouterr())


@pytest.mark.parametrize("content", [b"", b"two words", b"x" * 70_000, None])
def test_what_is_no_token(content: bytes | None, run: Run, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """A file without a token, and one that is not there, begin nothing."""
    if content is not None:
        (tmp_path / "token").write_bytes(content)
    assert run("--token-file", "token") == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.startswith("resource-server doctor: ")


@pytest.mark.parametrize("url", ["orders", "api.example.com/orders", "ftp://api.example.com", "https://"])
def test_what_is_no_url(url: str, run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    """A URL that nothing can be sent to begins nothing, and an example is given."""
    assert run("--url", url) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "https://api.example.com/orders" in shown.err


def test_a_file_of_variables_that_is_not_there(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    """A file that was named must be there; the usual one need not be."""
    assert run("--env-file", "missing.env") == 2
    assert "missing.env is not a file" in capsys.readouterr().err
    assert run("--env-file", "") == 0


def test_an_interruption(run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """A Ctrl-C ends it at once, with 130 and without a traceback."""

    async def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(examining, "judge_store", interrupt)
    assert run() == 130
    assert capsys.readouterr().out == ""


def test_an_option_that_does_not_exist(run: Run) -> None:
    """A wrong option begins nothing."""
    assert run("--no-such-option") == 2


@pytest.mark.parametrize("arguments", [["--help"]])
def test_help(arguments: Sequence[str], run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    """Help documents the exit status."""
    assert run(*arguments) == 0
    assert "Exit status" in capsys.readouterr().out
