"""Answers of authorization servers, with documents that were changed and header fields that were, too."""

from __future__ import annotations

from random import Random
from typing import Any

from resource_server._protocol.messages import HTTPResponse
from tests.fuzz.mutate import mutate, mutate_json, noise, written

_TYPES = (*("application/json",) * 6, "application/jwk-set+json", "text/html", "", "application/json; charset=latin-1")
_FIELDS = (
    *(("retry-after", "5"), ("retry-after", "Wed, 21 Oct 2015 07:28:00 GMT"), ("cache-control", "max-age=300")),
    *(("cache-control", "no-store, max-age=1"), ("www-authenticate", "Bearer"), ("content-type", "text/plain")),
)
_STATUSES = (*(200,) * 6, 400, 401, 429, 503)


def respond(random: Random, document: Any) -> HTTPResponse:
    """Make an answer out of a document.

    Args:
        random: decides what becomes of it.
        document: the document as it should be.
    """
    body = written(random, mutate_json(random, document)) if random.random() < 0.95 else noise(random)
    fields = [("content-type", random.choice(_TYPES))]
    for _ in range(random.choice((0, 0, 1, 2))):
        name, value = random.choice(_FIELDS)
        fields.append((name, mutate(random, value.encode()).decode("latin-1")))
    return HTTPResponse(random.choice(_STATUSES), tuple(fields), body)
