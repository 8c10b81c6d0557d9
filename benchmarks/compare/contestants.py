"""Who is compared: our own doors, and the peers of the conformance suite with the commands that their targets name."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

ROOT = Path(__file__).parents[2]
PEERS = ROOT / "conformance" / "peers"
ENVIRONMENTS = ROOT / "build" / "peers"
Kind = Literal["opaque", "jwt"]
_OURS = ("-m", "uvicorn", "benchmarks.compare.doors:app", "--host", "127.0.0.1", "--log-level", "warning", "--port")
_VERSIONS = "import importlib.metadata as m, json, sys; print(json.dumps([m.version(x) for x in sys.argv[1:]]))"


@dataclass(frozen=True, slots=True)
class Contestant:
    """One of those that are compared."""

    name: str
    title: str
    kind: Kind
    """The tokens that it takes here."""
    start: tuple[str, ...]
    """The command; ``{port}`` is filled in."""
    folder: Path
    versions: Mapping[str, str]
    imports: tuple[str, ...]
    """The command that imports what a program needs for it, and one that imports nothing."""
    nothing: tuple[str, ...]
    home: Path
    """Where these two run."""
    environment: Mapping[str, str] = field(default_factory=dict[str, str])
    tls: bool = False
    """Whether the authorization server must be one with TLS."""


def _ours(name: str, title: str, kind: Kind, **environment: str) -> Contestant:
    module = "resource_server.asgi" if "ASGI" in title else "resource_server.fastapi"
    return Contestant(
        name=name,
        title=title,
        kind=kind,
        start=(sys.executable, *_OURS, "{port}"),
        folder=ROOT,
        versions={"resource-server": version("resource-server"), "fastapi": version("fastapi")},
        imports=(sys.executable, "-c", f"import {module}"),
        nothing=(sys.executable, "-c", "pass"),
        home=ROOT,
        environment=environment,
    )


def ours() -> list[Contestant]:
    """Return our own doors."""
    return [
        _ours("fastapi", "resource_server, FastAPI", "opaque", DOOR="fastapi"),
        _ours("asgi", "resource_server, ASGI", "opaque", DOOR="asgi"),
        _ours("fastapi-jwt", "resource_server, FastAPI", "jwt", DOOR="fastapi", RESOURCE_SERVER_STRATEGY="jwks"),
        _ours("asgi-jwt", "resource_server, ASGI", "jwt", DOOR="asgi", RESOURCE_SERVER_STRATEGY="jwks"),
    ]


def peers() -> list[Contestant]:
    """Return the peers whose environments are there."""
    listed = tomllib.loads((PEERS / "peers.toml").read_text(encoding="utf-8"))
    return [
        _peer(name, peer) for name, peer in listed.items() if (ENVIRONMENTS / peer.get("environment", name)).is_dir()
    ]


def _peer(name: str, peer: Mapping[str, Any]) -> Contestant:
    folder, environment = PEERS / name, ENVIRONMENTS / peer.get("environment", name)
    description = tomllib.loads((folder / "target.toml").read_text(encoding="utf-8"))
    python = environment / "bin" / "python"
    runs = (str(python), "-c") if python.exists() else ("node", "-e")
    return Contestant(
        name=name,
        title=peer["title"],
        kind="jwt" if description["claims"]["format"] == "jwt" else "opaque",
        start=tuple(shlex.split(description["target"]["start"])),
        folder=folder,
        versions=dict(zip(peer["packages"], _versions(environment, peer["packages"]), strict=True)),
        imports=(*runs, peer["imports"]),
        nothing=(*runs, "0"),
        home=environment,
        environment=description["target"].get("environment", {}),
        tls=peer.get("tls", False),
    )


def _versions(environment: Path, packages: list[str]) -> list[str]:
    python = environment / "bin" / "python"
    if python.exists():
        told = subprocess.run([python, "-c", _VERSIONS, *packages], check=True, capture_output=True, text=True).stdout
        found: list[str] = json.loads(told)
        return found
    folders = [environment / "node_modules" / package for package in packages]
    return [json.loads((folder / "package.json").read_text(encoding="utf-8"))["version"] for folder in folders]
