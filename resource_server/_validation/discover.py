"""Find an issuer's endpoints: the configured ones, or those of its metadata.

References: RFC 8414 section 3
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Literal

from resource_server._protocol.messages import Unavailable
from resource_server._protocol.metadata import Metadata, metadata_request, metadata_urls, process_metadata_response
from resource_server._validation.ask import ask
from resource_server._validation.flow import Flow, begin, join
from resource_server._validation.state import IssuerState

_FRESH = 3600.0
_RETRY = 30.0


def find_endpoint(
    state: IssuerState, name: Literal["introspection_endpoint", "jwks_uri", "token_endpoint"]
) -> Flow[str | Unavailable]:
    """Return an endpoint's URL, fetching the metadata where it is not configured."""
    configured: str | None = getattr(state.policy, name)
    if configured is not None:
        return configured
    metadata = yield from discover(state)
    if isinstance(metadata, Unavailable):
        return metadata
    url = metadata.endpoint(name, shows_certificate=state.policy.shows_certificate)
    if url is None:
        fault = Unavailable(f"no_{name}", fault="configuration")
        state.report("metadata", fault)
        return fault
    return url


def discover(state: IssuerState) -> Flow[Metadata | Unavailable]:
    """Return the issuer's metadata: what is known, renewed in the background, else fetched once for all who ask."""
    if state.metadata is None:
        return (yield from join(state.flight("metadata"), lambda: _fetch(state)))
    if state.clock.monotonic() >= state.metadata_due:
        yield from begin(state.flight("metadata"), lambda: _fetch(state))
    return state.metadata


def _fetch(state: IssuerState) -> Flow[Metadata | Unavailable]:
    if state.metadata is not None and state.clock.monotonic() < state.metadata_due:
        return state.metadata  # another thread has fetched it since this one looked
    found = yield from _try_places(state)
    now = state.clock.monotonic()
    if isinstance(found, Metadata):
        state.metadata_due = now + _FRESH  # first: another thread that sees the new metadata must not find it overdue
        state.metadata = found
        _judge_methods(state, found)
        return found
    state.report("metadata", found)
    if state.metadata is None:
        return found
    state.metadata_due = now + _RETRY
    return state.metadata


def _judge_methods(state: IssuerState, found: Metadata) -> None:
    """Tell where our way to authenticate is none that the metadata name; they may be wrong, so that it is tried."""
    client, listed = state.policy.client, found.introspection_auth_methods
    if client is None or listed is None:
        return
    # An access token's type may stand in the list, too (RFC 8414 section 2).
    if client.method not in {method.lower() for method in listed}:
        state.report("metadata", Unavailable("client_auth_method_not_listed", fault="configuration"))


def _try_places(state: IssuerState) -> Flow[Metadata | Unavailable]:
    policy = state.policy
    found: Metadata | Unavailable = Unavailable("not_found", fault="configuration")
    for url in metadata_urls(policy.issuer):
        answer = yield from ask(state, metadata_request(url))
        if isinstance(answer, Unavailable):
            return answer
        found = process_metadata_response(
            answer, policy.issuer, state.clock.wall(), allow_insecure_http=policy.allow_insecure_http
        )
        if answer.status != HTTPStatus.NOT_FOUND:
            return found
    return found
