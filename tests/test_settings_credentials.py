"""Options that say who we are to the authorization server: what is found from them, and which contradict each other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from joserfc.jwk import ECKey

from mock_as import MockAS
from resource_server import ConfigurationError, Settings
from resource_server._protocol.client_auth import BearerCredentials, ClientCredentials
from resource_server._protocol.jose import SigningKey

SECRET = "canary-client-secret-of-32-bytes-or-more"
KEY = ECKey.generate_key("P-256")
PEM = KEY.as_pem(private=True).decode()
NEEDED: dict[str, Any] = {"issuer": "https://as.example.com", "audience": "https://rs.example.com"}


def build(**options: Any) -> Settings:
    """Validate options."""
    return Settings.build(**(NEEDED | options))


def refusal(**options: Any) -> str:
    """Return what is said about options that are not acceptable; no secret is in it."""
    with pytest.raises(ConfigurationError) as caught:
        build(**options)
    message = str(caught.value)
    assert "canary" not in message
    assert "PRIVATE KEY" not in message
    return message


@pytest.fixture
def token_file(tmp_path: Path) -> Path:
    """A file with an access token."""
    file = tmp_path / "token"
    file.write_text("canary-token\n")
    return file


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with a certificate and its key."""
    key = MockAS().client_key("svc.mtls")
    file = tmp_path_factory.mktemp("certificate") / "rs.pem"
    file.write_text(key.certificate_pem + key.private_pem)
    return file


@pytest.mark.parametrize(
    ("there", "method"),
    [
        pytest.param({"client_secret": SECRET}, "client_secret_basic", id="a secret"),
        pytest.param({"client_key": PEM}, "private_key_jwt", id="a key"),
        pytest.param({"client_certificate_file": True}, "tls_client_auth", id="a certificate"),
        pytest.param({"client_certificate_file": True, "client_key": PEM}, "private_key_jwt", id="both"),
    ],
)
def test_the_method_is_found(there: dict[str, Any], method: str, certificate: Path) -> None:
    """Without a ``client_auth_method`` we authenticate with what there is; a certificate is shown beside it."""
    files = {name: certificate for name in there if name == "client_certificate_file"}
    policy = build(client_id="rs", **(there | files)).policy()
    assert isinstance(policy.client, ClientCredentials)
    assert policy.client.method == method
    assert policy.client == policy.token_client


def test_a_token_of_our_own(token_file: Path) -> None:
    """A bearer token needs no client_id: it says who we are; beside a secret, that is for the token endpoint."""
    fixed = build(bearer_token="canary").policy()
    assert (fixed.client, fixed.token_client) == (BearerCredentials("canary"), None)
    in_file = build(bearer_token_file=token_file).policy()
    assert (in_file.client, in_file.token_client) == (BearerCredentials(file=token_file), None)
    both = build(client_auth_method="bearer", bearer_token="canary", client_id="rs", client_secret=SECRET).policy()
    assert (both.client, both.token_client) == (BearerCredentials("canary"), ClientCredentials("rs", SECRET))


@pytest.mark.parametrize("there", [{"client_secret": SECRET}, {"client_key": PEM}], ids=["a secret", "a key"])
def test_a_token_that_is_fetched(there: dict[str, Any]) -> None:
    """With neither a token nor a file, ``bearer`` fetches one with what there is."""
    policy = build(client_auth_method="bearer", client_id="rs", **there).policy()
    assert policy.client == BearerCredentials()
    assert policy.token_client is not None
    assert policy.token_client.method == ("client_secret_basic" if "client_secret" in there else "private_key_jwt")


def test_a_key(token_file: Path) -> None:
    """A key is imported once for a policy; read again it makes equal credentials, so that nothing is asked anew."""
    first, second = (build(client_id="rs", client_key=PEM).policy().client for _ in range(2))
    assert isinstance(first, ClientCredentials)
    assert isinstance(first.key, SigningKey)
    assert first == second
    token_file.write_text(PEM)
    audience = build(client_id="rs", client_key=PEM, client_assertion_audience="endpoint").policy().client
    assert isinstance(audience, ClientCredentials)
    assert audience.audience == "endpoint"


@pytest.mark.parametrize("name", ["client_secret_basic", "client_secret_post", "client_secret_jwt"])
def test_methods_with_a_secret(name: str) -> None:
    """A method that was named is used, with what it takes."""
    client = build(client_id="rs", client_secret=SECRET, client_key=PEM, client_auth_method=name).policy().client
    assert client == ClientCredentials("rs", SECRET, name)  # type: ignore[arg-type] # one of the literals


