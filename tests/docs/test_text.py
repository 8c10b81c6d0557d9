"""The prose points at things that exist, and is laid out as the sources are."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from tests.docs.pages import NAMES, ROOT, blocks, read

README_LINES = 80


def prose(page: str) -> str:
    """Return a page without its code blocks."""
    return re.sub(r"^ *```.*?^ *```$", "", read(page), flags=re.MULTILINE | re.DOTALL)


def anchors(path: Path) -> set[str]:
    """Return the anchors of a page's headings, as they are made from their text."""
    headings = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[\s-]+", "-", re.sub(r"[^\w\s-]", "", heading.lower()).strip()) for heading in headings}


@pytest.mark.parametrize("page", NAMES)
def test_links_lead_somewhere(page: str) -> None:
    """Each relative link of a page leads to a file that is there, and to a heading in it."""
    lost: list[str] = []
    for target in re.findall(r"\]\(([^)]+)\)", prose(page)):
        if target.startswith("https://"):
            continue
        name, _, anchor = target.partition("#")
        path = (ROOT / page).parent / name if name else ROOT / page
        if not path.exists() or (anchor and anchor not in anchors(path)):
            lost.append(target)
    assert lost == []


@pytest.mark.parametrize("page", NAMES)
def test_lines_are_no_longer_than_code(page: str) -> None:
    """No line of a page is longer than 120 characters, but for rows of tables, which cannot be broken."""
    lines = enumerate(read(page).splitlines(), start=1)
    assert [number for number, line in lines if len(line) > 120 and not line.startswith("|")] == []


@pytest.mark.parametrize("page", NAMES)
def test_every_fence_is_understood(page: str) -> None:
    """Each fenced block of a page is one that these tests find: none escapes them by an unusual first line."""
    fences = len(re.findall(r"^ *```", read(page), re.MULTILINE))
    assert fences == 2 * len(blocks(page))


def test_readme_fits_two_screens() -> None:
    """The README is no longer than two screens."""
    assert len(read("README.md").splitlines()) <= README_LINES


def test_every_page_is_in_the_navigation() -> None:
    """Each page of docs/ is in the navigation, once, and nothing else is; its folders have a first page each."""
    listed = re.findall(r"^ +- .+: ([^/\s]+\.md)$", read("mkdocs.yml"), re.MULTILINE)
    assert sorted(listed) == sorted(path.name for path in (ROOT / "docs").glob("*.md"))


def test_threat_model_names_real_modules() -> None:
    """Each module that SECURITY.md names as the place of a defence is there."""
    named = set(re.findall(r"`([\w/]+\.py)`", read("SECURITY.md")))
    assert named
    assert [name for name in sorted(named) if not (ROOT / "resource_server" / name).is_file()] == []


@pytest.mark.parametrize(("title", "contract_id"), [("layers", "layers"), ("layers of the mock", "mock_layers")])
def test_layers_are_those_of_the_contract(title: str, contract_id: str) -> None:
    """The layers in CONTRIBUTING.md are those that the import contracts hold."""
    contracts = tomllib.loads(read("pyproject.toml"))["tool"]["importlinter"]["contracts"]
    [layers] = [contract["layers"] for contract in contracts if contract["id"] == contract_id]
    [drawn] = [block.text for block in blocks("CONTRIBUTING.md", "text") if block.title == title]
    assert [line.split("  ")[0].strip() for line in drawn.splitlines()] == layers
