"""The fault grid: sixty faults, seven policies, five kinds of token, and three states of the cache.

All 6 300 cells are played by ``python -m benchmarks grid``; here every fault meets every policy once.
"""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.grid import oracle
from tests.grid.cells import CACHES, TOKENS, Cell, Certificates, all_cells, play
from tests.grid.faults import HANGS
from tests.grid.judge import WRONG_ACCEPT, findings

pytestmark = pytest.mark.anyio


def _selected(*, hanging: bool) -> list[Cell]:
    """Choose one of the fifteen states for every fault and policy, another one each time."""
    chosen: list[Cell] = []
    for cell in all_cells():
        state = TOKENS.index(cell.token) * len(CACHES) + CACHES.index(cell.cache)
        if state == (cell.fault * 4 + cell.policy * 7) % 15 and (cell.fault in HANGS) is hanging:
            chosen.append(cell)
    return chosen


@pytest.mark.attack("A-C-4", "A-C-5", "A-C-10", "A-K-2", "A-K-4", "A-K-12", "A-I-3", "A-I-4", "A-I-7")
@pytest.mark.parametrize(("hanging", "lanes"), [(False, 4), (True, 35)], ids=["answered", "hanging"])
async def test_faults_under_policies(tmp_path: Path, *, hanging: bool, lanes: int) -> None:
    """Whatever breaks, under whatever policy: the answer is the one that the papers say, and in time."""
    certificates = Certificates(tmp_path)
    found = findings(await play(_selected(hanging=hanging), certificates, lanes=lanes))
    # A busy machine may be late, once; it never makes a no into a yes.
    again = [finding.probe.cell for finding in found if finding.kind != WRONG_ACCEPT]
    assert [str(finding) for finding in found if finding.kind == WRONG_ACCEPT] == []
    assert [str(finding) for finding in findings(await play(again, certificates, lanes=1))] == []


def test_grid_is_whole() -> None:
    """There are sixty faults, seven policies, five tokens and three states of the cache."""
    cells = all_cells()
    assert len(set(cells)) == len(cells) == 60 * 7 * 5 * 3
    chosen = _selected(hanging=False) + _selected(hanging=True)
    assert len({(cell.fault, cell.policy) for cell in chosen}) == len(chosen) == 60 * 7


def test_oracle_knows_nothing_of_the_library() -> None:
    """What is right is written down twice, by two hands: a shared line would make both wrong together."""
    tree = ast.parse(Path(oracle.__file__).read_text(encoding="utf-8"))
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
    assert [node.module for node in imports if isinstance(node, ast.ImportFrom)] == ["__future__"]
    assert len(imports) == 1


@pytest.mark.parametrize("token", ["expired", "forged", "other audience"])
def test_some_tokens_are_never_good(token: str) -> None:
    """No fault and no policy makes an expired, a forged or somebody else's token a good one."""
    for cell in all_cells():
        for lapsed in (False, True):
            assert 200 not in oracle.expected(cell.fault, cell.policy, token, cell.cache, lapsed=lapsed)
