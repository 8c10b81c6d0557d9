"""Every clause, in the order in which they are tried: what disturbs a target comes late, what judges all last."""

from __future__ import annotations

from resource_server.conformance.clause import Clause
from resource_server.conformance.clauses import bearer, dpop, http, introspection, jwt, patience, sweep

SWEEP: tuple[Clause, ...] = sweep.CLAUSES
"""Those that judge the answers to all others."""
CLAUSES: tuple[Clause, ...] = (
    *bearer.CLAUSES,
    *http.CLAUSES,
    *introspection.CLAUSES,
    *jwt.CLAUSES,
    *dpop.CLAUSES,
    *patience.CLAUSES,
    *SWEEP,
)
