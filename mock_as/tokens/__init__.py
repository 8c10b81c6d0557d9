"""A token as a test holds it.

References: RFC 6750 section 2.1, RFC 9449 section 7.1
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Self

from mock_as.base64url import from_base64url
from mock_as.errors import UsageError
from mock_as.shell import command_line
from mock_as.tokens.proofs import Prover

TokenFormat = Literal["jwt", "opaque"]
FORMATS: tuple[TokenFormat, ...] = ("jwt", "opaque")
TokenType = Literal["Bearer", "DPoP"]
TOKEN_TYPES: tuple[TokenType, ...] = ("Bearer", "DPoP")

_SOMEWHERE = "https://api.example.test/"


class Curl(str):
    """A command line that sends a token to some API; called with a URL, it is one that sends it there.

    Args:
        to: returns the command line for a URL.
        url: where it sends the token.
    """

    __slots__ = ("_to",)
    _to: Callable[[str], str]

    def __new__(cls, to: Callable[[str], str], url: str = _SOMEWHERE) -> Self:
        """Write the command line."""
        line = super().__new__(cls, to(url))
        line._to = to
        return line

    def __call__(self, url: str = _SOMEWHERE) -> str:
        """Return a command line that sends the token somewhere.

        Args:
            url: where to.
        """
        return self._to(url)


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
    prover: Prover | None = field(default=None, compare=False)
    """The key that the token is bound to, or should be, where it was minted with ``token_type="DPoP"``."""

    @property
    def bearer(self) -> dict[str, str]:
        """The header field that sends the token."""
        return {"Authorization": f"Bearer {self.value}"}

    def dpop(self, method: str, url: str, *, nonce: str | None = None) -> dict[str, str]:
        """Return the header fields that send the token with a new proof of its key.

        Args:
            method: the method of the request.
            url: where it goes.
            nonce: the one that the resource server has asked for.

        Raises:
            UsageError: the token came without a key.

        References: RFC 9449 section 7.1
        """
        if self.prover is None:
            raise UsageError("token_type", "the token has no key: mint it with token_type='DPoP'")
        proof = self.prover.proof(method, url, token=self.value, nonce=nonce)
        return {"Authorization": f"DPoP {self.value}", "DPoP": proof}

    @property
    def curl(self) -> Curl:
        """A command line that sends the token, with a proof of its key if it has one; ``curl(url)`` sends it there."""
        return Curl(self._curl)

    def _curl(self, url: str) -> str:
        fields = self.bearer if self.prover is None else self.dpop("GET", url)
        options = [part for name, value in fields.items() for part in ("-H", f"{name}: {value}")]
        return command_line(("curl", "-i", *options, url))

    def __repr__(self) -> str:
        facts = {name: self.claims[name] for name in ("sub", "scope") if name in self.claims}
        shown = {"id": self.id, "format": self.format, **facts}
        if self.defect is not None:
            shown["defect"] = self.defect
        return f"Token({', '.join(f'{name}={value!r}' for name, value in shown.items())})"

    __str__ = __repr__


def looks_like_jwt(value: str) -> bool:
    """Tell a signed JWT from an opaque token by its shape: three parts, the first of them a header.

    Args:
        value: the token as it was sent.

    References: RFC 7515 section 3.1
    """
    header, *others = value.split(".")
    try:
        return len(others) == 2 and isinstance(json.loads(from_base64url(header)), dict)  # noqa: PLR2004 - as above
    except (ValueError, RecursionError):
        return False
