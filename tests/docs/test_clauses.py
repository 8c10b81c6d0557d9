"""Every clause of the standards and every attack is there, and has the code that holds it and a test that shows it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from scripts import clauses
from scripts.clauses import Clause, Document, MarkedTest

ROWS = {
    "6750": (
        "2.1-a 2.1-b 2.1-c 2.1-d 2-a 2-b 2.2-a 2.2-b 2.3-a 2.3-b 3-a 3-b 3-c 3-d 3-e 3-f 3-g 3.1-a 3.1-b 3.1-c "
        "3.1-d 3.1-e 5.2-a 5.3-a 5.3-b"
    ),
    "7515": "4.1.1-a 4-a 4.1.11-a 4.1.2-a 4.1.4-a 5.2-a 5.2-b 10.12-a 10.12-b 10.6-a",
    "7518": "3.2-a 3.3-a 3.4-a",
    "7519": "4-a 4-b 4.1.4-a 4.1.5-a 4.1.6-a 4.1.3-a 4.1.2-a 7.2-a 5.3-a",
    "7662": (
        "2.1-a 2.1-b 2.1-c 2.1-d 2.1-e 2.2-a 2.2-b 2.2-c 2.2-d 2.2-e 2.2-f 2.2-g 2.2-h 2.2-i 2.2-j 2.3-a 4-a 4-b "
        "4-c 4-d 4-e 4-f 5-a"
    ),
    "7797": "7-a",
    "8414": "3-a 3.3-a 2-a 2-b 3.2-a 4-a 6.1-a 2.1-a as-a",
    "8705": "3-a 3-b 3.1-a 3.1-b 6.5-a 5-a 7.5-a",
    "8707": "2-a 2-b",
    "8725": "3.1-a 3.1-b 3.2-a 3.3-a 3.4-a 3.5-a 3.7-a 3.8-a 3.9-a 3.10-a 3.11-a 3.12-a",
    "8725bis": "2.11-a 3.14-a 3.13-a 3.15-a",
    "9068": "2.1-a 4-a 4-b 4-c 4-d 4-e 4-f 2.2-a 2.2.3-a 4-g 4-h 5-a",
    "9110": ("11.2-a 11.5-a 11.6.1-a 11.6.1-b 11.4-a 11.6.2-a 5.5-a 5.5-b 5.5-c 15.5.4-a 15.5.5-a 12.5.5-a 10.2.3-a"),
    "9111": "3.5-a 5.2.2.7-a as-a jwks-a",
    "9396": "9-a 9-b",
    "9449": (
        "4.3-1 4.3-2 4.3-3 4.3-4 4.3-5 4.3-6 4.3-7 4.3-8 4.3-9 4.3-9b 4.3-10 4.3-11 4.3-12a 4.3-12b 7.1-a 7.2-a "
        "7.2-b 7.2-c 7.1-b 7.1-c 9-a 11.1-a 11.3-a 11.5-a 6.2-a as-a"
    ),
    "9457": "3-a 3-b 4-a x-a",
    "9470": "3-a 3-b 3-c 6-a 9-a",
    "9700": "2.2.1-a 2.3-a 2.3-b 4.9.3-a 4.13-a 2.6-a",
    "9701": "4-a 5-a 5-b 5-c 5-d 5-e 8.1-a 5-f 5-g 7-a",
    "9728": "3-a 3.2-a 3.3-a 5.1-a 2-a 2-b 2-c x-a",
    "as": "1 2 3 4 5 6 7",
    "attacks": (
        "J-1 J-4 J-5 J-6 J-7 J-10 J-11 J-13 J-14 J-15 J-16 J-17 J-18 J-21 J-22 R-2 R-3 R-5 R-6 R-8 R-9 R-10 R-11 "
        "H-2 H-3 H-4 I-3 I-4 I-5 I-6 I-7 I-8 I-9 I-10 I-12 C-1 C-2 C-3 C-4 C-5 C-8 C-10 C-11 C-12 C-13 C-14 K-2 "
        "K-4 K-5 K-7 K-9 K-10 K-11 K-12 D-2 D-3 D-4 D-5 D-8 D-9 D-10 F-1 F-2 F-6 F-7 F-8 F-10 F-11 F-12 F-13 FA-1 "
        "FA-2 FA-4 S-1 S-2 S-4 S-7 S-8 S-9"
    ),
    "mcp": "1 2 3 4",
    "o21": "5.2-a",
}
"""The rows of each document; those of a standard are preceded by its name, those of the attacks by A."""
CLAUSES, ATTACKS = 207, 79
DOCUMENTS = clauses.read_documents()
TESTS = clauses.read_tests()

MODULE = '''
"""Tests."""
import pytest

pytestmark = [pytest.mark.anyio, pytest.mark.rfc("1-1-a")]
CASES: list = [pytest.param(1, marks=pytest.mark.attack("A-X-1")), 2]


@pytest.mark.rfc("1-2-a", "1-2-b")
@pytest.mark.parametrize("case", CASES)
async def test_one(case):
    """The first
    sentence.

    And more of it.
    """


def helper():
    """No test."""


@pytest.mark.rfc("1-3-a")
class TestTwo:
    """A class of tests."""

    pytestmark = pytest.mark.attack("A-X-2")

    @pytest.mark.parametrize("case", [pytest.param(1, marks=[pytest.mark.skip, pytest.mark.rfc("1-4-a")]), 2])
    def test_two(self, case):
        """The second."""

    @pytest.mark.xfail
    def test_three(self):
        """The third."""
'''


def document(*rows: Clause) -> list[Document]:
    """Make one document of some rows."""
    return [Document("1", "RFC 1: host software", "Bits.", rows)]


def held(**changes: Any) -> Clause:
    """Make a row that names code that exists."""
    members: dict[str, Any] = {"name": "1-1-a", "requires": "It is so.", "code": ("scripts.clauses:main",)}
    return Clause(**(members | changes))


def shown(*names: str, excused: bool = False, sentence: str = "It is so.") -> list[MarkedTest]:
    """Make a test that names some rows."""
    return [MarkedTest("tests/test_x.py", 1, "test_x", sentence, names, excused)]


# ---------------------------------------------------------------------------------------------------- the real tables


def test_no_row_is_lost() -> None:
    """Each document has the rows it has always had: 207 clauses and 79 attacks, none twice."""
    rows = {item.stem: [clause.name for clause in item.clauses] for item in DOCUMENTS}
    prefixes = {stem: "A" if stem == "attacks" else stem for stem in ROWS}
    assert rows == {stem: [f"{prefixes[stem]}-{name}" for name in names.split()] for stem, names in ROWS.items()}
    counts = {stem: len(names) for stem, names in rows.items()}
    assert (sum(counts.values()) - counts["attacks"], counts["attacks"]) == (CLAUSES, ATTACKS)
    assert len({name for names in rows.values() for name in names}) == CLAUSES + ATTACKS


@pytest.mark.parametrize("stem", ROWS)
def test_every_row_is_held(stem: str) -> None:
    """Each row has code and a test, or a reason why not."""
    assert clauses.missing([item for item in DOCUMENTS if item.stem == stem], TESTS) == []


def test_no_row_contradicts_itself() -> None:
    """No row that is not applicable is shown by a test."""
    assert clauses.contradictions(DOCUMENTS, TESTS) == []


def test_every_marker_names_a_row() -> None:
    """Each marker names a row that exists, and each test that has one says its rule in a sentence."""
    assert clauses.strays(DOCUMENTS, TESTS) == []


def test_all_named_code_exists() -> None:
    """Each function that a row names is defined where the row says."""
    assert clauses.lost(DOCUMENTS) == []


def test_rows_of_standards_have_a_severity() -> None:
    """Each clause says how bad it is if it fails, each attack what is done."""
    rows = [clause for item in DOCUMENTS for clause in item.clauses]
    assert [row.name for row in rows if (row.severity in clauses.SEVERITIES) == bool(row.attack)] == []


@pytest.mark.parametrize("page", clauses.pages(DOCUMENTS, TESTS))
def test_pages_are_up_to_date(page: str) -> None:
    """What scripts/clauses.py would write is what is written: else somebody forgot to run it."""
    assert (clauses.SOURCES / page).read_text(encoding="utf-8") == clauses.pages(DOCUMENTS, TESTS)[page]


def test_no_page_is_left_over() -> None:
    """The folder has the pages that are written and no others, and the first one leads to each of them."""
    written = {path.relative_to(clauses.SOURCES).as_posix() for path in (clauses.SOURCES / clauses.PAGES).iterdir()}
    pages = clauses.pages(DOCUMENTS, TESTS)
    assert written == set(pages)
    links = re.findall(r"\]\((\w+)\.md\)", pages["docs/rfc/index.md"])
    assert links == [item.stem for item in DOCUMENTS]


def test_every_table_is_whole() -> None:
    """Each line of a table has the four cells of its head: nothing in a sentence ends one."""
    for page, text in clauses.pages(DOCUMENTS, TESTS).items():
        rows = [re.sub(r"`[^`]*`", "", line) for line in text.splitlines() if line.startswith("|")]
        assert {row.count("|") for row in rows} == {rows[0].count("|")}, page


# ------------------------------------------------------------------------------------------------------- what is read


def test_markers_are_read_wherever_they_stand(tmp_path: Path) -> None:
    """Markers of a module, a class, a function and a parameter count, for each test that they mark."""
    (tmp_path / "test_module.py").write_text(MODULE, encoding="utf-8")
    one, two, three = clauses.read_tests(tmp_path)
    assert (one.name, one.sentence, one.excused) == ("test_one", "The first sentence.", False)
    assert one.clauses == ("1-1-a", "1-2-a", "1-2-b", "A-X-1")
    assert (two.name, two.clauses, two.excused) == ("TestTwo::test_two", ("1-1-a", "1-3-a", "1-4-a", "A-X-2"), False)
    assert (three.name, three.excused) == ("TestTwo::test_three", True)


def test_a_marker_without_a_text_is_refused(tmp_path: Path) -> None:
    """A marker whose argument is computed cannot be read, and is an error that names its line."""
    (tmp_path / "test_module.py").write_text(
        'import pytest\n\n\n@pytest.mark.rfc(*NAMES)\ndef test_one():\n    """One."""\n', encoding="utf-8"
    )
    with pytest.raises(TypeError, match=r"test_module\.py:4"):
        clauses.read_tests(tmp_path)


@pytest.mark.parametrize("name", ["test_module.py", "conftest.py"])
def test_a_marker_that_marks_nothing_is_refused(tmp_path: Path, name: str) -> None:
    """A marker that no test carries would be believed by whoever reads it, and is an error that names its file."""
    (tmp_path / name).write_text(
        'import pytest\n\nCASES = [pytest.param(1, marks=pytest.mark.rfc("1-1-a"))]\n', encoding="utf-8"
    )
    with pytest.raises(ValueError, match=rf"{re.escape(name)}: no test carries the marker of 1-1-a"):
        clauses.read_tests(tmp_path)


def test_rows_are_read(tmp_path: Path) -> None:
    """A file of rows becomes a document, named after the file, with its rows in order."""
    (tmp_path / "1.toml").write_text(
        'title = "RFC 1"\nabout = "Bits."\n\n[clauses."1-2.3-a"]\nrequires = "So."\nseverity = "C"\ncode = ["a:b"]\n'
        '\n[clauses.1-as-a]\nrequires = "So."\nseverity = "L"\nnot_applicable = "No."\n',
        encoding="utf-8",
    )
    [found] = clauses.read_documents(tmp_path)
    assert (found.stem, found.page, found.title, found.about) == ("1", "docs/rfc/1.md", "RFC 1", "Bits.")
    first, second = found.clauses
    assert (first.name, first.section, first.severity, first.code) == ("1-2.3-a", "2.3", "C", ("a:b",))
    assert (second.section, second.not_applicable, second.code) == ("", "No.", ())


# ------------------------------------------------------------------------------------------------------ what is found


def test_a_row_with_code_and_test_is_fine() -> None:
    """Nothing is said of a row that is held, nor of one with a reason."""
    excused = Clause(name="1-1-b", requires="It is so.", not_applicable="It is not ours.")
    assert clauses.problems(document(held(), excused), shown("1-1-a")) == []


@pytest.mark.parametrize(
    ("row", "tests", "problem"),
    [
        (held(), [], "1-1-a has no test and no reason for that"),
        (held(), shown("1-1-a", excused=True), "1-1-a has no test and no reason for that"),
        (held(code=()), shown("1-1-a"), "1-1-a names no code"),
        (held(code=(), not_applicable="No."), shown("1-1-a"), "1-1-a is not applicable, and shown"),
        (held(not_applicable="No."), [], "1-1-a is not applicable, and shown"),
        (held(), shown("1-1-a", "1-1-z"), "tests/test_x.py: test_x names 1-1-z"),
        (held(), shown("1-1-a", sentence=""), "tests/test_x.py: test_x has no sentence"),
        (
            held(code=("scripts.clauses:mine",)),
            shown("1-1-a"),
            "1-1-a names scripts.clauses:mine, which does not exist",
        ),
    ],
)
def test_whatever_is_wrong_is_said(row: Clause, tests: list[MarkedTest], problem: str) -> None:
    """A row without test or code, a reason for nothing, a stray marker and a wrong name are told, each by itself."""
    assert clauses.problems(document(row), tests) == [problem]


@pytest.mark.parametrize(
    ("code", "there"),
    [
        ("scripts.clauses:main", True),
        ("scripts.clauses:Clause", True),
        ("scripts.clauses:Clause.section", True),
        ("scripts.clauses:Clause.name", True),
        ("scripts.clauses:ROOT", True),
        ("resource_server:__getattr__", True),
        ("scripts.clauses:Clause.sections", False),
        ("scripts.clauses:main.rows", False),
        ("scripts.clauses", False),
        ("scripts.nothing:main", False),
    ],
)
def test_code_is_found_by_its_name(code: str, there: bool) -> None:  # noqa: FBT001 - what is expected of a case
    """Functions, classes, their members and constants are found in modules and packages; nothing else is."""
    assert clauses.exists(code) is there


def test_a_row_is_written() -> None:
    """A row shows its section, its severity, its code and its tests, with nothing that breaks the table."""
    row = held(name="1-2.3-a", severity="C", requires="a | b, *not* <c>, but `d | e`.")
    text = clauses.pages(document(row), shown("1-2.3-a", sentence="It is ``so``."))["docs/rfc/1.md"]
    assert text.splitlines()[0] == "# RFC 1: host software"
    assert "1 rows: 1 held by tests, 0 not applicable." in text
    assert text.splitlines()[-1] == (
        "| **1-2.3-a**<br>[§2.3](https://www.rfc-editor.org/rfc/rfc1#section-2.3)<br>C "
        "| a &#124; b, &#42;not&#42; &lt;c>, but `d | e`. | `scripts.clauses.main` "
        "| It is `so`. `tests/test_x.py::test_x` |"
    )


def test_an_attack_is_written() -> None:
    """An attack shows what is done beside what becomes of it."""
    text = clauses.pages(document(held(name="A-X-1", attack="Try.")), shown("A-X-1"))["docs/rfc/1.md"]
    assert "| attack | outcome | code | tests |" in text
    assert text.splitlines()[-1].startswith("| **A-X-1**<br>Try. | It is so. |")


def test_what_is_missing_is_written() -> None:
    """A page says which rows are missing and why a row is not applicable, and the first page counts them."""
    rows = held(), Clause(name="1-1-b", requires="It is so.", not_applicable="It is not ours.")
    written = clauses.pages(document(*rows), [])
    assert "**missing**" in written["docs/rfc/1.md"]
    assert "not applicable: It is not ours." in written["docs/rfc/1.md"]
    assert "| [RFC 1: host software](1.md) | 2 | 0 | 1 | 1 |" in written["docs/rfc/index.md"]


def test_the_command_writes_and_judges(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`--check` fails where a page is not up to date; without it the pages are written."""
    monkeypatch.setattr(clauses, "ROOT", tmp_path)
    monkeypatch.setattr(clauses, "read_documents", lambda: document(held()))
    monkeypatch.setattr(clauses, "read_tests", lambda: shown("1-1-a"))
    assert clauses.main("--check") == 1
    assert capsys.readouterr().out == "docs/rfc/index.md is not up to date\ndocs/rfc/1.md is not up to date\n"
    assert clauses.main() == 0
    assert clauses.main("--check") == 0
    monkeypatch.setattr(clauses, "read_tests", list)
    assert (clauses.main(), clauses.main("--check")) == (0, 1)
    assert "1-1-a has no test" in capsys.readouterr().out
