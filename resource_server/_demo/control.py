"""The control plane of the mock authorization server, over HTTP."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from resource_server._demo.exchange import DemoError, send
from resource_server._demo.rows import Calls


class ControlPlane:
    """Says what the authorization server is to do, and asks what it has done.

    Args:
        url: where the authorization server listens.
    """

    def __init__(self, url: str) -> None:
        """Connect to nothing yet."""
        self._url = url

    def mint(self, wishes: Mapping[str, Any]) -> str:
        """Return a new access token."""
        token: str = self._ask("POST", "/tokens", wishes)["token"]
        return token

    def revoke(self, token: str) -> None:
        """Revoke a token."""
        self._ask("POST", "/tokens/revoke", {"token": token})

    def rotate_keys(self) -> None:
        """Sign with a new key from now on; the one before stays published."""
        self._ask("POST", "/keys/rotate", {})

    def fail(self, endpoint: str, times: int) -> None:
        """Answer the next requests to an endpoint with a 503."""
        self._ask("POST", "/faults", {"endpoint": endpoint, "status": 503, "times": times})

    def forget_requests(self) -> None:
        """Empty the journal."""
        self._ask("DELETE", "/requests")

    def calls(self) -> Calls:
        """Count what is in the journal."""
        return Calls(introspection=self._count("introspect"), jwks=self._count("jwks"))

    def _count(self, endpoint: str) -> int:
        count: int = self._ask("GET", f"/requests/count?endpoint={endpoint}")["count"]
        return count

    def _ask(self, method: str, path: str, document: Mapping[str, Any] | None = None) -> dict[str, Any]:
        body = None if document is None else json.dumps(dict(document)).encode()
        answer = send(method, f"{self._url}/_mock{path}", body=body)
        if answer.status >= 300:  # noqa: PLR2004 - everything but success
            raise DemoError(f"the authorization server answered {method} {path} with {answer.status}: {answer.body!r}")
        return answer.members()
