"""How the authorization server is reached, and who we are to it."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Self

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings

from resource_server._options.words import Words
from resource_server._protocol.client_auth import AssertionAudience, ClientAuthMethod
from resource_server._protocol.demand import Demand
from resource_server._protocol.grammar import TOKEN68
from resource_server._protocol.jwe import CONTENT_ENCRYPTION_ALGORITHMS, DECRYPTION_ALGORITHMS
from resource_server._validation.own_token import read_token
from resource_server._validation.state import Strategy


class AskingOptions(BaseSettings):
    """How the authorization server is asked."""

    issuer: str = Field(default="", description="The authorization server's issuer URL, to the letter.")
    client_id: str | None = Field(default=None, description="Our client identifier at the introspection endpoint.")
    client_secret: SecretStr | None = Field(default=None, description="Our client secret.")
    client_auth_method: ClientAuthMethod | None = Field(
        default=None,
        description="How we authenticate ourselves; by default with what is there: `client_secret_basic` for a "
        "`client_secret`, `private_key_jwt` for a `client_key`, `bearer` for a bearer token, `tls_client_auth` for a "
        "certificate.",
    )
    client_key: SecretStr | None = Field(
        default=None, description="Our private key for `private_key_jwt`: PEM text, or a JWK with its `alg` and `kid`."
    )
    client_assertion_audience: AssertionAudience = Field(
        default="issuer", description="The `aud` of our assertions: the issuer, or the endpoint they are sent to."
    )
    client_certificate_file: Path | None = Field(
        default=None, description="PEM file of the certificate we show to the authorization server, with its chain."
    )
    client_certificate_key_file: Path | None = Field(
        default=None, description="PEM file of its private key, where it is not in the same file."
    )
    bearer_token: SecretStr | None = Field(default=None, description="The token we introspect with (`bearer`).")
    bearer_token_file: Path | None = Field(
        default=None,
        description="A file with that token, read again when it changes. With neither, `bearer` gets "
        "one at the token endpoint, by client credentials.",
    )
    introspection_endpoint: str | None = Field(default=None, description="Its URL; else from the metadata.")
    jwks_uri: str | None = Field(default=None, description="The key set's URL; else from the metadata.")
    token_endpoint: str | None = Field(default=None, description="Its URL; else from the metadata.")
    signed_introspection: Demand = Field(
        default="off", description="Whether introspection answers must be signed JWTs, or may be (RFC 9701)."
    )
    encrypted_tokens: Demand = Field(
        default="off", description="Whether access tokens must be encrypted JWTs, or may be (RFC 9068 section 4)."
    )
    decryption_key: SecretStr | None = Field(
        default=None,
        description="Our private key for tokens and introspection answers that are encrypted: PEM text, a JWK, or a "
        "JWK Set.",
    )
    decryption_algorithms: Words = Field(
        default=("ECDH-ES", "ECDH-ES+A128KW", "ECDH-ES+A256KW", "RSA-OAEP-256"),
        description="How the key of what is encrypted may be wrapped.",
    )
    content_encryption_algorithms: Words = Field(
        default=("A128GCM", "A256GCM", "A128CBC-HS256", "A256CBC-HS512"),
        description="How the content of what is encrypted may be.",
    )
    strategy: Strategy = Field(
        default="introspect_then_jwks",
        description="Whom to ask: the authorization server, the token's own signature, or one after the other.",
    )
    timeout: float = Field(default=5.0, gt=0, le=300, description="Seconds for all questions about one token together.")
    retries: int = Field(
        default=2,
        ge=0,
        le=10,
        description="How often a question is repeated where that helps, all within `timeout`; one attempt may then "
        "take half of it.",
    )
    max_concurrent_calls: int = Field(
        default=64, ge=1, le=10_000, description="How many introspections run at once; the others wait."
    )
    allow_insecure_http: bool = Field(default=False, description="Talk http to hosts other than this machine.")
    ca_file: Path | None = Field(default=None, description="PEM file of the certificates to trust instead.")
    trust_env: bool = Field(default=False, description="Take proxies and certificates from the environment.")

    @property
    def certificate_files(self) -> tuple[str, str | None] | None:
        """The certificate we show to the authorization server, and its key where that has a file of its own."""
        key = self.client_certificate_key_file
        if self.client_certificate_file is None:
            return None
        return str(self.client_certificate_file), None if key is None else str(key)

    @property
    def attempt_timeout(self) -> float:
        """Seconds for one attempt: half of ``timeout``, where there can be a second one."""
        return self.timeout / 2 if self.retries else self.timeout

    @field_validator("client_key")
    @classmethod
    def _usable_key(cls, key: SecretStr | None) -> SecretStr | None:
        if key is not None:
            from resource_server._protocol.jose import read_signing_key  # noqa: PLC0415 - cryptography, for who has one

            found = read_signing_key(key.get_secret_value())
            if isinstance(found, str):
                raise ValueError(found)
        return key

    @field_validator("bearer_token")
    @classmethod
    def _sendable_token(cls, token: SecretStr | None) -> SecretStr | None:
        if token is not None and not TOKEN68.fullmatch(token.get_secret_value().encode()):
            raise ValueError("is not an access token")
        return token

    @field_validator("bearer_token_file")
    @classmethod
    def _file_with_a_token(cls, file: Path | None) -> Path | None:
        if file is not None and read_token(file) is None:
            raise ValueError("is not a file with an access token")
        return file

    @field_validator("decryption_algorithms")
    @classmethod
    def _known_decryption_algorithms(cls, algorithms: tuple[str, ...]) -> tuple[str, ...]:
        return _some_of(DECRYPTION_ALGORITHMS, algorithms)

    @field_validator("content_encryption_algorithms")
    @classmethod
    def _known_content_encryption_algorithms(cls, algorithms: tuple[str, ...]) -> tuple[str, ...]:
        return _some_of(CONTENT_ENCRYPTION_ALGORITHMS, algorithms)

    @field_validator("ca_file")
    @classmethod
    def _usable_certificates(cls, ca_file: Path | None) -> Path | None:
        if ca_file is not None:
            try:
                ssl.create_default_context(cafile=ca_file)
            except OSError:
                raise ValueError("is not a file of PEM certificates") from None
        return ca_file

    @model_validator(mode="after")
    def _usable_client_certificate(self) -> Self:
        file, key_file = self.client_certificate_file, self.client_certificate_key_file
        if file is None:
            if key_file is not None:
                raise ValueError("client_certificate_key_file needs client_certificate_file")
            return self
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_cert_chain(file, key_file, password="")
        except OSError:
            named = f"client_certificate_file '{file}'" + (
                "" if key_file is None else f" with client_certificate_key_file '{key_file}'"
            )
            raise ValueError(f"{named} must be PEM: a certificate, and its private key, not encrypted") from None
        return self


def _some_of(known: tuple[str, ...], algorithms: tuple[str, ...]) -> tuple[str, ...]:
    if not algorithms or not set(algorithms) <= set(known):
        raise ValueError(f"must be some of {', '.join(known)}")
    return algorithms
