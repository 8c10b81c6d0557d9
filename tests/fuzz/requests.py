"""HTTP requests without end, as a server hands them to an application: some good, most of them nearly so."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import NamedTuple
from urllib.parse import quote

from tests.fuzz.mutate import INTERESTING, mutate, mutate_jws, noise

Fields = list[tuple[bytes, bytes]]
_ROUTES = (("GET", "/things"), ("GET", "/things"), ("POST", "/things"), ("GET", "/both"))
_METHODS = ("GET", "POST", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS", "CONNECT", "TRACE", "get", "M-X")
_PATHS = (
    *("/public", "/", "/things/", "//things", "/things/../things", "/both/", "/both?", "/public/../things", "*"),
    *("/Things", "/things;x", "/%74hings", "/things%2f", "/things\x00", "/docs", "/openapi.json", "/thing\u00e9", ""),
    *("/.well-known/oauth-protected-resource", "/.well-known/oauth-protected-resource/things"),
)
_SCHEMES = (b"Bearer", b"Bearer", b"Bearer", b"bearer", b"BEARER", b"DPoP", b"dpop", b"Basic", b"Negotiate", b"")
_SEPARATORS = (b" ", b" ", b" ", b"  ", b"\t", b"", b",", b" \t", b"=", b" ,")
_NAMES = (
    *(b"authorization", b"authorization", b"authorization", b"Authorization", b"dpop", b"dpop", b"client-cert"),
    *(b"x-forwarded-client-cert", b"x-ssl-client-cert", b"cookie", b"accept", b"content-type", b"content-length"),
    *(b"x-requested-with", b"transfer-encoding", b"host", b"origin", b"x-authorization", b"authorization\x00", b""),
    *(b"x-forwarded-for", b"forwarded", b"x-http-method-override", b"expect", b"authorizatio", b"authorization2"),
)
_VALUES = (
    *(b"application/json", b"application/problem+json;q=0.1, */*", b"application/x-www-form-urlencoded", b"0", b"-1"),
    *(b"XMLHttpRequest", b"chunked", b"text/html", b";;;,,,q=", b"application/json;q=x", b"*/*;q=1e999", b"gzip"),
    *(b":TUlJQg==:", b'By=x;Hash=y;Cert="z"', b"-----BEGIN%20CERTIFICATE-----", b"https://app.example.test", b"99999"),
)
_BODIES = (b"", b"{}", b'{"n": 1}', b'{"n": "x"}', b"access_token=x", b"\xff\xfe", b"[", b"n=1", b"\x00" * 100)


class Request(NamedTuple):
    """One request."""

    method: str
    path: str
    query: bytes
    headers: Fields
    body: tuple[bytes, ...]
    """The chunks that arrive before the client is gone."""


class Requests:
    """A series of requests.

    Args:
        random: where they come from.
        good: the one token that is good as a bearer token.
        bound: tokens that are good together with something else; no request has it but for the first of them.
        proof: a DPoP proof that makes that one good, once.
    """

    def __init__(self, random: Random, good: bytes, bound: Sequence[bytes], proof: bytes) -> None:
        """Begin the series."""
        self._random = random
        self._good, self._bound, self._proof = good, bound, proof

    def make(self) -> Request:
        """Make the next request."""
        random = self._random
        method, path = random.choice(_ROUTES)
        if random.random() < 0.15:
            method = random.choice(_METHODS)
        if random.random() < 0.15:
            path = random.choice(_PATHS) if random.random() < 0.9 else noise(random, 20).decode("latin-1")
        body = tuple(random.choice(_BODIES) for _ in range(random.choice((0, 1, 1, 2))))
        return Request(method, path, self._query(), self._headers(), body)

    def _headers(self) -> Fields:
        random = self._random
        if random.random() < 0.05:
            return [(b"authorization", b"Bearer " + self._good)]
        if random.random() < 0.1:
            proof = self._proof if random.random() < 0.1 else mutate_jws(random, self._proof)
            return [(b"authorization", b"DPoP " + self._bound[0]), (b"dpop", proof)]
        fields = [self._field() for _ in range(random.choice((0, 1, 1, 1, 2, 2, 3, 6)))]
        if random.random() < 0.6:
            fields.append((b"authorization", self._authorization()))
        random.shuffle(fields)
        return fields

    def _field(self) -> tuple[bytes, bytes]:
        random = self._random
        name = random.choice(_NAMES) if random.random() < 0.95 else noise(random, 20)
        if name.lower().startswith(b"authorization"):
            return name, self._authorization()
        if name == b"dpop":
            return name, mutate_jws(random, self._proof) if random.random() < 0.8 else noise(random)
        value = random.choice(_VALUES)
        return name, mutate(random, value) if random.random() < 0.3 else value

    def _authorization(self) -> bytes:
        random = self._random
        if random.random() < 0.1:
            return noise(random)
        value = random.choice(_SCHEMES) + random.choice(_SEPARATORS) + self._token()
        return mutate(random, value) if random.random() < 0.2 else value

    def _token(self) -> bytes:
        choices: tuple[Callable[[], bytes], ...] = (
            lambda: self._good,
            lambda: self._good,
            lambda: mutate_jws(self._random, self._good),
            lambda: mutate_jws(self._random, self._good),
            lambda: mutate(self._random, self._good),
            lambda: self._random.choice(self._bound),
            lambda: self._proof,
            lambda: noise(self._random),
            lambda: b"",
            lambda: self._random.choice(INTERESTING),
            lambda: self._good + b"," + self._good,
        )
        return self._random.choice(choices)()

    def _query(self) -> bytes:
        random = self._random
        chance = random.random()
        if chance < 0.7:
            return b""
        if chance < 0.85:
            return b"access_token=" + quote(self._token()).encode()
        # What a server lets through; Starlette decodes the query when it redirects.
        return bytes(byte & 0x7F for byte in noise(random, 60))
