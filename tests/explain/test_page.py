"""The page about `explain` has every word of its vocabulary, and shows what the command prints."""

from __future__ import annotations

import re
import sys
from io import BytesIO, TextIOWrapper

import pytest

from resource_server import cli
from resource_server._explain.answer import Answer
from resource_server._explain.explain import explain
from resource_server._explain.words import Action, Defect
from tests.docs.pages import blocks, read

PAGE = "docs/explain.md"


def words(heading: str) -> list[str]:
    """Return the first column of the table below a heading."""
    _, _, rest = read(PAGE).partition(f"\n## {heading}\n")
    return re.findall(r"^\| `(\w+)` \|", rest.partition("\n## ")[0], re.MULTILINE)


def test_vocabulary() -> None:
    """Each action and each defect is in its table, once, in the order of the code."""
    assert words("Actions") == list(Action)
    assert words("Remarks") == list(Defect)


def test_the_table_of_responses() -> None:
    """What the page about errors has clients do is what is advised, for each status and error code there is."""
    table = r"^\| ([\d, ]+)(?: `(\w+)`)?(?: without.*?)? \| .+ \| `(\w+)` \|$"
    rows = re.findall(table, read("docs/errors.md"), re.MULTILINE)
    assert len(rows) == 9
    for statuses, error, action in rows:
        for status in statuses.split(", "):
            scheme = "DPoP" if "dpop" in error else "Bearer"
            challenge = f'{scheme} realm="api"' + (f', error="{error}"' if error else "")
            fields = [("www-authenticate", challenge)] if status[0] == "4" and status not in ("404", "429") else []
            assert explain([Answer(int(status), fields=fields)]).advice.action == action, (status, error)


def test_the_answer_that_is_shown(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """What the page shows is what the command prints of the answer that the page about errors shows."""
    [refused] = [
        block
        for block in blocks("docs/errors.md", "http")
        if block.title == "POST /orders with a token for orders:read"
    ]
    monkeypatch.setattr(sys, "stdin", TextIOWrapper(BytesIO(refused.text.encode())))
    with pytest.raises(SystemExit) as ending:
        cli.main(["explain"])
    assert ending.value.code == 0
    printed = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    [shown] = blocks(PAGE, "text")
    assert printed == shown.text.splitlines()
    assert max(map(len, printed)) <= 80
