"""Command lines to paste into another terminal while the demo serves."""

from __future__ import annotations

import json
import shlex

from resource_server._demo.stage import Stage
from resource_server._demo.story import ORDER

_DAY = 86_400


def curl_lines(stage: Stage) -> list[tuple[str, str]]:
    """Return commands that work as they are, each after the status that it gets and why.

    Args:
        stage: the processes, running; the tokens in the commands are good for a day.
    """
    reader = _mint(stage, "orders:read")
    writer = _mint(stage, "orders:read orders:write")
    orders = f"{stage.api_url}/orders"
    posting = ("-H", "Content-Type: application/json", "-d", ORDER.decode())
    return [
        ("200: a token that may read", _curl(orders, *_bearer(reader))),
        ("401: no token", _curl(orders)),
        ("403: this token may only read", _curl(orders, *_bearer(reader), *posting)),
        ("201: this one may write", _curl(orders, *_bearer(writer), *posting)),
        ("200: revoke the first; the API notices within its cache_ttl, 60 s", _revocation(stage, reader)),
    ]


def _mint(stage: Stage, scope: str) -> str:
    return stage.control.mint({"format": "opaque", "sub": "alice", "scope": scope, "expires_in": _DAY})


def _bearer(token: str) -> tuple[str, str]:
    return ("-H", f"Authorization: Bearer {token}")


def _revocation(stage: Stage, token: str) -> str:
    body = json.dumps({"token": token})
    return _curl(f"{stage.issuer}/_mock/tokens/revoke", "-H", "Content-Type: application/json", "-d", body)


def _curl(*arguments: str) -> str:
    return shlex.join(("curl", "-i", *arguments))
