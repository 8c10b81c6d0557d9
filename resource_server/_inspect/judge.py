"""A judge that knows nothing yet, and remembers what it has found out."""

from __future__ import annotations

from typing import cast

from resource_server._core import Unknown
from resource_server._protocol.messages import RequestParts
from resource_server._rehearsal import Rehearsal
from resource_server._validation.verdict import Verdict
from resource_server.errors import BearerTokenError, VerificationUnavailable
from resource_server.events import AuthorizationServerUnavailable, ConfigurationFault
from resource_server.principal import Principal
from resource_server.requirements import Requirement

Refusal = BearerTokenError | VerificationUnavailable


class Judge(Rehearsal):
    """Judges requests with tokens of one issuer, as the service would that has these options."""

    verdict: Verdict | None = None
    """What was found out about the token, where it was looked at."""

    async def decide(self, request: RequestParts, requirement: Requirement) -> Principal | Refusal:
        """Judge a request.

        Args:
            request: with the token.
            requirement: what its route demands.
        """
        core = self.core
        try:
            unknown = cast("Unknown", core.begin(request, requirement))  # for nothing is known yet
            self.verdict = await self.run(lambda: core.find_out(unknown.presented))
            known = core.complete(unknown, self.verdict)
        except (BearerTokenError, VerificationUnavailable) as refusal:
            return refusal
        return known if isinstance(known, Principal) else known.principal

    def fault(self, endpoint: str) -> str | None:
        """Return why an endpoint gave no answer to rely on, where it gave none."""
        for event in self.events:
            if isinstance(event, AuthorizationServerUnavailable | ConfigurationFault) and event.endpoint == endpoint:
                return event.cause
        return None
