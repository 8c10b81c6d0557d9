"""The options as a constructor's keywords, for type checkers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from resource_server._options.authorization_server import AuthorizationServer, BlockingResolver, Resolver
from resource_server._options.issuer_keywords import IssuerOptions
from resource_server._protocol.demand import Demand
from resource_server._protocol.problem import ErrorFormat
from resource_server.requirements import ScopeStrategy


class Options(IssuerOptions, total=False):
    """The keywords of :class:`~resource_server.ResourceServer`, for type checkers; see :class:`Settings` for each."""

    authorization_servers: Sequence[AuthorizationServer] | Resolver | BlockingResolver
    unavailable_status: Literal[401, 503]
    leeway: float
    cache_url: str
    cache_secret: str
    cache_timeout: float
    rate_limited_status: Literal[401, 429]
    max_token_length: int
    query_token: bool
    form_token: bool
    dpop: Demand
    dpop_algorithms: tuple[str, ...] | list[str]
    dpop_window: float
    dpop_nonce: bool
    dpop_secret: str
    dpop_replay: Literal["worker", "shared"]
    dpop_replay_size: int
    mtls: Demand
    certificate_header: str
    trusted_proxies: tuple[str, ...] | list[str]
    sender_constrained: bool
    scope_strategy: ScopeStrategy
    implied_scopes: Mapping[str, tuple[str, ...] | list[str] | str]
    resource: str
    external_url: str
    resource_name: str
    resource_documentation: str
    resource_policy_uri: str
    resource_tos_uri: str
    scopes_supported: tuple[str, ...] | list[str]
    metadata_key: str
    realm: str
    error_format: ErrorFormat
    verbose_errors: bool
