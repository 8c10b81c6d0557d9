"""A gateway and the authorization server that it asks, both in this process; and questions as each proxy asks them."""

from __future__ import annotations

from typing import Any

from mock_as import MockAS, Token
from resource_server import Clock, Event, ResourceServer
from resource_server.events import ConfigurationFault
from resource_server.forward_auth import ForwardAuth, Metrics
from tests.support.answer import Answer
from tests.support.asgi import RawHeaders, call

PROXY, STRANGER = "10.0.0.7", "192.0.2.9"
NAMES = ("subject", "client", "scopes", "issuer", "assurance", "claims")
ENDPOINTS = ("/auth", "/auth/nginx", "/auth/envoy/orders")


class Door:
    """A gateway.

    Args:
        options: options of the resource server; ``door``, those of the gateway.
    """

    def __init__(self, door: dict[str, Any] | None = None, *, counted: bool = False, **options: Any) -> None:
        """Make everything; nothing is asked yet."""
        self.mock_as = MockAS()
        self.events: list[Event] = []
        self.metrics = Metrics(self.events.append) if counted else None
        client_id, secret = self.mock_as.credentials("rs")
        self.clock = Clock(wall=self.mock_as.clock.now, monotonic=self.mock_as.clock.now)
        usual: dict[str, Any] = {
            "issuer": self.mock_as.issuer,
            "audience": self.mock_as.options.audience,
            "client_id": client_id,
            "client_secret": secret,
            "transport": self.mock_as.transport(),
            "clock": self.clock,
            "observer": self.metrics or self.events.append,
            "retries": 0,
            "trusted_proxies": ["10.0.0.0/8"],
        }
        self.server = ResourceServer(**(usual | options))
        self.app = ForwardAuth(self.server, clock=self.clock, metrics=self.metrics, **(door or {}))

    async def ask(
        self,
        path: str = "/auth",
        token: Token | str | None = None,
        *,
        method: str = "GET",
        headers: RawHeaders = (),
        query: str = "",
        peer: str = PROXY,
    ) -> Answer:
        """Ask as a proxy does."""
        value = token.value if isinstance(token, Token) else token
        return await call(
            self.app, method, path, token=value, headers=headers, query=query.encode("latin-1"), peer=peer
        )

    @property
    def faults(self) -> list[str]:
        """The causes of the faults of the gateway that were told."""
        return [
            event.cause
            for event in self.events
            if isinstance(event, ConfigurationFault) and event.endpoint == "forward_auth"
        ]


def forwarded(
    target: str = "/orders", method: str = "GET", host: str = "api.example.test", **more: str
) -> list[tuple[bytes, bytes]]:
    """Tell of a request as Caddy and Traefik do; ``_`` in a further name stands for ``-``."""
    told = {"x-forwarded-method": method, "x-forwarded-proto": "https", "x-forwarded-host": host}
    told |= {"x-forwarded-uri": target} | {name.replace("_", "-"): value for name, value in more.items()}
    return [(name.encode(), value.encode("latin-1")) for name, value in told.items()]


def original(target: str = "/orders", method: str = "GET", **more: str) -> list[tuple[bytes, bytes]]:
    """Tell of a request as nginx does; ``_`` in a further name stands for ``-``."""
    told = {"x-original-method": method, "x-original-uri": target}
    told |= {name.replace("_", "-"): value for name, value in more.items()}
    return [(name.encode(), value.encode("latin-1")) for name, value in told.items()]


def identity(answer: Answer) -> dict[str, str]:
    """Return what an answer says of who is calling, after making sure that both spellings of each say the same.

    nginx reads both spellings as one field: it is told the first only, and its configuration writes the second.
    """
    told: dict[str, str] = {}
    for name in NAMES:
        dashed, underscored = answer.header(f"x-auth-{name}"), answer.header(f"x_auth_{name}")
        assert dashed is not None
        assert underscored == (dashed if answer.header("x-error-status") is None else None)
        told[name] = dashed
    return told


def is_nobody(answer: Answer) -> bool:
    """Tell whether an answer clears every field of identity."""
    return set(identity(answer).values()) == {""}
