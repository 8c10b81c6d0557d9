"""A hit with a bearer token, in instructions: what a machine's mood does not change, so that little can be seen.

Valgrind's callgrind counts a few thousand hits and many more; the difference is the hits alone. The same is done with
the library as it was at another revision.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.harness import Figure

ROOT = Path(__file__).parents[1]
_FEW, _MANY = 1_000, 6_000
_TARGET = 1.03
_COLLECTED = re.compile(r"Collected : (\d+)")
_HITS = """
import asyncio, gc, sys, time
import httpx
from resource_server import RequestParts, Requirement, ResourceServer, all_of

class Server(httpx.AsyncBaseTransport):
    async def handle_async_request(self, request):
        answer = {"active": True, "sub": "s", "client_id": "c", "scope": "read write", "iss": "https://as.example",
                  "aud": "https://api", "exp": int(time.time()) + 36000}
        return httpx.Response(200, json=answer)

async def main(hits):
    server = ResourceServer(
        issuer="https://as.example", audience="https://api", client_id="rs", client_secret="s" * 40,
        introspection_endpoint="https://as.example/i", strategy="introspect", transport=Server(), cache_ttl=36000,
    )
    headers = [(b"host", b"x"), (b"accept", b"*/*"), (b"authorization", b"Bearer " + b"t" * 36)]
    request = RequestParts("GET", headers, b"", None, "127.0.0.1")
    requirement = Requirement(scopes=all_of("read"))
    await server.authenticate(request, requirement)
    gc.collect()
    gc.disable()
    for _ in range(hits):
        await server.authenticate(request, requirement)

asyncio.run(main(int(sys.argv[1])))
"""


async def measure(arguments: list[str]) -> list[Figure]:
    """Count the instructions of a hit, here and at another revision.

    Args:
        arguments: ``--against`` names the revision.

    Raises:
        RuntimeError: the machine has no valgrind.
    """
    parser = argparse.ArgumentParser(prog="python -m benchmarks hit")
    parser.add_argument("--against", metavar="REVISION")
    options = parser.parse_args(arguments)
    if shutil.which("valgrind") is None:
        raise RuntimeError("needs valgrind: apt-get install valgrind")
    here = await asyncio.to_thread(_instructions, ROOT)
    if options.against is None:
        return [Figure("hit, bearer token", here, "instructions")]
    with tempfile.TemporaryDirectory() as folder:
        await asyncio.to_thread(_unpack, options.against, Path(folder))
        there = await asyncio.to_thread(_instructions, Path(folder))
    ratio = here / there
    return [
        Figure(f"hit, bearer token, {options.against}", there, "instructions"),
        Figure(
            "hit, bearer token",
            here,
            "instructions",
            baseline=options.against,
            ratio=ratio,
            target=f"<= {_TARGET}x",
            met=ratio <= _TARGET,
        ),
    ]


def _instructions(folder: Path) -> float:
    # Once uncounted: the first run compiles the sources and whatever they import, and the others do not.
    subprocess.run(_hits(1), cwd=folder, env=_environment(folder), check=True)
    return (_count(folder, _MANY) - _count(folder, _FEW)) / (_MANY - _FEW)


def _count(folder: Path, hits: int) -> int:
    counted = subprocess.run(
        ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", *_hits(hits)],  # noqa: S607 - wherever it is
        cwd=folder,  # where `-c` looks first
        env=_environment(folder),
        capture_output=True,
        text=True,
        check=True,
    )
    found = _COLLECTED.search(counted.stderr)
    assert found is not None, counted.stderr
    return int(found.group(1))


def _hits(hits: int) -> list[str]:
    return [sys.executable, "-c", _HITS, str(hits)]


def _environment(folder: Path) -> dict[str, str]:
    return {"PYTHONHASHSEED": "0", "PYTHONPATH": str(folder), "PATH": "/usr/bin:/bin"}


def _unpack(revision: str, folder: Path) -> None:
    archive = subprocess.run(
        ["git", "archive", revision, "resource_server"],  # noqa: S607 - as above
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    subprocess.run(["tar", "x", "-C", str(folder)], input=archive.stdout, check=True)  # noqa: S607 - as above
