"""Write the tables of the standards: each clause, the code that holds it and the tests that show it.

    python -m scripts.clauses             write docs/rfc/
    python -m scripts.clauses --check     say what is missing, wrong or not up to date, and end with 1 where anything is

The clauses are in tests/clauses/*.toml, one file for each document. The tests say themselves which clauses they hold,
with `@pytest.mark.rfc("6750-3-a")` or `@pytest.mark.attack("A-J-1")`; they are read, not run. A clause without a test
has a reason why the project has nothing to show for it, or is missing.
"""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SOURCES = Path(__file__).parents[1]
"""Where the code and the tests are."""
ROOT = SOURCES
"""Where the pages are."""
PAGES = "docs/rfc"
SEVERITIES = {
    "C": "critical: a wrong accept, a mix-up of identities or a leaked secret",
    "H": "high: something clients see, a denial of service or a wrong refusal",
    "M": "medium: a recommendation, or interoperability",
    "L": "low: everything else",
}
_MARKS = ("rfc", "attack")
_EXCUSES = ("skip", "xfail")
_SECTION = re.compile(r"\w+-([1-9][\d.]*)(?:-\w+)?")
_NUMBER = re.compile(r"\d+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Clause:
    """One row: what a standard demands, or what becomes of an attack."""

    name: str
    requires: str
    severity: str = ""
    attack: str = ""
    """What an attacker does; empty in the table of a standard."""
    code: tuple[str, ...] = ()
    """What holds it, each as `module:function` or `module:Class.method`."""
    not_applicable: str = ""
    """Why there is nothing to test."""

    @property
    def section(self) -> str:
        """The section of its document, as far as the name says it."""
        found = _SECTION.fullmatch(self.name)
        return found[1] if found else ""


@dataclass(frozen=True, slots=True)
class Document:
    """The clauses of one standard, and the page about them."""

    stem: str
    title: str
    about: str
    clauses: tuple[Clause, ...]

    @property
    def page(self) -> str:
        """The path of its page in the repository."""
        return f"{PAGES}/{self.stem}.md"


@dataclass(frozen=True, slots=True, order=True)
class MarkedTest:
    """A test, and the clauses it names."""

    path: str
    line: int
    name: str
    sentence: str
    clauses: tuple[str, ...]
    excused: bool
    """It is not run, or may fail: it shows nothing."""


# --------------------------------------------------------------------------------------------------------------- rows


def read_documents(folder: Path = SOURCES / "tests/clauses") -> list[Document]:
    """Return the documents: the RFCs by their numbers, then the others.

    Args:
        folder: where their TOML files are.
    """
    return [
        _document(path) for path in sorted(folder.glob("*.toml"), key=lambda path: (path.stem.isalpha(), path.stem))
    ]


def _document(path: Path) -> Document:
    content: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
    rows: dict[str, dict[str, Any]] = content["clauses"]
    clauses = tuple(_clause(name, members) for name, members in rows.items())
    return Document(path.stem, content["title"], content["about"], clauses)


def _clause(name: str, members: dict[str, Any]) -> Clause:
    code = tuple(members.pop("code", ()))
    return Clause(name=name, code=code, **members)


# --------------------------------------------------------------------------------------------------------------- tests


def read_tests(folder: Path = SOURCES / "tests") -> list[MarkedTest]:
    """Return every test that names a clause, in the order of the files.

    Args:
        folder: where the test files are.

    Raises:
        TypeError: a marker names its clauses by anything but texts, so that nobody can read them here.
        ValueError: a marker stands where it marks no test.
    """
    found: list[MarkedTest] = []
    for path in sorted(folder.rglob("*.py")):
        if "node_modules" in path.parts:
            continue
        name, module = path.relative_to(folder.parent).as_posix(), ast.parse(path.read_text(encoding="utf-8"))
        tests = list(_tests_of(name, module)) if path.name.startswith("test_") else []
        idle = set(_named_in(name, module)) - {clause for test in tests for clause in test.clauses}
        if idle:
            raise ValueError(f"{name}: no test carries the marker of {', '.join(sorted(idle))}")
        found += tests
    return sorted(found)


def _tests_of(path: str, module: ast.Module) -> Iterator[MarkedTest]:
    constants = {name: value for name, value in _assignments(module.body) if name != "pytestmark"}
    of_module = [value for name, value in _assignments(module.body) if name == "pytestmark"]
    for name, node, of_class in _functions(module):
        if not node.name.startswith("test"):
            continue
        own = [*of_module, *of_class, *node.decorator_list]
        named = {item.id for value in own for item in ast.walk(value) if isinstance(item, ast.Name)}
        marked = [*own, *(constants[name] for name in sorted(named & constants.keys()))]
        clauses = sorted({clause for value in marked for clause in _named_in(path, value)})
        if clauses:
            sentence = " ".join((ast.get_docstring(node) or "").partition("\n\n")[0].split())
            excused = any(_is_mark(item, *_EXCUSES) for value in own for item in _outside_parameters(value))
            yield MarkedTest(path, node.lineno, name, sentence, tuple(clauses), excused)


def _functions(module: ast.Module) -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef, list[ast.expr]]]:
    """Walk the functions of a module and of its classes, each by the name pytest runs it by, with its class's marks."""
    for node in module.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name, node, []
        elif isinstance(node, ast.ClassDef):
            own = [value for name, value in _assignments(node.body) if name == "pytestmark"]
            methods = [item for item in node.body if isinstance(item, ast.FunctionDef | ast.AsyncFunctionDef)]
            yield from ((f"{node.name}::{item.name}", item, [*node.decorator_list, *own]) for item in methods)


