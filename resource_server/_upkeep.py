"""What is done for an authorization server besides judging requests: fetching ahead, and noting what is revoked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from resource_server._core import Core
from resource_server._protocol.messages import Unavailable
from resource_server._protocol.revocation import Revocation
from resource_server._protocol.security_event import NoticeRules
from resource_server._validation.admit import DEFAULT_RETRY_AFTER
from resource_server._validation.consult import greet
from resource_server._validation.discover import discover
from resource_server._validation.flow import Flow
from resource_server._validation.receive import receive
from resource_server._validation.revoke import read_demand, revoke_token
from resource_server._validation.verify_jwt import fetch_keys
from resource_server.errors import EventRefusal, SecurityEventRefused, VerificationUnavailable

if TYPE_CHECKING:
    from resource_server.settings import Settings


def preparations(core: Core) -> list[tuple[tuple[str, str], Callable[[], Flow[object]]]]:
    """Return what to fetch ahead of the first request, one after the other, each under the key it is shared by."""
    state, settings = core.state, core.settings
    introspects, verifies = settings.strategy != "jwks", state.policy.needs_keys
    found: list[tuple[tuple[str, str], Callable[[], Flow[object]]]] = []
    if (introspects and settings.introspection_endpoint is None) or (verifies and settings.jwks_uri is None):
        # Under a key of its own: the flow joins the one called "metadata", and would wait for itself.
        found.append((state.flight("start"), lambda: discover(state)))
    if verifies and state.keys.needs_fetch(core.clock.monotonic(), settings.fallback_max_age):
        found.append((state.flight("jwks"), lambda: fetch_keys(state)))
    if state.vault is not None:
        vault = state.vault
        found.append((state.flight("store"), lambda: greet(vault)))
    return found


def introspection_endpoint(core: Core) -> str | None:
    """Return where tokens will be introspected, as far as that is known."""
    if core.settings.strategy == "jwks":
        return None
    metadata, shows = core.state.metadata, core.state.policy.shows_certificate
    found = None if metadata is None else metadata.endpoint("introspection_endpoint", shows_certificate=shows)
    return core.settings.introspection_endpoint or found


def revoke(core: Core, named: Mapping[str, object], before: object) -> None:
    """Note what a caller wants revoked.

    Raises:
        TypeError: as :meth:`resource_server.ResourceServer.revoke` says.
        ValueError: as above.
    """
    now, memory = core.clock.wall(), core.settings.revocation_memory
    kind, value, moment = read_demand(named, before, now=now, memory=memory)
    if kind == "token":
        token = value if isinstance(value, bytes) else str(value).encode()
        revoked = revoke_token(core.state, token, core.digest(token), now=now, memory=memory)
    else:
        # Later each time: whatever is revoked twice in one second is news twice.
        revoked = [Revocation(kind, str(value), moment, max(now + 1, moment) + memory)]
    for revocation in revoked:
        core.note(revocation)


def receive_notice(core: Core, token: bytes) -> Flow[int | EventRefusal | Unavailable]:
    """Receive what the authorization server tells unasked; return how many revocations are news."""
    found = yield from receive(core.state, token, _notice_rules(core.settings))
    if isinstance(found, Unavailable):
        return found
    if isinstance(found, str):
        core.reports.received(found, 0)
        return found
    news = sum([core.note(revocation) for revocation in found])
    core.reports.received(None, news)
    return news


def acknowledge(outcome: int | EventRefusal | Unavailable) -> int:
    """Raise what was found wrong with a notice.

    Raises:
        SecurityEventRefused: it is not accepted.
        VerificationUnavailable: it cannot be verified at the moment, and should be sent again.
    """
    if isinstance(outcome, Unavailable):
        raise VerificationUnavailable(DEFAULT_RETRY_AFTER if outcome.retry_after is None else outcome.retry_after)
    if isinstance(outcome, str):
        raise SecurityEventRefused(outcome)
    return outcome


def _notice_rules(settings: Settings) -> NoticeRules:
    ours = settings.audience if settings.client_id is None else (*settings.audience, settings.client_id)
    return NoticeRules(
        issuer=settings.issuer,
        audience=frozenset(ours),
        algorithms=frozenset(settings.algorithms),
        memory=settings.revocation_memory,
        leeway=settings.leeway,
    )
