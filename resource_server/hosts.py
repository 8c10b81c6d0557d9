"""For whoever writes a front door of their own: what every door does alike.

A host makes :class:`~resource_server.RequestParts` of a request, asks :class:`PathRules` what its path demands, has the
server ``authenticate`` it, and sends what :func:`render` makes of a refusal.
"""

from __future__ import annotations

from resource_server._hosts import (
    MAX_FORM_BYTES,
    added_fields,
    header,
    hides,
    is_preflight,
    may_hold_token,
    metadata_at,
    refuse_proofs_for_nowhere,
    render,
    tell_of_itself,
)
from resource_server._paths import PathRules

__all__ = [
    "MAX_FORM_BYTES",
    "PathRules",
    "added_fields",
    "header",
    "hides",
    "is_preflight",
    "may_hold_token",
    "metadata_at",
    "refuse_proofs_for_nowhere",
    "render",
    "tell_of_itself",
]
