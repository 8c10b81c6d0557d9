"""The gateway: an application that a reverse proxy asks whether a request may pass, for services in any language.

It answers nginx ``auth_request`` and ingress-nginx, Traefik ForwardAuth, Caddy ``forward_auth`` and Envoy's HTTP
``ext_authz``. What a place demands stands in the query of the URL that the proxy asks, or in a policy file.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from importlib.util import find_spec
from pathlib import Path
from time import perf_counter
from typing import Self, get_args

from resource_server._asgi import Receive, Scope, Send, expect_async, reply_of_itself, request_parts, send_reply
from resource_server._gateway.answers import MISCONFIGURED, NOT_FOUND, Answer, refuse
from resource_server._gateway.environment import read_options
from resource_server._gateway.granted import CredentialMode, Granted
from resource_server._gateway.internal_tokens import InternalTokens
from resource_server._gateway.metrics import Metrics
from resource_server._gateway.policy import read_policy
from resource_server._gateway.question import CADDY_OR_TRAEFIK, ENVOY, NGINX, Endpoint, Questions, Refused
from resource_server._hosts import added_fields, hides, refuse_proofs_for_nowhere, render
from resource_server._protocol.messages import RequestParts
from resource_server._validation.state import Clock
from resource_server.errors import BearerTokenError, ConfigurationError, VerificationUnavailable
from resource_server.health import Probes
from resource_server.principal import Principal
from resource_server.requirements import ANY_TOKEN
from resource_server.server import ResourceServer

__all__ = ["ForwardAuth", "Metrics"]

_ENDPOINTS = {b"/auth": CADDY_OR_TRAEFIK, b"/auth/nginx": NGINX}
_ENVOY = b"/auth/envoy"
_PROBES = Probes(details=True)
"""Only proxies and those who run it reach the gateway."""
_CLOSE = (b"connection", b"close")
_ANNOUNCING = frozenset({b"content-length", b"transfer-encoding", b"upgrade"})
_KNOWN_NAMES = frozenset({b"cache-control"})


class ForwardAuth:
    """An ASGI application that judges requests for a reverse proxy.

    Args:
        server: what judges; started and closed with this application's lifespan where one runs. Its option
            ``trusted_proxies`` names the proxies that are believed.
        policy: a TOML file with what is demanded by host, path and method.
        credential: what the application behind the proxy gets for the caller's token: ``strip`` nothing, ``pass`` the
            token itself, ``replace`` a token of the gateway's own.
        claims: the names of the claims to tell in ``X-Auth-Claims``; by default all.
        signing_keys: private keys for tokens of our own, each PEM or a JWK. The first one signs, all are published.
            By default one is made, which no other worker has.
        internal_issuer: the issuer of tokens of our own; by default the server's ``external_url``.
        internal_audience: their audience.
        metrics: counts what happens; ``/metrics`` shows it.
        clock: what time it is.

    Raises:
        ConfigurationError: the policy cannot be understood, or an option has no such value; or a rule takes DPoP
            proofs, and neither ``external_url`` nor ``resource`` is set.
    """

    def __init__(  # noqa: PLR0913 - the options of a whole application
        self,
        server: ResourceServer,
        *,
        policy: str | Path | None = None,
        credential: CredentialMode = "strip",
        claims: Collection[str] | None = None,
        signing_keys: Sequence[str] = (),
        internal_issuer: str | None = None,
        internal_audience: str | None = None,
        metrics: Metrics | None = None,
        clock: Clock | None = None,
    ) -> None:
        """Read the policy and the keys; nothing is asked yet."""
        expect_async(server)
        if credential not in get_args(CredentialMode):
            modes = ", ".join(get_args(CredentialMode))
            raise ConfigurationError(f"credential must be one of {modes} (got {credential!r})")
        self._server, self._metrics = server, metrics
        if metrics is not None:
            metrics.watch(server)
        self._policy = None if policy is None else read_policy(policy)
        refuse_proofs_for_nowhere(server, self._policy or ())
        self._questions = Questions(server, self._policy)
        self._tokens: InternalTokens | None = None
        if credential == "replace":
            issuer = internal_issuer or server.settings.base_url
            self._tokens = _internal_tokens(signing_keys, issuer, internal_audience)
        self._granted = Granted(credential, claims, self._tokens, (clock or Clock()).wall, self._tell)

    @classmethod
    def from_env(cls) -> Self:
        """Read all options from the environment, the server's as ``ResourceServer.from_env`` and those of this class.

        These are ``RESOURCE_SERVER_FORWARD_AUTH_*``: ``POLICY``, ``CREDENTIAL``, ``CLAIMS`` (names with spaces between
        them), ``SIGNING_KEYS`` (files), ``INTERNAL_ISSUER`` and ``INTERNAL_AUDIENCE``. What happens is counted where
        ``prometheus_client`` is installed.

        Raises:
            ConfigurationError: an option's value is not acceptable.
        """
        metrics = Metrics() if find_spec("prometheus_client") else None
        return cls(ResourceServer.from_env(observer=metrics), metrics=metrics, **read_options(os.environ))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._answer_no_request(scope, receive, send)
            return
        parts = request_parts(scope)
        path = parts.path.removeprefix(scope.get("root_path", "").encode())
        endpoint = _ENDPOINTS.get(path)
        if endpoint is None and path.startswith(_ENVOY + b"/"):
            endpoint, parts = ENVOY, parts._replace(path=path.removeprefix(_ENVOY))
        if endpoint is not None:
            answer = await self._judge(endpoint, parts, over_socket=_is_socket(scope))
            if _may_go_on(parts):
                answer = answer._replace(headers=(*answer.headers, _CLOSE))
        else:
            reply = reply_of_itself(self._server, _PROBES, scope)
            if reply is not None:
                await send_reply(reply, scope, send)
                return
            answer = self._tell_of_itself(path)
        await send({"type": "http.response.start", "status": answer.status, "headers": answer.headers})
        await send({"type": "http.response.body", "body": b"" if parts.method == "HEAD" else answer.body})

    async def _judge(self, endpoint: Endpoint, parts: RequestParts, *, over_socket: bool) -> Answer:
        """Judge the request that a proxy asks about, and count it."""
        metrics = self._metrics
        if metrics is None:
            return await self._answer(endpoint, parts, over_socket=over_socket)
        started = perf_counter()
        answer = await self._answer(endpoint, parts, over_socket=over_socket)
        metrics.judged(endpoint.name, answer.outcome or answer.status, perf_counter() - started)
        return answer

    async def _answer(self, endpoint: Endpoint, parts: RequestParts, *, over_socket: bool) -> Answer:
        server, requirement = self._server, ANY_TOKEN
        try:
            request, demanded = self._questions.read(endpoint, parts, over_socket=over_socket)
            if demanded is None:
                return Answer(200, self._granted.nobody(folded=endpoint.folded))
            requirement = demanded
            return self._admit(await server.authenticate(request, requirement), endpoint)
        except Refused as refused:
            if refused.cause is not None:
                self._tell(refused.cause)
            return refuse(refused.response, folded=endpoint.folded)
        except (BearerTokenError, VerificationUnavailable) as error:
            refusal = NOT_FOUND if hides(error, requirement) else render(server, parts.headers, error, requirement)
            return refuse(refusal, folded=endpoint.folded)
        except ConfigurationError:
            self._tell("no_external_url")
            return refuse(MISCONFIGURED, folded=endpoint.folded)

    def _admit(self, principal: Principal, endpoint: Endpoint) -> Answer:
        fields = self._granted.somebody(principal, folded=endpoint.folded)
        if fields is None:
            return refuse(MISCONFIGURED, folded=endpoint.folded)
        if self._server.adds_fields:
            fields = (*fields, *added_fields(self._server, principal, 200, _KNOWN_NAMES))
        return Answer(200, fields)

    def _tell_of_itself(self, path: bytes) -> Answer:
        """Answer what is asked about the gateway, and not about a request."""
        if path == b"/jwks" and self._tokens is not None:
            return _document(200, b"application/jwk-set+json", self._tokens.key_set, b"public, max-age=300")
        if path == b"/metrics" and self._metrics is not None:
            kind, content = self._metrics.expose()
            return _document(200, kind, content)
        return Answer(*NOT_FOUND)

    async def _answer_no_request(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Start and close the server; refuse a WebSocket, which no proxy asks with."""
        if scope["type"] != "lifespan":
            await send({"type": "websocket.close", "code": 1008})
            return
        await receive()
        self._server.tell_unprotected(() if self._policy is None else self._policy.public)
        async with self._server:
            await send({"type": "lifespan.startup.complete"})
            await receive()
        await send({"type": "lifespan.shutdown.complete"})

    def _tell(self, cause: str) -> None:
        self._server.tell_fault("forward_auth", cause)


