"""Judge whether who sends a token is who it was given to. Runs on every request, cached or not.

References: RFC 9449 section 7, RFC 8705 section 3
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from hmac import compare_digest
from ipaddress import IPv4Network, IPv6Network
from typing import NamedTuple

from resource_server._protocol.bearer import Credential
from resource_server._protocol.certificates import thumbprint
from resource_server._protocol.dpop import MAX_AHEAD, Occasion, Proof, judge_proof, read_proof
from resource_server._protocol.messages import RequestParts
from resource_server._protocol.target_uri import target_uri
from resource_server._validation.certificates import shown_certificate
from resource_server._validation.nonce import Nonces
from resource_server._validation.replay import UsedProofs, proof_name
from resource_server._validation.state import Clock
from resource_server.errors import ConfigurationError, InvalidDPoPProof, InvalidToken, UseDPoPNonce
from resource_server.principal import Claims, Principal
from resource_server.requirements import Demand, Requirement

_METHODS = frozenset({"jkt", "x5t#S256"})
"""The ways to bind a token that are understood here (RFC 9449 section 6.1, RFC 8705 section 3.1)."""


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
    """Judges proofs and certificates, and remembers which proofs were used; safe for threads.

    Args:
        rules: what is demanded.
        clock: what time it is.
        used: which proofs were used; by default none.
        not_before: seconds since the epoch; a proof made before that may have been used and forgotten.
    """

    def __init__(
        self, rules: PossessionRules, clock: Clock, used: UsedProofs | None = None, not_before: float = -math.inf
    ) -> None:
        """Begin with what was used before."""
        self.rules = rules
        self._clock = clock
        self._used = used or UsedProofs(rules.replay_size)
        self._not_before = not_before
        self._nonces = None if rules.nonce_secret is None else Nonces(rules.nonce_secret, rules.dpop_window)

    def adopt(self, rules: PossessionRules) -> Possession:
        """Return one that judges by other rules, and knows which proofs were used."""
        self._used.size = rules.replay_size
        # Where proofs can be used for longer from now on, those that were over are not to come back.
        not_before = max(self._not_before, self._clock.wall() - self.rules.dpop_window)
        return Possession(rules, self._clock, self._used, not_before)

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
            ConfigurationError: the route takes proofs, and nobody has said where the server is reached.

        References: RFC 9449 section 7, RFC 8705 section 3
        """
        rules, confirmation = self.rules, principal.confirmation
        key, certificate = (None, None) if confirmation is None else _read_confirmation(principal, confirmation)
        if (key is not None) != (credential.scheme == "dpop"):
            raise InvalidToken("binding_mismatch")
        _judge_demand(requirement.dpop or rules.dpop, key)
        _judge_demand(requirement.mtls or rules.mtls, certificate)
        if confirmation is None and rules.sender_constrained:
            raise InvalidToken("not_bound")
        if request.proven:
            return None
        if certificate is not None:
            _judge_certificate(certificate, request, rules)
        return None if key is None else self._judge_proof(key, credential, request)

    def nonce(self, principal: Principal) -> str | None:
        """Return the nonce for a client's next proof, to go with a response; ``None`` where none is needed."""
        confirmation = principal.confirmation
        key = None if confirmation is None else confirmation.get("jkt")
        if self._nonces is None or not isinstance(key, str):
            return None
        return self._nonces.current(key, self._clock.wall())

    def _judge_proof(self, key: str, credential: Credential, request: RequestParts) -> FirstUse | None:
        """Judge a proof by everything that is cheap, then by its signature, and remember it."""
        rules, now = self.rules, self._clock.wall()
        try:
            proof = read_proof(request.headers, rules.dpop_algorithms)
        except InvalidDPoPProof as error:
            raise error.with_traceback(None) from None  # the frames below hold the proof and the token
        if proof.thumbprint != key:
            raise InvalidToken("binding_mismatch")
        if rules.external_url is None:
            raise ConfigurationError("a route takes DPoP proofs, and neither external_url nor resource is set")
        occasion = Occasion(request.method, target_uri(rules.external_url, request.path), credential.token, now)
        reason = judge_proof(proof, occasion, window=rules.dpop_window, leeway=rules.leeway)
        if reason is None and proof.issued_at < self._not_before:
            reason = "proof_stale"
        if reason is not None:
            raise InvalidDPoPProof(reason)
        self._judge_nonce(proof, now)
        from resource_server._protocol.jose import verify_proof  # noqa: PLC0415 - loads cryptography when first needed

        if not verify_proof(proof.jws, proof.key):
            raise InvalidDPoPProof("proof_invalid")
        return self._use(proof)

    def _judge_nonce(self, proof: Proof, now: float) -> None:
        nonces = self._nonces
        if nonces is None:
            return
        if proof.nonce is None or not nonces.accepts(proof.nonce, proof.thumbprint, now):
            raise UseDPoPNonce("proof_nonce", nonce=nonces.current(proof.thumbprint, now))

    def _use(self, proof: Proof) -> FirstUse | None:
        """Remember a proof here, and name it for the others."""
        rules, name = self.rules, proof_name(proof.thumbprint, proof.proof_id)
        ttl = rules.dpop_window + rules.leeway + MAX_AHEAD  # it may have come from a clock that is ahead
        now = self._clock.monotonic()
        self._used.follow(self._clock.wall() - now)
        reason = self._used.add(name, now, ttl)
        if reason is not None:
            raise InvalidDPoPProof(reason)
        return FirstUse(name.hex(), ttl) if rules.shared_replay else None


def _read_confirmation(principal: Principal, confirmation: Claims) -> tuple[str | None, str | None]:
    """Return the key and the certificate that a token is bound to, by their thumbprints.

    What is not understood fails: it binds the token to something that nobody here can judge. So does a token that is
    announced as DPoP-bound without a key, or the other way round (RFC 9449 section 6.2).
    """
    values = list(confirmation.values())
    if not values or not confirmation.keys() <= _METHODS or not all(isinstance(value, str) for value in values):
        raise InvalidToken("binding_mismatch")
    token_type = principal.claims.get("token_type")
    if token_type is not None and (str(token_type).lower() == "dpop") != ("jkt" in confirmation):
        raise InvalidToken("binding_mismatch")
    return confirmation.get("jkt"), confirmation.get("x5t#S256")


def _judge_demand(demand: Demand, bound_to: str | None) -> None:
    if demand == "required" and bound_to is None:
        raise InvalidToken("not_bound")
    if demand == "off" and bound_to is not None:
        raise InvalidToken("binding_mismatch")  # nobody judges here what it is bound to


def _judge_certificate(bound_to: str, request: RequestParts, rules: PossessionRules) -> None:
    shown = shown_certificate(request, rules.certificate_header, rules.trusted_proxies)
    if shown is None or not compare_digest(thumbprint(shown).encode(), bound_to.encode("utf-8", "replace")):
        raise InvalidToken("binding_mismatch")
