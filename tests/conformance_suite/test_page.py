"""The page about the suite: what it shows works, and its lists are whole."""

from __future__ import annotations

import re
import shlex
import tomllib
from collections.abc import Mapping
from pathlib import Path

import pytest
from typer.main import get_command

from resource_server import cli
from resource_server.conformance.authorization_server import AuthorizationServer
from resource_server.conformance.processes import variables
from resource_server.conformance.target import AUDIENCE, FEATURES, ROUTES, Target, read_target
from resource_server.conformance.wire import free_port
from tests.conformance_suite.small_server import SmallServer
from tests.conformance_suite.stands import served
from tests.docs.pages import blocks, commands, read
from tests.support.live import serve

PAGE = "docs/conformance-suite.md"


def described() -> tuple[Mapping[str, object], Target]:
    """Read the description that the page shows."""
    [block] = blocks(PAGE, "toml")
    document = tomllib.loads(block.text)
    return document, read_target(document, Path())


def command(beginning: str) -> list[str]:
    """Return the words of the one command of the page that begins like this, without the program."""
    lines = [line.line for block in blocks(PAGE, "console") for line in commands(block)]
    [found] = [line for line in lines if line.startswith(beginning)]
    return shlex.split(found)[1:]


def end(arguments: list[str]) -> int:
    """Run the command line and return its status."""
    with pytest.raises(SystemExit) as ended:
        cli.main(arguments)
    return int(str(ended.value.code or 0))


def first_column(heading: str) -> list[str]:
    """Return the code in the first column of the table with this heading."""
    table = read(PAGE).partition(f"| {heading} |")[2].partition("\n\n")[0]
    return [name for row in table.splitlines()[2:] for name in re.findall(r"`([^`]+)`", row.split(" | ")[0])]


def test_the_description_is_one_that_can_be_read() -> None:
    """It shows every route but the one that is told below it, and what is left out is as the page says."""
    document, target = described()
    assert set(target.routes) == {*ROUTES} - {"dpop"}
    assert target.url == "http://127.0.0.1:{port}"
    assert target.audience == AUDIENCE
    assert set(document) == {"target", "routes", "claims", "features"}


def test_the_lists_are_whole(issuer: str) -> None:
    """Features, variables and options are all there, and no others."""
    assert first_column("feature") == list(FEATURES)
    told = variables(AuthorizationServer(issuer), AUDIENCE, 1)
    assert set(first_column("variable")) == {name for name in told if not name.startswith("RESOURCE_SERVER_")}
    options = {word.split()[0] for word in first_column("option")}
    context = get_command(cli.build_app()).commands["conformance"]  # type: ignore[attr-defined]  # a group has them
    assert options == {option for one in context.params for option in one.opts}


def test_the_first_command_judges_a_target(issuer: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It writes the page that it names."""
    monkeypatch.chdir(tmp_path)
    with served(SmallServer, issuer) as target:
        Path("target.toml").write_text(f'[target]\nurl = "{target.url}"\n[routes]\nread = "/read"\n')
        arguments = command("resource-server conformance --target")
        assert end([*arguments, "--as", issuer, "--only", "6750-3-a"]) == 0
    assert "<h1>" in Path("report.html").read_text()


def test_a_server_that_runs_is_judged_with_a_mock_at_its_port() -> None:
    """The mock is started where the server looks for it."""
    port = free_port()
    issuer = f"http://127.0.0.1:{port}"
    paths = {"issuer": "", "introspection": "/introspect", "jwks": "/jwks"}
    app = SmallServer({name: issuer + path for name, path in paths.items()}, AUDIENCE)
    with serve(app, "httptools") as own:
        filled = {
            "http://127.0.0.1:8000": f"http://127.0.0.1:{own}",
            "9000": str(port),
            "read=GET /orders": "read=/read",
        }
        arguments = [filled.get(word, word) for word in command("resource-server conformance --url")]
        assert end([*arguments, "--only", "9068-2.1"]) == 0