def _may_go_on(parts: RequestParts) -> bool:
    """Tell whether a server may take for a part of this request what comes next on its connection.

    A proxy that asks without the body of a request may leave the fields that announce it; then the next question would
    be lost in it, or be answered to somebody else.
    """
    return any(name in _ANNOUNCING and value != b"0" for name, value in parts.headers)


def _is_socket(scope: Scope) -> bool:
    return not scope.get("client") and (scope.get("server") or (None, 0))[1] is None


def _document(status: int, kind: bytes, content: bytes, kept: bytes = b"no-store") -> Answer:
    length = str(len(content)).encode("ascii")
    fields = ((b"content-type", kind), (b"content-length", length), (b"cache-control", kept))
    return Answer(status, fields, content)


def _internal_tokens(texts: Sequence[str], issuer: str | None, audience: str | None) -> InternalTokens:
    if issuer is None:
        raise ConfigurationError("credential 'replace' needs internal_issuer or external_url")
    if not audience:
        raise ConfigurationError("credential 'replace' needs internal_audience")
    from resource_server._protocol.jose import make_signing_key, read_signing_key  # noqa: PLC0415 - where it is needed

    keys = [read_signing_key(text) for text in texts] or [make_signing_key()]
    good = [key for key in keys if not isinstance(key, str)]
    for number, key in enumerate(keys, 1):
        if isinstance(key, str):
            raise ConfigurationError(f"signing_keys: number {number} {key}")
    return InternalTokens(good, issuer, audience)
