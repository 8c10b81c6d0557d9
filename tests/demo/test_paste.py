"""The commands to paste are whole, and their tokens last."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any, cast

from resource_server._demo.paste import curl_lines
from resource_server._demo.stage import Stage

ORDERS = "http://127.0.0.1:2/orders"


class Mint:
    """A control plane that mints tokens with a quote in them, and remembers what they were to be."""

    def __init__(self) -> None:
        """Start with none."""
        self.minted: list[Mapping[str, Any]] = []

    def mint(self, wishes: Mapping[str, Any]) -> str:
        """Mint a token."""
        self.minted.append(wishes)
        return f"it's-{len(self.minted)}"


def test_commands() -> None:
    """Each command is one that a shell takes apart as it was meant, whatever is in a token, and says what it gets."""
    mint = Mint()
    stage = SimpleNamespace(issuer="http://127.0.0.1:1", api_url="http://127.0.0.1:2", control=mint)
    lines = curl_lines(cast("Stage", stage))
    order = ["-H", "Content-Type: application/json", "-d", '{"item": "tea", "quantity": 2}']
    assert [(comment[:3], shlex.split(command)) for comment, command in lines] == [
        ("200", ["curl", "-i", ORDERS, "-H", "Authorization: Bearer it's-1"]),
        ("401", ["curl", "-i", ORDERS]),
        ("403", ["curl", "-i", ORDERS, "-H", "Authorization: Bearer it's-1", *order]),
        ("201", ["curl", "-i", ORDERS, "-H", "Authorization: Bearer it's-2", *order]),
        (
            "200",
            [
                *("curl", "-i", "http://127.0.0.1:1/_mock/tokens/revoke"),
                *("-H", "Content-Type: application/json", "-d", json.dumps({"token": "it's-1"})),
            ],
        ),
    ]
    assert [(wishes["scope"], wishes["expires_in"]) for wishes in mint.minted] == [
        ("orders:read", 86_400),
        ("orders:read orders:write", 86_400),
    ]
