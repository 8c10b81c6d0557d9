"""The plan of the house, held by tests: who may import whom, and what is written in one place only."""

from __future__ import annotations

import ast
import graphlib
import importlib
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import grimp
import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ["resource_server", "mock_as"]
HEAVY = ["authlib", "cryptography", "fastapi", "joserfc", "mock_as", "redis", "rich", "starlette", "typer", "uvicorn"]
HEADER = "www-authenticate"
BROAD = {"Exception", "BaseException"}


def sources(package: str) -> list[Path]:
    """Return the source files of a package, in order."""
    return sorted((ROOT / package).rglob("*.py"))


def docstrings(tree: ast.Module) -> set[ast.AST]:
    """Return the constants of a module that are docstrings, of the module itself or of anything in it."""
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    bodies = [node.body for node in ast.walk(tree) if isinstance(node, documented) and node.body]
    return {body[0].value for body in bodies if isinstance(body[0], ast.Expr)}


def literals(path: Path) -> list[str]:
    """Return the text of every string and bytes literal in a source file, docstrings left out."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    skipped = docstrings(tree)
    values = [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and node not in skipped]
    text = [value for value in values if isinstance(value, str)]
    return text + [value.decode("latin-1") for value in values if isinstance(value, bytes)]


def caught(handler: ast.ExceptHandler) -> set[str]:
    """Return the names of the exceptions that an `except` clause catches; a bare one catches BaseException."""
    if handler.type is None:
        return {"BaseException"}
    return {node.id for node in ast.walk(handler.type) if isinstance(node, ast.Name)}


def test_import_contracts() -> None:
    """Imports go downwards only, and one place speaks to each third-party package: the contracts in pyproject.toml."""
    # In a process of its own: it configures logging anew, and with that would mute every logger of this one.
    linter = Path(sys.executable).with_name("lint-imports")
    result = subprocess.run([linter, "--no-cache", "--no-logo"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize("package", PACKAGES)
def test_no_import_cycle(package: str) -> None:
    """No module of a package imports itself by way of others."""
    graph = grimp.build_graph(package, cache_dir=None)
    imports = {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}
    order = list(graphlib.TopologicalSorter(imports).static_order())
    assert package in order


def test_challenge_is_built_in_one_module() -> None:
    """The WWW-Authenticate header is written in the challenge module and nowhere else in the library.

    The conformance suite only reads it, and shares no code with what it judges.
    """
    suite = ROOT / "resource_server/conformance"
    texts = {path: literals(path) for path in sources("resource_server") if suite not in path.parents}
    writing = [path for path, found in texts.items() if any(text.lower().startswith(HEADER) for text in found)]
    assert writing == [ROOT / "resource_server/_protocol/challenge.py"]


def test_broad_except_only_at_the_edge() -> None:
    """Only the runtime, which touches the world, may catch everything: elsewhere an outage would become a bad token."""
    inside = [path for path in sources("resource_server") if ROOT / "resource_server/_runtime" not in path.parents]
    broad = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in inside
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ExceptHandler) and caught(node) & BROAD
    ]
    assert broad == []


def test_root_import_is_light() -> None:
    """`import resource_server` loads no framework, no optional package and no cryptography."""
    code = f"import sys, resource_server; print(*(name for name in {HEAVY} if name in sys.modules))"
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert result.stdout.split() == []


@pytest.mark.parametrize("package", PACKAGES)
def test_public_names(package: str) -> None:
    """`__all__` is sorted, each of its names is there, and no public name is missing from it."""
    module = importlib.import_module(package)
    names: list[str] = module.__all__
    public = {name for name, value in vars(module).items() if name[0] != "_" and not isinstance(value, ModuleType)}
    assert names == sorted(set(names), key=lambda name: (not name.isupper(), not name[0].isupper(), name))
    assert [name for name in names if not hasattr(module, name)] == []
    assert public - {"Any", "TYPE_CHECKING", "annotations"} <= set(names)
