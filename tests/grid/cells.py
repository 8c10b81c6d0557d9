"""Play one cell of the fault grid: a policy, a token, what is remembered of it, and then a fault.

Every cell has a resource server of its own, is warmed while all is well, and is asked twice in the fault: at once, and
when everything that was remembered is past its time to live.
"""

from __future__ import annotations

import asyncio
import itertools
import socket
import ssl
import time
from collections.abc import Generator, Iterable
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import patch

from resource_server import Clock, Requirement, ResourceServer, all_of
from resource_server.errors import BearerTokenError, VerificationUnavailable
from tests.grid.faults import FIRST_CLAIM, FIRST_KEYS, HANGS, NAMES
from tests.grid.lane import Port, Question, Reply, old_tls
from tests.support.jwt import REMOVED, access_token, b64url, header, sign_hmac, signing_key
from tests.support.sockets import Certificate, certificate
from tests.support.stage import bearer

POLICIES: dict[int, dict[str, Any]] = {
    1: {"strategy": "introspect", "cache_ttl": 0, "negative_cache_ttl": 0},
    2: {"strategy": "introspect"},
    3: {"strategy": "introspect_then_jwks"},
    4: {"strategy": "jwks"},
    5: {"strategy": "jwks_then_introspect"},
    6: {"strategy": "introspect", "stale_if_error": 300},
    7: {"strategy": "introspect_then_jwks", "unavailable_status": 503},
}
TOKENS = ("good", "revoked", "expired", "forged", "other audience")
CACHES = ("cold", "positive", "negative")
TIMEOUTS = dict.fromkeys(HANGS, 0.6) | {19: 1.2}
PATIENCE = 4.0
"""Seconds: the whole time for one question, retries included; short where it will be used up."""
_AUDIENCE = "https://rs.example.com"
_DOMAIN = ".grid.invalid"
_GONE: set[str] = set()
_LAPSE, _SHORT_LIFE, _PLACES, _CROWD = 61, 30, 4, 10
_SECURED = (4, 5, 6, 7)
_SECRET = b"a symmetric key that anybody can read"
_KEY, _OTHER = signing_key("ES256", "grid"), signing_key("ES256", "grid-other")


class Cell(NamedTuple):
    """One point of the grid."""

    fault: int
    policy: int
    token: str
    cache: str

    def __str__(self) -> str:
        """Say it in words."""
        return f"{self.fault} {NAMES[self.fault]} / P{self.policy} / {self.token} / {self.cache}"


@dataclass(frozen=True)
class Probe:
    """What came of one request."""

    cell: Cell
    lapsed: bool
    status: int
    seconds: float
    fault: str = field(default="")
    """What was raised that should not have been."""


def all_cells() -> list[Cell]:
    """List the 6 300 cells."""
    return [Cell(*point) for point in itertools.product(NAMES, POLICIES, TOKENS, CACHES)]


class Certificates:
    """The certificates of the grid's servers: one that is trusted, and some that must not be."""

    def __init__(self, folder: Path) -> None:
        """Make them."""
        made = {name: folder / name for name in ("good", "stranger", "elsewhere", "expired")}
        for path in made.values():
            path.mkdir()
        self.good = certificate(made["good"])
        elsewhere = certificate(made["elsewhere"], host="elsewhere.example.com")
        expired = certificate(made["expired"], days=-1)
        # Trusted but for the host and the day: it must be those that are refused.
        self.ca_file = folder / "trusted.pem"
        trusted = (self.good, elsewhere, expired)
        self.ca_file.write_bytes(b"".join(one.certificate.read_bytes() for one in trusted))
        self.bad: dict[int, Certificate] = {4: certificate(made["stranger"]), 5: elsewhere, 6: expired}

    def context(self, fault: int) -> ssl.SSLContext:
        """Return the server's side of TLS in a fault."""
        return old_tls(self.good) if fault == 7 else self.bad[fault].server_context()


