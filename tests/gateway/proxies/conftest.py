"""Proxies that stand as long as the tests run, each before an application of its own, and a gateway for each test."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import ExitStack

import pytest

from mock_as import MockAS
from tests.support.nginx_site import build, ground, site
from tests.support.proxies import PROGRAMS, Program, Stand, stand

__all__ = ["build", "ground", "site"]


@pytest.fixture(scope="session")
def stands() -> Generator[Callable[[Program], Stand]]:
    """Start each proxy when the first test asks for it, and end all of them after the last."""
    standing: dict[str, Stand] = {}
    with ExitStack() as stack:

        def find(program: Program) -> Stand:
            if program.name not in standing:
                standing[program.name] = stack.enter_context(stand(program))
            return standing[program.name]

        yield find


@pytest.fixture(params=PROGRAMS, ids=str)
def behind(request: pytest.FixtureRequest, stands: Callable[[Program], Stand], mock_as: MockAS) -> Generator[Stand]:
    """Stand behind each proxy in turn, with the example's policy in the gateway."""
    program: Program = request.param
    if program.find() is None:
        pytest.skip(f"{program} is not installed: {program.source}")
    found = stands(program)
    with found.gateway(mock_as):
        yield found
