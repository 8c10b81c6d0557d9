"""Two doors to one server: the control plane at a port that only the tests can reach, the rest at another."""

from __future__ import annotations

from typing import Literal

from starlette.types import ASGIApp, Receive, Scope, Send

from mock_as import endpoint

CONTROL = "/_mock/"
_HEALTH = "/_mock/health"


class Door:
    """Lets the requests for one half of a server through, and those about its health.

    Args:
        app: the server.
        only: which half.
    """

    def __init__(self, app: ASGIApp, only: Literal["control", "oauth"]) -> None:
        self._app = app
        self._control = only == "control"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or answer 404."""
        path = scope.get("path", "")
        if path == _HEALTH or (CONTROL in f"{path}/") == self._control:
            await self._app({**scope, endpoint.ONLY_CONTROL: True} if self._control else scope, receive, send)
            return
        hint = "The control plane and the endpoints of OAuth are at different ports of this server."
        refusal = endpoint.problem(404, "Not Found", "It is not at this port.", hint=hint, path=path)
        await endpoint.send_answer(refusal, send)
