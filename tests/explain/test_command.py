"""The command explains what it reads from the standard input, a file or its options, and shows no token."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest

from resource_server import cli
from resource_server.cli.explain import LONGEST

REFUSAL = 'HTTP/1.1 401 Unauthorized\nwww-authenticate: Bearer realm="x", error="invalid_token"\n\n'
TOKEN = "s3cr3t-t0ken"


class Input(io.TextIOWrapper):
    """A standard input, of a terminal or not."""

    def __init__(self, text: str, *, terminal: bool = False) -> None:
        """Hold a text."""
        super().__init__(io.BytesIO(text.encode()))
        self._terminal = terminal

    def isatty(self) -> bool:
        """Tell which."""
        return self._terminal


def run(*arguments: str) -> object:
    """Run the command, and return its exit status."""
    with pytest.raises(SystemExit) as ending:
        cli.main(["explain", *arguments])
    return ending.value.code


def test_standard_input(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """What is pasted is explained: what the server said, its clause, whose turn it is, and the steps."""
    monkeypatch.setattr(sys, "stdin", Input(REFUSAL))
    assert run() == 0
    shown = capsys.readouterr()
    lines = [" ".join(line.split()) for line in shown.out.splitlines()]
    assert lines[0] == "401 Unauthorized invalid_token"
    assert {"clause RFC 6750 section 3.1", "action renew_token", "whose turn the client's"} <= set(lines)
    assert "1. Drop this access token." in lines
    assert shown.err == ""


def test_terminal(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Somebody at a terminal is told what to do, beside the explanation."""
    monkeypatch.setattr(sys, "stdin", Input(REFUSAL, terminal=True))
    assert run("--json") == 0
    shown = capsys.readouterr()
    assert json.loads(shown.out)["action"] == "renew_token"
    assert shown.err == "Paste a response, then press Ctrl-D.\n"


def test_file_with_everything(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file with redirects, a token and faults: each is told, and the status is 1."""
    file = tmp_path / "answer"
    file.write_text(
        f"$ curl -iL -H 'Authorization: Bearer {TOKEN}' https://x\nHTTP/1.1 301 Moved\nlocation: https://y/\n\n"
        f'HTTP/1.1 503 No\nwww-authenticate: Bearer scope="a b"\n\ntoken {TOKEN}',
        encoding="utf-8",
    )
    assert run(str(file)) == 1
    shown = "".join(capsys.readouterr())
    assert TOKEN not in shown
    lines = shown.splitlines()
    assert lines[0] == "before that: 301 to https://y/"
    assert [line.partition(":")[0] for line in lines if line.startswith(("wrong", "note"))] == [
        "wrong", "note", "wrong", "note",
    ]  # fmt: skip
    assert any(line.split() == ["scope", "a", "b"] for line in lines)


def test_options(capsys: pytest.CaptureFixture[str]) -> None:
    """A response can be told by options alone."""
    assert run("--status", "403", "-H", 'WWW-Authenticate: Bearer error="insufficient_scope", scope="a"', "--json") == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["action"], document["values"]["scope"]) == ("ask_scope", ["a"])
    assert run("--status", "200") == 0
    assert "nobody's" in capsys.readouterr().out


def test_more_fields(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Fields of options are added to what was pasted."""
    monkeypatch.setattr(sys, "stdin", Input("HTTP/1.1 503 No\n\n"))
    assert run("-", "--header", "Retry-After: 3", "--json") == 0
    assert json.loads(capsys.readouterr().out)["values"]["seconds"] == 3


@pytest.mark.parametrize(
    ("text", "arguments", "says"),
    [
        ("nothing", [], "there is no status line like 'HTTP/1.1 401 Unauthorized': curl -i prints it"),
        ("", ["/does/not/exist"], "the file cannot be read: No such file or directory"),
        ("x" * (LONGEST + 1), [], f"it is longer than {LONGEST} bytes"),
        ("", ["--status", "401", "-H", TOKEN], "a field is written as 'Name: value'"),
    ],
)
def test_not_begun(
    text: str,
    arguments: list[str],
    says: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """What cannot be read is an error of its own, which repeats nothing of it."""
    monkeypatch.setattr(sys, "stdin", Input(text))
    assert run(*arguments) == 2
    shown = capsys.readouterr()
    assert (shown.out, shown.err) == ("", f"resource-server explain: {says}\n")
