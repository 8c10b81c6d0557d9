"""Compare resource servers: each peer, pinned and in an environment of its own, through the conformance suite.

    python -m scripts.peers [NAME ...]    install, run, write conformance/peers/results.json and the table
    python -m scripts.peers --render      write the table from the results that are there
    python -m scripts.peers --check       end with 1 where the table is not what the results say

The peers are listed in conformance/peers/peers.toml; the first column is our own FastAPI door. Named peers are run
again, and the results of the others stay. Installing needs the network, and `npm` for those of Node.js.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
import venv
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from resource_server.conformance.clauses import CLAUSES
from resource_server.conformance.run import Plan, run
from resource_server.conformance.target import load_target
from scripts.peers_page import spliced, written

ROOT = Path(__file__).parents[1]
PEERS = ROOT / "conformance" / "peers"
ENVIRONMENTS = ROOT / "build" / "peers"
RESULTS = PEERS / "results.json"
NOTES = PEERS / "notes.toml"
PAGE = ROOT / "docs" / "peers.md"
OURS = "resource-server"
_LONGEST = 200
_VERSIONS = "import importlib.metadata as m, json, sys; print(json.dumps([m.version(x) for x in sys.argv[1:]]))"


@dataclass(frozen=True, slots=True)
class Peer:
    """One column of the table."""

    name: str
    title: str
    what: str
    target: Path
    packages: tuple[str, ...]
    environment: str = ""
    """The folder that its packages are installed in; ours where there is none."""
    tls: bool = False
    """Whether its authorization server must be one with TLS."""


def peers() -> list[Peer]:
    """Return our own door, and the peers that are listed."""
    listed = tomllib.loads((PEERS / "peers.toml").read_text(encoding="utf-8"))
    what = "`require(...)` of `resource_server.fastapi`, with `unavailable_status=503`"
    ours = Peer(OURS, "resource-server, FastAPI", what, ROOT / "conformance/targets/fastapi", ("resource-server",))
    return [
        ours,
        *(
            Peer(
                name,
                peer["title"],
                peer["what"],
                PEERS / name,
                tuple(peer["packages"]),
                peer.get("environment", name),
                peer.get("tls", False),
            )
            for name, peer in listed.items()
        ),
    ]


# -------------------------------------------------------------------------------------------------------- environments


def install(environment: str) -> None:
    """Make the environment of a peer what its pins say, unless it is.

    Args:
        environment: the name of its folder, and of that of the pins.
    """
    pins, folder = PEERS / environment, ENVIRONMENTS / environment
    listed = next(pins / name for name in ("requirements.txt", "package.json") if (pins / name).exists())
    mark, digest = folder / ".installed", hashlib.sha256(listed.read_bytes()).hexdigest()
    if mark.exists() and mark.read_text(encoding="utf-8") == digest:
        return
    print(f"installing {environment}", file=sys.stderr)
    shutil.rmtree(folder, ignore_errors=True)
    if listed.suffix == ".json":
        folder.mkdir(parents=True)
        shutil.copy(listed, folder)
        command = [
            "npm",
            "install",
            "--no-package-lock",
            "--no-audit",
            "--no-fund",
            "--silent",
            "--prefix",
            str(folder),
        ]
    else:
        venv.create(folder, with_pip=True)
        command = [str(folder / "bin" / "pip"), "install", "--quiet", "--no-deps", "--requirement", str(listed)]
    subprocess.run(command, check=True)
    mark.write_text(digest, encoding="utf-8")


def versions(peer: Peer) -> dict[str, str]:
    """Return the versions of the packages that a peer consists of, as they are installed.

    Args:
        peer: whose.
    """
    if not peer.environment:
        return {package: version(package) for package in peer.packages}
    folder = ENVIRONMENTS / peer.environment
    python = folder / "bin" / "python"
    if python.exists():
        told = subprocess.run([python, "-c", _VERSIONS, *peer.packages], check=True, capture_output=True, text=True)
        return dict(zip(peer.packages, json.loads(told.stdout), strict=True))
    described = {package: folder / "node_modules" / package / "package.json" for package in peer.packages}
    return {package: json.loads(path.read_text(encoding="utf-8"))["version"] for package, path in described.items()}


# -------------------------------------------------------------------------------------------------------------- running


@contextmanager
def authorization_server_with_tls() -> Generator[str]:
    """Serve a mock authorization server with TLS, which everything that is started meanwhile trusts; yield its URL."""
    command = [sys.executable, "-m", "mock_as", "serve", "--port", "0", "--tls"]
    with (
        tempfile.TemporaryDirectory() as folder,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process,
    ):
        assert process.stdout is not None  # noqa: S101 - it is a pipe
        trusted = Path(folder) / "ca.pem"
        before = os.environ.get("SSL_CERT_FILE")
        try:
            ready = json.loads(process.stdout.readline())
            trusted.write_text(ready["ca"], encoding="utf-8")
            os.environ["SSL_CERT_FILE"] = str(trusted)
            yield ready["issuer"]
        finally:
            process.kill()
            os.environ.pop("SSL_CERT_FILE", None)
            if before is not None:
                os.environ["SSL_CERT_FILE"] = before


def judge(peer: Peer) -> dict[str, Any]:
    """Run the suite on a peer, and return what it says.

    Args:
        peer: who, installed.
    """
    print(f"judging {peer.name}", file=sys.stderr)
    target = load_target(peer.target / "target.toml")
    if peer.tls:
        with authorization_server_with_tls() as url:
            report = run(Plan(target, url))
    else:
        report = run(Plan(target))
    return {
        "title": peer.title,
        "what": peer.what,
        "date": datetime.now(UTC).date().isoformat(),
        "versions": versions(peer),
        "verdicts": {result.clause.id: result.outcome.verdict for result in report.results},
        "observed": {
            result.clause.id: shown(result.outcome.observed)
            for result in report.results
            if result.outcome.verdict != "passed"
        },
    }


def shown(observed: str) -> str:
    """Leave out ports, which differ from run to run, and what is too long for a page.

    Args:
        observed: what the suite has seen.
    """
    seen = re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1", " ".join(observed.split()))
    return seen if len(seen) <= _LONGEST else f"{seen[:_LONGEST]} …"


def results(names: Sequence[str]) -> dict[str, Any]:
    """Judge peers, and return the document of the results.

    Args:
        names: whom; all of them where there is none.
    """
    known = _known(names)
    found: dict[str, Any] = {}
    for peer in peers():
        if names and peer.name not in names:
            found[peer.name] = known[peer.name]
            continue
        if peer.environment:
            install(peer.environment)
        found[peer.name] = judge(peer)
    return {"runtime": runtime(), "clauses": clauses(), "peers": found}


def _known(names: Sequence[str]) -> dict[str, Any]:
    """Return the results of those who are not run again."""
    if not names:
        return {}
    strangers = set(names) - {peer.name for peer in peers()}
    if strangers:
        raise SystemExit(f"there is no peer {', '.join(sorted(strangers))}")
    stored = json.loads(RESULTS.read_text(encoding="utf-8"))
    if stored["clauses"] != clauses():
        raise SystemExit("the suite has other clauses than the results: run everybody")
    found: dict[str, Any] = stored["peers"]
    return found


def runtime() -> dict[str, str]:
    """Say what they ran on."""
    node = shutil.which("node")
    told = subprocess.run([node, "--version"], check=True, capture_output=True, text=True).stdout if node else ""
    return {"Python": platform.python_version(), "Node.js": told.strip().removeprefix("v")}


def clauses() -> list[Mapping[str, str]]:
    """Return the clauses, in the order of the suite."""
    return [
        {"id": one.id, "source": one.source, "severity": one.severity, "level": one.level, "title": one.title}
        for one in CLAUSES
    ]


def main(*arguments: str) -> int:
    """Do what the arguments say, and return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m scripts.peers", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="whom to run again")
    parser.add_argument("--render", action="store_true", help="write the table from the results that are there")
    parser.add_argument("--check", action="store_true", help="say whether the table is what the results say")
    options = parser.parse_args(arguments)
    if not (options.render or options.check):
        document = results(options.names)
        RESULTS.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    found = json.loads(RESULTS.read_text(encoding="utf-8"))
    notes = tomllib.loads(NOTES.read_text(encoding="utf-8"))
    page = PAGE.read_text(encoding="utf-8")
    wanted = spliced(page, written(found, notes))
    if options.check:
        if page != wanted:
            print("docs/peers.md is not what the results say: python -m scripts.peers --render")
        return int(page != wanted)
    PAGE.write_text(wanted, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
