"""Tokens seen for the first time: a JWT verified locally, an introspection, and 500 callers with one cold token."""

from __future__ import annotations

import asyncio
import itertools
import time
from base64 import urlsafe_b64decode
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from secrets import token_urlsafe

import httpx
from joserfc import jwk, jwt

from benchmarks.harness import Figure, interleave
from benchmarks.support import AUDIENCE, ISSUER, InProcessServer, answer, resource_server, scope
from resource_server import RequestParts

_BATCH = 400
_ROUNDS = 7


async def measure_jwt() -> list[Figure]:
    """Verify RS256 tokens, none of them seen before, and do the same with joserfc's own decode and claims registry."""
    key = jwk.RSAKey.generate_key(2048, {"kid": "k1", "use": "sig", "alg": "RS256"}, private=True)
    public = jwk.RSAKey.import_key(key.as_dict(private=False))
    now = int(time.time())
    # One round is thrown away by the harness, at a tenth of the size.
    tokens = iter([_mint(key, now) for _ in range(_BATCH * _ROUNDS + _BATCH)])
    plain = [_mint(key, now) for _ in range(_BATCH)]
    server = resource_server(InProcessServer({"keys": [key.as_dict(private=False)]}), strategy="jwks")
    registry = jwt.JWTClaimsRegistry(
        iss={"essential": True, "value": ISSUER}, aud={"essential": True, "value": AUDIENCE}
    )
    segments = [token.encode().rsplit(b".", 1) for token in plain]
    native, signatures = public.get_op_key("verify"), [_decode(signature) for _, signature in segments]
    from cryptography.hazmat.primitives import hashes  # noqa: PLC0415 - loaded with the others when this benchmark runs
    from cryptography.hazmat.primitives.asymmetric import padding  # noqa: PLC0415 - as above

    async def ours(repetitions: int) -> None:
        for token in itertools.islice(tokens, repetitions):
            principal = await server.authenticate(RequestParts("GET", scope(token=token)["headers"]))
            assert principal.subject == "alice"

    async def joserfc(repetitions: int) -> None:
        for token in plain[:repetitions]:
            registry.validate(jwt.decode(token, public, algorithms=["RS256"]).claims)

    async def signature(repetitions: int) -> None:
        for (signed, _), value in zip(segments[:repetitions], signatures, strict=False):
            native.verify(value, signed, padding.PKCS1v15(), hashes.SHA256())

    cases = {
        "RS256, distinct tokens": ours,
        "RS256, joserfc decode and claims": joserfc,
        "RS256, signature alone": signature,
    }
    rounds = await interleave(cases, repetitions=_BATCH, rounds=_ROUNDS)
    name, baseline = "RS256, distinct tokens", "RS256, joserfc decode and claims"
    cost = rounds.median(name)
    return [
        Figure(
            name,
            cost,
            "µs CPU",
            baseline,
            rounds.ratio(name, baseline),
            rounds.added(name, baseline),
            "<= 90",
            cost <= 90,
        ),
        Figure(baseline, rounds.median(baseline), "µs CPU"),
        Figure("RS256, signature alone", rounds.median("RS256, signature alone"), "µs CPU"),
    ]


async def measure_burst() -> list[Figure]:
    """Send 500 requests with one token that nobody has seen, at once."""
    transport = InProcessServer()
    server = resource_server(transport)
    parts = RequestParts("GET", scope(token=token_urlsafe(24))["headers"])
    started = time.perf_counter()
    await asyncio.gather(*(server.authenticate(parts) for _ in range(500)))
    elapsed = (time.perf_counter() - started) * 1e3
    asked = transport.introspections
    return [
        Figure("500-way cold burst, introspections", asked, "calls", target="= 1", met=asked == 1),
        Figure("500-way cold burst, all answered", elapsed, "ms"),
    ]


async def measure_introspection() -> list[Figure]:
    """Introspect distinct tokens over a loopback socket, beside a plain shared ``httpx.AsyncClient``."""
    async with _stub() as url, httpx.AsyncClient() as client:
        server = resource_server(
            introspection_endpoint=f"{url}/introspect", strategy="introspect", in_process=False
        )  # over a real socket, unlike the other benchmarks

        async def ours(repetitions: int) -> None:
            for _ in range(repetitions):
                await server.authenticate(RequestParts("GET", scope(token=token_urlsafe(24))["headers"]))

        async def plain(repetitions: int) -> None:
            for _ in range(repetitions):
                response = await client.post(
                    f"{url}/introspect", data={"token": token_urlsafe(24)}, auth=("rs", "secret")
                )
                assert response.json()["active"] is True

        rounds = await interleave({"ours": ours, "plain": plain}, repetitions=200)
        await server.aclose()
    return [
        Figure(
            "one introspection, alone", rounds.median("ours"), "µs CPU", "shared httpx.AsyncClient",
            rounds.ratio("ours", "plain"), rounds.added("ours", "plain"),
            note="client and stub server share the process, in both",
        ),
    ]  # fmt: skip


@asynccontextmanager
async def _stub() -> AsyncGenerator[str, None]:
    """Serve one canned introspection answer as cheaply as Python can, so that the client's cost shows."""
    body = answer("stub")
    head = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n".encode()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                request = await reader.readuntil(b"\r\n\r\n")
                length = next(line for line in request.lower().split(b"\r\n") if line.startswith(b"content-length:"))
                await reader.readexactly(int(length.partition(b":")[2]))
                writer.write(head + body)
        except (asyncio.IncompleteReadError, asyncio.CancelledError):  # the client is done, or the benchmark is
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


def _mint(key: jwk.RSAKey, now: int) -> str:
    claims = {
        "iss": ISSUER, "aud": AUDIENCE, "sub": "alice", "client_id": "orders-frontend",
        "scope": "orders:read orders:write",
        "iat": now, "exp": now + 3600, "jti": token_urlsafe(16),
    }  # fmt: skip
    return jwt.encode({"alg": "RS256", "typ": "at+jwt", "kid": "k1"}, claims, key)


def _decode(part: bytes) -> bytes:
    return urlsafe_b64decode(part + b"=" * (-len(part) % 4))
