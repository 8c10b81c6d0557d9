"""Send a request and time it, as a client from outside would: with nothing of this package's own in between."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from resource_server.errors import ResourceServerError

_TIMEOUT = 10.0


class DemoError(ResourceServerError):
    """The story cannot go on; the message says why."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A response, read whole."""

    status: int
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes = field(repr=False)
    milliseconds: float

    def members(self) -> dict[str, Any]:
        """Return the members of a JSON object; none where the body is something else."""
        document = json.loads(self.body) if self.headers.get("content-type") == "application/json" else None
        return document if isinstance(document, dict) else {}


def send(method: str, url: str, *, token: str | None = None, body: bytes | None = None) -> Answer:
    """Send a request over a connection of its own.

    Args:
        method: the HTTP method.
        url: an ``http`` URL of this machine.
        token: an access token to present.
        body: JSON, or what claims to be.

    Raises:
        DemoError: no answer came.
    """
    parts = urlsplit(url)
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    if body is not None:
        headers["Content-Type"] = "application/json"
    connection = HTTPConnection(parts.netloc, timeout=_TIMEOUT)
    started = time.perf_counter()
    try:
        connection.request(method, urlunsplit(parts._replace(scheme="", netloc="")), body, headers)
        response = connection.getresponse()
        content = response.read()
    except (OSError, HTTPException) as error:
        raise DemoError(f"{method} {url} got no answer: {error!r}") from error
    finally:
        connection.close()
    names = {name.lower(): value for name, value in response.getheaders()}
    return Answer(response.status, names, content, (time.perf_counter() - started) * 1000)
