"""What is known about a token. A verdict is about the token only, never about a request: that is why it can be cached.

``Unavailable`` (no answer to rely on) is the third arm, beside a yes and a no; it is never cached.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Literal

from resource_server._protocol.messages import Unavailable
from resource_server.errors import Reason
from resource_server.principal import Claims, Principal

Source = Literal["introspection", "l2", "jwks", "stale", "none"]
"""Who has told: the authorization server, the store that all workers share, the token's own signature, a recent answer
that bridges an outage, or nobody."""


@dataclass(frozen=True, slots=True)
class Active:
    """The token is good; its times and bindings are judged anew on every request."""

    principal: Principal
    max_ttl: float = math.inf
    """Seconds it may be remembered, where that is less than usual: 0 for a verdict that is old news already."""
    asked_at: float = -math.inf
    """Monotonic seconds of the question behind it: what was revoked later is not known to it."""
    name: str = ""
    """What names the token in all workers and in every spelling of its signature."""
    own: Claims | None = field(default=None, repr=False)
    """What a JWT says of itself beyond or against ``principal.claims``, as far as a revocation may name it."""
    source: Source = field(default="none", compare=False)


@dataclass(frozen=True, slots=True)
class Inactive:
    """The token is not good. Nothing that happens later makes it so, but for a key that was not known yet."""

    reason: Reason
    source: Source = field(default="none", compare=False)


Verdict = Active | Inactive | Unavailable


def told_by(source: Source, verdict: Verdict) -> Verdict:
    """Note who has told a verdict, unless that is known already."""
    if isinstance(verdict, Unavailable) or verdict.source != "none":
        return verdict
    return replace(verdict, source=source)


__all__ = ["Active", "Inactive", "Source", "Unavailable", "Verdict", "told_by"]
