"""Options that say how the sender of a token shows that it is his: what is refused, and what becomes of the rest."""

from __future__ import annotations

from ipaddress import ip_network
from typing import Any

import pytest

from resource_server import ConfigurationError, Settings

NEEDED: dict[str, Any] = {"issuer": "https://as.example.com", "audience": "https://rs.example.com", "strategy": "jwks"}
BASE = "https://rs.example.com"
NO_STORE: dict[str, Any] = {"dpop": "optional", "external_url": BASE}
HEADER: dict[str, Any] = {"certificate_header": "Client-Cert"}


def refusal(**options: Any) -> str:
    """Return what is said about options that are not acceptable."""
    with pytest.raises(ConfigurationError) as caught:
        Settings.build(**(NEEDED | options))
    return str(caught.value)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        pytest.param({"dpop": "sometimes"}, "dpop", id="no mode"),
        pytest.param({"mtls": "on"}, "mtls", id="no mode for certificates"),
        pytest.param({"dpop": "optional"}, "dpop 'optional' needs external_url or resource", id="no address"),
        pytest.param({"dpop": "required", "client_id": "rs"}, "dpop 'required' needs external_url", id="none either"),
        pytest.param(NO_STORE | {"dpop_algorithms": []}, "dpop_algorithms", id="no algorithm"),
        pytest.param(NO_STORE | {"dpop_algorithms": ["HS256"]}, "dpop_algorithms", id="an algorithm with a secret"),
        pytest.param(NO_STORE | {"dpop_algorithms": ["none"]}, "dpop_algorithms", id="none"),
        pytest.param(NO_STORE | {"dpop_window": 0}, "dpop_window", id="no window"),
        pytest.param(NO_STORE | {"dpop_nonce": True}, "dpop_nonce needs dpop_secret", id="no secret"),
        pytest.param(
            NO_STORE | {"dpop_nonce": True, "client_secret": ""}, "dpop_nonce needs dpop_secret", id="an empty secret"
        ),
        pytest.param(NO_STORE | {"dpop_replay": "shared"}, "dpop_replay 'shared' needs cache_url", id="no store"),
        pytest.param(HEADER, "certificate_header needs trusted_proxies", id="no proxy"),
        pytest.param(HEADER | {"trusted_proxies": ["10.0.0.0/33"]}, "trusted_proxies", id="no network"),
        pytest.param(HEADER | {"trusted_proxies": ["10.0.0.1/8"]}, "trusted_proxies", id="a host and a network"),
        pytest.param(HEADER | {"trusted_proxies": ["0.0.0.0/0"]}, "0.0.0.0/0 is everybody", id="all addresses"),
        pytest.param(HEADER | {"trusted_proxies": ["::/0"]}, "::/0 is everybody", id="all IPv6 addresses"),
        pytest.param(HEADER | {"trusted_proxies": ["proxy.example.com"]}, "trusted_proxies", id="a name"),
        pytest.param(
            {"certificate_header": "Client Cert", "trusted_proxies": ["::1"]}, "certificate_header", id="space"
        ),
        pytest.param({"certificate_header": "Zürich", "trusted_proxies": ["::1"]}, "certificate_header", id="no ASCII"),
        pytest.param({"certificate_header": "A:", "trusted_proxies": ["::1"]}, "certificate_header", id="a colon"),
        pytest.param({"certificate_header": "", "trusted_proxies": ["::1"]}, "certificate_header", id="empty"),
    ],
)
def test_what_is_refused(options: dict[str, Any], said: str) -> None:
    """Options that contradict each other, or mean nothing, are refused at construction, by name."""
    assert said in refusal(**options)


@pytest.mark.parametrize(
    "url", ["https://a.example/b/../c", "https://a.example/%2e%2e", "https://a.example/%zz", "https://a,b"]
)
def test_an_address_that_no_proof_could_name(url: str) -> None:
    """RFC 9449 §4.3: where every proof would be refused, that is said at once."""
    assert "is no address that a DPoP proof could name" in refusal(external_url=url)


def test_certificates_of_proxies() -> None:
    """The header's name counts in any case, and an address is a network of one."""
    settings = Settings.build(**NEEDED, certificate_header="X-SSL-Client-Cert", trusted_proxies="10.0.0.0/8 ::1")
    rules = settings.possession()
    assert rules.certificate_header == b"x-ssl-client-cert"
    assert rules.trusted_proxies == (ip_network("10.0.0.0/8"), ip_network("::1/128"))