class Lane:
    """Plays cells, one after the other, on two ports of its own.

    Args:
        certificates: those of the servers.
    """

    def __init__(self, certificates: Certificates) -> None:
        """Stand by."""
        self._certificates = certificates
        self._introspection, self._keys = Port(self._introspect), Port(self._publish)
        self._cell = Cell(1, 1, "good", "cold")
        self._broken = False
        self._variant = 0
        self._offset = 0.0
        self._probe = ""
        self._expires_at = 0

    async def play(self, cell: Cell) -> list[Probe]:
        """Play a cell; return what came of its two requests."""
        self._cell, self._broken, self._offset = cell, False, 0.0
        self._variant = POLICIES[cell.policy]["strategy"].count("e") + TOKENS.index(cell.token)
        self._probe, warm = self._tokens()
        tls = self._certificates.good.server_context() if cell.fault in _SECURED else None
        await self._introspection.listen(tls)
        await self._keys.listen(tls)
        server = self._server()
        try:
            if cell.cache != "cold":
                await self._warm(server, warm)
            await self._break()
            first = await self._ask(server, lapsed=False)
            self._offset += _LAPSE
            return [first, await self._ask(server, lapsed=True)]
        finally:
            _GONE.difference_update({_name(self._introspection), _name(self._keys)})
            await server.aclose()
            await self._introspection.silence()
            await self._keys.silence()

    async def close(self) -> None:
        """Give the ports back."""
        await self._introspection.close()
        await self._keys.close()

    @property
    def _issuer(self) -> str:
        return f"http://127.0.0.1:{self._keys.number}"

    def _server(self) -> ResourceServer:
        fault = self._cell.fault
        scheme = "https" if fault in _SECURED else "http"
        hosts = [_name(port) if fault == 2 else "127.0.0.1" for port in (self._introspection, self._keys)]
        endpoints = {
            "introspection_endpoint": f"{scheme}://{hosts[0]}:{self._introspection.number}/introspect",
            "jwks_uri": f"{scheme}://{hosts[1]}:{self._keys.number}/jwks",
        }
        chosen: dict[str, Any] = POLICIES[self._cell.policy] | ({} if fault == 59 else endpoints)
        clock = Clock(lambda: time.time() + self._offset, lambda: time.monotonic() + self._offset, lambda: 0.0)
        return ResourceServer(
            issuer=self._issuer,
            audience=_AUDIENCE,
            client_id="rs",
            client_secret="grid-secret",
            allow_insecure_http=True,
            ca_file=self._certificates.ca_file,
            timeout=TIMEOUTS.get(fault, PATIENCE),
            retries=1,
            max_concurrent_calls=_PLACES,
            clock=clock,
            observer=lambda _: None,
            **chosen,
        )

    def _tokens(self) -> tuple[str, str]:
        """Make the token to ask with, and the one to warm up with: the genuine one, or itself where a no is wanted."""
        cell, now = self._cell, time.time()
        expired = cell.token == "expired"
        life = _SHORT_LIFE if expired and cell.cache != "cold" else -1 if expired else 3600
        self._expires_at = int(now) + life
        common: dict[str, Any] = {"now": now - 60, "iss": self._issuer, "exp": self._expires_at}
        genuine = access_token(_KEY, aud=_AUDIENCE, **common)
        token = genuine
        if cell.token == "forged":
            token = self._forged(common)
        if cell.token == "other audience":
            token = access_token(_KEY, aud="https://other.example.com", **common)
        return token, token if cell.cache == "negative" else genuine

    def _forged(self, common: dict[str, Any]) -> str:
        if self._cell.fault == 60:
            now = common.pop("now")
            claims = {"aud": _AUDIENCE, "sub": "subject-1", "client_id": "client-1", "jti": "token-1", "iat": int(now)}
            return sign_hmac(header(_KEY, alg="HS256", kid="shared"), claims | common, _SECRET)
        mallory = signing_key("ES256", "mallory")
        return access_token(mallory, head={"kid": _KEY.kid}, aud=_AUDIENCE, **common)

    async def _warm(self, server: ResourceServer, token: str) -> None:
        await server.start()
        with suppress(BearerTokenError):
            await server.authenticate(bearer(token))
        if self._cell.token == "expired":
            self._offset += _SHORT_LIFE + 1

    async def _break(self) -> None:
        self._broken = True
        fault = self._cell.fault
        front = self._keys if self._cell.policy in (4, 5) else self._introspection
        if fault == 2:
            _GONE.add(_name(front))
        if fault in (1, 3):
            await front.silence()
        if fault == 3:
            front.fill()
        if fault in _SECURED:
            await front.listen(self._certificates.context(fault))
        if fault == 8:
            await front.listen(resets=True)

    async def _ask(self, server: ResourceServer, *, lapsed: bool) -> Probe:
        crowd: list[asyncio.Task[int]] = []
        if self._cell.fault == 19:
            names = [f"crowd-{lapsed}-{number}" for number in range(_CROWD)]
            crowd = [asyncio.ensure_future(_status(server, name)) for name in names]
            await asyncio.sleep(0)
        started = time.perf_counter()
        status, fault = 0, ""
        try:
            status = await _status(server, self._probe)
        except Exception as error:  # noqa: BLE001 - whatever it is, a framework would make a 500 of it
            fault = f"{type(error).__name__}: {error}"
        took = time.perf_counter() - started
        await asyncio.gather(*crowd)
        return Probe(self._cell, lapsed, status, took, fault)

    def _introspect(self, question: Question) -> Reply:
        cell, token = self._cell, question.token
        if token.startswith("crowd-"):
            return {"active": False}, 19, 0
        if not self._broken:
            return self._verdict(token, active=cell.cache == "positive"), None, 0
        if cell.policy != 5 and (cell.fault in range(20, 48) or cell.fault == 53):
            honest = self._verdict(token, active=True)  # a careless reader would find a yes in it
        else:
            honest = self._verdict(token, active=cell.token in ("good", "other audience"))
        if cell.policy == 5:
            return honest, cell.fault if FIRST_CLAIM <= cell.fault < FIRST_KEYS else None, self._variant
        if cell.fault in range(FIRST_KEYS, 61) and cell.fault != 59 and cell.policy in (3, 7):
            return honest, 34, 0
        mine = cell.fault < FIRST_KEYS
        return honest, cell.fault if mine else None, self._variant

    def _verdict(self, token: str, *, active: bool) -> dict[str, Any]:
        if not active:
            return {"active": False}
        audience = (
            "https://other.example.com" if self._cell.token == "other audience" and token == self._probe else _AUDIENCE
        )
        subject = {"iss": self._issuer, "aud": audience, "sub": "subject-1", "jti": "token-1", "client_id": "client-1"}
        return {"active": True, **subject, "scope": "read write", "exp": self._expires_at}

    def _publish(self, question: Question) -> Reply:
        fault, policy = (self._cell.fault if self._broken else None), self._cell.policy
        if question.path.startswith("/.well-known/"):
            return self._metadata("https://other.example.com" if fault == 59 else self._issuer), None, 0
        document: dict[str, Any] = {"keys": [_KEY.jwk()]}
        if fault is None or fault == 59:
            return document, None, 0
        if fault >= FIRST_KEYS:
            return self._key_set(fault), 32 if fault == 54 else None, 0
        if policy == 5 and fault >= FIRST_CLAIM:
            return document, 34, 0
        mine = policy in (4, 5) and fault < FIRST_CLAIM and fault != 19
        return document, fault if mine else None, self._variant

    def _metadata(self, issuer: str) -> dict[str, Any]:
        base = f"http://127.0.0.1:{self._introspection.number}"
        return {"issuer": issuer, "introspection_endpoint": f"{base}/introspect", "jwks_uri": f"{self._issuer}/jwks"}

    def _key_set(self, fault: int) -> dict[str, Any]:
        shared = {"kty": "oct", "k": b64url(_SECRET), "alg": "HS256", "kid": "shared"}
        sets: dict[int, list[dict[str, Any]]] = {
            54: [_KEY.jwk()],
            55: [],
            56: [_OTHER.jwk(x=REMOVED), _KEY.jwk()],
            57: [_OTHER.jwk()],
            58: [_OTHER.jwk(kid=_KEY.kid)],
            60: [shared, _KEY.private_jwk() if self._variant % 2 else _KEY.jwk()],
        }
        return {"keys": sets[fault]}


