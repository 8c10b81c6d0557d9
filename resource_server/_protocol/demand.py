"""Whether something must be there, may be there, or is not accepted: proofs, certificates, signatures, encryption."""

from __future__ import annotations

from typing import Literal

Demand = Literal["off", "optional", "required"]
"""Whether something must be there, may be there, or is not accepted."""
