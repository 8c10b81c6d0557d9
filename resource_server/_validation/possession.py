"""Judge whether who sends a token is who it was given to. Runs on every request, cached or not.

References: RFC 9449 section 7, RFC 8705 section 3
"""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network
from typing import NamedTuple

from resource_server._protocol.bearer import Credential
from resource_server._protocol.messages import RequestParts
from resource_server._validation.state import Clock
from resource_server.errors import InvalidToken
from resource_server.principal import Principal
from resource_server.requirements import Demand, Requirement


@dataclass(frozen=True, slots=True, kw_only=True)
class PossessionRules:
    """What a server demands of the sender of a token."""

    dpop: Demand = "off"
    mtls: Demand = "off"
    sender_constrained: bool = False
    external_url: str | None = None
    """What the path of a request is appended to, to make the URL that a proof must name."""
    dpop_algorithms: frozenset[str] = frozenset()
    dpop_window: float = 60.0
    leeway: float = 0.0
    nonce_secret: bytes | None = field(default=None, repr=False)
    """What nonces are made from; ``None`` where none are demanded."""
    shared_replay: bool = False
    replay_size: int = 100_000
    certificate_header: bytes | None = None
    """In lower case."""
    trusted_proxies: tuple[IPv4Network | IPv6Network, ...] = ()


class FirstUse(NamedTuple):
    """A proof that is good if it is the first with its name, which the store that all workers share knows."""

    digest: str
    ttl: float


class Possession:
    """Judges proofs and certificates, and remembers which proofs were used.

    Args:
        rules: what is demanded.
        clock: what time it is.
    """

    def __init__(self, rules: PossessionRules, clock: Clock) -> None:
        """Begin with no proof used."""
        self.rules = rules
        self._clock = clock

    def adopt(self, rules: PossessionRules) -> Possession:
        """Return one that judges by other rules, and knows which proofs were used."""
        return Possession(rules, self._clock)

    def judge(
        self, principal: Principal, requirement: Requirement, credential: Credential, request: RequestParts
    ) -> FirstUse | None:
        """Judge whether the sender has shown what the token is bound to, and the route demands.

        Returns:
            What is still to be shown to be the first of its name, where all workers remember that together.

        Raises:
            InvalidToken: the token is bound to something that was not shown, or to nothing.
            InvalidDPoPProof: the proof is missing or not good.
            UseDPoPNonce: it needs another nonce.
        """
        if principal.confirmation is not None:
            # The token is bound to a key or a certificate, and this request has shown neither.
            raise InvalidToken("binding_mismatch")
        return None

    def nonce(self, principal: Principal) -> str | None:
        """Return the nonce for a client's next proof, to go with a response; ``None`` where none is needed."""
        return None
