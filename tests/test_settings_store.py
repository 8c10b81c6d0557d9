"""The options of the store that all workers share: what is wrong with them is found at construction, and not shown."""

from __future__ import annotations

import importlib.util
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import Any

import pytest

from resource_server import ConfigurationError, ResourceServer, Settings
from resource_server._validation.vault import Vault, stretched

PASSWORD = "canary-store-password"
URL = f"redis://:{PASSWORD}@cache:6379/0"
STRONG, OTHER = "a secret of thirty-two bytes, or more", "another secret of thirty-two bytes"


def build(**changes: Any) -> Settings:
    """Build settings that have a store."""
    complete: dict[str, Any] = {
        "issuer": "https://as.example.com",
        "audience": "https://rs.example.com",
        "client_id": "rs",
        "client_secret": "canary-client-secret-of-32-bytes-or-more",
        "cache_url": URL,
    }
    return Settings.build(**(complete | changes))


@pytest.mark.parametrize(
    "url", [URL.replace("redis", "http"), URL + "/1", URL + "?ssl_cert_reqs=none", URL + f"#{PASSWORD}"]
)
def test_bad_url_is_named_and_not_shown(url: str) -> None:
    """A URL that is none is refused by the name of its option; what it says is not repeated: it holds a password."""
    with pytest.raises(ConfigurationError, match=r"^cache_url: ") as caught:
        build(cache_url=url)
    assert PASSWORD not in str(caught.value)


@pytest.mark.parametrize("url", [7, b"\xff" + PASSWORD.encode(), [PASSWORD]])
def test_url_of_another_type_is_not_shown(url: Any) -> None:
    """Nor is what is no text at all."""
    with pytest.raises(ConfigurationError, match=r"^cache_url: ") as caught:
        build(cache_url=url)
    assert PASSWORD not in str(caught.value)


def test_missing_file_of_certificates_is_named(tmp_path: Path) -> None:
    """A PEM file of a store with TLS must be there; which one is missing is said, and the URL is not shown."""
    certificates = tmp_path / "ca.pem"
    url = URL.replace("redis:", "rediss:") + f"?ssl_ca_certs={certificates}"
    with pytest.raises(ConfigurationError, match=r"^cache_url: .*ssl_ca_certs") as caught:
        build(cache_url=url, cache_secret=STRONG)
    assert PASSWORD not in str(caught.value)
    certificates.touch()
    assert build(cache_url=url, cache_secret=STRONG).cache_url is not None


def test_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the package that talks to the store, the extra that brings it is named."""
    find = importlib.util.find_spec

    def without_redis(name: str) -> ModuleSpec | None:
        return None if name == "redis" else find(name)

    monkeypatch.setattr("resource_server._options.memory.find_spec", without_redis)
    with pytest.raises(ConfigurationError, match=r"resource-server\[valkey\]"):
        build()
    assert build(cache_url=None).vault() is None


def test_store_needs_a_secret() -> None:
    """What is shared is sealed: without a secret of any kind there is nothing to seal it with."""
    jwks = {"strategy": "jwks", "client_id": None, "client_secret": None}
    with pytest.raises(ConfigurationError, match="cache_secret"):
        build(**jwks)
    assert build(**jwks, cache_secret=STRONG).vault() is not None


@pytest.mark.attack("A-S-1")
def test_client_secret_seals_only_stretched() -> None:
    """A client secret may be short enough to be guessed: it is never the key itself, and the same in all workers."""
    short = {"client_secret": "canary-short"}
    name = name_in(build(**short))
    assert name_in(build(**short)) == name
    identity = ("https://as.example.com", "rs", "", *build(**short).audience)
    assert Vault(b"canary-short", identity).name("verdict", "00") != name
    assert Vault(stretched("canary-short"), identity).name("verdict", "00") == name
    assert stretched("canary-short") != stretched("canary-shorts")


def test_store_leaves_time_for_the_authorization_server() -> None:
    """A store that hangs must not take all the time there is: beyond half of ``timeout`` its own is refused."""
    with pytest.raises(ConfigurationError, match=r"cache_timeout 0\.6 leaves too little of timeout 1\.0"):
        build(cache_timeout=0.6, timeout=1.0)
    assert build(cache_timeout=0.5, timeout=1.0).cache_timeout == 0.5
    assert build(cache_timeout=0.6, timeout=1.0, cache_url=None).cache_timeout == 0.6


def test_short_secret_is_refused() -> None:
    """A secret that could be guessed is refused, and not shown."""
    with pytest.raises(ConfigurationError, match="cache_secret: must have 32 bytes") as caught:
        build(cache_secret="canary-short")
    assert "canary-short" not in str(caught.value)


def name_in(settings: Settings) -> bytes:
    """Return what the settings call one place in the store."""
    vault = settings.vault()
    assert vault is not None
    return vault.name("verdict", "00")


def test_which_servers_share() -> None:
    """Servers share with those that have the same secret, issuer, client and audience, wherever the store is."""
    name = name_in(build(cache_secret=STRONG))
    assert name_in(build(cache_secret=STRONG, cache_url="redis://elsewhere", cache_ttl=1.0)) == name
    assert name_in(build(cache_secret=STRONG, client_secret="rotated")) == name
    others: list[dict[str, Any]] = [{"issuer": "https://other.example.com"}, {"audience": "https://other.example.com"}]
    for change in [*others, {"client_id": "other"}, {"cache_secret": OTHER}, {"cache_secret": None}]:
        assert name_in(build(**({"cache_secret": STRONG} | change))) != name


def test_url_is_not_shown() -> None:
    """Neither the settings nor the server show the URL's password."""
    settings = build()
    assert PASSWORD not in repr(settings) + str(settings) + str(settings.model_dump())
    server = ResourceServer(
        issuer="https://as.example.com", audience="a", client_id="rs", client_secret=STRONG, cache_url=URL
    )
    assert PASSWORD not in repr(server) + str(vars(server))
