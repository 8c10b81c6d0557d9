"""The term of a lease, as it is known here: what is left of it, and what ends it."""

from __future__ import annotations

import math
from typing import Any

import pytest

from resource_server import ConfigurationError, Principal, RequestParts
from resource_server._validation.grant import Grant, Tie, _parts
from tests.support.play import World


def term(expires_at: float | None, *, leeway: float = 0.0) -> Grant:
    """Make the term of a token that ends so many seconds from now."""
    world = World(leeway=leeway)
    end = None if expires_at is None else world.time.wall + expires_at
    principal = Principal(expires_at=end)
    return Grant(Tie(world.state, "name", 0.0, None), principal)


@pytest.mark.parametrize(("expires_at", "left"), [(60.0, 65.0), (-1.0, 4.0), (None, math.inf)])
def test_what_is_left(expires_at: float | None, left: float) -> None:
    """A token may be used until it expires, and as much longer as clocks may differ; without an end for ever."""
    assert term(expires_at, leeway=5.0).left() == left


@pytest.mark.anyio
async def test_without_a_token_nobody_is_asked() -> None:
    """Where the token is not kept, the term is judged by what is known: in a task as in a thread, without waiting."""
    assert not term(60.0).blocks
    for expires_at, end in ((60.0, None), (-1.0, "expired")):
        assert term(expires_at).validate() == end
        assert await term(expires_at).validate_in_loop() == end


@pytest.mark.parametrize(
    ("request_", "parts"),
    [
        ({"headers": []}, RequestParts("GET", [])),
        ({"headers": [], "method": "PUT", "query_string": b"a=b"}, RequestParts("PUT", [], b"a=b")),
        (RequestParts("HEAD", []), RequestParts("HEAD", [])),
    ],
)
def test_a_request_in_any_form(request_: Any, parts: RequestParts) -> None:
    """A handshake's scope has no method and may have no query; a request's has both."""
    assert _parts(request_) == parts


@pytest.mark.parametrize("request_", [1, {}, {"type": "http"}, object()])
def test_what_is_no_request(request_: Any) -> None:
    """What has no headers is no request, and what it is instead is said."""
    with pytest.raises(ConfigurationError, match=type(request_).__name__):
        _parts(request_)
