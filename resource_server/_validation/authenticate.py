"""Show the authorization server who we are, with what there is to show at the moment.

References: RFC 6749 section 4.4, RFC 7523 section 3, RFC 7662 section 2.1
"""

from __future__ import annotations

from collections.abc import Callable
from secrets import token_urlsafe

from resource_server._protocol.client_auth import (
    BearerCredentials,
    ClientCredentials,
    ClientProof,
    Credentials,
    bearer_proof,
    client_proof,
)
from resource_server._protocol.messages import HTTPRequest, Unavailable
from resource_server._protocol.token_request import (
    GrantedToken,
    TokenAnswer,
    TokenRefused,
    process_token_response,
    token_request,
)
from resource_server._validation.ask import ask
from resource_server._validation.discover import find_endpoint
from resource_server._validation.flow import Flow, begin, join
from resource_server._validation.state import IssuerState

Prove = Callable[[], ClientProof]
"""Shows who we are, anew with each call: an assertion is good for one request."""

_CLIENT_CREDENTIALS = (("grant_type", "client_credentials"),)


def client_authentication(state: IssuerState, client: Credentials, endpoint: str) -> Flow[Prove | Unavailable]:
    """Return what shows an endpoint who we are.

    Args:
        state: the issuer.
        client: our credentials.
        endpoint: the endpoint's URL.
    """
    if isinstance(client, ClientCredentials):
        return _prover(state, client, endpoint)
    token = yield from _own_token(state, client)
    return token if isinstance(token, Unavailable) else lambda: bearer_proof(token)


def may_renew(state: IssuerState, client: Credentials, refused: Prove) -> bool:
    """Note that a token of our own was refused, and tell whether to ask again with another one.

    Args:
        state: the issuer.
        client: our credentials.
        refused: what has shown them.
    """
    if not isinstance(client, BearerCredentials) or client.token:
        return False
    [(_, value)] = refused().headers
    return state.own_token.refuse(value.removeprefix("Bearer "), state.clock.monotonic())


def request_token(state: IssuerState, form: tuple[tuple[str, str], ...]) -> Flow[TokenAnswer]:
    """Ask the token endpoint for a token, with our credentials, or where they were replaced with the others.

    Args:
        state: the issuer.
        form: what we ask for.
    """
    client = state.policy.token_client
    if client is None:
        return Unavailable("no_client_credentials", fault="configuration")
    endpoint = yield from find_endpoint(state, "token_endpoint")
    if isinstance(endpoint, Unavailable):
        return endpoint
    request = token_request(endpoint, form)
    answer = yield from _request_token(state, request, client)
    if isinstance(answer, TokenRefused) and answer.error == "invalid_client":
        policy = state.other_policy(state.policy)
        other = None if policy is None else policy.token_client
        if other is not None and other != client:
            answer = yield from _request_token(state, request, other)
    return answer


def _request_token(state: IssuerState, request: HTTPRequest, client: ClientCredentials) -> Flow[TokenAnswer]:
    response = yield from ask(state, request, _prover(state, client, request.url))
    if isinstance(response, Unavailable):
        return response
    return process_token_response(response, state.clock.wall())


def _prover(state: IssuerState, client: ClientCredentials, endpoint: str) -> Prove:
    audience = state.policy.issuer if client.audience == "issuer" else endpoint
    return lambda: client_proof(client, audience=audience, now=state.clock.wall(), jti=token_urlsafe(16))


def _own_token(state: IssuerState, client: BearerCredentials) -> Flow[str | Unavailable]:
    if client.token:
        return client.token
    if client.file is not None:
        return state.own_token.from_file(client.file) or Unavailable("no_bearer_token", fault="configuration")
    now = state.clock.monotonic()
    known = state.own_token.fetched(now)
    if known is None:
        return (yield from join(state.flight("own_token"), lambda: _fetch(state, None)))
    if state.own_token.take_renewal(now):
        yield from begin(state.flight("own_token"), lambda: _fetch(state, known))
    return known


def _fetch(state: IssuerState, renewed: str | None) -> Flow[str | Unavailable]:
    """Fetch a token, unless another thread has done so since this one looked.

    Args:
        state: the issuer.
        renewed: the token that this one is to take the place of, ahead of its end.
    """
    asked_at = state.clock.monotonic()
    known = state.own_token.fetched(asked_at)
    if known is not None and known != renewed:
        return known
    found = yield from request_token(state, _CLIENT_CREDENTIALS)
    if isinstance(found, GrantedToken):
        state.own_token.accept(found.value, found.lifetime, asked_at)
        return found.value
    fault = Unavailable(found.error, fault="configuration") if isinstance(found, TokenRefused) else found
    state.report("token", fault)
    return fault
