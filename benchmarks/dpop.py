"""A token that is known and bound to a key: what its proof costs with every request, and what of that is its signature.

The proofs are made beforehand, each for one request. Their signing is the client's work, and not measured.
"""

from __future__ import annotations

import itertools
import json
import time
from base64 import urlsafe_b64encode
from hashlib import sha256
from secrets import token_urlsafe

import httpx
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils

from benchmarks.harness import Figure, interleave
from benchmarks.support import AUDIENCE, TOKEN, InProcessServer, answer, resource_server, scope
from resource_server import RequestParts
from resource_server._protocol.dpop import key_thumbprint
from resource_server._protocol.jwks import read_key

_BATCH, _ROUNDS = 400, 7
_BOUND = "bound" + TOKEN
_TARGET = 250.0


class _Binding(InProcessServer):
    """Says of one token that it is bound to a key."""

    def __init__(self, thumbprint: str) -> None:
        super().__init__()
        self._confirmation = {"jkt": thumbprint}

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Answer."""
        if _BOUND.encode() not in request.content:
            return await super().handle_async_request(request)
        members = json.loads(answer(_BOUND)) | {"token_type": "DPoP", "cnf": self._confirmation}
        return httpx.Response(200, json=members)


class _Client:
    """A client with a key, and proofs made with it."""

    def __init__(self) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        point = self.key.public_key().public_numbers()
        x, y = (_base64url(number.to_bytes(32, "big")) for number in (point.x, point.y))
        self._jwk = {"kty": "EC", "crv": "P-256", "x": x, "y": y}
        public = read_key(self._jwk)
        assert public is not None
        self.thumbprint = key_thumbprint(public)

    def proof(self) -> bytes:
        """Make a proof for one request."""
        claims = {
            "jti": token_urlsafe(16),
            "htm": "GET",
            "htu": f"{AUDIENCE}/orders",
            "iat": int(time.time()),
            "ath": _base64url(sha256(_BOUND.encode()).digest()),
        }
        header = {"typ": "dpop+jwt", "alg": "ES256", "jwk": self._jwk}
        content = ".".join(_base64url(json.dumps(part).encode()) for part in (header, claims)).encode()
        r, s = utils.decode_dss_signature(self.key.sign(content, ec.ECDSA(hashes.SHA256())))
        return content + b"." + _base64url(r.to_bytes(32, "big") + s.to_bytes(32, "big")).encode()


async def measure() -> list[Figure]:
    """Send a bound token with a proof each time, a bearer token, and verify as many signatures alone."""
    client = _Client()
    server = resource_server(
        _Binding(client.thumbprint), dpop="optional", external_url=AUDIENCE, dpop_window=3600.0, cache_ttl=3600.0
    )
    # One round is thrown away by the harness, at a tenth of the size.
    proofs = iter([_request(client.proof()) for _ in range(_BATCH * (_ROUNDS + 1))])
    bearer = RequestParts("GET", scope(token=TOKEN)["headers"], path=b"/orders")
    content = b"x" * 300
    public, signature = client.key.public_key(), client.key.sign(content, ec.ECDSA(hashes.SHA256()))

    async def bound_hit(repetitions: int) -> None:
        for request in itertools.islice(proofs, repetitions):
            await server.authenticate(request)

    async def bearer_hit(repetitions: int) -> None:
        for _ in range(repetitions):
            await server.authenticate(bearer)

    async def verification(repetitions: int) -> None:
        for _ in range(repetitions):
            public.verify(signature, content, ec.ECDSA(hashes.SHA256()))

    hit, alone, plain = "DPoP-bound hit, ES256", "ES256 signature alone", "bearer hit"
    rounds = await interleave(
        {hit: bound_hit, alone: verification, plain: bearer_hit}, repetitions=_BATCH, rounds=_ROUNDS
    )
    cost, share = rounds.median(hit), rounds.median(alone) / rounds.median(hit)
    return [
        Figure(
            hit, cost, "µs CPU", plain, rounds.ratio(hit, plain), rounds.added(hit, plain),
            f"<= {_TARGET:.0f}", cost <= _TARGET, f"the signature is {share:.0%} of it",
        ),
        Figure(alone, rounds.median(alone), "µs CPU"),
        Figure(plain, rounds.median(plain), "µs CPU"),
    ]  # fmt: skip


def _request(proof: bytes) -> RequestParts:
    """Make a request such as a browser sends, with a bound token in place of a bearer token."""
    others = [field for field in scope(token=TOKEN)["headers"] if field[0] != b"authorization"]
    sent = [(b"authorization", b"DPoP " + _BOUND.encode()), (b"dpop", proof)]
    return RequestParts("GET", [*others, *sent], path=b"/orders")


def _base64url(content: bytes) -> str:
    return urlsafe_b64encode(content).rstrip(b"=").decode("ascii")
