"""The processes of a comparison: the authorization server, and one contestant at a time; ended by their ids."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from base64 import urlsafe_b64encode
from collections.abc import Generator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import trustme
from joserfc import jwt
from joserfc.jwk import RSAKey

from benchmarks.compare.contestants import ROOT, Contestant
from benchmarks.support import AUDIENCE
from tests.support.valkey import free_port

_PATIENCE = 30.0
_POLL = 0.02
_TICKS = os.sysconf("SC_CLK_TCK")
_LIFETIME = 3600


class Stage:
    """An authorization server, whose tokens are made here.

    Args:
        folder: where the certificates are.
        latency: seconds before each of its answers.
    """

    def __init__(self, folder: Path, latency: float) -> None:
        """Make keys and choose ports."""
        self._plain, self._tls = free_port(), free_port()
        self._latency = latency
        self._numbers = count()
        self._key = RSAKey.generate_key(2048, {"alg": "RS256", "use": "sig", "kid": "compare"})
        authority = trustme.CA()
        leaf = authority.issue_cert("127.0.0.1")
        self._trusted, self._certificate, self._private = (folder / name for name in ("ca.pem", "cert.pem", "key.pem"))
        authority.cert_pem.write_to_path(str(self._trusted))
        leaf.cert_chain_pems[0].write_to_path(str(self._certificate))
        leaf.private_key_pem.write_to_path(str(self._private))
        self._process: subprocess.Popen[bytes] | None = None
        self._signed = ""

    # ------------------------------------------------------------------------------------------ authorization server

    def start(self) -> None:
        """Serve."""
        options = {
            "jwks": {"keys": [self._key.as_dict(private=False)]},
            "latency": self._latency,
            "plain": self._plain,
            "tls": self._tls,
            "certificate": str(self._certificate),
            "key": str(self._private),
        }
        command = [sys.executable, "-m", "benchmarks.compare.authority", json.dumps(options)]
        self._process = subprocess.Popen(command, cwd=ROOT)
        _await(f"http://127.0.0.1:{self._plain}/asked", self._process)

    def stop(self) -> None:
        """Be gone: whoever asks is refused the connection."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def asked(self) -> int:
        """Return how many questions it was asked since it started."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self._plain}/asked") as answer:
            return sum(json.load(answer).values())

    # ------------------------------------------------------------------------------------------------------- tokens

    def issuer(self, contestant: Contestant) -> str:
        """Return the issuer that a contestant trusts."""
        return f"https://127.0.0.1:{self._tls}" if contestant.tls else f"http://127.0.0.1:{self._plain}"

    def good(self, contestant: Contestant, until: int | None = None) -> str:
        """Make a token that nobody has seen, and that is good.

        Args:
            contestant: whom it is for.
            until: when it expires, in seconds since the epoch.
        """
        number, now = next(self._numbers), int(time.time())
        expires = until or now + _LIFETIME
        if contestant.kind == "opaque":
            return f"live-{expires}-{number:032d}"
        claims: dict[str, Any] = {
            "iss": self.issuer(contestant),
            "aud": AUDIENCE,
            "sub": "user",
            "client_id": "orders-frontend",
            "scope": "read write",
            "iat": now,
            "exp": expires,
            "jti": str(number),
        }
        return jwt.encode({"alg": "RS256", "kid": "compare", "typ": "at+jwt"}, claims, self._key, algorithms=["RS256"])

    def bad(self, contestant: Contestant) -> str:
        """Make a token that nobody has seen, and that nobody issued: random, or with a key that does not exist."""
        if contestant.kind == "opaque":
            return f"dead-{next(self._numbers):043d}"
        header = {"alg": "RS256", "kid": f"no-{next(self._numbers)}", "typ": "at+jwt"}
        self._signed = self._signed or self.good(contestant).partition(".")[2]
        return f"{urlsafe_b64encode(json.dumps(header).encode()).rstrip(b'=').decode()}.{self._signed}"

    # --------------------------------------------------------------------------------------------------- contestants

    @contextmanager
    def running(self, contestant: Contestant, **environment: str) -> Generator[Running]:
        """Run a contestant for the length of a block.

        Args:
            contestant: who.
            environment: beyond its own.
        """
        port, issuer = free_port(), self.issuer(contestant)
        said = {
            "PORT": str(port),
            "ISSUER": issuer,
            "AUDIENCE": AUDIENCE,
            "INTROSPECTION_ENDPOINT": f"{issuer}/introspect",
            "JWKS_URI": f"{issuer}/jwks",
        }
        if contestant.kind == "opaque":
            said |= {"CLIENT_ID": "rs", "CLIENT_SECRET": "rs-secret"}
        trust = dict.fromkeys(("SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS", "REQUESTS_CA_BUNDLE"), str(self._trusted))
        whole = os.environ | trust | said | {f"RESOURCE_SERVER_{name}": value for name, value in said.items()}
        command = [part.replace("{port}", str(port)) for part in contestant.start]
        with tempfile.TemporaryFile() as printed:
            process = subprocess.Popen(
                command,
                cwd=contestant.folder,
                env=whole | dict(contestant.environment) | environment,
                stdout=printed,
                stderr=subprocess.STDOUT,
            )
            try:
                _await(f"http://127.0.0.1:{port}/public", process)
                yield Running(process.pid, port)
            finally:
                process.terminate()
                try:
                    process.wait(5)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()


class Running:
    """A contestant that serves.

    Args:
        pid: its process.
        port: where it listens.
    """

    def __init__(self, pid: int, port: int) -> None:
        """Know where it is."""
        self._pid = pid
        self.port = port

    def cpu(self) -> float:
        """Return the seconds of CPU time that it and its children have taken."""
        total = 0
        for pid in _family(self._pid):
            fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
            total += int(fields[11]) + int(fields[12])
        return total / _TICKS

    def resident(self) -> int:
        """Return the bytes of memory that are its own and its children's."""
        return sum(_private(pid) for pid in _family(self._pid))


def _family(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="utf-8").split()
    return [pid, *(other for child in children for other in _family(int(child)))]


def _private(pid: int) -> int:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="utf-8").splitlines()
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Private_"))


def _await(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            with urllib.request.urlopen(url):  # noqa: S310 - loopback
                return
        except OSError:
            assert process.poll() is None, f"{process.args!r} has ended"
            assert time.monotonic() < deadline, f"{process.args!r} does not serve"
            time.sleep(_POLL)
