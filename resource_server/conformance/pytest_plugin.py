"""The pytest plugin: with ``--resource-server-target FILE``, one test for each clause.

A project that does not use it pays for this module and nothing else: the suite is loaded where the option is given.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from resource_server.conformance.clause import Clause
    from resource_server.conformance.stand import Stand

_OPTION = "--resource-server-target"
_STAND = pytest.StashKey["_Opened"]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Make the options known."""
    group = parser.getgroup("resource-server", "conformance of a resource server")
    group.addoption(_OPTION, metavar="FILE", help="judge the resource server that this TOML file describes")
    group.addoption("--resource-server-as", metavar="URL", default="", help="a mock that runs already")
    group.addoption("--resource-server-only", metavar="ID", action="append", help="clauses that begin like this")


class _Opened:
    """The target and its authorization server, started by the first test that needs them."""

    def __init__(self, path: Path, server: str) -> None:
        self.stack = ExitStack()
        self._path = path
        self._server = server
        self._stand: Stand | None = None

    def stand(self) -> Stand:
        """Start them, once."""
        from resource_server.conformance.run import Plan, open_stand  # noqa: PLC0415 - only where the option is given
        from resource_server.conformance.target import load_target  # noqa: PLC0415 - the same

        if self._stand is None:
            self._stand = self.stack.enter_context(open_stand(Plan(load_target(self._path), self._server)))
        return self._stand


class ClauseFailed(Exception):  # noqa: N818 - what failed is the clause
    """What was expected, and what was observed."""


class ClauseItem(pytest.Item):
    """One clause as a test."""

    def __init__(self, *, clause: Clause, **others: Any) -> None:  # noqa: ANN401 - what pytest says of every item
        super().__init__(**others)
        self.clause = clause

    def runtest(self) -> None:
        """Try the clause; one that is not applicable is skipped."""
        from resource_server.conformance.run import try_clause  # noqa: PLC0415 - only where the option is given

        outcome = try_clause(self.clause, self.config.stash[_STAND].stand()).outcome
        if outcome.verdict == "not_applicable":
            pytest.skip(outcome.observed)
        if outcome.verdict != "passed":
            told = (
                f"{self.clause.title} ({outcome.source})",
                f"expected: {outcome.expected}",
                f"observed: {outcome.observed}",
            )
            raise ClauseFailed("\n".join(told))

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:  # noqa: ANN401 - as pytest has it
        """Show what was expected and observed, and nothing of the suite's own code."""
        return str(excinfo.value) if isinstance(excinfo.value, ClauseFailed) else super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, None, str]:
        """Tell where the target is described."""
        return Path(str(self.config.getoption(_OPTION))), None, self.name


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(session: pytest.Session, config: pytest.Config, items: list[pytest.Item]) -> None:
    """Add one test for each clause, behind all others and in the order of the suite, whoever shuffles the rest."""
    path = config.getoption(_OPTION)
    if path:
        config.stash[_STAND] = _Opened(Path(path), str(config.getoption("--resource-server-as")))
        items.extend(_items(session, config.getoption("--resource-server-only") or ()))


def _items(session: pytest.Session, only: tuple[str, ...] | list[str]) -> Iterator[pytest.Item]:
    from resource_server.conformance.errors import SuiteError  # noqa: PLC0415 - only where the option is given
    from resource_server.conformance.run import choose  # noqa: PLC0415 - the same

    try:
        chosen = choose(only)
    except SuiteError as error:
        raise pytest.UsageError(str(error)) from error
    for clause in chosen:
        yield ClauseItem.from_parent(session, name=clause.id, nodeid=f"resource-server::{clause.id}", clause=clause)


def pytest_unconfigure(config: pytest.Config) -> None:
    """End what was started."""
    opened = config.stash.get(_STAND, None)
    if opened is not None:
        opened.stack.close()
