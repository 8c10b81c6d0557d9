"""What is released: the types that applications see, the names they use, and the workflows that make it."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import yaml

from scripts import public_api

ROOT = Path(__file__).parents[1]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
_PINNED = re.compile(r"[\w.-]+/[\w.-]+@[0-9a-f]{40}")


def steps(workflow: Path) -> list[dict[str, Any]]:
    """Return every step of every job of a workflow."""
    jobs: dict[str, Any] = yaml.safe_load(workflow.read_text(encoding="utf-8"))["jobs"]
    return [step for job in jobs.values() for step in job.get("steps", [])]


@pytest.mark.skipif(sys.version_info[:2] != (3, 11), reason="later Pythons write signatures in other words")
def test_public_api() -> None:
    """Whatever is public is written down: a change of it is a change of that file, seen by whoever reviews it."""
    command = [sys.executable, "-m", "scripts.public_api", "--check"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.stdout == ""
    assert (result.returncode, result.stderr) == (0, "")


def test_every_public_module_is_written_down() -> None:
    """A module without an underscore in front is public, and none is left out."""
    names = {path.stem for path in (ROOT / "resource_server").glob("[!_]*.py")}
    packages = {path.parent.name for path in (ROOT / "resource_server").glob("[!_]*/__init__.py")}
    written = {name.partition(".")[2] for name in public_api.MODULES if name.startswith("resource_server.")}
    inside = {"cli", "conformance", "stores"}
    """Commands, and what only settings name: nobody imports them."""
    assert names | packages == written | inside


def test_asserted_types_run() -> None:
    """The file that type checkers judge can be imported: it names nothing that is not there."""
    module = import_module("tests.typing.public_api")
    module.about_demands()
    module.about_settings()


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.name)
def test_actions_are_pinned(workflow: Path) -> None:
    """A tag can be moved to other code, a commit cannot: each action is named by one, and its version beside it."""
    text = workflow.read_text(encoding="utf-8")
    for step in steps(workflow):
        if "uses" in step:
            assert _PINNED.fullmatch(step["uses"]), step["uses"]
            assert re.search(rf"{re.escape(step['uses'])} # v\d+\.\d+\.\d+$", text, re.MULTILINE)


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.name)
def test_least_privilege(workflow: Path) -> None:
    """No workflow may write by default, keep credentials, or put what strangers write into a shell."""
    content: dict[str, Any] = yaml.safe_load(workflow.read_text(encoding="utf-8"))
    assert content["permissions"] == {"contents": "read"}
    for step in steps(workflow):
        if step.get("uses", "").startswith("actions/checkout@"):
            assert step["with"]["persist-credentials"] is False
        assert not re.search(r"\$\{\{\s*github\.", step.get("run", ""))


def test_workflow_runs_what_lands() -> None:
    """What a pull request must pass is .ci/run itself, and a release passes it again."""
    ci, release = (yaml.safe_load((ROOT / f".github/workflows/{name}.yml").read_text()) for name in ("ci", "release"))
    assert "bash .ci/run" in [step.get("run") for step in ci["jobs"]["everything"]["steps"]]
    assert release["jobs"]["build"]["needs"] == "ci"
    assert release["jobs"]["ci"]["uses"] == "./.github/workflows/ci.yml"


def test_same_sources_same_wheel(tmp_path: Path) -> None:
    """Whoever builds the wheel anew gets the same bytes, so that it can be compared with the one that is published."""
    sums: list[str] = []
    for name in ("first", "second"):
        command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(tmp_path / name)]
        environment = os.environ | {"SOURCE_DATE_EPOCH": "1767225600"}
        subprocess.run([*command, str(ROOT)], env=environment, capture_output=True, check=True)
        (wheel,) = (tmp_path / name).iterdir()
        sums.append(hashlib.sha256(wheel.read_bytes()).hexdigest())
    assert sums[0] == sums[1]
