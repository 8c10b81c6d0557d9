"""What a proxy does while there is no gateway, and after small changes to the configuration that its page shows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from mock_as import MockAS
from tests.support.gateway import serve_upstream
from tests.support.live import exchange, request
from tests.support.proxies import (
    APACHE,
    CADDY,
    ENVOY,
    HAPROXY,
    PROGRAMS,
    TRAEFIK,
    Program,
    challenges,
    run_proxy,
    stand,
)
from tests.support.valkey import free_port

PASSING: dict[Program, Mapping[str, str]] = {
    CADDY: {"\t\t\tcopy_headers Authorization\n": ""},
    TRAEFIK: {"|authorization)$": ")$"},
    ENVOY: {", { exact: authorization }": ""},
}
"""What the page says to take out of the configuration where the gateway passes the token on."""


DEMANDING: dict[Program, Mapping[str, str]] = {
    CADDY: {"uri /auth?\n": "uri /auth?scope=orders:cancel\n"},
    TRAEFIK: {"4180/auth\n": "4180/auth?scope=orders:cancel\n"},
    HAPROXY: {"lua.resource-server /auth\n": "lua.resource-server /auth?scope=orders:cancel\n"},
    APACHE: {'4180/auth"': '4180/auth?scope=orders:cancel"'},
}
"""How a place in a configuration demands more than the policy file."""


BROKEN: dict[Program, Mapping[str, str]] = {
    HAPROXY: {"local url = GATEWAY": 'error("broken")\n    local url = GATEWAY'},
    APACHE: {"    local body = {}\n": '    error("broken")\n'},
}
"""Scripts that fail."""
IMPATIENT: dict[Program, Mapping[str, str]] = {
    CADDY: {"response_header_timeout 5s": "response_header_timeout 50ms"},
    ENVOY: {"timeout: 5s": "timeout: 0.05s"},
    HAPROXY: {"MILLISECONDS = 5000": "MILLISECONDS = 50"},
    APACHE: {"http.TIMEOUT = 5": "http.TIMEOUT = 0.05"},
}
"""Those that can be told how long to wait; Traefik waits for thirty seconds."""


def need(program: Program) -> None:
    """Skip where a proxy is not installed."""
    if program.find() is None:
        pytest.skip(f"{program} is not installed: {program.source}")


@pytest.mark.parametrize("program", PROGRAMS, ids=str)
def test_nobody_is_let_in(program: Program) -> None:
    """Where no gateway listens, everybody is told that the fault is on this side, and the application hears nothing."""
    need(program)
    with serve_upstream() as (port, upstream), run_proxy(program, gateway=free_port(), upstream=port) as proxy:
        assert exchange(proxy, request("GET", "/orders", b"Authorization: Bearer good")).status >= 500
    assert upstream.received == []


@pytest.mark.parametrize("program", PROGRAMS, ids=str)
def test_the_token_itself_is_passed_on(program: Program, mock_as: MockAS) -> None:
    """The application gets the client's token, where the gateway and the proxy are both told to pass it on."""
    need(program)
    token = mock_as.token(scope="orders:read")
    with stand(program, PASSING.get(program)) as behind, behind.gateway(mock_as, {"credential": "pass"}):
        assert behind.ask(token=token).status == 200
        assert behind.upstream.last.header("authorization") == token.bearer["Authorization"]


@pytest.mark.parametrize("program", DEMANDING, ids=str)
def test_a_place_demands_more(program: Program, mock_as: MockAS) -> None:
    """What the query of the gateway's URL demands is demanded beside what the policy file does."""
    need(program)
    with stand(program, DEMANDING[program]) as behind, behind.gateway(mock_as):
        answer = behind.ask(token=mock_as.token(scope="orders:read"))
        assert (answer.status, behind.upstream.received) == (403, [])
        [challenge] = challenges(answer)
        assert set(challenge.params["scope"].split()) == {"orders:read", "orders:cancel"}
        assert behind.ask(token=mock_as.token(scope="orders:read orders:cancel")).status == 200


@pytest.mark.parametrize("program", BROKEN, ids=str)
def test_a_script_that_fails(program: Program, mock_as: MockAS) -> None:
    """A script with a fault lets nobody in."""
    need(program)
    with stand(program, BROKEN[program]) as behind, behind.gateway(mock_as):
        assert behind.ask(token=mock_as.token(scope="orders:read")).status in {500, 503}
        assert behind.upstream.received == []


async def hang(scope: Any, receive: Any, send: Any) -> None:
    """Be a gateway that does not answer while the proxy waits."""
    if scope["type"] == "lifespan":
        for _ in range(2):
            await send({"type": f"{(await receive())['type']}.complete"})
        return
    while (await receive())["type"] != "http.disconnect":
        pass


@pytest.mark.parametrize("program", IMPATIENT, ids=str)
def test_a_gateway_that_does_not_answer(program: Program, mock_as: MockAS) -> None:
    """Who waits in vain for the gateway is told so, and is not let in."""
    need(program)
    with stand(program, IMPATIENT[program]) as behind, behind.switch.to(hang):
        assert behind.ask(token=mock_as.token(scope="orders:read")).status >= 500
        assert behind.upstream.received == []
