"""Write down the HTTP API of the mock's control plane, as OpenAPI, for those who make a client of it.

    python -m scripts.openapi             write docs/mock-openapi.json
    python -m scripts.openapi --check     only compare, and end with 1 where it differs

Applications with other clients than curl can be made from it.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from mock_as.control import create_control_app

ROOT = Path(__file__).parents[1]
DOCUMENT = ROOT / "docs/mock-openapi.json"


def described() -> str:
    """Return the document as it should be, from the application itself."""
    document = create_control_app().openapi()
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def main(*arguments: str) -> int:
    """Write the document, or only compare it; return 1 where it was to be compared and differs."""
    stale = not DOCUMENT.is_file() or DOCUMENT.read_text(encoding="utf-8") != described()
    if stale and "--check" not in arguments:
        DOCUMENT.write_text(described(), encoding="utf-8")
    if stale:
        print(f"{DOCUMENT.name} {'is not up to date' if '--check' in arguments else 'is written'}")
    return 1 if stale and "--check" in arguments else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
