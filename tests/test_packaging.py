"""What is shipped: the wheel, built from this tree without a network and opened again."""

from __future__ import annotations

import email
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

if TYPE_CHECKING:
    from collections.abc import Iterator
    from email.message import Message

ROOT = Path(__file__).parents[1]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[zipfile.ZipFile]:
    """Build the wheel as a release would."""
    target = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(target), str(ROOT)]
    subprocess.run(command, check=True, capture_output=True)
    (path,) = target.glob("*.whl")
    with zipfile.ZipFile(path) as archive:
        yield archive


@pytest.fixture(scope="module")
def metadata(wheel: zipfile.ZipFile) -> Message:
    """Read the wheel's core metadata."""
    return email.message_from_string(read(wheel, "METADATA"))


def read(wheel: zipfile.ZipFile, name: str) -> str:
    """Return one file of the wheel's dist-info folder."""
    (path,) = (path for path in wheel.namelist() if path.endswith(f".dist-info/{name}"))
    return wheel.read(path).decode()


def requirements(metadata: Message) -> list[Requirement]:
    """Return what the wheel depends on, extras included."""
    return [Requirement(line) for line in metadata.get_all("Requires-Dist", [])]


def of_extra(metadata: Message, extra: str) -> set[str]:
    """Return the names of the packages that an extra adds."""
    found = requirements(metadata)
    return {item.name for item in found if item.marker and item.marker.evaluate({"extra": extra})}


def pins(path: Path) -> dict[str, set[str]]:
    """Return the versions that a constraints file pins, by package name; a marker may choose between several."""
    pinned: dict[str, set[str]] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        if "==" in line and not line.startswith(" "):
            requirement = Requirement(line.rstrip("\\ "))
            pinned.setdefault(canonicalize_name(requirement.name), set()).add(str(requirement.specifier)[2:])
    return pinned


def group(name: str) -> list[Requirement]:
    """Return the requirements of a dependency group, those of the groups it includes among them."""
    found: list[Requirement] = []
    for item in PROJECT["dependency-groups"][name]:
        found += [Requirement(item)] if isinstance(item, str) else group(item["include-group"])
    return found


def test_core_dependencies(metadata: Message) -> None:
    """Installing the library alone brings six packages, two of which httpx knows anyway, and no framework."""
    core = {item.name for item in requirements(metadata) if item.marker is None}
    assert core == {"cachetools", "httpcore", "httpx", "joserfc", "pydantic-settings", "sniffio"}


def test_extras(metadata: Message) -> None:
    """An adapter's and the mock's packages come with their extra, and `all` brings every one of them."""
    extras = set(metadata.get_all("Provides-Extra", []))
    doors = {"authlib", "django", "drf", "fastapi", "flask", "gateway", "mcp"}
    assert extras == doors | {"all", "cli", "fast", "mock", "opentelemetry", "prometheus", "valkey"}
    assert of_extra(metadata, "fastapi") == {"fastapi"}
    assert of_extra(metadata, "valkey") == {"redis"}
    assert "aiohttp" in of_extra(metadata, "fast")
    assert of_extra(metadata, "cli") == {"rich", "typer"}
    assert {"authlib", "fastapi", "rich", "typer", "uvicorn"} <= of_extra(metadata, "mock")
    assert of_extra(metadata, "all") == set[str]().union(*(of_extra(metadata, name) for name in extras - {"all"}))


def test_entry_points(wheel: zipfile.ZipFile) -> None:
    """The wheel installs two commands."""
    lines = read(wheel, "entry_points.txt").split("\n")
    assert {"resource-server = resource_server.cli:main", "mock-as = mock_as.cli:main"} < set(lines)


def test_contents(wheel: zipfile.ZipFile) -> None:
    """The wheel holds the two packages, marked as typed, and nothing else: no test, no example, no benchmark."""
    names = wheel.namelist()
    tops = {PurePosixPath(name).parts[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"mock_as", "resource_server"}
    assert {"mock_as/py.typed", "resource_server/py.typed", "resource_server/_demo/fastapi_app.py"} <= set(names)
    assert {"mock_as/templates/style.css", "mock_as/templates/base.html"} <= set(names)
    assert [name for name in names if PurePosixPath(name).name.startswith(("test_", "conftest"))] == []


def test_every_source_file_is_shipped(wheel: zipfile.ZipFile) -> None:
    """No module is left out of the wheel, as an ignore rule can do unseen."""
    folders = [ROOT / "resource_server", ROOT / "mock_as"]
    modules = {path.relative_to(ROOT).as_posix() for folder in folders for path in folder.rglob("*.py")}
    assert modules <= set(wheel.namelist())


def test_license(wheel: zipfile.ZipFile, metadata: Message) -> None:
    """The licence is named in the metadata and its text is in the wheel."""
    assert metadata["License-Expression"] == "MIT"
    assert read(wheel, "licenses/LICENSE") == (ROOT / "LICENSE").read_text(encoding="utf-8")


def test_description(metadata: Message) -> None:
    """The project page is the README, and the oldest Python is 3.11."""
    assert metadata["Description-Content-Type"] == "text/markdown"
    assert metadata.get_payload() == (ROOT / "README.md").read_text(encoding="utf-8")
    assert metadata["Requires-Python"] == ">=3.11"


@pytest.mark.parametrize("name", ["demo", "dev"])
def test_constraints_follow_the_project(name: str) -> None:
    """Each list of pins answers everything that pyproject.toml asks for: else `scripts/lock` was forgotten."""
    extras = PROJECT["project"]["optional-dependencies"]
    asked = [Requirement(line) for line in [*PROJECT["project"]["dependencies"], *extras["fastapi"], *extras["mock"]]]
    asked += group("package" if name == "demo" else "dev")
    asked = [item for item in asked if item.name != PROJECT["project"]["name"]]
    pinned = pins(ROOT / f"constraints/{name}.txt")
    unanswered = [
        str(item)
        for item in asked
        if not any(item.specifier.contains(version) for version in pinned.get(canonicalize_name(item.name), set()))
    ]
    assert unanswered == []


def test_constraints_agree() -> None:
    """What the demo runs with is what the tests ran with, and no line names an address."""
    demo, dev = (pins(ROOT / f"constraints/{name}.txt") for name in ("demo", "dev"))
    assert demo == {name: dev[name] for name in demo}
    assert [path.name for path in (ROOT / "constraints").iterdir() if "://" in path.read_text(encoding="utf-8")] == []
