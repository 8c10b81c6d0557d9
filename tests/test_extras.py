"""Front doors are independent: each needs its own framework and no other, and its extra brings what it imports."""

from __future__ import annotations

import importlib.metadata
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
FRAMEWORKS = {
    "asgiref": "asgiref",
    "authlib": "authlib",
    "django": "django",
    "fastapi": "fastapi",
    "fastmcp": "fastmcp",
    "flask": "flask",
    "litestar": "litestar",
    "mcp": "mcp",
    "opentelemetry": "opentelemetry-api",
    "prometheus_client": "prometheus-client",
    "quart": "quart",
    "rest_framework": "djangorestframework",
    "starlette": "starlette",
    "uvicorn": "uvicorn",
    "werkzeug": "werkzeug",
}
"""Packages that a front door may need, with the distribution that each comes from."""
DOORS: dict[str, tuple[str | None, set[str]]] = {
    "resource_server": (None, set()),
    "resource_server.asgi": (None, set()),
    "resource_server.blocking": (None, set()),
    "resource_server.hosts": (None, set()),
    "resource_server.testing": (None, set()),
    "resource_server.wsgi": (None, set()),
    "resource_server.authlib": ("authlib", {"authlib"}),
    "resource_server.django": ("django", {"asgiref", "django"}),
    "resource_server.drf": ("drf", {"asgiref", "django", "rest_framework"}),
    "resource_server.fastapi": ("fastapi", {"fastapi", "opentelemetry", "starlette"}),
    "resource_server.flask": ("flask", {"flask", "werkzeug"}),
    "resource_server.forward_auth": ("gateway", set()),
    "resource_server.mcp": ("mcp", {"mcp", "opentelemetry", "starlette", "uvicorn"}),
    "resource_server.opentelemetry": ("opentelemetry", {"opentelemetry"}),
    "resource_server.prometheus": ("prometheus", {"prometheus_client"}),
}
"""Each with its extra, and with the packages that may be loaded for it."""
NO_EXTRA = {"extra": ""}
SCRIPT = """
import sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in BLOCKED:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

BLOCKED = set(sys.argv[2].split())
sys.meta_path.insert(0, Absent())
if "django" not in BLOCKED:
    from django.conf import settings
    settings.configure()
__import__(sys.argv[1])
print(*(name for name in sys.argv[3].split() if name in sys.modules))
"""


def requirements(extra: str) -> dict[str, Requirement]:
    """Return what an extra brings, by name; an extra of ours that it names is followed."""
    found: dict[str, Requirement] = {}
    for line in map(Requirement, EXTRAS[extra]):
        if line.name == "resource-server":
            found |= {name: each for inner in sorted(line.extras) for name, each in requirements(inner).items()}
        else:
            found[canonicalize_name(line.name)] = line
    return found


@pytest.mark.parametrize("door", DOORS)
def test_door_alone(door: str) -> None:
    """A front door is imported where no other framework is installed than its own, and loads no other."""
    _, own = DOORS[door]
    blocked, known = " ".join(sorted(FRAMEWORKS.keys() - own)), " ".join(FRAMEWORKS)
    command = [sys.executable, "-c", SCRIPT, door, blocked, known]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert set(result.stdout.split()) <= own


@pytest.mark.parametrize("door", [door for door, (extra, _) in DOORS.items() if extra is not None])
def test_extra_brings_what_is_imported(door: str) -> None:
    """The extra of a front door brings its framework, directly or by what that needs itself."""
    extra, own = DOORS[door]
    brought = requirements(extra or "")
    needed = {canonicalize_name(FRAMEWORKS[name]) for name in own}
    assert needed <= closure(brought)


def closure(brought: dict[str, Requirement]) -> set[str]:
    """Return the names of requirements and of everything that they require here."""
    found: set[str] = set()
    waiting = [*brought]
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        found.add(name)
        lines = importlib.metadata.requires(name) if installed(name) else None
        needed = [line for line in map(Requirement, lines or ()) if not line.marker or line.marker.evaluate(NO_EXTRA)]
        waiting += [canonicalize_name(line.name) for line in needed]
    return found


def installed(name: str) -> bool:
    """Tell whether a distribution is there."""
    try:
        importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


def test_all_is_all() -> None:
    """The extra `all` brings what every other one does."""
    others = {name for extra in EXTRAS if extra != "all" for name in requirements(extra)}
    assert set(requirements("all")) == others
    [line] = [line for line in map(Requirement, EXTRAS["all"]) if line.name == "resource-server"]
    assert line.extras == set(EXTRAS) - {"all"}
