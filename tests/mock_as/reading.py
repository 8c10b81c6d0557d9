"""Read responses as a client does that believes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import httpx


def directives(response: httpx.Response) -> dict[str, str | None]:
    """Read Cache-Control into its directives."""
    parts = (part.strip().partition("=") for part in response.headers["cache-control"].split(","))
    return {name.lower(): value or None for name, _, value in parts}


def is_json(response: httpx.Response) -> bool:
    """Tell whether a response says that it is JSON, and nothing about its encoding."""
    return bool(response.headers["content-type"] == "application/json")


def problem(response: httpx.Response) -> Mapping[str, Any]:
    """Read a problem document."""
    assert response.headers["content-type"] == "application/problem+json"
    document = cast("dict[str, Any]", response.json())
    assert document["status"] == response.status_code
    return document
