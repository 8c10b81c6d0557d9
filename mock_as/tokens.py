"""A token as a test holds it.

References: RFC 6750 section 2.1
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

TokenFormat = Literal["jwt", "opaque"]
FORMATS: tuple[TokenFormat, ...] = ("jwt", "opaque")


@dataclass(frozen=True, slots=True, repr=False)
class Token:
    """An access token, and what the authorization server knows about it; its text never shows in a log by accident."""

    value: str
    """The text that a client sends."""
    id: str
    """The name of the token in the journal and in the control plane, such as ``tok-1``."""
    format: TokenFormat
    jti: str
    claims: Mapping[str, Any] = field(compare=False)
    """What the token says if it is a JWT, and what introspection says of it if it is opaque."""
    header: Mapping[str, Any] = field(compare=False)
    """The JOSE header of a JWT; empty for an opaque token."""
    defect: str | None = None

    @property
    def bearer(self) -> dict[str, str]:
        """The header field that sends the token."""
        return {"Authorization": f"Bearer {self.value}"}

    def curl(self, url: str) -> str:
        """Return a command line that sends the token.

        Args:
            url: where to.
        """
        return shlex.join(("curl", "-i", "-H", f"Authorization: Bearer {self.value}", url))

    def __repr__(self) -> str:
        facts = {name: self.claims[name] for name in ("sub", "scope") if name in self.claims}
        shown = {"id": self.id, "format": self.format, **facts}
        if self.defect is not None:
            shown["defect"] = self.defect
        return f"Token({', '.join(f'{name}={value!r}' for name, value in shown.items())})"

    __str__ = __repr__


def looks_like_jwt(value: str) -> bool:
    """Tell a signed JWT from an opaque token by its shape: three parts, which no opaque token of this server has.

    Args:
        value: the token as it was sent.
    """
    return value.count(".") == 2  # noqa: PLR2004 - RFC 7515 section 3.1
