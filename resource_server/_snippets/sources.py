"""Where the tested configurations are: in this folder of the wheel, and at their own place in a checkout."""

from __future__ import annotations

from pathlib import Path

_SHIPPED = Path(__file__).parent / "files"
_CHECKOUT = Path(__file__).parents[2]


def read_source(path: str) -> str:
    """Read a configuration.

    Args:
        path: in the repository, as ``examples/caddy/Caddyfile``.
    """
    root = _SHIPPED if _SHIPPED.is_dir() else _CHECKOUT
    return (root / path).read_text(encoding="utf-8")
