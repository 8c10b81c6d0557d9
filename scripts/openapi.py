"""The HTTP API of the mock's control plane, as OpenAPI, for those who make a client of it."""

from __future__ import annotations

import json
from functools import cache

from mock_as.control import create_control_app

DOCUMENT = "docs/mock-openapi.json"


@cache
def described() -> str:
    """Return the document as it should be, from the application itself."""
    document = create_control_app().openapi()
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"
