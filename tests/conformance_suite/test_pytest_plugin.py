"""The pytest plugin: one test for each clause where a target is named, and nothing at all where none is."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conformance_suite.mutants import Stored
from tests.conformance_suite.small_server import SmallServer
from tests.conformance_suite.stands import served

ROOT = Path(__file__).parents[2]
STORED = "9111-5.2.2-a"
PLUGIN = "resource_server.conformance.pytest_plugin"


def run_pytest(folder: Path, *arguments: str) -> tuple[int, list[str]]:
    """Run pytest in a folder, in a process of its own, and return its status and what it has printed."""
    plugins = ("-p", PLUGIN, "-p", "no:cacheprovider")
    environment = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    code = f"import sys; sys.path.insert(0, {str(ROOT)!r}); import pytest; sys.exit(pytest.main(sys.argv[1:]))"
    command = [sys.executable, "-c", code, "--rootdir", str(folder), "-rA", *plugins, *arguments]
    ended = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    return ended.returncode, ended.stdout.splitlines() + ended.stderr.splitlines()


def target_file(folder: Path, url: str) -> str:
    """Describe a server that runs."""
    path = folder / "target.toml"
    path.write_text(f'[target]\nurl = "{url}"\n[routes]\nread = "/read"\nwrite = "/write"\n')
    return str(path)


@pytest.mark.parametrize(("kind", "status"), [(SmallServer, 0), (Stored, 1)])
def test_each_clause_is_a_test(kind: type[SmallServer], status: int, issuer: str, tmp_path: Path) -> None:
    """What passes passes, what fails tells what was expected, and what does not apply is skipped with the reason."""
    with served(kind, issuer) as target:
        given = ("--resource-server-target", target_file(tmp_path, target.url), "--resource-server-as", issuer)
        ended, lines = run_pytest(
            tmp_path, *given, "--resource-server-only", STORED, "--resource-server-only", "9457-3-a"
        )
    assert ended == status
    assert any(
        line.startswith("SKIPPED") and "the target does not claim the feature 'problem_json'" in line for line in lines
    )
    assert (f"PASSED resource-server::{STORED}" in lines) is (status == 0)
    assert ("expected: Cache-Control: no-store" in lines) is (status == 1)


def test_a_target_that_does_not_answer_is_an_error(issuer: str, tmp_path: Path) -> None:
    """The suite says why it could not begin."""
    path = tmp_path / "target.toml"
    path.write_text('[target]\nstart = "no-such-command-anywhere"\n[routes]\nread = "/"\n')
    given = ("--resource-server-target", str(path), "--resource-server-as", issuer, "--resource-server-only", STORED)
    ended, lines = run_pytest(tmp_path, *given)
    assert ended == 1
    assert any("no-such-command-anywhere cannot be started" in line for line in lines)


def test_a_clause_that_does_not_exist_is_a_mistake_in_the_call(tmp_path: Path) -> None:
    """Nothing is run then."""
    given = ("--resource-server-target", "target.toml", "--resource-server-only", "1234")
    ended, lines = run_pytest(tmp_path, *given)
    assert ended == pytest.ExitCode.USAGE_ERROR
    assert any("there is no clause '1234'" in line for line in lines)


def test_who_names_no_target_gets_nothing(tmp_path: Path) -> None:
    """There are no further tests, and the suite is not even imported."""
    (tmp_path / "test_own.py").write_text(
        "import sys\n\n\ndef test_own():\n"
        "    loaded = {name for name in sys.modules if name.startswith('resource_server.conformance.')}\n"
        f"    assert loaded == {{{PLUGIN!r}}}\n"
    )
    ended, lines = run_pytest(tmp_path)
    assert ended == 0
    assert any("1 passed" in line for line in lines)
