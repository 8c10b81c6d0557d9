"""A real client, which nobody here wrote, finds its way to a resource server, and shows that its token is its own.

References: RFC 9728 section 3, RFC 9449 sections 7 and 9
"""

from __future__ import annotations

import json
import subprocess
from collections import Counter
from typing import Any

import pytest

from mock_as.pytest_plugin import MockASFactory
from resource_server import ResourceServer
from resource_server.fastapi import install
from tests.interop.node import PATIENCE, command
from tests.support.api import application
from tests.support.live import serve

RESOURCE = "https://api.example.test"
METADATA = f"{RESOURCE}/.well-known/oauth-protected-resource"
ALGORITHMS = ["ES256", "EdDSA"]
ALGS = " ".join(ALGORITHMS)


def refused(status: int, *challenges: dict[str, str], nonce: bool = False) -> dict[str, Any]:
    """Say how the client sees a refusal."""
    return {"status": status, "nonce": nonce, "challenges": list(challenges), "metadata": METADATA}


EXPECTED: dict[str, Any] = {
    "metadata": {"resource": RESOURCE, "servers": 1, "dpop": ALGORITHMS},
    "token": {"token_type": "dpop"},
    "first_call": refused(
        401, {"scheme": "dpop", "error": "use_dpop_nonce", "algs": ALGS}, {"scheme": "bearer"}, nonce=True
    ),
    "second_call": {"status": 200},
    "third_call": {"status": 200},
    "other_route": refused(403, {"scheme": "dpop", "error": "insufficient_scope", "algs": ALGS}, {"scheme": "bearer"}),
    "as_bearer": refused(401, {"scheme": "bearer", "error": "invalid_token"}, {"scheme": "dpop", "algs": ALGS}),
}


@pytest.fixture
def told(mock_as_factory: MockASFactory) -> dict[str, Any]:
    """Run the client once, and return what it says of each step."""
    mock = mock_as_factory(issuer="auto")
    client_id, secret = mock.credentials("rs")
    app = application(Counter())
    with mock.serve() as issuer:
        server = ResourceServer(
            issuer=issuer,
            audience=mock.options.audience,
            client_id=client_id,
            client_secret=secret,
            resource=RESOURCE,
            dpop="optional",
            dpop_algorithms=ALGORITHMS,
            dpop_nonce=True,
            dpop_secret="what-nonces-are-made-from-32-bytes-long",
        )
        install(app, server)
        with serve(app, "httptools") as port:
            arguments = [*command("caller.mjs", "oauth4webapi"), RESOURCE, f"http://127.0.0.1:{port}"]
            result = subprocess.run(arguments, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert result.returncode == 0, result.stderr
    return {line.pop("step"): line for line in map(json.loads, result.stdout.splitlines())}


@pytest.mark.rfc("9449-7.1-a", "9449-9-a")
def test_steps(told: dict[str, Any]) -> None:
    """The client understands metadata, challenges and nonces as RFC 9728 and RFC 9449 mean them."""
    assert told == {step: {"saw": saw} for step, saw in EXPECTED.items()}
