"""A real client, which nobody here wrote, does with the mock authorization server what the RFCs say it can."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from tests.interop.node import PATIENCE, command, serving

ISSUER = "http://issuer"
"""Stands for the address that the server happens to have."""

EXPECTED: dict[str, dict[str, Any]] = {
    "discovery": {"issuer": ISSUER, "same": True},
    "client_credentials": {"token_type": "bearer", "expires_in": 3600, "client_id": "svc", "scope": "read"},
    "client_secret_post": {"token_type": "bearer"},
    "private_key_jwt": {"token_type": "bearer"},
    "code_and_pkce": {"sub": "alice", "aud": "web", "active": True, "username": "alice", "refresh_token": "string"},
    "code_and_pkce_in_public": {"sub": "alice", "client_id": "spa"},
    "userinfo": {"sub": "alice", "email": "alice@example.test"},
    "refresh": {"rotated": True, "active": True},
    "revocation": {"before": True, "after": False},
    "revocation_of_a_refresh_token": {"error": "invalid_grant"},
    "introspection": {
        "active": True,
        "client_id": "svc.opaque",
        "scope": "read",
        "token_type": "Bearer",
        "iss": ISSUER,
        "unknown": {"active": False},
    },
    "introspection_signed": {"active": True, "client_id": "svc.opaque", "unknown": {"active": False}},
    "dpop": {"nonce": False, "token_type": "dpop", "introspected": "DPoP", "bound": True},
    "dpop_with_a_nonce": {"nonce": True, "token_type": "dpop"},
    "pushed_authorization_request": {"sub": "alice"},
    "resource_indicator": {"aud": ["https://orders.example.test/"]},
    "device": {"pending": "authorization_pending", "verification_uri": f"{ISSUER}/device", "sub": "bob"},
    "token_exchange": {
        "issued": "urn:ietf:params:oauth:token-type:access_token",
        "sub": "alice",
        "client_id": "svc",
        "scope": "read",
    },
    "dpop_bound_code": {"token_type": "dpop", "bound": True},
    "registration": {"token_type": "bearer"},
}


@pytest.fixture(scope="module")
def told() -> dict[str, Any]:
    """Run the client once, against the command line's own server, and return what it says of each step."""
    client = command("client.mjs", "oauth4webapi")
    with serving([sys.executable, "-m", "mock_as", "serve", "--port", "0"]) as server:
        issuer = server.ready["issuer"]
        result = subprocess.run([*client, issuer], capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert result.returncode == 0, result.stderr
    lines = [json.loads(line) for line in result.stdout.replace(issuer, ISSUER).splitlines()]
    return {line.pop("step"): line for line in lines}


@pytest.mark.parametrize("step", EXPECTED)
def test_step(step: str, told: dict[str, Any]) -> None:
    """What the client checks holds, and it sees what the specifications say."""
    assert told[step] == {"ok": True, "saw": EXPECTED[step]}


def test_every_step(told: dict[str, Any]) -> None:
    """No step is left out here."""
    assert set(told) == set(EXPECTED)