def _assignments(body: list[ast.stmt]) -> Iterator[tuple[str, ast.expr]]:
    for node in body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            yield node.targets[0].id, node.value
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value is not None:
            yield node.target.id, node.value


def _named_in(path: str, value: ast.AST) -> Iterator[str]:
    for item in ast.walk(value):
        if isinstance(item, ast.Call) and _is_mark(item.func, *_MARKS):
            for argument in item.args:
                if not isinstance(argument, ast.Constant) or not isinstance(argument.value, str):
                    raise TypeError(f"{path}:{item.lineno}: a marker names its clauses as texts")
                yield argument.value


def _is_mark(node: ast.AST, *names: str) -> bool:
    return isinstance(node, ast.Attribute) and ast.unparse(node) in {f"pytest.mark.{name}" for name in names}


def _outside_parameters(value: ast.expr) -> Iterator[ast.AST]:
    """Walk a mark, but not into parametrization: one parameter that is left out leaves the others to show it."""
    if not (isinstance(value, ast.Call) and _is_mark(value.func, "parametrize")):
        yield from ast.walk(value)


# ------------------------------------------------------------------------------------------------------------ problems


def problems(documents: list[Document], tests: list[MarkedTest]) -> list[str]:
    """Say everything that is wrong with rows, markers and names, pages aside."""
    return [*missing(documents, tests), *contradictions(documents, tests), *strays(documents, tests), *lost(documents)]


def missing(documents: list[Document], tests: list[MarkedTest]) -> list[str]:
    """Say which rows have neither a test nor a reason, or name no code."""
    shown = {clause for test in tests if not test.excused for clause in test.clauses}
    rows = [clause for document in documents for clause in document.clauses if not clause.not_applicable]
    untested = [f"{clause.name} has no test and no reason for that" for clause in rows if clause.name not in shown]
    return untested + [f"{clause.name} names no code" for clause in rows if not clause.code]


def contradictions(documents: list[Document], tests: list[MarkedTest]) -> list[str]:
    """Say which rows are not applicable, and yet tested or held by code."""
    shown = {clause for test in tests for clause in test.clauses}
    rows = [clause for document in documents for clause in document.clauses if clause.not_applicable]
    return [f"{clause.name} is not applicable, and shown" for clause in rows if clause.code or clause.name in shown]


def strays(documents: list[Document], tests: list[MarkedTest]) -> list[str]:
    """Say which markers name rows that do not exist, and which tests with a marker have no sentence."""
    rows = {clause.name for document in documents for clause in document.clauses}
    found = [f"{test.path}: {test.name} names {name}" for test in tests for name in test.clauses if name not in rows]
    return found + [f"{test.path}: {test.name} has no sentence" for test in tests if not test.sentence]


def lost(documents: list[Document]) -> list[str]:
    """Say which names of code lead nowhere."""
    named = [(clause.name, code) for document in documents for clause in document.clauses for code in clause.code]
    return [f"{name} names {code}, which does not exist" for name, code in named if not exists(code)]


def exists(code: str) -> bool:
    """Tell whether something is defined: `module:function`, `module:Class.method`."""
    module, _, name = code.partition(":")
    folder = SOURCES.joinpath(*module.split("."))
    path = next((path for path in (folder.with_suffix(".py"), folder / "__init__.py") if path.is_file()), None)
    if path is None or not name:
        return False
    body = ast.parse(path.read_text(encoding="utf-8")).body
    for part in name.split("."):
        defined = {item: inside for node in body for item, inside in _defined(node)}
        if part not in defined:
            return False
        body = defined[part]
    return True


def _defined(node: ast.stmt) -> Iterator[tuple[str, list[ast.stmt]]]:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        yield node.name, node.body
    elif isinstance(node, ast.AnnAssign):
        yield ast.unparse(node.target), []
    else:
        yield from ((name, []) for name, _ in _assignments([node]))


# --------------------------------------------------------------------------------------------------------------- pages


