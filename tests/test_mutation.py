"""The mutants: which changes are made to the code, and which of them are judged to be none."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from scripts.mutate import JUDGED, PACKAGES, ROOT, judged
from scripts.mutation.operators import Mutant, find_mutants


def mutants_of(tmp_path: Path, source: str) -> list[Mutant]:
    """Find the mutants of a module with this text."""
    path = tmp_path / "module.py"
    path.write_text(source, encoding="utf-8")
    return find_mutants(path)


@pytest.mark.parametrize(
    ("expression", "others"),
    [
        ("a < b", {"a <= b", "a >= b"}),
        ("a is None", {"a is not None"}),
        ("a and b and c", {"a or b or c", "b and c", "a and c", "a and b"}),
        ("not a", {"a"}),
        ("a | b", {"a", "b"}),
        ("a[1:b]", {"a[2:b]", "a[:b]", "a[1:]"}),
        ("f(a, key=b)", {"f(None, key=b)", "f(a)"}),
        ("all(a)", {"any(a)", "all(None)"}),
        ("'text'", {"'XXtextXX'"}),
        ("True", {"False"}),
        ("cast(A, b)", set[str]()),
        ("isinstance(a, B)", set[str]()),
    ],
)
def test_expressions(tmp_path: Path, expression: str, others: set[str]) -> None:
    """Each part of an expression that can be wrong is made wrong, one at a time."""
    found = mutants_of(tmp_path, f"def f():\n    return {expression}\n")
    assert {mutant.now.removeprefix("return ") for mutant in found} - {"None"} == others


@pytest.mark.parametrize(
    "source",
    [
        '"""Text."""',
        "import a",
        "from a import b",
        "A = B | C",
        'A = Literal["a"]',
        '__all__ = ["A"]',
        "if TYPE_CHECKING:\n    A = 1",
        "@dataclass(frozen=True)\nclass A:\n    a: int\n    'Text.'",
        "class A:\n    def __repr__(self):\n        return 'A'",
        "def f(a: 'A') -> 'B':\n    'Text.'",
        "def f():\n    message = f'no {a}'",
    ],
)
def test_what_only_people_and_type_checkers_read(tmp_path: Path, source: str) -> None:
    """Texts, annotations and imports are left alone."""
    assert [mutant.now for mutant in mutants_of(tmp_path, source) if mutant.now != "message = None"] == []


def test_changed_and_changed_back(tmp_path: Path) -> None:
    """A mutant changes one thing, and undoing it restores the module."""
    found = mutants_of(tmp_path, "A = 1\n\n\ndef f(a=2):\n    for b in a:\n        if b > A:\n            break\n")
    whole = ast.unparse(found[0].tree)
    for mutant in found:
        undo = mutant.edit.apply()
        assert ast.unparse(mutant.tree) != whole
        undo.apply()
        assert ast.unparse(mutant.tree) == whole


def test_what_must_be_imported_anew(tmp_path: Path) -> None:
    """What a function does is replaced in place; constants, classes and defaults are made when it is imported."""
    found = mutants_of(tmp_path, "A = 1\n\n\nclass C:\n    b = 2\n\n    def f(self, c=3):\n        return 4\n")
    assert {mutant.was: mutant.place.function for mutant in found} == {
        "A = 1": None,
        "b = 2": None,
        "3": None,
        "return 4": ("C.f", 7),
    }


def test_every_judgement_is_of_a_mutant_that_there_is() -> None:
    """A judgement ends with the code that it is about."""
    keys = {mutant.key for folder in PACKAGES for path in (ROOT / folder).glob("*.py") for mutant in find_mutants(path)}
    assert judged(JUDGED) - keys == set()
