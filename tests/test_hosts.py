"""What every front door does alike, in the names that whoever writes one of their own may use."""

from __future__ import annotations

import pytest

from resource_server import InsufficientScope, InvalidToken, MissingToken, Principal, Requirement, hosts
from resource_server.hosts import added_fields, hides, is_preflight, metadata_at, render
from tests.support.fastapi_app import ScriptedAS

ORIGIN, ASKED = (b"origin", b"https://shop.example.test"), (b"access-control-request-method", b"GET")


def test_public_names() -> None:
    """The module offers what it names, and nothing else."""
    assert sorted(hosts.__all__) == list(hosts.__all__)
    offered = {name for name in vars(hosts) if name[0] not in "_@"} - {"annotations"}  # @: pytest's own
    assert offered == set(hosts.__all__)


@pytest.mark.attack("A-F-8")
def test_preflight() -> None:
    """A preflight is OPTIONS with both of a browser's fields, and nothing else is one."""
    assert is_preflight("OPTIONS", [ORIGIN, ASKED])
    for method, headers in (
        ("GET", [ORIGIN, ASKED]),
        ("options", [ORIGIN, ASKED]),
        ("OPTIONS", [ORIGIN, ASKED, (b"x-http-method-override", b"DELETE")]),
        ("OPTIONS", [ORIGIN, ASKED, (b"x_http_method_override", b"DELETE")]),
        ("OPTIONS", [ORIGIN]),
        ("OPTIONS", [ASKED]),
        ("OPTIONS", [ORIGIN, (ASKED[0], b"")]),
        ("OPTIONS", []),
    ):
        assert not is_preflight(method, headers)


def test_hides() -> None:
    """Only what lacks a scope is hidden, and only where a route says so."""
    hiding = Requirement(hide=True)
    assert hides(InsufficientScope(), hiding)
    assert not hides(InsufficientScope(), Requirement())
    assert not hides(InvalidToken(), hiding)
    assert not hides(MissingToken(), hiding)


def test_render() -> None:
    """A refusal is a 403 for a script where the route says so, and then varies by that."""
    server, ajax = ScriptedAS().server(), [(b"x-requested-with", b" XMLHttpRequest")]
    told = {
        (forbidden, len(headers)): render(server, headers, MissingToken(), Requirement(ajax_forbidden=forbidden))
        for forbidden in (False, True)
        for headers in ([], ajax)
    }
    assert {key: answer.status for key, answer in told.items()} == {
        (False, 0): 401,
        (False, 1): 401,
        (True, 0): 401,
        (True, 1): 403,
    }
    assert dict(told[True, 0].headers)[b"vary"] == b"Accept, X-Requested-With"
    as_json = render(server, [(b"accept", b"application/json")], MissingToken(), Requirement())
    assert dict(as_json.headers)[b"content-type"] == b"application/json"


def test_metadata_and_fields() -> None:
    """The metadata are where the resource says, under any of a path's names; a 404 is kept by nobody."""
    server = ScriptedAS().server(resource="https://api.example.test")
    path = "/.well-known/oauth-protected-resource"
    assert metadata_at(server, "/x", path) is server.protected_resource
    assert metadata_at(server, "/x") is metadata_at(ScriptedAS().server(), path) is None
    assert added_fields(server, None, 404, ()) == [(b"cache-control", b"no-store")]
    assert added_fields(server, Principal(), 200, ()) == []