def pages(documents: list[Document], tests: list[MarkedTest]) -> dict[str, str]:
    """Return every page as it should be, by its path in the repository."""
    written = {document.page: _page(document, tests) for document in documents}
    return {f"{PAGES}/index.md": _index(documents, tests)} | written


def _page(document: Document, tests: list[MarkedTest]) -> str:
    by_clause: dict[str, list[MarkedTest]] = {}
    for test in (test for test in tests if not test.excused):
        for name in test.clauses:
            by_clause.setdefault(name, []).append(test)
    attacks = any(clause.attack for clause in document.clauses)
    head = "| attack | outcome | code | tests |" if attacks else "| clause | requirement | code | tests |"
    rows = "\n".join(_row(document, clause, by_clause.get(clause.name, [])) for clause in document.clauses)
    counts = _counted(_counts(document.clauses, set(by_clause)))
    return f"# {document.title}\n\n{document.about}\n\n{counts}\n\n{head}\n|---|---|---|---|\n{rows}\n"


def _row(document: Document, clause: Clause, tests: list[MarkedTest]) -> str:
    if clause.not_applicable:
        shown = f"not applicable: {_text(clause.not_applicable)}"
    else:
        shown = "<br>".join(f"{_text(test.sentence)} `{test.path}::{test.name}`" for test in tests) or "**missing**"
    name = f"**{clause.name}**" + "".join(f"<br>{part}" for part in (_where(document, clause), clause.severity) if part)
    code = "<br>".join(f"`{code.replace(':', '.')}`" for code in clause.code)
    if clause.attack:
        return f"| {name}<br>{_text(clause.attack)} | {_text(clause.requires)} | {code} | {shown} |"
    return f"| {name} | {_text(clause.requires)} | {code} | {shown} |"


def _where(document: Document, clause: Clause) -> str:
    if not clause.section or _NUMBER.fullmatch(document.stem) is None:
        return ""
    address = f"https://www.rfc-editor.org/rfc/rfc{document.stem}#section-{clause.section}"
    return f"[§{clause.section}]({address})"


def _text(sentence: str) -> str:
    """Write a sentence into a cell: what would end it, or start an element, is escaped outside of code."""
    parts = sentence.replace("``", "`").split("`")
    plain = [
        part.replace("&", "&amp;").replace("<", "&lt;").replace("|", "&#124;").replace("*", "&#42;")
        for part in parts[::2]
    ]
    parts[::2] = plain
    return "`".join(parts)


def _counts(clauses: tuple[Clause, ...], shown: set[str]) -> tuple[int, int, int, int]:
    """Count the rows: all, those with a test, those that are not applicable, those that are missing."""
    excused = sum(1 for clause in clauses if clause.not_applicable)
    held = sum(1 for clause in clauses if not clause.not_applicable and clause.name in shown)
    return len(clauses), held, excused, len(clauses) - held - excused


def _counted(counts: tuple[int, int, int, int]) -> str:
    rows, held, excused, absent = counts
    text = f"{rows} rows: {held} held by tests, {excused} not applicable"
    return f"{text}, {absent} **missing**." if absent else f"{text}."


def _index(documents: list[Document], tests: list[MarkedTest]) -> str:
    shown = {clause for test in tests if not test.excused for clause in test.clauses}
    standards = [document for document in documents if not any(clause.attack for clause in document.clauses)]
    rows = [
        f"| [{_text(document.title)}]({document.stem}.md) | "
        + " | ".join(str(count) for count in _counts(document.clauses, shown))
        + " |"
        for document in documents
    ]
    every = tuple(clause for document in standards for clause in document.clauses)
    severities = "\n".join(f"- **{letter}**, {meaning}" for letter, meaning in SEVERITIES.items())
    return (
        "# The standards, clause by clause\n\n"
        "Every demand on a resource server in the documents below, with the code that holds it and the tests that\n"
        "show it. The tables are written by `python -m scripts.clauses` from the markers of the tests; a clause\n"
        "without a test says why, and the build fails when one is lost.\n\n"
        f"The standards: {_counted(_counts(every, shown))}\n\n"
        "| document | rows | held by tests | not applicable | missing |\n|---|---|---|---|---|\n"
        + "\n".join(rows)
        + f"\n\nA letter below a clause's name says what is at stake:\n\n{severities}\n"
    )


def main(*arguments: str) -> int:
    """Write the pages, or only judge them; return 1 where they were to be judged and something is wrong."""
    documents, tests = read_documents(), read_tests()
    wanted = pages(documents, tests)
    is_check = "--check" in arguments
    found = problems(documents, tests)
    for page, text in wanted.items():
        path = ROOT / page
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            found += [f"{page} is not up to date"] if is_check else []
            if not is_check:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text, encoding="utf-8")
    for problem in found:
        print(problem)
    return 1 if is_check and found else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
