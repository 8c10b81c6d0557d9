"""The kinds of values that options have."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import BeforeValidator, Field
from pydantic_settings import NoDecode


def _words(value: object) -> object:
    """Let a list stand as one text, separated by commas or spaces, as it must in an environment variable."""
    if isinstance(value, str) and value.lstrip().startswith("["):
        raise ValueError("must be written with commas or spaces, not as JSON")
    return value.replace(",", " ").split() if isinstance(value, str) else value


def _implied(value: object) -> object:
    """Let a table of scopes stand as one text, ``admin=read,write;writer=read``."""
    if isinstance(value, str):
        pairs = [part.partition("=") for part in value.split(";") if part.strip()]
        if not all(equals for _, equals, _ in pairs):
            raise ValueError("must be written as admin=read,write;writer=read")
        return {name.strip(): _words(implied) for name, _, implied in pairs}
    return {name: _words(implied) for name, implied in value.items()} if isinstance(value, Mapping) else value


def number(value: object) -> object:
    """Let a number stand as text, as it must in an environment variable; a literal takes no text for a number."""
    return int(value) if isinstance(value, str) and value.isdecimal() else value


Words = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_words)]
ImpliedScopes = Annotated[dict[str, tuple[str, ...]], NoDecode, BeforeValidator(_implied)]
Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=1)]