CONTRADICTIONS: list[Any] = [
    pytest.param({}, "client_id", id="nothing"),
    pytest.param({"client_secret": SECRET}, "client_id", id="no client_id"),
    pytest.param({"client_id": "rs"}, "client_secret", id="only a client_id"),
    pytest.param({"client_id": "rs", "client_secret": ""}, "client_secret", id="an empty secret"),
    pytest.param({"client_id": "rs", "client_secret": SECRET, "client_key": PEM}, "client_key", id="secret and key"),
    pytest.param({"client_id": "rs", "client_secret": SECRET, "bearer_token": "t"}, "bearer_token", id="and a token"),
    pytest.param({"bearer_token": "t", "bearer_token_file": True}, "bearer_token_file", id="two tokens"),
    pytest.param({"client_auth_method": "bearer"}, "bearer_token", id="bearer of nothing"),
    pytest.param({"client_auth_method": "bearer", "client_id": "rs"}, "bearer_token", id="bearer of a client_id"),
    pytest.param({"client_auth_method": "bearer", "client_secret": SECRET}, "client_id", id="bearer of a secret"),
    pytest.param(
        {"client_auth_method": "bearer", "client_id": "rs", "client_secret": SECRET, "client_key": PEM},
        "client_key",
        id="two ways to fetch one",
    ),
    *(
        pytest.param({"client_auth_method": method, "client_id": "rs"}, needed, id=method)
        for method, needed in {
            "client_secret_basic": "client_secret",
            "client_secret_jwt": "client_secret",
            "private_key_jwt": "client_key",
            "tls_client_auth": "client_certificate_file",
            "self_signed_tls_client_auth": "client_certificate_file",
        }.items()
    ),
    pytest.param({"client_auth_method": "private_key_jwt", "client_key": PEM}, "client_id", id="whose key"),
]


@pytest.mark.parametrize(("options", "named"), CONTRADICTIONS)
def test_contradictions(options: dict[str, Any], named: str, token_file: Path) -> None:
    """What is missing or contradicts something is found out at construction, and named."""
    files = {name: token_file for name in options if name == "bearer_token_file"}
    assert named in refusal(**(options | files))


@pytest.mark.rfc("7518-3.2-a", "8725-3.5-a")
def test_a_short_secret_signs_nothing() -> None:
    """RFC 7518 §3.2: the key of HS256 has 32 bytes or more."""
    message = refusal(client_id="rs", client_secret="canary-short", client_auth_method="client_secret_jwt")
    assert "client_secret" in message
    assert "32 bytes" in message


@pytest.mark.attack("A-S-1")
@pytest.mark.parametrize(
    "key",
    [KEY.as_pem(private=False).decode(), KEY.as_pem(private=True, password="canary").decode(), "canary", ""],
    ids=["public", "encrypted", "garbage", "empty"],
)
def test_a_bad_key_is_named_and_not_shown(key: str) -> None:
    """A key that cannot sign is refused at construction; the message names the option and shows nothing of it."""
    assert refusal(client_id="rs", client_key=key).startswith("client_key: is ")


@pytest.mark.attack("A-S-1", "A-S-2")
@pytest.mark.parametrize("token", ["canary token", "canary\r\nx: y", "", "cänary"])
def test_a_bad_token_is_named_and_not_shown(token: str) -> None:
    """A token that no header can hold is refused at construction, and is not in the message."""
    assert refusal(bearer_token=token).startswith("bearer_token: is not")


@pytest.mark.parametrize("content", [None, b"", b"canary token", b"\xff", b"a" * 70_000], ids=str)
def test_a_bad_file_is_named(content: bytes | None, tmp_path: Path) -> None:
    """So is a file without one token in it, whose name is no secret."""
    file = tmp_path / "nothing"
    if content is not None:
        file.write_bytes(content)
    message = refusal(bearer_token_file=file)
    assert message.startswith("bearer_token_file: is not")
    assert str(file) in message


def test_jwks_needs_no_credentials() -> None:
    """Who verifies tokens by themselves asks nobody, and needs to be nobody."""
    policy = build(strategy="jwks").policy()
    assert (policy.client, policy.token_client) == (None, None)
    assert build(strategy="jwks", client_secret=SECRET).policy().client is None
