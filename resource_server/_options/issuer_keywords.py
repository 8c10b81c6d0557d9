"""What can be said of one authorization server, as keywords, for type checkers."""

from __future__ import annotations

from pathlib import Path
from typing import TypedDict

from resource_server._protocol.client_auth import AssertionAudience, ClientAuthMethod
from resource_server._protocol.demand import Demand
from resource_server._protocol.jwt_access_token import JWTProfile
from resource_server._protocol.shape import TokenFormat
from resource_server._validation.state import Strategy


class IssuerOptions(TypedDict, total=False):
    """What can be said of one authorization server, for type checkers; see :class:`resource_server.Settings`."""

    issuer: str
    audience: str | tuple[str, ...] | list[str]
    client_id: str
    client_secret: str
    client_auth_method: ClientAuthMethod
    client_key: str
    client_assertion_audience: AssertionAudience
    client_certificate_file: str | Path
    client_certificate_key_file: str | Path
    bearer_token: str
    bearer_token_file: str | Path
    introspection_endpoint: str
    jwks_uri: str
    token_endpoint: str
    strategy: Strategy
    signed_introspection: Demand
    encrypted_tokens: Demand
    decryption_key: str
    decryption_algorithms: tuple[str, ...] | list[str]
    content_encryption_algorithms: tuple[str, ...] | list[str]
    cache_ttl: float
    negative_cache_ttl: float
    cache_size: int
    negative_cache_size: int
    stale_if_error: float
    fallback_max_age: float
    fallback_on_configuration_fault: bool
    timeout: float
    retries: int
    max_concurrent_calls: int
    revocation_memory: float
    token_format: TokenFormat
    token_pattern: str
    token_prefix: str
    rate_limit: float
    rate_limit_burst: int
    jwt_profile: JWTProfile
    algorithms: tuple[str, ...] | list[str]
    require_audience: bool
    scope_claims: tuple[str, ...] | list[str]
    cross_check: bool
    allow_insecure_http: bool
    ca_file: str | Path
    trust_env: bool
