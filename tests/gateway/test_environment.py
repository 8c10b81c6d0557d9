"""The gateway's own options in the environment."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest

from resource_server import ConfigurationError
from resource_server._gateway.environment import read_options
from resource_server.forward_auth import ForwardAuth
from tests.gateway.door import forwarded
from tests.support.asgi import call
from tests.support.jwt import signing_key

pytestmark = pytest.mark.anyio

PREFIX = "RESOURCE_SERVER_FORWARD_AUTH_"


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Say in the environment whom the resource server trusts."""
    for name, value in {
        "ISSUER": "https://as.example.test",
        "AUDIENCE": "https://api.example.test",
        "STRATEGY": "jwks",
        "TRUSTED_PROXIES": "127.0.0.1",
    }.items():
        monkeypatch.setenv(f"RESOURCE_SERVER_{name}", value)
    return monkeypatch


def test_what_is_read(tmp_path: Path) -> None:
    """Each variable is an option; keys are in files, and what is empty says nothing."""
    key, other = tmp_path / "key.json", tmp_path / "other.pem"
    key.write_text("key")
    other.write_text("other")
    said = {
        "POLICY": "policy.toml",
        "CREDENTIAL": "replace",
        "CLAIMS": "sub tenant",
        "SIGNING_KEYS": f"{key} {other}",
        "INTERNAL_ISSUER": " ",
        "INTERNAL_AUDIENCE": "inner",
        "PORT": "8080",
    }
    assert read_options({PREFIX + name: value for name, value in said.items()}) == {
        "policy": "policy.toml",
        "credential": "replace",
        "claims": ["sub", "tenant"],
        "signing_keys": ["key", "other"],
        "internal_audience": "inner",
    }
    assert read_options({}) == {}


def test_a_variable_that_is_misspelt() -> None:
    """No policy is passed over for a letter that is missing; what Kubernetes says of a Service is let be."""
    with pytest.raises(ConfigurationError, match=f"unknown option {PREFIX}POLCY: did you mean {PREFIX}POLICY"):
        read_options({f"{PREFIX}POLCY": "policy.toml"})
    links = ("SERVICE_HOST", "SERVICE_PORT", "SERVICE_PORT_HTTP", "PORT_9100_TCP", "PORT_9100_TCP_ADDR", "PORT")
    assert read_options({PREFIX + name: "tcp://192.0.2.1:9100" for name in links}) == {}


def test_a_key_that_is_not_there(tmp_path: Path) -> None:
    """A file that cannot be read is named."""
    with pytest.raises(ConfigurationError, match=r"signing_keys: '.*nowhere.pem' cannot be read"):
        read_options({f"{PREFIX}SIGNING_KEYS": str(tmp_path / "nowhere.pem")})


async def test_from_env(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A gateway is made from the environment alone, and counts what it does."""
    policy, key = tmp_path / "policy.toml", tmp_path / "key.json"
    policy.write_text('public = ["/healthz"]')
    key.write_text(json.dumps(signing_key("ES256").private_jwk()))
    environment.setenv(f"{PREFIX}POLICY", str(policy))
    environment.setenv(f"{PREFIX}CREDENTIAL", "replace")
    environment.setenv(f"{PREFIX}SIGNING_KEYS", str(key))
    environment.setenv(f"{PREFIX}INTERNAL_ISSUER", "https://gateway.example.test")
    environment.setenv(f"{PREFIX}INTERNAL_AUDIENCE", "inner")
    gateway = ForwardAuth.from_env()
    assert (await call(gateway, "GET", "/auth", headers=forwarded("/healthz"))).status == 200
    assert (await call(gateway, "GET", "/jwks")).json()["keys"][0]["kid"] == "ES256"
    assert b"resource_server_checks_total" in (await call(gateway, "GET", "/metrics")).body


async def test_without_prometheus(environment: pytest.MonkeyPatch) -> None:
    """Where nothing can count, nothing is counted."""
    find = importlib.util.find_spec
    environment.setattr("resource_server.forward_auth.find_spec", lambda name: None if "prom" in name else find(name))
    assert (await call(ForwardAuth.from_env(), "GET", "/metrics")).status == 404
