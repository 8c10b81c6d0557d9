"""The command: what it reads, what it prints, and with which status it ends."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

import pytest

from mock_as import MockAS
from resource_server import cli
from resource_server._inspect import investigate
from resource_server._inspect.findings import NAMES, Decision, Inspection, Introspection, Rung, Signature
from resource_server._inspect.reading import Reading
from tests.support.examined import options

Run = Callable[..., object]


@pytest.fixture
def run(mock_as_server: MockAS, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """Return what runs the command in an empty folder, configured for a mock; it reads the token from a file."""
    monkeypatch.chdir(tmp_path)
    for name, value in options(mock_as_server).items():
        monkeypatch.setenv(f"RESOURCE_SERVER_{name.upper()}", str(value))

    def run(*arguments: str, token: str | None = None) -> object:
        if token is not None:
            (tmp_path / "token").write_text(token, "utf-8")
            arguments = (*arguments, "--token-file", "token")
        with pytest.raises(SystemExit) as ending:
            cli.main(["inspect", *arguments])
        return ending.value.code

    return run


def test_bytes_that_are_no_text(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    """An argument may be any bytes: what is no token is told as that."""
    assert run("--offline", "abc\udcff") == 0
    assert "it has characters that no token has" in " ".join(capsys.readouterr().out.split())


def test_a_token_that_is_accepted(run: Run, capsys: pytest.CaptureFixture[str], mock_as_server: MockAS) -> None:
    """Everything is told in at most 80 columns, the decision last, and the status is 0."""
    token = mock_as_server.token(sub="alice", scope="read").value
    assert run("--scope", "read", token=token) == 0
    shown = capsys.readouterr()
    lines = shown.out.splitlines()
    assert max(map(len, lines)) <= 80
    assert [line.split()[0] for line in lines if not line.startswith(" ")] == [
        "token", "header", "claims", "signature", "introspection", "extract", "introspect", "fallback", "admit",
        "authorize", "decision",
    ]  # fmt: skip
    assert lines[-1] == "decision        accepted, introspected"
    assert token not in shown.out
    assert shown.err == ""


def test_a_token_that_is_refused(run: Run, capsys: pytest.CaptureFixture[str], mock_as_server: MockAS) -> None:
    """A refusal has the status 1, and the challenge that a caller gets."""
    token = mock_as_server.token(scope="read").value
    demands = ("--scope", "write", "--any-scope", "a", "--any-scope", "b", "--acr", "gold", "--max-age", "60")
    assert run(*demands, "--audience", "https://api.example.test", token=token) == 1
    lines = capsys.readouterr().out.splitlines()
    assert any(line.startswith("decision        refused with 401") for line in lines)
    assert any(line.startswith("challenge       Bearer ") for line in lines)


def test_an_outage(run: Run, capsys: pytest.CaptureFixture[str], mock_as_server: MockAS) -> None:
    """An outage that is a 503 has no challenge."""
    mock_as_server.fault("introspect", "reset")
    token = mock_as_server.token(format="opaque").value
    assert run("--toml-file", "options.toml", token=token) == 2
    Path("options.toml").write_text("unavailable_status = 503\n", "utf-8")
    assert run("--toml-file", "options.toml", token=token) == 1
    shown = capsys.readouterr()
    assert "refused with 503: unavailable" in shown.out
    assert "challenge" not in shown.out
    assert shown.err.startswith("resource-server inspect: the configuration cannot be read")


def test_json(run: Run, capsys: pytest.CaptureFixture[str], mock_as_server: MockAS) -> None:
    """As JSON it is one document, under another strategy where that is said."""
    assert run("--json", "--strategy", "jwks", token=mock_as_server.token().value) == 0
    document = json.loads(capsys.readouterr().out)
    assert set(document) == {"token", "signature", "introspection", "ladder", "decision", "note"}
    assert [rung["rung"] for rung in document["ladder"]] == ["extract", "verify", "admit", "authorize"]
    assert document["introspection"] is None


def test_offline(run: Run, capsys: pytest.CaptureFixture[str], mock_as_server: MockAS) -> None:
    """Offline there is no decision, and a note says so."""
    assert run("--offline", token=mock_as_server.token().value) == 0
    shown = capsys.readouterr().out
    assert "decision" not in shown
    assert "nobody was asked" in shown.replace("\n" + " " * 16, " ")


@pytest.mark.attack("A-H-2")
def test_claims_that_would_move_the_cursor(
    run: Run, capsys: pytest.CaptureFixture[str], mock_as_server: MockAS
) -> None:
    """Whatever stands in claims is shown as JSON, and is cut where it is long."""
    token = mock_as_server.token(claims={"evil\x1b[2J": "\r\ndecision accepted\x1b[31m", "long": "x" * 2000}).value
    run("--offline", token=token)
    lines = capsys.readouterr().out.splitlines()
    assert all(line.isprintable() for line in lines)
    assert not any(line.startswith("decision") for line in lines)
    assert len(lines) < 40


def test_a_token_in_the_arguments(run: Run, capsys: pytest.CaptureFixture[str], mock_as_server: MockAS) -> None:
    """A token in the arguments is taken, and its owner is warned."""
    assert run(mock_as_server.token().value, "--offline") == 0
    assert "seen by everybody" in capsys.readouterr().err


def test_a_token_on_the_standard_input(run: Run, monkeypatch: pytest.MonkeyPatch, mock_as_server: MockAS) -> None:
    """``-`` is the standard input."""
    content = io.BytesIO(mock_as_server.token().value.encode())
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(content))
    assert run("-", "--offline") == 0


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ([], "there is no token"),
        (["two words"], "more than one word"),
        (["token", "--token-file", "token"], "give one token"),
        (["token", "--scope", 'quoted"'], "scope"),
        (["token", "--env-file", "missing.env"], "--env-file missing.env is not a file"),
    ],
)
def test_nothing_could_be_begun(arguments: list[str], word: str, run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    """What is wrong with the arguments is told, and the status is 2."""
    assert run(*arguments) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert word in shown.err


def test_no_configuration(run: Run, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a configuration there is nobody to ask."""
    monkeypatch.delenv("RESOURCE_SERVER_ISSUER")
    assert run(token="opaque-token") == 2
    told = capsys.readouterr().err
    assert "RESOURCE_SERVER_ISSUER" in told
    assert "--offline" in told


@pytest.mark.parametrize("secret", ["token", "status", "decision"])
def test_a_secret_that_is_one_of_our_words(
    secret: str,
    run: Run,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    mock_as_server: MockAS,
) -> None:
    """A secret that is a word of the report takes nothing out of its form."""
    monkeypatch.setenv("RESOURCE_SERVER_CLIENT_SECRET", secret)
    assert run("--json", token=mock_as_server.token().value) == 1
    assert set(json.loads(capsys.readouterr().out)) == {
        "token", "signature", "introspection", "ladder", "decision", "note"
    }  # fmt: skip
    assert run(token=mock_as_server.token().value) == 1


def test_our_words() -> None:
    """The names that stay are those of all members."""
    parts = (Reading, Signature, Introspection, Rung, Decision, Inspection)
    names = {member.name for part in parts for member in fields(part)}
    assert names - {"name"} | {"rung"} == NAMES


def test_an_interruption(run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """A Ctrl-C ends it at once, with 130 and without a traceback."""

    async def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(investigate, "_online", interrupt)
    assert run(token="opaque-token") == 130
    assert capsys.readouterr().out == ""
