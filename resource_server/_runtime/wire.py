"""What all connections have in common: what is sent, and how an answer is taken in."""

from __future__ import annotations

from collections.abc import AsyncIterable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from types import FunctionType
from typing import Any, cast

import httpx

from resource_server._protocol.messages import HTTPRequest, HTTPResponse, Unavailable

MAX_HEAD = 65_536
"""The longest head of an answer in bytes, the interim answers before it included."""
AT_ONCE = 8_192
"""Bytes to read at once: what came in is parsed in one go, in which nothing else runs, and no deadline is noticed."""
_FEW = 64


@dataclass(slots=True)
class Head:
    """What has come of an answer before its headers end.

    A library passes over interim answers for as long as they come. Each is a few bytes that take long to parse, so a
    server that sends nothing else could keep us busy until the deadline, and beyond.

    References: RFC 9110 section 15.2
    """

    came: int = 0
    """How many bytes."""
    ended: bool = False

    @property
    def begun(self) -> bool:
        """Whether there is an answer at all."""
        return self.ended or self.came > 0

    def begin(self) -> None:
        """Wait for the next answer."""
        self.came, self.ended = 0, False

    def admits(self, content: bytes) -> bool:
        """Count what has come in, and tell whether it may be parsed."""
        self.came += len(content)
        return self.ended or self.came <= MAX_HEAD


def outgoing_headers(request: HTTPRequest) -> dict[str, str]:
    """Return the headers to send."""
    return {"accept-encoding": "identity", "user-agent": "resource-server", **dict(request.headers)}


@lru_cache(_FEW)
def parsed(url: str) -> httpx.URL:
    """Parse an endpoint's URL; there are few, and each is asked often."""
    return httpx.URL(url)


@lru_cache(_FEW)
def origin_of(url: str) -> str:
    """Name the server that a URL is at."""
    return f"{parsed(url).scheme}://{parsed(url).netloc.decode('ascii')}"


async def read(response: Any, max_bytes: int) -> HTTPResponse | Unavailable:  # noqa: ANN401 - of httpx or httpx2
    """Take in an answer of httpx's, and be done with it."""
    try:
        headers = [(name.lower(), value) for name, value in response.headers.multi_items()]
        return await take_in(response.status_code, headers, cast("AsyncIterable[bytes]", response.stream), max_bytes)
    finally:
        await response.aclose()


async def take_in(
    status: int, headers: Iterable[tuple[str, str]], chunks: AsyncIterable[bytes], max_bytes: int
) -> HTTPResponse | Unavailable:
    """Take in an answer as it comes, and no longer than allowed.

    Args:
        status: its status.
        headers: its headers, the names in lower case.
        chunks: its body, before any decoding.
        max_bytes: the longest body that is read.
    """
    headers = tuple(headers)
    if coded(headers):
        return Unavailable("content_encoding")
    body = bytearray()
    async for chunk in chunks:
        body += chunk
        if len(body) > max_bytes:
            return Unavailable("too_large")
    return HTTPResponse(status, headers, bytes(body))


def coded(headers: Iterable[tuple[str, str]]) -> bool:
    """Tell whether a body is coded, though no coding was asked for; names are in lower case."""
    return any(name == "content-encoding" and value.strip().lower() != "identity" for name, value in headers)


def is_from(method: object, library: str) -> bool:
    """Tell whether a method is a library's own."""
    # The type itself: a proxy pretends to be of the class of what it stands for.
    if type(method) is not FunctionType:
        return False
    name: str = method.__globals__["__name__"]
    return name.partition(".")[0] == library
