"""The front doors by the names that docs/front-doors.md gives them, and where it says that they differ."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from tests.parity.doors import (
    authlib_flask_door,
    django_doors,
    fastapi_door,
    flask_door,
    gateway_door,
    litestar_door,
    mcp_door,
    quart_door,
    starlette_door,
    wsgi_door,
)
from tests.parity.world import Door

REFERENCE = "FastAPI"
PAGE = Path(__file__).parents[2] / "docs/front-doors.md"
HEADING = "## Where answers differ"
ABSENT = "—"
"""In a cell: such a request does not arise there."""

DOORS: Mapping[str, Callable[..., Door]] = {
    REFERENCE: fastapi_door.open_door,
    "Starlette": starlette_door.open_door,
    "Litestar": litestar_door.open_door,
    "Quart": quart_door.open_door,
    "Django, ASGI": django_doors.open_asgi,
    "WSGI": wsgi_door.open_door,
    "Flask": flask_door.open_door,
    "Django, WSGI": django_doors.open_wsgi,
    "REST framework": django_doors.open_drf,
    "REST framework, alone": django_doors.open_drf_alone,
    "Authlib, Flask": authlib_flask_door.open_door,
    "Authlib, Django": django_doors.open_authlib,
    "MCP": mcp_door.open_door,
    "Gateway": gateway_door.open_caddy,
    "Gateway, nginx": gateway_door.open_nginx,
    "Gateway, Envoy": gateway_door.open_envoy,
}
"""What opens each of them, out of a world and further options of the resource server."""


def differences() -> dict[str, dict[str, str]]:
    """Read where doors differ: what each cell says, by request and by door; empty where a door does as FastAPI."""
    return section(HEADING)


def section(heading: str) -> dict[str, dict[str, str]]:
    """Read the table of a section of the page: its cells by the first one of their row, and by column."""
    text = PAGE.read_text(encoding="utf-8").partition(f"{heading}\n")[2].partition("\n## ")[0]
    lines = [line for line in text.splitlines() if line.startswith("|")]
    [_, *columns], _, *rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return {name: dict(zip(columns, cells, strict=True)) for name, *cells in rows}
