"""How the authorization server may misbehave: one table of every way there is.

An endpoint always works out its honest answer; a fault then spoils it. Faults of the network spoil the connection.
"""

from __future__ import annotations

from mock_as.faults import discovery, http, introspection, jwks, network, signed_introspection
from mock_as.faults.action import Action, Argument, Scene, Spoil
from mock_as.faults.network import LATE, TLS

__all__ = [
    "ACTIONS",
    "FAMILIES",
    "LATE",
    "NETWORK",
    "TLS",
    "Action",
    "Argument",
    "Scene",
    "Spoil",
]

NETWORK = network.ACTIONS
"""Those that spoil the connection and not the answer."""
FAMILIES: dict[str, dict[str, Action]] = {
    "Network": NETWORK,
    "HTTP": http.ACTIONS,
    "Introspection": introspection.ACTIONS,
    "Signed introspection": signed_introspection.ACTIONS,
    "JWKS": jwks.ACTIONS,
    "Discovery": discovery.ACTIONS,
}
"""Every action, by what it is about."""
ACTIONS: dict[str, Action] = {name: action for family in FAMILIES.values() for name, action in family.items()}
"""Every action, by its name."""
