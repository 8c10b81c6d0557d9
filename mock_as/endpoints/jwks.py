"""The published keys.

References: RFC 7517 section 5
"""

from __future__ import annotations

from mock_as.issuer import Issuer
from mock_as.messages import Answer, Request, json_answer


def answer(issuer: Issuer, _request: Request) -> Answer:
    """Answer with the public parts of the keys, and how long they may be kept."""
    return json_answer(issuer.keys.jwks(), headers={"cache-control": f"public, max-age={issuer.jwks_max_age}"})
