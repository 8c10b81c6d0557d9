"""Who we are to the authorization server: found from what there is, and judged as a whole."""

from __future__ import annotations

from typing import TYPE_CHECKING

from resource_server._options.asking import AskingOptions
from resource_server._protocol.client_auth import (
    MIN_MAC_SECRET_BYTES,
    BearerCredentials,
    ClientAuthMethod,
    ClientCredentials,
    Credentials,
)

if TYPE_CHECKING:
    from pydantic import SecretStr

    from resource_server._protocol.jose import SigningKey

_METHODS: dict[str, ClientAuthMethod] = {
    "client_secret": "client_secret_basic",
    "client_key": "private_key_jwt",
    "bearer_token": "bearer",
    "bearer_token_file": "bearer",
}
"""What there can be, and how we authenticate with it unless told otherwise."""
_NEEDS: dict[ClientAuthMethod, str] = {
    "client_secret_basic": "client_secret",
    "client_secret_post": "client_secret",
    "client_secret_jwt": "client_secret",
    "private_key_jwt": "client_key",
    "tls_client_auth": "client_certificate_file",
    "self_signed_tls_client_auth": "client_certificate_file",
}


def introspection_client(options: AskingOptions) -> Credentials | None:
    """Return what we introspect with, or ``None`` where there is nothing.

    Raises:
        ValueError: the options contradict each other.
    """
    method = _method(options)
    if method != "bearer":
        return token_client(options)
    credentials = BearerCredentials(_revealed(options.bearer_token), options.bearer_token_file)
    if not credentials.token and credentials.file is None and token_client(options) is None:
        raise ValueError(
            "client_auth_method 'bearer' needs bearer_token, bearer_token_file, or a client_id and what shows that it "
            "is ours, to get a token with"
        )
    return credentials


def token_client(options: AskingOptions) -> ClientCredentials | None:
    """Return our credentials at the token endpoint, or ``None`` where there are none.

    Raises:
        ValueError: the options contradict each other.
    """
    method = _method(options)
    if method == "bearer":
        method = _found(options, "client_secret", "client_key")
    if method is None or (options.client_id is None and options.client_auth_method in {None, "bearer"}):
        return None
    for name in ("client_id", _NEEDS[method]):
        if not getattr(options, name):
            raise ValueError(f"client_auth_method {method!r} needs {name}")
    secret = _revealed(options.client_secret) if _NEEDS[method] == "client_secret" else ""
    if method == "client_secret_jwt" and len(secret.encode()) < MIN_MAC_SECRET_BYTES:
        raise ValueError(f"client_auth_method {method!r} needs a client_secret of {MIN_MAC_SECRET_BYTES} bytes or more")
    key = _signing_key(options) if method == "private_key_jwt" else None
    return ClientCredentials(options.client_id or "", secret, method, key, options.client_assertion_audience)


def _method(options: AskingOptions) -> ClientAuthMethod | None:
    if options.bearer_token is not None and options.bearer_token_file is not None:
        raise ValueError("bearer_token and bearer_token_file exclude each other")
    return options.client_auth_method or _found(options, *_METHODS)


def _found(options: AskingOptions, *names: str) -> ClientAuthMethod | None:
    """Find a method by what there is; a certificate may be there whatever the method."""
    there = [name for name in names if getattr(options, name)]
    if len(there) > 1:
        raise ValueError(f"client_auth_method must say which one authenticates us: {', '.join(there)}")
    if not there:
        return "tls_client_auth" if options.client_certificate_file is not None else None
    return _METHODS[there[0]]


def _signing_key(options: AskingOptions) -> SigningKey | None:
    from resource_server._protocol.jose import read_signing_key  # noqa: PLC0415 - cryptography, for who has a key

    key = read_signing_key(_revealed(options.client_key))
    return None if isinstance(key, str) else key  # it was read when the option was validated


def _revealed(secret: SecretStr | None) -> str:
    return "" if secret is None else secret.get_secret_value()