def _name(port: Port) -> str:
    return f"port-{port.number}{_DOMAIN}"


async def _status(server: ResourceServer, token: str) -> int:
    """Ask as a front door does, and return the status it would answer with."""
    try:
        await server.authenticate(bearer(token), Requirement(scopes=all_of("read")))
    except (BearerTokenError, VerificationUnavailable) as error:
        return server.render(error).status
    return 200


@contextmanager
def resolver() -> Generator[None]:
    """Resolve the grid's own names to this machine, or to nothing; no other machine is asked."""
    honest = socket.getaddrinfo

    def resolve(host: Any, *arguments: Any, **options: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else host
        if name in _GONE:
            raise socket.gaierror(socket.EAI_NONAME, "no such name")
        ours = isinstance(name, str) and name.endswith(_DOMAIN)
        return honest("127.0.0.1" if ours else host, *arguments, **options)

    with patch("socket.getaddrinfo", resolve):
        yield


async def play(cells: Iterable[Cell], certificates: Certificates, *, lanes: int) -> list[Probe]:
    """Play many cells.

    Args:
        cells: which.
        certificates: those of the servers.
        lanes: how many at the same time.
    """
    left, probes = iter(cells), list[Probe]()

    async def work() -> None:
        lane = Lane(certificates)
        for cell in left:
            probes.extend(await lane.play(cell))
        await lane.close()

    with resolver():
        await asyncio.gather(*(work() for _ in range(lanes)))
    return probes
