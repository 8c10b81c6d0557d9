"""Small servers on real sockets, judged in this process."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from resource_server.conformance.authorization_server import AuthorizationServer
from resource_server.conformance.report import Report, Result
from resource_server.conformance.run import Plan, choose, run
from resource_server.conformance.target import AUDIENCE, Target, read_target
from tests.conformance_suite.small_server import SmallServer
from tests.support.live import serve

ROUTES = {"read": "/read", "write": "/write", "both": "/both", "post": "POST /things", "public": "/healthz"}


@contextmanager
def served(kind: type[SmallServer], issuer: str, **tables: Mapping[str, Any]) -> Generator[Target]:
    """Serve a server and describe it.

    Args:
        kind: the server's class.
        issuer: whom it trusts.
        tables: members of the description that are added, or are others.
    """
    with serve(kind(AuthorizationServer(issuer).endpoints(), AUDIENCE), "httptools") as port:
        described: dict[str, dict[str, Any]] = {
            "target": {"name": kind.__name__, "url": f"http://127.0.0.1:{port}"},
            "routes": dict(ROUTES),
            "claims": {"cache_seconds": 2},
            "features": {"retry_after": True},
        }
        for name, members in tables.items():
            described[name] |= members
        yield read_target(described, Path())


def judge(kind: type[SmallServer], issuer: str, *names: str, **tables: Mapping[str, Any]) -> Report:
    """Judge one kind of server by some clauses; by all where none is named."""
    with served(kind, issuer, **tables) as target:
        return run(Plan(target, issuer, clauses=choose(names)))


def judge_one(kind: type[SmallServer], issuer: str, name: str, **tables: Mapping[str, Any]) -> Result:
    """Judge one kind of server by one clause."""
    [result] = judge(kind, issuer, name, **tables).results
    return result
