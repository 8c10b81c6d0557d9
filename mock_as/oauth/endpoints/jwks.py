"""The published keys.

References: RFC 7517 section 5
"""

from __future__ import annotations

from mock_as.issuer import Issuer
from mock_as.messages import Answer, Request


def answer(issuer: Issuer, request: Request) -> Answer:
    """Answer with the public parts of the keys, how long they may be kept, and a tag to ask again with.

    References: RFC 9110 section 13.1.2
    """
    body, tag = issuer.keys.document()
    fields = (("cache-control", f"public, max-age={issuer.options.jwks_max_age}"), ("etag", tag))
    if _knows(request.header("if-none-match"), tag):
        return Answer(304, fields, b"")
    return Answer(200, (("content-type", "application/json"), *fields), body)


def _knows(tags: str | None, tag: str) -> bool:
    """Tell whether a client has what the tag stands for; a weak tag will do."""
    known = [known.strip().removeprefix("W/") for known in (tags or "").split(",")]
    return tag in known or known == ["*"]
