"""What scripts draw and write down of the code says what it shows; the test of the reference holds it up to date."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from typing import Any

from scripts import architecture, openapi
from tests.docs.pages import read

SVG = "{http://www.w3.org/2000/svg}"


def test_the_drawing_has_every_part_and_says_so() -> None:
    """Each part of the package is in the drawing, which has a title and a description, and colours for dark pages."""
    root = ET.fromstring(read(architecture.DRAWING))  # noqa: S314 - the project's own file
    texts = {element.text for element in root.iter(f"{SVG}text")}
    assert {name for row in architecture.layers() for name in row} <= texts
    assert root.find(f"{SVG}title") is not None
    assert root.find(f"{SVG}desc") is not None
    assert "prefers-color-scheme: dark" in "".join(root.itertext())


def test_no_arrow_goes_up() -> None:
    """Whatever imports something stands above it, as the description says."""
    assert architecture.rising(architecture.layers(), architecture.imports()) == []


def test_what_follows_is_left_out() -> None:
    """An import that others imply is not drawn, and nothing else is left out."""
    graph = {"a": frozenset({"b", "c"}), "b": frozenset({"c"}), "c": frozenset[str]()}
    assert architecture.reduced(graph) == {"a": {"b"}, "b": {"c"}, "c": set()}


def references(node: Any) -> Iterator[str]:
    """Return what a document refers to, wherever it stands."""
    if isinstance(node, dict):
        yield from (value for name, value in node.items() if name == "$ref")
        for value in node.values():
            yield from references(value)
    elif isinstance(node, list):
        for value in node:
            yield from references(value)


def test_the_description_of_the_admin_api() -> None:
    """The description refers to nothing that is missing, and has each route of the page."""
    document = json.loads(read(openapi.DOCUMENT))
    for reference in set(references(document)):
        found: Any = document
        for name in reference.removeprefix("#/").split("/"):
            found = found[name]
    shown = set(re.findall(r"^\| `([A-Z]+ /[^`]+)` \|", read("docs/admin-api.md"), re.MULTILINE))
    assert shown == {f"{method.upper()} {path}" for path, methods in document["paths"].items() for method in methods}
