"""What a server does with a request before and after it is judged, whoever has issued its token.

Where a token may stand, which schemes are offered, whether its sender has shown that it is his, and what a refusal
looks like. With several authorization servers, they all share one of these.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from resource_server._protocol.bearer import Credential, TokenMethods
from resource_server._protocol.problem import ErrorStyle
from resource_server._validation.possession import Possession
from resource_server._validation.state import Clock
from resource_server.errors import BearerTokenError, InvalidDPoPProof, Scheme, UseDPoPNonce
from resource_server.principal import Principal
from resource_server.requirements import Requirement

if TYPE_CHECKING:
    from resource_server.settings import Settings


class Intake:
    """The side of a server that clients see.

    Args:
        settings: the options.
        clock: what time it is.
    """

    def __init__(self, settings: Settings, clock: Clock) -> None:
        """Begin with the options."""
        self.acting_principal: Principal | None = None
        self._clock = clock
        self._possession_rules = settings.possession()
        self.possession = Possession(self._possession_rules, clock)
        self._adopt(settings)

    def reconfigure(self, settings: Settings) -> None:
        """Put other options in force; which proofs were used is not forgotten."""
        rules = settings.possession()
        if rules != self._possession_rules:
            self._possession_rules = rules
            self.possession = self.possession.adopt(rules)
        self._adopt(settings)

    def takes_dpop(self, requirement: Requirement) -> bool:
        """Tell whether a route takes tokens under the scheme DPoP."""
        return self._dpop(requirement) != "off"

    def challenge(self, error: BearerTokenError, requirement: Requirement, credential: Credential | None) -> None:
        """Say which schemes a refusal challenges for; the one that the request has used comes first.

        Args:
            error: the refusal.
            requirement: what the route demands.
            credential: what the request has brought, where that is known.

        References: RFC 9449 sections 7.1 and 7.2
        """
        mode = self._dpop(requirement)
        if mode == "off":
            return
        offered: tuple[Scheme, ...] = ("DPoP",) if mode == "required" else ("Bearer", "DPoP")
        used_dpop = credential is not None and credential.scheme == "dpop"
        if used_dpop or isinstance(error, InvalidDPoPProof | UseDPoPNonce):
            offered = offered[::-1]
        error.schemes = offered

    def _dpop(self, requirement: Requirement) -> str:
        return requirement.dpop or self._possession_rules.dpop

    def _adopt(self, settings: Settings) -> None:
        self.error_style = ErrorStyle(
            settings.realm,
            settings.error_format,
            settings.verbose_errors,
            algs=settings.dpop_algorithms,
            resource_metadata=settings.resource_metadata,
        )
        self.token_methods = TokenMethods(settings.max_token_length, settings.query_token, settings.form_token)
        self.scope_rules = settings.scope_rules()
        self.protected_resource = settings.protected_resource()
        rules = self._possession_rules
        self.binds = rules.dpop == "required" or rules.mtls == "required" or rules.sender_constrained
        """Whether something is demanded of every token that a plain one has not."""
