"""The examples that the RFCs print, by the RFC that prints them.

Where each comes from:

- RFC 6750 section 3, RFC 9470 section 3, RFC 9728 section 5.1: challenges.
- RFC 7662 section 2.1: a request, and the credentials it is authenticated with.
- RFC 8414 section 3, RFC 9728 section 3.1: well-known addresses.
- RFC 8705 appendix A: a certificate (DER in base64) and the confirmation claim of a token bound to it.
- RFC 9449 sections 4 to 8: proofs, all signed with the key of one thumbprint, and a request for a protected resource.
- RFC 9701 section 5: an answer whose signing key is not published.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

_FILE = Path(__file__).parents[1] / "vectors" / "rfc_examples.json"


def example(rfc: int) -> dict[str, Any]:
    """Return the examples of one RFC.

    Args:
        rfc: its number.
    """
    examples: dict[str, Any] = _examples()[f"rfc{rfc}"]
    return examples


@cache
def _examples() -> dict[str, Any]:
    document: dict[str, Any] = json.loads(_FILE.read_text(encoding="utf-8"))
    return document
