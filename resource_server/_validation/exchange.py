"""Exchange a token that a request has brought for one that another service accepts.

References: RFC 8693 section 2
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field

from resource_server._protocol.messages import Unavailable
from resource_server._protocol.token_request import (
    ACCESS_TOKEN,
    TOKEN_EXCHANGE,
    GrantedToken,
    TokenRefused,
)
from resource_server._validation.authenticate import request_token
from resource_server._validation.flow import Flow
from resource_server._validation.state import IssuerState

Exchanged = str | TokenRefused | Unavailable
"""A token; or an answer that there is none; or no answer."""
_ABOUT_US = frozenset({"invalid_client", "unauthorized_client", "unsupported_grant_type"})
"""Refusals that no token brings about, and that somebody must mend."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A token for another service, in the place of one that a request has brought."""

    subject_token: str = field(repr=False)
    audience: tuple[str, ...] = ()
    resource: tuple[str, ...] = ()
    scope: tuple[str, ...] = ()
    actor_token: str | None = field(default=None, repr=False)

    @property
    def name(self) -> bytes:
        """What tells it from everything else that can be wanted."""
        parts = (self.subject_token, self.audience, self.resource, sorted(set(self.scope)), self.actor_token)
        return json.dumps(parts).encode()

    @property
    def form(self) -> tuple[tuple[str, str], ...]:
        """The parameters of the request (RFC 8693 section 2.1)."""
        form = [
            ("grant_type", TOKEN_EXCHANGE),
            ("subject_token", self.subject_token),
            ("subject_token_type", ACCESS_TOKEN),
            ("requested_token_type", ACCESS_TOKEN),
            *(("audience", audience) for audience in self.audience),
            *(("resource", resource) for resource in self.resource),
        ]
        if self.scope:
            form.append(("scope", " ".join(self.scope)))
        if self.actor_token is not None:
            form += [("actor_token", self.actor_token), ("actor_token_type", ACCESS_TOKEN)]
        return tuple(form)


def exchange(state: IssuerState, wanted: Wanted, key: bytes, refused: str | None = None) -> Flow[Exchanged]:
    """Return the token that is wanted: the one that is known, unless it has ended or was refused, or else a new one.

    Args:
        state: the issuer.
        wanted: what is wanted.
        key: the digest of its name.
        refused: the value of one that the other service does not accept.
    """
    asked_at = state.clock.monotonic()
    known = state.exchanged.find(key, asked_at, refused)
    if known is not None:
        return known
    answer = yield from request_token(state, wanted.form)
    if isinstance(answer, GrantedToken):
        if answer.value == wanted.subject_token:
            return TokenRefused("unsupported_token")  # what we were sent is sent nowhere else
        state.exchanged.put(key, answer.value, answer.lifetime, asked_at)
        return answer.value
    if isinstance(answer, Unavailable):
        state.report("token", answer)
    elif answer.error in _ABOUT_US:
        state.report("token", Unavailable(answer.error, fault="configuration"))
    return answer
