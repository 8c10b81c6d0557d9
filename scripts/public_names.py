"""The public names that the reference pages tell of, in the order in which they do."""

from __future__ import annotations

NAMES: dict[str, dict[str, tuple[str, ...]]] = {
    "Judging requests": {
        "resource_server.server": ("ResourceServer",),
        "resource_server.blocking": ("BlockingResourceServer",),
        "resource_server._options.authorization_server": ("AuthorizationServer",),
        "resource_server.settings": ("Settings",),
        "resource_server._protocol.messages": ("RequestParts",),
        "resource_server._validation.state": ("Clock",),
    },
    "Calling others": {"resource_server.downstream": ("TokenExchange",)},
    "Who is calling": {
        "resource_server.principal": ("Principal", "Assurance"),
        "resource_server.lease": ("Lease",),
    },
    "How it is": {
        "resource_server.health": ("Health", "Check"),
        "resource_server.statistics": ("Statistics",),
    },
    "What a route demands": {
        "resource_server.requirements": ("ANY_TOKEN", "Requirement", "Demands", "authorize"),
        "resource_server._protocol.scopes": ("Scopes", "all_of", "any_of"),
        "resource_server._protocol.authorization_details": ("Detail", "detail"),
    },
    "Refusals": {
        "resource_server.errors": (
            "ResourceServerError", "BearerTokenError", "MissingToken", "InvalidRequest", "InvalidToken",
            "InvalidDPoPProof", "UseDPoPNonce", "InsufficientUserAuthentication", "InsufficientScope",
            "VerificationUnavailable", "TooManyTokens", "TokenExchangeUnavailable", "TokenExchangeRefused",
            "SecurityEventRefused", "ConfigurationError",
        ),
        "resource_server._protocol.challenge": ("Challenge", "parse_challenges"),
    },
    "Events": {
        "resource_server.events": (
            "Event", "TokenValidated", "RequestRefused", "RequestUnverifiable", "AuthorizationServerAsked",
            "AuthorizationServerUnavailable", "ConfigurationFault", "ConfigurationReloaded", "StoreUnavailable",
            "StoreAvailable", "RevocationFeedUnavailable", "RevocationFeedAvailable", "RevocationHeard",
            "RevocationsForgotten", "SecurityEventReceived", "UnprotectedRoutes", "Observer", "LoggingObserver",
        ),
    },
    "`resource_server.prometheus`": {"resource_server.prometheus": ("instrument", "Metrics")},
    "`resource_server.opentelemetry`": {"resource_server.opentelemetry": ("instrument",)},
    "`resource_server.fastapi`": {"resource_server.fastapi": ("install", "require", "unprotected_routes")},
    "`resource_server.asgi`": {
        "resource_server.asgi": ("BearerTokenMiddleware", "principal_of", "unprotected_routes"),
    },
    "`resource_server.flask`": {"resource_server.flask": ("install", "require", "principal", "unprotected_routes")},
    "`resource_server.wsgi`": {"resource_server.wsgi": ("BearerTokenMiddleware", "principal_of")},
    "`resource_server.django`": {
        "resource_server.django.middleware": ("BearerTokenMiddleware",),
        "resource_server.django._demands": ("require", "public"),
        "resource_server.django._call": ("principal_of",),
        "resource_server.django._servers": ("blocking_server", "async_server"),
        "resource_server.django._audit": ("unprotected_routes",),
    },
    "`resource_server.drf`": {
        "resource_server.drf": ("BearerTokenAuthentication", "TokenUser", "require", "exception_handler"),
    },
    "`resource_server.hosts`": {
        "resource_server._paths": ("PathRules",),
        "resource_server._hosts": (
            "render", "hides", "is_preflight", "may_hold_token", "header", "metadata_at", "added_fields",
            "refuse_proofs_for_nowhere",
        ),
    },
    "`resource_server.authlib`": {"resource_server.authlib": ("install", "BearerTokenValidator", "Token")},
    "`resource_server.mcp`": {"resource_server.mcp": ("protect", "principal", "TokenVerifier", "AccessToken")},
    "`resource_server.forward_auth`": {
        "resource_server.forward_auth": ("ForwardAuth",),
        "resource_server._gateway.metrics": ("Metrics",),
    },
    "`resource_server.receiver`": {"resource_server.receiver": ("EventReceiver",)},
    "`resource_server.testing`": {"resource_server.testing": ("principal_override", "assert_challenge")},
}  # fmt: skip
"""Every public name of the library, by what it is about and by the module that defines it."""

MOCK_NAMES: dict[str, dict[str, tuple[str, ...]]] = {
    "The authorization server": {
        "mock_as.mock": ("MockAS",),
        "mock_as.verbs": ("Verbs",),
        "mock_as.tokens.notices": ("Notices",),
        "mock_as.issuer": ("Issuer",),
        "mock_as.state": ("State",),
        "mock_as.tenants": ("Tenant", "Landlord"),
    },
    "In another process": {"mock_as.client": ("MockASClient",)},
    "What it is made of": {
        "mock_as.clients": ("Client",),
        "mock_as.users": ("User",),
        "mock_as.tokens.resources": ("Resource",),
        "mock_as.tokens.rules": ("Rule",),
        "mock_as.faults.plan": ("Wish",),
    },
    "What a test holds": {
        "mock_as.tokens": ("Token",),
        "mock_as.faults.book": ("Fault",),
        "mock_as.latches": ("Gate",),
        "mock_as.journal": ("Requests", "View", "Entry"),
        "mock_as.keys.of_clients": ("KeyPair",),
        "mock_as.identity": ("URLs",),
    },
    "Its parts": {"mock_as.clock": ("Clock",), "mock_as.keys": ("KeyRing",)},
    "What goes wrong": {"mock_as.errors": ("UsageError",)},
    "The pytest plugin": {
        "mock_as.pytest_plugin": ("mock_as", "mock_as_server", "mock_as_factory", "mock_as_options", "MockASFactory"),
    },
}
"""The same for the mock: its public names, and what they are made of and return."""
