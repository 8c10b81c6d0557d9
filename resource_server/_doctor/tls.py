"""Look at the certificates of the authorization server, as a client with our options sees them."""

from __future__ import annotations

from collections.abc import Mapping

from resource_server._doctor.finding import Finding, broken, fine, odd, passed_over
from resource_server._doctor.reach import Place, Reached, Unreached
from resource_server._doctor.unit import Unit
from resource_server._protocol.plain import plain

_DAY = 86_400.0
SOON = 14
"""Days before the end of a certificate at which somebody should know."""
_OLD = frozenset({"SSLv3", "TLSv1", "TLSv1.1"})


def judge_tls(unit: Unit, reached: Mapping[Place, Reached | Unreached]) -> list[Finding]:
    """Judge the connections that were made.

    Args:
        unit: the authorization server.
        reached: what became of a connection to each of its places.
    """
    found: list[Finding] = []
    for place, outcome in reached.items():
        if isinstance(outcome, Unreached):
            if outcome.handshake:
                found.append(broken("tls", outcome.says, outcome.mend))
        elif place.tls:
            found.append(_judge(unit, place, outcome))
    if found:
        return found
    if any(place.tls for place in reached):
        return [passed_over("tls", "because no connection could be made")]
    return [passed_over("tls", f"the authorization server {plain(unit.settings.issuer)} is asked without TLS")]


def _judge(unit: Unit, place: Place, reached: Reached) -> Finding:
    days = ((reached.expires_at or 0.0) - unit.clock.wall()) / _DAY
    if reached.version in _OLD:
        return odd("tls", f"{place} speaks {reached.version} only", "let it speak TLS 1.2 or later")
    says = f"{place} speaks {reached.version} with a certificate that is trusted here, for {days:.0f} days more"
    if days < SOON:
        return odd("tls", says, "renew the certificate of the server")
    return fine("tls", says)
