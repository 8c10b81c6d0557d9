"""An authorization server, and workers of one API: each a process of its own, for the length of a block."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

from benchmarks.support import AUDIENCE
from mock_as import MockASClient


@contextmanager
def authorization_server() -> Generator[MockASClient]:
    """Run the mock authorization server."""
    command = [sys.executable, "-m", "mock_as", "serve", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        try:
            with MockASClient(json.loads(process.stdout.readline())["issuer"]) as client:
                yield client
        finally:
            process.kill()


@contextmanager
def worker_process(module: str, server: MockASClient, options: dict[str, Any]) -> Generator[subprocess.Popen[str]]:
    """Run a worker, which is told what to do on its standard input.

    Args:
        module: what it runs; it is given the options of its resource server, as JSON.
        server: whose tokens it judges.
        options: beyond the usual ones.
    """
    client_id, secret = server.credentials("rs")
    whole = {"issuer": server.issuer, "audience": AUDIENCE, "client_id": client_id, "client_secret": secret} | options
    command = [sys.executable, "-m", module, json.dumps(whole)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()
